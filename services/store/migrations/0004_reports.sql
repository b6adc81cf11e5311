-- What devices report of the releases they processed. `bytes` is the signed report as received; the columns beside it are
-- what was read from it and what the comparison with the manifest found.

CREATE TABLE reports (
    id          INTEGER PRIMARY KEY,
    device      BLOB NOT NULL,
    object      BLOB NOT NULL,
    release     BLOB NOT NULL,
    action      INTEGER,
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    times       INTEGER NOT NULL,
    bytes       BLOB NOT NULL,
    is_update   INTEGER NOT NULL,
    succeeded   INTEGER NOT NULL,
    reason      TEXT,
    place       TEXT,
    verdict     TEXT NOT NULL,
    faults      TEXT NOT NULL,
    UNIQUE (device, object)
) STRICT;
CREATE INDEX reports_by_device ON reports (device, last_at);
CREATE INDEX reports_by_release ON reports (release, device, last_at);

-- The report in which a device last said what it can process.
CREATE TABLE capabilities (
    device BLOB PRIMARY KEY,
    report INTEGER NOT NULL REFERENCES reports (id),
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
