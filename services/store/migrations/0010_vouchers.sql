-- Ownership vouchers (FDO) as received. They are verified again whenever they are read.

CREATE TABLE vouchers (
    digest      BLOB PRIMARY KEY,
    bytes       BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    received_by TEXT NOT NULL
) STRICT;
