-- Flows that began by entries of releases' MUD files, as gateways count them.

CREATE TABLE flow_uses (
    gateway  TEXT NOT NULL,
    release  BLOB NOT NULL,
    acl      TEXT NOT NULL,
    ace      TEXT NOT NULL,
    flows    INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    PRIMARY KEY (release, gateway, acl, ace)
) STRICT;
