//! NFLOG: dropped packets' headers, as the kernel sends them.

use std::time::Duration;

use super::read_flow;
use crate::netlink::{self, Message, Received, Socket, messages};
use crate::nflog::{self, HWADDR, MARK, PACKET, PAYLOAD};
use crate::nft::NFLOG_GROUPS;
use crate::{Error, Flow, Mac, PolicyId, ViolationKind};

/// One logged packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// What was wrong with it.
    pub kind: ViolationKind,
    /// The policy that did not permit it.
    pub policy: Option<PolicyId>,
    /// Source address of its frame.
    pub mac: Option<Mac>,
    /// Its addresses and ports.
    pub flow: Flow,
}

/// Receives the groups that the ruleset logs to, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Listener {
    /// Binds the groups. Another program that has one of them is an error: there can be one listener.
    pub fn open() -> Result<Self, Error> {
        let socket = Socket::open(WAIT)?;
        for group in NFLOG_GROUPS {
            nflog::bind(&socket, group, SNAPLEN, FLUSH)?;
        }
        Ok(Self { socket, buffer: vec![0; netlink::DATAGRAM] })
    }

    /// Waits a short while for packets. `None` in place of a log: some were lost on the way to us.
    pub fn receive(&mut self) -> Result<Vec<Option<Log>>, Error> {
        match self.socket.receive(&mut self.buffer)? {
            Received::Nothing => Ok(Vec::new()),
            Received::Overrun => Ok(vec![None]),
            Received::Datagram(datagram) => Ok(read_logs(datagram).into_iter().map(Some).collect()),
        }
    }
}

/// The packets in a datagram of the kernel's log. What is not well-formed is left out.
pub fn read_logs(datagram: &[u8]) -> Vec<Log> {
    messages(datagram).filter_map(|message| read(&message)).collect()
}

fn read(message: &Message<'_>) -> Option<Log> {
    if message.kind != PACKET {
        return None;
    }
    let kind = match message.resource() {
        10 => ViolationKind::FromDevice,
        11 => ViolationKind::ToDevice,
        12 => ViolationKind::UnknownDevice,
        13 => ViolationKind::Resolver,
        14 => ViolationKind::Observed,
        _ => return None,
    };
    let attributes = message.attributes();
    let mark = attributes.find_kind(MARK).and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)));
    let mac = attributes.find_kind(HWADDR).and_then(nflog::mac);
    let flow = read_flow(attributes.find_kind(PAYLOAD)?)?;
    Some(Log { kind, policy: mark.filter(|mark| *mark != 0).map(PolicyId), mac, flow })
}

/// How long one wait is, which bounds how late a shutdown is noticed.
const WAIT: Duration = Duration::from_millis(250);
/// Bytes of a packet that we want.
const SNAPLEN: u32 = 96;
/// The kernel keeps packets back for at most this many hundredths of a second.
const FLUSH: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Request;

    fn log(group: u16) -> Vec<u8> {
        let packet = testkit::hex(
            "45 00 00 20 00 01 00 00 40 11 00 00 0a 00 00 02 c0 00 02 01 30 39 00 35 00 0c 00 00",
        );
        Request::new(PACKET, 0, 2, group)
            .attribute(MARK, &17u32.to_be_bytes())
            .attribute(HWADDR, &[0, 6, 0, 0, 2, 0, 0, 0, 0, 9, 0, 0])
            .attribute(PAYLOAD, &packet)
            .finish()
    }

    #[test]
    fn reads_policy_mac_and_flow_by_group() {
        for (group, kind) in [
            (10, ViolationKind::FromDevice),
            (11, ViolationKind::ToDevice),
            (12, ViolationKind::UnknownDevice),
            (13, ViolationKind::Resolver),
            (14, ViolationKind::Observed),
        ] {
            let bytes = log(group);
            let found = read(&messages(&bytes).next().unwrap()).unwrap();
            assert_eq!(found.kind, kind);
            assert_eq!(found.policy, Some(PolicyId(17)));
            assert_eq!(found.mac, Some(Mac([2, 0, 0, 0, 0, 9])));
            assert_eq!((found.flow.protocol, found.flow.destination_port), (17, 53));
        }
        let bytes = log(15);
        assert_eq!(read(&messages(&bytes).next().unwrap()), None);
    }

    #[test]
    fn survives_any_byte() {
        let bytes = log(10);
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _read: Vec<_> = messages(&changed).map(|message| read(&message)).collect();
            }
        }
    }
}
