-- Security advisories (OSV, CSAF, OpenVEX) as received: whoever brought one answers for it.

CREATE TABLE advisories (
    digest       BLOB PRIMARY KEY,
    bytes        BLOB NOT NULL,
    added_at     INTEGER NOT NULL,
    added_by     TEXT NOT NULL,
    withdrawn_at INTEGER,
    withdrawn_by TEXT
) STRICT;
