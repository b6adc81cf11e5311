-- Security advisories (OSV, CSAF, OpenVEX) as received: whoever brought one answers for it.

CREATE TABLE advisories (
    digest      BLOB PRIMARY KEY,
    bytes       BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    received_by TEXT NOT NULL,
    revoked_at  INTEGER,
    revoked_by  TEXT
) STRICT;
