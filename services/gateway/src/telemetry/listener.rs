//! NFLOG: dropped packets' headers, as the kernel sends them.

use std::time::Duration;

use super::read_flow;
use crate::netlink::{self, Message, Received, Request, Socket, messages};
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
            let configure = |kind: u16, value: &[u8]| {
                let request = Request::new(CONFIG, netlink::REQUEST | netlink::ACK, 0, group);
                socket.request(&request.attribute(kind, value).finish())
            };
            configure(NFULA_CFG_CMD, &[NFULNL_CFG_CMD_BIND])?;
            let [a, b, c, d] = SNAPLEN.to_be_bytes();
            configure(NFULA_CFG_MODE, &[a, b, c, d, NFULNL_COPY_PACKET, 0])?;
            configure(NFULA_CFG_TIMEOUT, &FLUSH.to_be_bytes())?;
        }
        Ok(Self { socket, buffer: vec![0; netlink::DATAGRAM] })
    }

    /// Waits a short while for packets. `None` in place of a log: some were lost on the way to us.
    pub fn receive(&mut self) -> Result<Vec<Option<Log>>, Error> {
        match self.socket.receive(&mut self.buffer)? {
            Received::Nothing => Ok(Vec::new()),
            Received::Overrun => Ok(vec![None]),
            Received::Datagram(datagram) => {
                Ok(messages(datagram).filter_map(|m| read(&m)).map(Some).collect())
            }
        }
    }
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
    let mark =
        attributes.find_kind(NFULA_MARK).and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)));
    let mac = attributes.find_kind(NFULA_HWADDR).and_then(read_mac);
    let flow = read_flow(attributes.find_kind(NFULA_PAYLOAD)?)?;
    Some(Log { kind, policy: mark.filter(|mark| *mark != 0).map(PolicyId), mac, flow })
}

/// `struct nfulnl_msg_packet_hw`, and `struct nfqnl_msg_packet_hw`, which is the same: length, padding, address.
pub(crate) fn read_mac(bytes: &[u8]) -> Option<Mac> {
    let length = u16::from_be_bytes(*bytes.first_chunk()?);
    (length == 6).then_some(Mac(*bytes.get(4..)?.first_chunk()?))
}

/// How long one wait is, which bounds how late a shutdown is noticed.
const WAIT: Duration = Duration::from_millis(250);
/// Bytes of a packet that we want.
const SNAPLEN: u32 = 96;
/// The kernel keeps packets back for at most this many hundredths of a second.
const FLUSH: u32 = 2;

// linux/netfilter/nfnetlink_log.h
const PACKET: u16 = 0x0400;
const CONFIG: u16 = 0x0401;
const NFULA_MARK: u16 = 2;
const NFULA_HWADDR: u16 = 8;
const NFULA_PAYLOAD: u16 = 9;
const NFULA_CFG_CMD: u16 = 1;
const NFULA_CFG_MODE: u16 = 2;
const NFULA_CFG_TIMEOUT: u16 = 4;
const NFULNL_CFG_CMD_BIND: u8 = 1;
const NFULNL_COPY_PACKET: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn log(group: u16) -> Vec<u8> {
        let packet = testkit::hex(
            "45 00 00 20 00 01 00 00 40 11 00 00 0a 00 00 02 c0 00 02 01 30 39 00 35 00 0c 00 00",
        );
        Request::new(PACKET, 0, 2, group)
            .attribute(NFULA_MARK, &17u32.to_be_bytes())
            .attribute(NFULA_HWADDR, &[0, 6, 0, 0, 2, 0, 0, 0, 0, 9, 0, 0])
            .attribute(NFULA_PAYLOAD, &packet)
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
