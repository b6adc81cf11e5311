//! NFQUEUE: packets that wait for a verdict, as the kernel sends them.

use std::time::Duration;

use crate::netlink::{self, Message, Received, Request, Socket, messages};
use crate::nflog;
use crate::nft::HANDSHAKE_QUEUE;
use crate::{Error, Mac};

/// Takes packets from the queue, in the network namespace of the thread that opened it. When it is dropped, nobody takes them.
#[derive(Debug)]
pub struct Queue {
    socket: Socket,
    buffer: Vec<u8>,
}

/// A packet that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) id: u32,
    pub(super) mac: Option<Mac>,
    pub(super) packet: Vec<u8>,
}

impl Queue {
    /// Binds the queue. There can be one who takes from it.
    pub fn open() -> Result<Self, Error> {
        let socket = Socket::open(WAIT)?;
        let configure = |kind: u16, value: &[u8]| {
            let request = Request::new(CONFIG, netlink::REQUEST | netlink::ACK, 0, HANDSHAKE_QUEUE);
            socket.request(&request.attribute(kind, value).finish())
        };
        configure(NFQA_CFG_CMD, &[NFQNL_CFG_CMD_BIND, 0, 0, 0])?;
        let [a, b, c, d] = WHOLE.to_be_bytes();
        configure(NFQA_CFG_PARAMS, &[a, b, c, d, NFQNL_COPY_PACKET])?;
        configure(NFQA_CFG_QUEUE_MAXLEN, &LONGEST.to_be_bytes())?;
        Ok(Self { socket, buffer: vec![0; netlink::DATAGRAM + netlink::DATAGRAM / 8] })
    }

    /// Waits a short while for packets. Those that the kernel could not give us it drops.
    pub(super) fn receive(&mut self) -> Result<Vec<Waiting>, Error> {
        match self.socket.receive(&mut self.buffer)? {
            Received::Nothing | Received::Overrun => Ok(Vec::new()),
            Received::Datagram(datagram) => Ok(messages(datagram).filter_map(|m| read(&m)).collect()),
        }
    }

    /// Says what becomes of a packet.
    pub(super) fn decide(&self, id: u32, pass: bool) -> Result<(), Error> {
        let verdict = if pass { NF_ACCEPT } else { NF_DROP };
        let [verdict, id] = [verdict.to_be_bytes(), id.to_be_bytes()];
        let request = Request::new(VERDICT, netlink::REQUEST, 0, HANDSHAKE_QUEUE);
        self.socket.send(&request.attribute(NFQA_VERDICT_HDR, &[verdict, id].concat()).finish())
    }
}

fn read(message: &Message<'_>) -> Option<Waiting> {
    if message.kind != PACKET || message.resource() != HANDSHAKE_QUEUE {
        return None;
    }
    let attributes = message.attributes();
    let id = u32::from_be_bytes(*attributes.find_kind(NFQA_PACKET_HDR)?.first_chunk()?);
    let mac = attributes.find_kind(NFQA_HWADDR).and_then(nflog::mac);
    // One without contents still waits for a verdict.
    let packet = attributes.find_kind(NFQA_PAYLOAD).unwrap_or_default().to_vec();
    Some(Waiting { id, mac, packet })
}

/// How long one wait is, which bounds how late a shutdown is noticed.
const WAIT: Duration = Duration::from_millis(250);
/// Bytes of a packet that we want: all.
const WHOLE: u32 = 0xffff;
/// Packets that wait at a time; what comes then is dropped.
const LONGEST: u32 = 1024;

// linux/netfilter/nfnetlink_queue.h
const PACKET: u16 = 0x0300;
const VERDICT: u16 = 0x0301;
const CONFIG: u16 = 0x0302;
const NFQA_PACKET_HDR: u16 = 1;
const NFQA_VERDICT_HDR: u16 = 2;
const NFQA_HWADDR: u16 = 9;
const NFQA_PAYLOAD: u16 = 10;
const NFQA_CFG_CMD: u16 = 1;
const NFQA_CFG_PARAMS: u16 = 2;
const NFQA_CFG_QUEUE_MAXLEN: u16 = 3;
const NFQNL_CFG_CMD_BIND: u8 = 1;
const NFQNL_COPY_PACKET: u8 = 2;
// linux/netfilter.h
const NF_DROP: u32 = 0;
const NF_ACCEPT: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(queue: u16) -> Vec<u8> {
        Request::new(PACKET, 0, 2, queue)
            .attribute(NFQA_PACKET_HDR, &[0, 0, 0, 9, 8, 0, 2])
            .attribute(NFQA_HWADDR, &[0, 6, 0, 0, 2, 0, 0, 0, 0, 9, 0, 0])
            .attribute(NFQA_PAYLOAD, &[0x45, 1, 2])
            .finish()
    }

    #[test]
    fn reads_what_waits_in_our_queue() {
        let bytes = packet(HANDSHAKE_QUEUE);
        let found = read(&messages(&bytes).next().unwrap()).unwrap();
        let mac = Some(Mac([2, 0, 0, 0, 0, 9]));
        assert_eq!(found, Waiting { id: 9, mac, packet: vec![0x45, 1, 2] });
        let bytes = packet(HANDSHAKE_QUEUE + 1);
        assert_eq!(read(&messages(&bytes).next().unwrap()), None);
    }

    #[test]
    fn survives_any_byte() {
        let bytes = packet(HANDSHAKE_QUEUE);
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _read: Vec<_> = messages(&changed).map(|message| read(&message)).collect();
            }
        }
    }
}
