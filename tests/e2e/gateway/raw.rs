//! Packets made by hand, and who got them: nothing between the test and the rules has an opinion about them.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mud::{Direction, PacketFields};
use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};
use sim::netns::Namespace;

/// A packet that starts something, or pretends to be in the middle of it. Its number is how it is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    pub(crate) dscp: u8,
    pub(crate) says: Says,
    pub(crate) number: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Tcp {
        ports: (u16, u16),
        flags: u8,
    },
    Udp {
        ports: (u16, u16),
    },
    Icmp {
        kind: u8,
        code: u8,
    },
    Other(u8),
    /// What is said when a packet could not be delivered, about a start with these ports.
    Unreachable {
        tcp: bool,
        ports: (u16, u16),
    },
}

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMPV6: u8 = 58;
/// For experiments (RFC 3692).
pub(crate) const EXPERIMENTS: [u8; 2] = [253, 254];

pub(crate) const SYN: u8 = 0x02;
pub(crate) const ACK: u8 = 0x10;

impl Packet {
    pub(crate) fn protocol(&self) -> u8 {
        match self.says {
            Says::Tcp { .. } => TCP,
            Says::Udp { .. } => UDP,
            Says::Icmp { .. } | Says::Unreachable { .. } if self.from.is_ipv4() => ICMP,
            Says::Icmp { .. } | Says::Unreachable { .. } => ICMPV6,
            Says::Other(protocol) => protocol,
        }
    }

    /// The packet as the oracle is asked about it.
    pub(crate) fn asked(&self, direction: Direction) -> mud::Packet {
        let (from, to) = match self.says {
            Says::Tcp { ports, .. } | Says::Udp { ports } => ports,
            _ => (0, 0),
        };
        let (remote, device_port, remote_port) = match direction {
            Direction::FromDevice => (self.to, from, to),
            Direction::ToDevice => (self.from, to, from),
        };
        mud::Packet {
            direction,
            remote,
            protocol: self.protocol(),
            remote_port,
            device_port,
            icmp: if let Says::Icmp { kind, code } = self.says { Some((kind, code)) } else { None },
            tcp_flags: if let Says::Tcp { flags, .. } = self.says { Some(flags) } else { None },
            fields: PacketFields { dscp: Some(self.dscp), ..PacketFields::default() },
        }
    }

    /// What the one who was called answers.
    pub(crate) fn answer(&self) -> Option<Self> {
        let says = match self.says {
            Says::Tcp { ports: (from, to), flags } => Says::Tcp { ports: (to, from), flags: flags | ACK },
            Says::Udp { ports: (from, to) } => Says::Udp { ports: (to, from) },
            // An answer to a ping has its number, which each packet has for itself.
            _ => return None,
        };
        Some(Self { from: self.to, to: self.from, says, ..*self })
    }

    /// What is said when it could not be delivered.
    pub(crate) fn error(&self) -> Option<Self> {
        let (tcp, ports) = match self.says {
            Says::Tcp { ports, .. } => (true, ports),
            Says::Udp { ports } => (false, ports),
            _ => return None,
        };
        Some(Self { from: self.to, to: self.from, says: Says::Unreachable { tcp, ports }, ..*self })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = match self.says {
            Says::Tcp { ports, flags } => {
                let mut body = ports_of(ports);
                body.extend(self.number.to_be_bytes());
                body.extend([0, 0, 0, 0, 5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
                body
            }
            Says::Udp { ports } => {
                let mut body = ports_of(ports);
                body.extend([0, 12, 0, 0]);
                body.extend(self.number.to_be_bytes());
                body
            }
            Says::Icmp { kind, code } => {
                let mut body = vec![kind, code, 0, 0];
                body.extend(self.number.to_be_bytes());
                body
            }
            Says::Other(_) => self.number.to_be_bytes().to_vec(),
            Says::Unreachable { tcp, ports } => {
                let says = if tcp { Says::Tcp { ports, flags: SYN } } else { Says::Udp { ports } };
                // Administratively prohibited (RFC 1812, section 5.2.7.1; RFC 4443, section 3.1), which no kernel here says.
                let mut body = if self.from.is_ipv4() { vec![3, 13, 0, 0] } else { vec![1, 1, 0, 0] };
                body.extend(self.number.to_be_bytes());
                body.extend(Self { from: self.to, to: self.from, says, ..*self }.encode());
                body
            }
        };
        let at = match self.says {
            Says::Tcp { .. } => Some(16),
            Says::Udp { .. } => Some(6),
            Says::Icmp { .. } | Says::Unreachable { .. } => Some(2),
            Says::Other(_) => None,
        };
        if let Some(at) = at {
            let mut covered = Vec::new();
            if self.protocol() != ICMP {
                covered.extend(octets(self.from));
                covered.extend(octets(self.to));
                covered.extend([0, self.protocol(), 0, body.len() as u8]);
            }
            covered.extend(&body);
            let sum = match checksum(&covered) {
                0 => 0xffff,
                sum => sum,
            };
            body[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        let mut packet = self.header(body.len());
        packet.extend(body);
        packet
    }

    fn header(&self, body: usize) -> Vec<u8> {
        let mut header = Vec::new();
        if self.from.is_ipv4() {
            header.extend([0x45, self.dscp << 2, 0, 20 + body as u8, 0, 0, 0, 0, 64, self.protocol(), 0, 0]);
        } else {
            header.extend([0x60 | self.dscp >> 2, self.dscp << 6, 0, 0, 0, body as u8, self.protocol(), 64]);
        }
        header.extend(octets(self.from));
        header.extend(octets(self.to));
        header
    }
}

/// Sends packets from a namespace, in order.
pub(crate) fn send(space: &Namespace, packets: &[Packet]) {
    let encoded: Vec<_> = packets.iter().map(|packet| (packet.to, packet.encode())).collect();
    send_bytes(space, &encoded);
}

/// The same with packets that no [`Packet`] is.
pub(crate) fn send_bytes(space: &Namespace, packets: &[(IpAddr, Vec<u8>)]) {
    space.enter(|| {
        let open = |family| {
            let raw = Protocol::from_raw(std::num::NonZeroU32::new(255).unwrap());
            socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, Some(raw)).unwrap()
        };
        let (v4, v6) = (open(AddressFamily::INET), open(AddressFamily::INET6));
        for (to, packet) in packets {
            let socket = if to.is_ipv4() { &v4 } else { &v6 };
            sendto(socket, packet, SendFlags::empty(), &SocketAddr::new(*to, 0)).unwrap();
        }
    });
}

/// Hears every packet of some protocols that comes to a namespace.
pub(crate) struct Ear {
    sockets: Vec<(bool, u8, OwnedFd)>,
    /// Packets that nobody who hears could number.
    others: AtomicUsize,
}

impl Ear {
    /// Of the protocols above.
    pub(crate) fn at(space: &Namespace) -> Self {
        let [one, two] = EXPERIMENTS;
        Self::of(space, &[TCP, UDP, ICMP, ICMPV6, one, two])
    }

    pub(crate) fn of(space: &Namespace, protocols: &[u8]) -> Self {
        let sockets = space.enter(|| {
            let all = protocols.iter().flat_map(|protocol| [(true, *protocol), (false, *protocol)]);
            all.filter(|(v4, protocol)| *protocol != if *v4 { ICMPV6 } else { ICMP })
                .map(|(v4, protocol)| {
                    let family = if v4 { AddressFamily::INET } else { AddressFamily::INET6 };
                    let number = Protocol::from_raw(std::num::NonZeroU32::new(protocol.into()).unwrap());
                    let socket =
                        socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, Some(number)).unwrap();
                    set_socket_recv_buffer_size(&socket, 1 << 20).unwrap();
                    (v4, protocol, socket)
                })
                .collect()
        });
        Self { sockets, others: AtomicUsize::new(0) }
    }

    /// How many packets came whose number is not to be known.
    pub(crate) fn others(&self) -> usize {
        self.others.load(Ordering::Relaxed)
    }

    /// Numbers of the packets that came, once all that are awaited did or a while has passed.
    pub(crate) fn heard(&self, awaited: &BTreeSet<u32>, patience: Duration) -> BTreeSet<u32> {
        let end = Instant::now() + patience;
        let mut heard = BTreeSet::new();
        loop {
            for (v4, protocol, socket) in &self.sockets {
                for packet in drain(socket) {
                    match number(&packet, *v4, *protocol) {
                        Some(number) => _ = heard.insert(number),
                        None => _ = self.others.fetch_add(1, Ordering::Relaxed),
                    }
                }
            }
            if Instant::now() >= end {
                return heard;
            }
            // What is not awaited and comes all the same comes right behind.
            if heard.is_superset(awaited) && end > Instant::now() + GRACE {
                return &heard | &self.heard(&BTreeSet::new(), GRACE);
            }
        }
    }
}

fn drain(socket: &OwnedFd) -> impl Iterator<Item = Vec<u8>> {
    set_socket_timeout(socket, Timeout::Recv, Some(Duration::from_millis(1))).unwrap();
    std::iter::from_fn(move || {
        let mut buffer = [0; 256];
        match recv(socket, &mut buffer[..], RecvFlags::empty()) {
            Ok((_, length)) => Some(buffer[..length.min(256)].to_vec()),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => None,
            Err(error) => panic!("{}", io::Error::from(error)),
        }
    })
}

/// Raw sockets give IPv4 packets with their header, and IPv6 packets without.
fn number(packet: &[u8], v4: bool, protocol: u8) -> Option<u32> {
    let header = if v4 { usize::from(packet.first()? & 0x0f) * 4 } else { 0 };
    let at = match protocol {
        TCP | ICMP | ICMPV6 => 4,
        UDP => 8,
        _ if EXPERIMENTS.contains(&protocol) => 0,
        _ => return None,
    };
    Some(u32::from_be_bytes(packet.get(header + at..header + at + 4)?.try_into().ok()?))
}

/// Takes from a namespace what its kernel would answer to packets made by hand: those answers are traffic of their own.
pub(crate) fn silence(space: &Namespace) {
    let rules = "add table inet silence; \
        add chain inet silence output { type filter hook output priority 0 ; policy accept ; }; \
        add rule inet silence output tcp flags & rst == rst drop; \
        add rule inet silence output icmp type { echo-reply , timestamp-reply } drop; \
        add rule inet silence output icmp type destination-unreachable icmp code { 2 , 3 } drop; \
        add rule inet silence output icmpv6 type { echo-reply , parameter-problem } drop; \
        add rule inet silence output icmpv6 type destination-unreachable icmpv6 code 4 drop";
    let done = space.output("nft", &[rules]).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn ports_of((from, to): (u16, u16)) -> Vec<u8> {
    [from.to_be_bytes(), to.to_be_bytes()].concat()
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// How long nothing must follow.
const GRACE: Duration = Duration::from_millis(60);
