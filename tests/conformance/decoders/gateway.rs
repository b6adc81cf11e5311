//! What a gateway reads: frames of the link, the kernel's log, answers of resolvers and of access servers.

use std::net::IpAddr;

use gateway::hear::{Ear, Frame, Origin, Said};
use gateway::radius::{Packet, RadiusError, Secret};

/// A frame, from either side, by an ear that has heard it before.
pub(super) fn frame(bytes: &[u8]) -> bool {
    let Some(frame) = Frame::decode(bytes) else { return false };
    let said = frame.said();
    if let Some(Said::Dhcp6(message)) = &said {
        assert!(message.leases().count() <= gateway::hear::Dhcp6::MAX_LEASES);
    }
    let mut ear = Ear::new([IpAddr::from([10, 0, 0, 1])]);
    for (now, origin) in [(0, Origin::Link), (1, Origin::Gateway), (2, Origin::Link)] {
        for heard in ear.hear(origin, &frame, now) {
            assert_eq!(heard.mac.0[0] & 1, 0, "groups say nothing");
        }
        ear.tick(now);
    }
    assert!(said.is_some() || ear.hear(Origin::Link, &frame, 3).is_empty());
    said.is_some()
}

/// A datagram of the kernel's log.
pub(super) fn log(bytes: &[u8]) -> bool {
    !gateway::read_logs(bytes).is_empty()
}

/// The start of a packet.
pub(super) fn flow(bytes: &[u8]) -> bool {
    gateway::read_flow(bytes).is_some()
}

/// An answer of a resolver, and of it what a device would get.
pub(super) fn dns(bytes: &[u8]) -> bool {
    let Some((found, released)) = gateway::answered(bytes) else { return false };
    // What is released has the addresses that are permitted, and no others.
    let (again, _) = gateway::answered(&released).expect("an answer of our own");
    assert_eq!(found, again);
    true
}

/// An answer of an access server. Few are authentic; all are read before that is known.
pub(super) fn radius(bytes: &[u8]) -> bool {
    let secret = Secret::new(b"a secret of enough octets").expect("long enough");
    let read = Packet::decode_answer(bytes, bytes, &secret);
    !matches!(read, Err(RadiusError::Malformed))
}
