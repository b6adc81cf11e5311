-- What devices did, as gateways count it: flows by who began them, protocol, port and the other end.

CREATE TABLE device_flows (
    device           BLOB NOT NULL,
    direction        TEXT NOT NULL,
    protocol         TEXT NOT NULL,
    remote           TEXT NOT NULL,
    port             INTEGER NOT NULL,
    name             TEXT,
    flows            INTEGER NOT NULL,
    sent_packets     INTEGER NOT NULL,
    sent_octets      INTEGER NOT NULL,
    received_packets INTEGER NOT NULL,
    received_octets  INTEGER NOT NULL,
    first_at         INTEGER NOT NULL,
    last_at          INTEGER NOT NULL,
    PRIMARY KEY (device, direction, protocol, remote, port)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_flows_by_time ON device_flows (device, last_at);
