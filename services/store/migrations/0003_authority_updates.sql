-- Signed changes of authority lists, to be relayed to the devices that obey the list they follow.
CREATE TABLE authority_updates (
    digest  BLOB PRIMARY KEY,
    follows BLOB NOT NULL,
    bytes   BLOB NOT NULL,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL
) STRICT;
CREATE INDEX authority_updates_follows ON authority_updates (follows);
