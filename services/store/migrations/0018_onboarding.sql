-- FIDO Device Onboard: what a manufacturer made, where owners say to be, and how far devices are that are ours by a voucher.

-- Devices that this server made (DI), each with its voucher as it stands.
CREATE TABLE made_devices (
    guid       BLOB PRIMARY KEY,
    serial     TEXT NOT NULL,
    info       TEXT NOT NULL,
    voucher    BLOB NOT NULL,
    -- Thumbprint of the key that it was sold to.
    sold_to    TEXT,
    made_at    INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX made_devices_by_serial ON made_devices (serial);

-- Redirections as owners signed them (TO0), for devices that ask (TO1).
CREATE TABLE redirects (
    guid       BLOB PRIMARY KEY,
    bytes      BLOB NOT NULL,
    -- The device's key, a SubjectPublicKeyInfo.
    device_key BLOB NOT NULL,
    -- Thumbprint of the owner's.
    owner      TEXT NOT NULL,
    -- When the session began in which it was registered: an older one never takes its place.
    session_at INTEGER NOT NULL,
    expires    INTEGER NOT NULL
) STRICT;
CREATE INDEX redirects_by_owner ON redirects (owner);
CREATE INDEX redirects_by_expiry ON redirects (expires);

CREATE TABLE onboardings (
    guid             BLOB PRIMARY KEY,
    -- The voucher that this server began when it set the device up; none where it is among `vouchers`.
    voucher          BLOB,
    state            TEXT NOT NULL,
    -- Its UEID, once it is enrolled.
    device           BLOB,
    info             TEXT NOT NULL,
    -- What it will be called by people; made up where it is empty.
    name             TEXT NOT NULL,
    fleet_group      TEXT NOT NULL,
    template         TEXT NOT NULL,
    -- What it was called before, and what it is called since.
    follows          BLOB,
    followed_by      BLOB,
    -- When the session began that the state is by.
    session_at       INTEGER NOT NULL,
    failure          TEXT,
    failed_at        INTEGER,
    failures         INTEGER NOT NULL,
    -- When to register with rendezvous servers again; none where there is nothing to register.
    register_at      INTEGER,
    registered_until INTEGER,
    register_failure TEXT,
    register_tries   INTEGER NOT NULL,
    changed_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX onboardings_to_register ON onboardings (register_at) WHERE register_at IS NOT NULL;
CREATE INDEX onboardings_by_device ON onboardings (device) WHERE device IS NOT NULL;
CREATE INDEX onboardings_by_state ON onboardings (state, guid);

CREATE TABLE onboarding_events (
    id     INTEGER PRIMARY KEY,
    guid   BLOB NOT NULL,
    at     INTEGER NOT NULL,
    event  TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX onboarding_events_by_guid ON onboarding_events (guid, id);

-- What devices are given, by name.
CREATE TABLE onboarding_templates (
    name       TEXT PRIMARY KEY,
    document   TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
