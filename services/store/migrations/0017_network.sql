-- Devices without attestation and the MUD files of their URLs, as gateways tell of them, and URLs that somebody wants checked.

CREATE TABLE network_models (
    gateway TEXT NOT NULL,
    url     TEXT NOT NULL,
    told    TEXT NOT NULL,
    summary TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (gateway, url)
) STRICT;

CREATE TABLE network_devices (
    gateway TEXT NOT NULL,
    device  BLOB NOT NULL,
    told    TEXT NOT NULL,
    summary TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (gateway, device)
) STRICT;

CREATE TABLE mud_checks (
    url TEXT NOT NULL PRIMARY KEY,
    at  INTEGER NOT NULL
) STRICT;
