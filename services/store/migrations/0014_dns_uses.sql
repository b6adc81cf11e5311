-- What devices asked the resolvers of gateways, and how gateways stand.
CREATE TABLE dns_uses (
    gateway  TEXT NOT NULL,
    device   BLOB NOT NULL,
    queries  INTEGER NOT NULL,
    nxdomain INTEGER NOT NULL,
    outside  INTEGER NOT NULL,
    private  INTEGER NOT NULL,
    blocked  INTEGER NOT NULL,
    tunnel   INTEGER NOT NULL,
    domain   TEXT,
    last_at  INTEGER NOT NULL,
    PRIMARY KEY (device, gateway)
) STRICT, WITHOUT ROWID;
ALTER TABLE gateways ADD COLUMN status TEXT NOT NULL DEFAULT '[]';
