//! The little that is read of a packet that waits: whose it is, and the bytes of its stream.

use crate::Flow;
use crate::telemetry::read_transport;

/// A packet of a client, as far as a handshake is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment<'p> {
    /// Its flow.
    pub(super) flow: Flow,
    /// Place in the stream and flags, where it is TCP.
    pub(super) tcp: Option<Tcp>,
    /// What follows the headers.
    pub(super) payload: &'p [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tcp {
    /// Sequence number of the first byte, or of the SYN.
    pub(super) sequence: u32,
    /// Whether it begins the connection.
    pub(super) syn: bool,
    /// Whether it breaks it off.
    pub(super) rst: bool,
}

impl<'p> Segment<'p> {
    /// Reads a packet of TCP or UDP, whole; connection tracking puts fragments together before any rule sees them.
    pub(super) fn read(packet: &'p [u8]) -> Option<Self> {
        let (flow, transport) = read_transport(packet)?;
        let transport = transport?;
        match flow.protocol {
            TCP => {
                let sequence = u32::from_be_bytes(*transport.get(4..)?.first_chunk()?);
                let header = usize::from(transport.get(12)? >> 4) * 4;
                let flags = *transport.get(13)?;
                let payload = transport.get(header.max(TCP_HEADER)..)?;
                let tcp = Tcp { sequence, syn: flags & SYN != 0, rst: flags & RST != 0 };
                Some(Self { flow, tcp: Some(tcp), payload })
            }
            UDP => Some(Self { flow, tcp: None, payload: transport.get(UDP_HEADER..)? }),
            _ => None,
        }
    }
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const TCP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;

#[cfg(test)]
mod tests {
    use super::*;

    const TCP_V4: &str = "
        45 00 00 30 00 01 00 00 40 06 00 00 0a 00 00 02 c0 00 02 01
        30 39 01 bb 00 00 10 00 00 00 00 00 60 18 00 00 00 00 00 00   # 24 bytes of header
        01 01 01 01 16 03 01 02";
    const UDP_V6: &str = "
        60 00 00 00 00 0a 11 40
        20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01
        30 39 01 bb 00 0a 00 00 16 fe";

    #[test]
    fn reads_place_flags_and_bytes() {
        let packet = testkit::hex(TCP_V4);
        let segment = Segment::read(&packet).unwrap();
        assert_eq!(segment.tcp, Some(Tcp { sequence: 0x1000, syn: false, rst: false }));
        assert_eq!((segment.payload, segment.flow.destination_port), (&[0x16, 3, 1, 2][..], 443));
        let packet = testkit::hex(UDP_V6);
        let segment = Segment::read(&packet).unwrap();
        assert_eq!((segment.tcp, segment.payload), (None, &[0x16, 0xfe][..]));
    }

    #[test]
    fn survives_every_cut_and_every_byte() {
        for text in [TCP_V4, UDP_V6] {
            let packet = testkit::hex(text);
            for end in 0..packet.len() {
                let _read = Segment::read(&packet[..end]);
                for value in 0..=255 {
                    let mut changed = packet.clone();
                    changed[end] = value;
                    let _read = Segment::read(&changed);
                }
            }
        }
    }
}
