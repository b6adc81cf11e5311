-- Ids are blobs as on the wire, times integer microseconds since 1970, wire objects raw bytes beside the columns
-- extracted from them, structured values JSON text.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('revision', x'0000000000000000');

CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    actor    TEXT NOT NULL,
    action   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    record   TEXT NOT NULL,
    hash     BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_subject ON audit (subject, sequence);

CREATE TABLE devices (
    id          BLOB PRIMARY KEY,
    name        TEXT NOT NULL,
    model       TEXT NOT NULL,
    fleet_group TEXT NOT NULL,
    key         BLOB NOT NULL,
    thumbprint  BLOB NOT NULL,
    enrolled_at INTEGER NOT NULL,
    retired_at  INTEGER,
    held_by     TEXT,
    held_why    TEXT,
    held_at     INTEGER,
    held_until  INTEGER,
    result      INTEGER,
    decision    INTEGER,
    posture     TEXT NOT NULL,
    access      TEXT NOT NULL,
    violating   INTEGER NOT NULL,
    reasons     TEXT NOT NULL,
    release     BLOB,
    attested_at INTEGER,
    due         INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX devices_by_name ON devices (name) WHERE retired_at IS NULL;
CREATE INDEX devices_by_thumbprint ON devices (thumbprint);
CREATE INDEX devices_by_due ON devices (due) WHERE due IS NOT NULL;
CREATE INDEX devices_by_posture ON devices (posture, id) WHERE retired_at IS NULL;

CREATE TABLE releases (
    digest      BLOB PRIMARY KEY,
    sequence    INTEGER NOT NULL,
    vendor      TEXT NOT NULL,
    model       TEXT NOT NULL,
    version     TEXT NOT NULL,
    class       BLOB,
    size        INTEGER NOT NULL,
    object      BLOB NOT NULL,
    accepted_at INTEGER NOT NULL,
    accepted_by TEXT NOT NULL,
    revoked_at  INTEGER,
    revoked_why TEXT
) STRICT, WITHOUT ROWID;

-- Apart from `releases`, so that reading a row never drags an image along.
CREATE TABLE envelopes (
    release BLOB PRIMARY KEY REFERENCES releases (digest),
    bytes   BLOB NOT NULL
) STRICT;

CREATE TABLE expected_values (
    release   BLOB NOT NULL REFERENCES releases (digest),
    component TEXT NOT NULL,
    digest    BLOB NOT NULL,
    size      INTEGER,
    version   TEXT,
    PRIMARY KEY (release, component)
) STRICT, WITHOUT ROWID;

CREATE TABLE challenges (
    id      BLOB PRIMARY KEY,
    nonce   BLOB NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The primary key is what makes a challenge single use.
CREATE TABLE sessions_used (
    id BLOB PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_used_by_time ON sessions_used (at);

CREATE TABLE results (
    id          INTEGER PRIMARY KEY,
    session     BLOB UNIQUE,
    device      BLOB,
    received_at INTEGER NOT NULL,
    nonce       BLOB NOT NULL,
    evidence    BLOB NOT NULL,
    cwt         BLOB NOT NULL,
    jwt         TEXT NOT NULL,
    issued      INTEGER NOT NULL,
    expires     INTEGER NOT NULL,
    tier        TEXT NOT NULL,
    release     BLOB,
    reasons     TEXT NOT NULL,
    authentic   INTEGER NOT NULL
) STRICT;
CREATE INDEX results_by_device ON results (device, id);
CREATE INDEX results_by_time ON results (received_at);

CREATE TABLE decisions (
    id       INTEGER PRIMARY KEY,
    device   BLOB NOT NULL,
    at       INTEGER NOT NULL,
    posture  TEXT NOT NULL,
    access   TEXT NOT NULL,
    reasons  TEXT NOT NULL,
    release  BLOB,
    result   INTEGER,
    body     TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_by_device ON decisions (device, id);
CREATE INDEX decisions_by_time ON decisions (at);

CREATE TABLE campaigns (
    id         INTEGER PRIMARY KEY,
    release    BLOB NOT NULL,
    selector   TEXT NOT NULL,
    canaries   INTEGER NOT NULL,
    state      TEXT NOT NULL,
    reason     TEXT,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

-- `id` is the action id of the update API.
CREATE TABLE campaign_devices (
    id       INTEGER PRIMARY KEY,
    campaign INTEGER NOT NULL REFERENCES campaigns (id),
    device   BLOB NOT NULL,
    wave     INTEGER NOT NULL,
    state    TEXT NOT NULL,
    reason   TEXT,
    at       INTEGER NOT NULL,
    UNIQUE (campaign, device)
) STRICT;
CREATE INDEX campaign_devices_by_device ON campaign_devices (device);
CREATE INDEX campaign_devices_by_wave ON campaign_devices (campaign, wave, state);

CREATE TABLE gateways (
    name       TEXT PRIMARY KEY,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    revision   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE staged (
    gateway TEXT NOT NULL,
    release BLOB NOT NULL,
    mud     TEXT,
    at      INTEGER NOT NULL,
    PRIMARY KEY (gateway, release)
) STRICT, WITHOUT ROWID;

CREATE TABLE refused (
    gateway TEXT NOT NULL,
    object  TEXT NOT NULL,
    reason  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (gateway, object)
) STRICT, WITHOUT ROWID;

CREATE TABLE applied (
    gateway TEXT NOT NULL,
    device  BLOB NOT NULL,
    profile TEXT NOT NULL,
    release BLOB,
    reasons TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (gateway, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX applied_by_device ON applied (device);

CREATE TABLE bindings (
    gateway   TEXT NOT NULL,
    device    BLOB NOT NULL,
    mac       TEXT NOT NULL,
    addresses TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (gateway, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX bindings_by_device ON bindings (device);

CREATE TABLE violations (
    gateway   TEXT NOT NULL,
    device    BLOB,
    mac       TEXT NOT NULL,
    src       TEXT NOT NULL,
    dst       TEXT NOT NULL,
    protocol  TEXT NOT NULL,
    sport     INTEGER NOT NULL,
    dport     INTEGER NOT NULL,
    direction TEXT NOT NULL,
    log_group INTEGER NOT NULL,
    name      TEXT,
    count     INTEGER NOT NULL,
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    PRIMARY KEY (gateway, mac, dst, protocol, dport, direction, first_at)
) STRICT;
CREATE INDEX violations_by_device ON violations (device, last_at);
CREATE INDEX violations_by_time ON violations (last_at);

CREATE TABLE overrides (
    digest      BLOB PRIMARY KEY,
    bytes       BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    received_by TEXT NOT NULL,
    not_before  INTEGER NOT NULL,
    expires     INTEGER NOT NULL,
    scope       TEXT NOT NULL,
    reason      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE authorities (
    version INTEGER PRIMARY KEY,
    bytes   BLOB NOT NULL,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL
) STRICT;

CREATE TABLE tokens (
    hash       BLOB PRIMARY KEY,
    scope      TEXT NOT NULL,
    label      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires    INTEGER
) STRICT, WITHOUT ROWID;
