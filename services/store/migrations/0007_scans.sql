-- Signed statements on scans of releases, as received. They are verified again whenever they are read.

CREATE TABLE scans (
    digest      BLOB PRIMARY KEY,
    bytes       BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    received_by TEXT NOT NULL
) STRICT;
