-- What evidence is judged by besides releases: digests that must not run, and rules of the operator. Neither is ever
-- deleted, for decisions rest on it.

CREATE TABLE denied (
    id        INTEGER PRIMARY KEY,
    digest    BLOB NOT NULL,
    why       TEXT NOT NULL,
    denied_at INTEGER NOT NULL,
    denied_by TEXT NOT NULL,
    lifted_at INTEGER,
    lifted_by TEXT
) STRICT;
CREATE UNIQUE INDEX denied_now ON denied (digest) WHERE lifted_at IS NULL;

CREATE TABLE rules (
    name     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    digest   BLOB NOT NULL,
    source   TEXT NOT NULL,
    vendor   BLOB,
    class    BLOB,
    added_at INTEGER NOT NULL,
    added_by TEXT NOT NULL,
    active   INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX rules_by_digest ON rules (digest);
CREATE UNIQUE INDEX rules_in_force ON rules (name) WHERE active = 1;

-- The policy that a result was made under, and what lets its evidence be judged again without the device's key.
ALTER TABLE results ADD COLUMN policy BLOB;
ALTER TABLE results ADD COLUMN seal BLOB;

CREATE INDEX devices_by_release ON devices (release) WHERE release IS NOT NULL AND retired_at IS NULL;
