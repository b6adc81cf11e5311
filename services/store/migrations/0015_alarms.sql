-- Cuts that gateways withheld, until somebody acknowledged each.

CREATE TABLE alarms (
    id              INTEGER PRIMARY KEY,
    gateway         TEXT NOT NULL,
    device          BLOB NOT NULL,
    model           TEXT NOT NULL,
    most            INTEGER NOT NULL,
    raised_at       INTEGER NOT NULL,
    ended_at        INTEGER,
    acknowledged_at INTEGER,
    acknowledged_by TEXT,
    UNIQUE (gateway, device, raised_at)
) STRICT;

CREATE INDEX alarms_withheld ON alarms (device) WHERE ended_at IS NULL;
