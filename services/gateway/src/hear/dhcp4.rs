//! Messages of DHCP for IPv4 (RFC 2131, RFC 2132): what a client asks for, and what a server gives it.

use std::net::Ipv4Addr;

use super::Only;
use super::options::field;
use crate::Mac;

/// A message, as far as it is of use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dhcp4<'f> {
    /// Its sort.
    pub kind: Dhcp4Kind,
    /// Transaction, which ties an answer to its question.
    pub transaction: u32,
    /// The client (`chaddr`).
    pub client: Mac,
    /// The address that the client has (`ciaddr`); all zero when it has none.
    pub has: Ipv4Addr,
    /// The address that the client asks for, or declines.
    pub wants: Option<Ipv4Addr>,
    /// The address that the server gives (`yiaddr`).
    pub gives: Ipv4Addr,
    /// Seconds for which it gives it.
    pub lease: Option<u32>,
    /// Option 161, with code and length.
    pub mud: Only<'f>,
}

/// Sort of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dhcp4Kind {
    /// A client looks for servers.
    Discover,
    /// A client asks for an address.
    Request,
    /// A client found its address in use.
    Decline,
    /// A client gives its address back.
    Release,
    /// A client asks for settings only.
    Inform,
    /// A server grants what was asked for.
    Ack,
}

impl Dhcp4Kind {
    /// Whether clients send it.
    pub fn is_from_client(self) -> bool {
        self != Self::Ack
    }
}

impl<'f> Dhcp4<'f> {
    /// Reads the payload of a datagram. Nothing, if it is not a whole message of one of the sorts, from or to an Ethernet client.
    pub fn decode(bytes: &'f [u8]) -> Option<Self> {
        let [operation, kind, length, _hops] = field(bytes, 0)?;
        if (kind, length) != (ETHERNET, MAC_LENGTH) || field(bytes, COOKIE_AT)? != COOKIE {
            return None;
        }
        let mut found = Options::default();
        found.take_in(bytes.get(OPTIONS_AT..)?)?;
        // The fixed fields for names may hold more options (RFC 2132, section 9.3), the file before the name.
        let overload = found.overload;
        if overload & OVERLOAD_FILE != 0 {
            found.take_in(bytes.get(FILE_AT..COOKIE_AT)?)?;
        }
        if overload & OVERLOAD_NAME != 0 {
            found.take_in(bytes.get(NAME_AT..FILE_AT)?)?;
        }
        let kind = match (operation, found.kind?) {
            (FROM_CLIENT, 1) => Dhcp4Kind::Discover,
            (FROM_CLIENT, 3) => Dhcp4Kind::Request,
            (FROM_CLIENT, 4) => Dhcp4Kind::Decline,
            (FROM_SERVER, 5) => Dhcp4Kind::Ack,
            (FROM_CLIENT, 7) => Dhcp4Kind::Release,
            (FROM_CLIENT, 8) => Dhcp4Kind::Inform,
            _ => return None,
        };
        Some(Self {
            kind,
            transaction: u32::from_be_bytes(field(bytes, 4)?),
            client: Mac(field(bytes, CLIENT_AT)?),
            has: Ipv4Addr::from(field::<4>(bytes, 12)?),
            wants: found.wants,
            gives: Ipv4Addr::from(field::<4>(bytes, 16)?),
            lease: found.lease,
            mud: found.mud,
        })
    }
}

/// The options that matter.
#[derive(Default)]
struct Options<'f> {
    kind: Option<u8>,
    wants: Option<Ipv4Addr>,
    lease: Option<u32>,
    overload: u8,
    mud: Only<'f>,
}

impl<'f> Options<'f> {
    /// Takes in a field of options. Nothing, if one runs past the end, or two say differently what may be said once.
    fn take_in(&mut self, mut bytes: &'f [u8]) -> Option<()> {
        while let [code, rest @ ..] = bytes {
            match *code {
                PAD => bytes = rest,
                END => break,
                code => {
                    let length = usize::from(*rest.first()?);
                    let whole = bytes.get(..2 + length)?;
                    let value = whole.get(2..)?;
                    match code {
                        MESSAGE_TYPE => {
                            let [kind] = value else { return None };
                            if self.kind.replace(*kind).is_some() {
                                return None;
                            }
                        }
                        LEASE_TIME => {
                            let seconds = u32::from_be_bytes(value.try_into().ok()?);
                            if self.lease.replace(seconds).is_some() {
                                return None;
                            }
                        }
                        REQUESTED_ADDRESS => {
                            let address: [u8; 4] = value.try_into().ok()?;
                            if self.wants.replace(address.into()).is_some() {
                                return None;
                            }
                        }
                        OVERLOAD => {
                            let [overload] = value else { return None };
                            self.overload |= overload;
                        }
                        MUD_URL => self.mud.put(whole),
                        _ => {}
                    }
                    bytes = bytes.get(2 + length..)?;
                }
            }
        }
        Some(())
    }
}

/// Hardware type and length of address (IANA, ARP parameters).
const ETHERNET: u8 = 1;
const MAC_LENGTH: u8 = 6;
// Fixed fields (RFC 2131, section 2).
const FROM_CLIENT: u8 = 1;
const FROM_SERVER: u8 = 2;
const CLIENT_AT: usize = 28;
const NAME_AT: usize = 44;
const FILE_AT: usize = 108;
const COOKIE_AT: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const OPTIONS_AT: usize = 240;
// Options (RFC 2132; 161 is RFC 8520).
const PAD: u8 = 0;
const REQUESTED_ADDRESS: u8 = 50;
const LEASE_TIME: u8 = 51;
const OVERLOAD: u8 = 52;
const MESSAGE_TYPE: u8 = 53;
const MUD_URL: u8 = 161;
const END: u8 = 255;
const OVERLOAD_FILE: u8 = 1;
const OVERLOAD_NAME: u8 = 2;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 11]);

    /// A message with these options.
    pub(crate) fn message(operation: u8, has: [u8; 4], gives: [u8; 4], options: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; OPTIONS_AT];
        bytes[..8].copy_from_slice(&[operation, 1, 6, 0, 0xca, 0xfe, 0, 1]);
        bytes[12..16].copy_from_slice(&has);
        bytes[16..20].copy_from_slice(&gives);
        bytes[28..34].copy_from_slice(&CLIENT.0);
        bytes[236..240].copy_from_slice(&COOKIE);
        bytes.extend_from_slice(options);
        bytes
    }

    pub(crate) fn option(code: u8, value: &[u8]) -> Vec<u8> {
        [&[code, value.len() as u8], value].concat()
    }

    #[test]
    fn reads_what_clients_ask_and_servers_give() {
        for (operation, number, kind) in [
            (1, 1, Some(Dhcp4Kind::Discover)),
            (1, 3, Some(Dhcp4Kind::Request)),
            (1, 4, Some(Dhcp4Kind::Decline)),
            (2, 5, Some(Dhcp4Kind::Ack)),
            (1, 7, Some(Dhcp4Kind::Release)),
            (1, 8, Some(Dhcp4Kind::Inform)),
            (2, 2, None),
            (2, 6, None),
            (1, 5, None),
            (2, 3, None),
            (1, 0, None),
        ] {
            let options =
                [option(53, &[number]), option(51, &[0, 0, 14, 16]), option(50, &[10, 0, 0, 3])].concat();
            let bytes = message(operation, [10, 0, 0, 1], [10, 0, 0, 2], &options);
            let read = Dhcp4::decode(&bytes);
            assert_eq!(read.map(|read| read.kind), kind, "{operation} {number}");
            let Some(read) = read else { continue };
            assert_eq!((read.transaction, read.client, read.lease), (0xcafe_0001, CLIENT, Some(3600)));
            assert_eq!((read.has.octets(), read.gives.octets()), ([10, 0, 0, 1], [10, 0, 0, 2]));
            assert_eq!((read.wants, read.mud), (Some([10, 0, 0, 3].into()), Only::None));
        }
    }

    #[test]
    fn finds_the_mud_option_wherever_it_stands_and_counts_it() {
        let mud = option(161, b"https://maker.example/m.json");
        let kind = option(53, &[3]);
        let once = message(1, [0; 4], [0; 4], &[&[0, 0], &kind[..], &mud, &[255]].concat());
        assert_eq!(Dhcp4::decode(&once).unwrap().mud, Only::One(&mud));
        let twice = message(1, [0; 4], [0; 4], &[&mud[..], &kind, &mud].concat());
        assert_eq!(Dhcp4::decode(&twice).unwrap().mud, Only::Several, "and the end may be left out");
        let after = message(1, [0; 4], [0; 4], &[&kind[..], &[255], &mud].concat());
        assert_eq!(Dhcp4::decode(&after).unwrap().mud, Only::None, "what follows the end is none");
        for (overload, at) in [(1, FILE_AT), (2, NAME_AT), (3, FILE_AT), (3, NAME_AT)] {
            let mut bytes = message(1, [0; 4], [0; 4], &[&kind[..], &option(52, &[overload])].concat());
            bytes[at..at + mud.len()].copy_from_slice(&mud);
            assert_eq!(Dhcp4::decode(&bytes).unwrap().mud, Only::One(&mud), "{overload} {at}");
        }
    }

    #[test]
    fn passes_over_what_is_no_whole_message() {
        let kind = option(53, &[3]);
        let good = message(1, [0; 4], [0; 4], &kind);
        assert!(Dhcp4::decode(&good).is_some());
        for end in 0..good.len() {
            assert_eq!(Dhcp4::decode(&good[..end]), None, "cut at {end}");
        }
        for (what, options) in [
            ("no type", vec![255]),
            ("two types", [&kind[..], &kind].concat()),
            ("a long type", option(53, &[3, 3])),
            ("a short lease", [&kind[..], &option(51, &[1])].concat()),
            ("two wishes", [&kind[..], &option(50, &[0; 4]), &option(50, &[0; 4])].concat()),
            ("two leases", [&kind[..], &option(51, &[0, 0, 0, 1]), &option(51, &[0, 0, 0, 2])].concat()),
            ("an option past the end", [&kind[..], &[161, 255, b'h']].concat()),
            ("an option without length", [&kind[..], &[161]].concat()),
        ] {
            assert_eq!(Dhcp4::decode(&message(1, [0; 4], [0; 4], &options)), None, "{what}");
        }
        for (at, value) in [(1, 6), (2, 16), (236, 0)] {
            let mut other = good.clone();
            other[at] = value;
            assert_eq!(Dhcp4::decode(&other), None, "byte {at}");
        }
    }
}
