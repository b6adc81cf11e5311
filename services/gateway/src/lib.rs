//! The enforcement point: MUD controller, DNS forwarder, nftables, telemetry.
