-- Manifests of reference values and endorsements (CoRIM) as received. They are verified again whenever they are read.

CREATE TABLE endorsements (
    digest      BLOB PRIMARY KEY,
    bytes       BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    received_by TEXT NOT NULL,
    revoked_at  INTEGER,
    revoked_by  TEXT
) STRICT;

-- What kind of evidence a result judges; null is the product's own.
ALTER TABLE results ADD COLUMN media_type TEXT;
