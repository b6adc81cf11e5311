//! Connection tracking: finds a device's flows, and cuts those that its policy no longer permits.
//!
//! `ct state established` outlives the permission that started a flow. After a commit that may have taken something
//! away, every entry with one of the device's addresses in either tuple is judged again, and deleted if the policy
//! in force would not let it start. Flows that stay permitted are not touched.

use std::net::IpAddr;
use std::time::Duration;

use crate::netlink::{self, Attributes, INET, INET6, Received, Request, Socket, attributes, messages};
use crate::{Error, Flow};

/// A tracked connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As its first packet was before any translation.
    pub original: Flow,
    /// As its answers come back: the source is who really answers.
    pub reply: Flow,
    /// What was sent by whoever began it, and what came back, where the kernel counts.
    pub traffic: [Traffic; 2],
    /// The kernel's number of it, while it lives.
    pub(crate) number: Option<u32>,
    family: u8,
    /// The original tuple as the kernel wrote it, which is how it wants it back.
    tuple: Vec<u8>,
    zone: Option<Vec<u8>>,
    id: Option<Vec<u8>>,
}

impl Entry {
    #[cfg(test)]
    pub(crate) fn for_tests(original: Flow, reply: Flow, traffic: [Traffic; 2], number: Option<u32>) -> Self {
        Self { original, reply, traffic, number, family: INET, tuple: Vec::new(), zone: None, id: None }
    }

    /// Both ends, before and after translation.
    pub fn addresses(&self) -> [IpAddr; 4] {
        [self.original.source, self.original.destination, self.reply.source, self.reply.destination]
    }

    /// The start of the flow as the forward hook saw it: before source, after destination translation.
    pub fn start(&self) -> Flow {
        Flow {
            source: self.original.source,
            destination: self.reply.source,
            protocol: self.original.protocol,
            source_port: self.original.source_port,
            destination_port: match self.original.protocol {
                TCP | UDP => self.reply.source_port,
                _ => self.original.destination_port,
            },
        }
    }
}

/// What passed in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Octets of them, with their IP headers.
    pub octets: u64,
}

impl Traffic {
    /// What passed since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(before.packets),
            octets: self.octets.saturating_sub(before.octets),
        }
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            packets: self.packets.saturating_add(other.packets),
            octets: self.octets.saturating_add(other.octets),
        }
    }
}

/// Connections that ended, as the kernel tells of them, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Endings {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Endings {
    /// Listens, and has the kernel count what passes.
    pub fn open() -> Result<Self, Error> {
        crate::kernel::count_traffic()?;
        let socket = Socket::listening(WAIT, GROUP_DESTROY)?;
        Ok(Self { socket, buffer: vec![0; netlink::DATAGRAM] })
    }

    /// Waits a short while for endings. `None` in place of one: some were lost on the way to us.
    pub fn receive(&mut self) -> Result<Vec<Option<Entry>>, Error> {
        match self.socket.receive(&mut self.buffer)? {
            Received::Nothing => Ok(Vec::new()),
            Received::Overrun => Ok(vec![None]),
            Received::Datagram(datagram) => {
                let ended = messages(datagram).filter(|message| message.kind == DELETE);
                Ok(ended
                    .filter_map(|message| decode(message.family(), &message.attributes()))
                    .map(Some)
                    .collect())
            }
        }
    }
}

/// A way to the connection table of the network namespace in which it was opened.
#[derive(Debug)]
pub struct Conntrack {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Conntrack {
    /// Opens it.
    pub fn open() -> Result<Self, Error> {
        Ok(Self { socket: Socket::open(ANSWER_TIME)?, buffer: vec![0; netlink::DATAGRAM] })
    }

    /// All entries that involve one of the addresses.
    pub fn entries(&mut self, addresses: &[IpAddr]) -> Result<Vec<Entry>, Error> {
        let mut found: Vec<Entry> = Vec::new();
        let walks = addresses.len() * 2;
        if entries_now().is_none_or(|entries| entries <= walks * ENTRIES_A_WALK) {
            self.dump(everything(UNSPECIFIED), addresses, &mut found)?;
        } else {
            for address in addresses {
                for tuple in [CTA_TUPLE_ORIG, CTA_TUPLE_REPLY] {
                    self.dump(of_source(*address, tuple), addresses, &mut found)?;
                }
            }
        }
        Ok(found)
    }

    /// Everything that is tracked.
    pub fn all(&mut self) -> Result<Vec<Entry>, Error> {
        let mut found = Vec::new();
        self.read(everything(UNSPECIFIED), |_| true, &mut found)?;
        Ok(found)
    }

    /// Deletes one; `false` when it had ended by itself.
    pub fn delete(&mut self, entry: &Entry) -> Result<bool, Error> {
        let mut request = Request::new(DELETE, netlink::REQUEST | netlink::ACK, entry.family, 0)
            .attribute(CTA_TUPLE_ORIG | netlink::NESTED, &entry.tuple);
        if let Some(zone) = &entry.zone {
            request = request.attribute(CTA_ZONE, zone);
        }
        // The id makes sure that a new flow with the same tuple is not hit in place of the old one.
        if let Some(id) = &entry.id {
            request = request.attribute(CTA_ID, id);
        }
        match self.socket.request(&request.finish()) {
            Ok(()) => Ok(true),
            Err(Error::Netlink(ENOENT)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes the mark from the connection that began so; `false` when there is none.
    pub(crate) fn unmark(&mut self, start: &Flow) -> Result<bool, Error> {
        self.about(NEW, start, Some(0))
    }

    /// Deletes the connection that began so; `false` when there is none.
    pub(crate) fn delete_flow(&mut self, start: &Flow) -> Result<bool, Error> {
        self.about(DELETE, start, None)
    }

    /// A request about one connection of TCP or UDP, by how its first packet was forwarded.
    fn about(&mut self, kind: u16, start: &Flow, mark: Option<u32>) -> Result<bool, Error> {
        let (family, tuple) = tuple_of(start);
        if self.request(kind, family, &tuple, mark)? {
            return Ok(true);
        }
        // Where destinations are translated the kernel knows it by another.
        let found = self.entries(&[start.source])?.into_iter().find(|entry| entry.start() == *start);
        found.map_or(Ok(false), |entry| self.request(kind, family, &entry.tuple, mark))
    }

    fn request(&self, kind: u16, family: u8, tuple: &[u8], mark: Option<u32>) -> Result<bool, Error> {
        let mut request = Request::new(kind, netlink::REQUEST | netlink::ACK, family, 0)
            .attribute(CTA_TUPLE_ORIG | netlink::NESTED, tuple);
        if let Some(mark) = mark {
            request = request.attribute(CTA_MARK, &mark.to_be_bytes());
        }
        match self.socket.request(&request.finish()) {
            Ok(()) => Ok(true),
            Err(Error::Netlink(ENOENT)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What a kernel gives that does not know filters is filtered here.
    fn dump(&mut self, request: Request, addresses: &[IpAddr], found: &mut Vec<Entry>) -> Result<(), Error> {
        let mut wanted: Vec<IpAddr> = addresses.to_vec();
        wanted.sort_unstable();
        let involves =
            |entry: &Entry| entry.addresses().iter().any(|address| wanted.binary_search(address).is_ok());
        self.read(request, involves, found)
    }

    fn read(
        &mut self,
        request: Request,
        wanted: impl Fn(&Entry) -> bool,
        found: &mut Vec<Entry>,
    ) -> Result<(), Error> {
        self.socket.send(&request.finish())?;
        loop {
            let Received::Datagram(datagram) = self.socket.receive(&mut self.buffer)? else {
                return Err(Error::Lost);
            };
            for message in messages(datagram) {
                match message.status() {
                    Some(0) => return Ok(()),
                    Some(code) => return Err(Error::Netlink(code)),
                    None if message.is_done() => return Ok(()),
                    None if message.kind == NEW => {
                        let entry = decode(message.family(), &message.attributes());
                        found.extend(entry.filter(&wanted));
                    }
                    None => {}
                }
            }
        }
    }
}

/// Number of entries in the table.
fn entries_now() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count").ok()?;
    text.trim().parse().ok()
}

/// All entries of a family.
fn everything(family: u8) -> Request {
    Request::new(GET, netlink::REQUEST | netlink::DUMP, family, 0)
}

/// Entries whose original tuple (who started) or reply tuple (who answers) comes from an address. Between them they
/// find every flow of a device, and the kernel copies no others.
fn of_source(address: IpAddr, tuple: u16) -> Request {
    let (family, ip) = match address {
        IpAddr::V4(v4) => (INET, netlink::attribute(CTA_IP_V4_SRC, &v4.octets())),
        IpAddr::V6(v6) => (INET6, netlink::attribute(CTA_IP_V6_SRC, &v6.octets())),
    };
    let flags = |kind: u16, of: u16| {
        let flags = if tuple == of { FILTER_IP_SRC } else { 0 };
        netlink::attribute(kind, &flags.to_ne_bytes())
    };
    let mut filter = flags(CTA_FILTER_ORIG_FLAGS, CTA_TUPLE_ORIG);
    filter.extend(flags(CTA_FILTER_REPLY_FLAGS, CTA_TUPLE_REPLY));
    everything(family)
        .attribute(tuple | netlink::NESTED, &netlink::attribute(CTA_TUPLE_IP | netlink::NESTED, &ip))
        .attribute(CTA_FILTER | netlink::NESTED, &filter)
}

/// The original tuple of a connection that began so, where nothing translates destinations.
fn tuple_of(start: &Flow) -> (u8, Vec<u8>) {
    let (family, mut ip) = match start.source {
        IpAddr::V4(from) => (INET, netlink::attribute(CTA_IP_V4_SRC, &from.octets())),
        IpAddr::V6(from) => (INET6, netlink::attribute(CTA_IP_V6_SRC, &from.octets())),
    };
    ip.extend(match start.destination {
        IpAddr::V4(to) => netlink::attribute(CTA_IP_V4_DST, &to.octets()),
        IpAddr::V6(to) => netlink::attribute(CTA_IP_V6_DST, &to.octets()),
    });
    let transport = [
        netlink::attribute(CTA_PROTO_NUM, &[start.protocol]),
        netlink::attribute(CTA_PROTO_SRC_PORT, &start.source_port.to_be_bytes()),
        netlink::attribute(CTA_PROTO_DST_PORT, &start.destination_port.to_be_bytes()),
    ];
    let mut tuple = netlink::attribute(CTA_TUPLE_IP | netlink::NESTED, &ip);
    tuple.extend(netlink::attribute(CTA_TUPLE_PROTO | netlink::NESTED, &transport.concat()));
    (family, tuple)
}

fn decode(family: u8, attributes: &Attributes<'_>) -> Option<Entry> {
    let tuple = attributes.find_kind(CTA_TUPLE_ORIG)?;
    Some(Entry {
        original: decode_tuple(tuple)?,
        reply: decode_tuple(attributes.find_kind(CTA_TUPLE_REPLY)?)?,
        traffic: [CTA_COUNTERS_ORIG, CTA_COUNTERS_REPLY]
            .map(|kind| attributes.find_kind(kind).map(decode_traffic).unwrap_or_default()),
        number: attributes.find_kind(CTA_ID).and_then(|id| Some(u32::from_be_bytes(id.try_into().ok()?))),
        family,
        tuple: tuple.to_vec(),
        zone: attributes.find_kind(CTA_ZONE).map(<[u8]>::to_vec),
        id: attributes.find_kind(CTA_ID).map(<[u8]>::to_vec),
    })
}

fn decode_traffic(bytes: &[u8]) -> Traffic {
    let counters = attributes(bytes);
    let count = |kind: u16| {
        counters
            .find_kind(kind)
            .and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)))
            .unwrap_or(0)
    };
    Traffic { packets: count(CTA_COUNTERS_PACKETS), octets: count(CTA_COUNTERS_BYTES) }
}

fn decode_tuple(bytes: &[u8]) -> Option<Flow> {
    let tuple = attributes(bytes);
    let ip = attributes(tuple.find_kind(CTA_TUPLE_IP)?);
    let address = |v4: u16, v6: u16| -> Option<IpAddr> {
        match (ip.find_kind(v4), ip.find_kind(v6)) {
            (Some(bytes), _) => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
            (_, Some(bytes)) => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
            _ => None,
        }
    };
    let transport = attributes(tuple.find_kind(CTA_TUPLE_PROTO)?);
    let byte = |kind: u16| transport.find_kind(kind).and_then(|bytes| bytes.first().copied());
    let port = |kind: u16| {
        transport.find_kind(kind).and_then(|bytes| Some(u16::from_be_bytes(bytes.try_into().ok()?)))
    };
    let protocol = byte(CTA_PROTO_NUM)?;
    let (source_port, destination_port) = match protocol {
        ICMP => (0, u16::from_be_bytes([byte(CTA_PROTO_ICMP_TYPE)?, byte(CTA_PROTO_ICMP_CODE)?])),
        ICMP6 => (0, u16::from_be_bytes([byte(CTA_PROTO_ICMPV6_TYPE)?, byte(CTA_PROTO_ICMPV6_CODE)?])),
        _ => (port(CTA_PROTO_SRC_PORT).unwrap_or(0), port(CTA_PROTO_DST_PORT).unwrap_or(0)),
    };
    Some(Flow {
        source: address(CTA_IP_V4_SRC, CTA_IP_V6_SRC)?,
        destination: address(CTA_IP_V4_DST, CTA_IP_V6_DST)?,
        protocol,
        source_port,
        destination_port,
    })
}

/// The kernel walks all buckets for a dump, which takes as long as copying about this many entries: several walks
/// that copy little are worth it only in a large table.
const ENTRIES_A_WALK: usize = 8192;
/// `AF_UNSPEC`: both families in one walk.
const UNSPECIFIED: u8 = 0;
/// How long one wait for endings is, which bounds how late a shutdown is noticed.
const WAIT: Duration = Duration::from_millis(250);
/// How long the kernel may take over one part of an answer.
const ANSWER_TIME: Duration = Duration::from_secs(5);

// IP protocol numbers (IANA).
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP6: u8 = 58;

// linux/netfilter/nfnetlink_conntrack.h
const NEW: u16 = 0x0100;
const GET: u16 = 0x0101;
const DELETE: u16 = 0x0102;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_COUNTERS_ORIG: u16 = 9;
const CTA_COUNTERS_REPLY: u16 = 10;
const CTA_MARK: u16 = 8;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
const CTA_FILTER: u16 = 25;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_FILTER_REPLY_FLAGS: u16 = 2;
/// Compare the source address (net/netfilter/nf_conntrack_netlink.c).
const FILTER_IP_SRC: u32 = 1;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;
const CTA_COUNTERS_PACKETS: u16 = 1;
const CTA_COUNTERS_BYTES: u16 = 2;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;
const CTA_PROTO_ICMP_TYPE: u16 = 5;
const CTA_PROTO_ICMP_CODE: u16 = 6;
const CTA_PROTO_ICMPV6_TYPE: u16 = 8;
const CTA_PROTO_ICMPV6_CODE: u16 = 9;
/// The bit of `NFNLGRP_CONNTRACK_DESTROY` (linux/netfilter/nfnetlink_compat.h).
const GROUP_DESTROY: u32 = 4;
/// The entry is gone.
const ENOENT: i32 = 2;
