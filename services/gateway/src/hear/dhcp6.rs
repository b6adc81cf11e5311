//! Messages of DHCP for IPv6 (RFC 8415): what a client asks for, and what a server gives it.

use std::net::Ipv6Addr;

use super::Only;
use super::options::field;

/// A message between client and server, as far as it is of use here. Relays' messages are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dhcp6<'f> {
    /// Its sort.
    pub kind: Dhcp6Kind,
    /// Transaction, which ties an answer to its question.
    pub transaction: u32,
    /// The client's identifier (DUID), which is no address.
    pub client: &'f [u8],
    /// Option 112, with code and length.
    pub mud: Only<'f>,
    options: &'f [u8],
}

/// Sort of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dhcp6Kind {
    /// A client asks for something: servers, addresses, or settings.
    Ask,
    /// A client gives addresses back.
    Release,
    /// A client found addresses in use.
    Decline,
    /// A server grants what was asked for.
    Reply,
}

/// An address that a message names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The address.
    pub address: Ipv6Addr,
    /// Seconds for which it is good; none when it is no longer.
    pub valid: u32,
}

impl<'f> Dhcp6<'f> {
    /// Addresses of one message that are looked at.
    pub const MAX_LEASES: usize = 16;

    /// Reads the payload of a datagram. Nothing, if it is not a whole message of one of the sorts with one identifier of a client.
    pub fn decode(bytes: &'f [u8]) -> Option<Self> {
        let [kind, a, b, c] = field(bytes, 0)?;
        let kind = match kind {
            // Solicit, request, confirm, renew, rebind, and the request for settings (section 7.3).
            1 | 3 | 4 | 5 | 6 | 11 => Dhcp6Kind::Ask,
            7 => Dhcp6Kind::Reply,
            8 => Dhcp6Kind::Release,
            9 => Dhcp6Kind::Decline,
            _ => return None,
        };
        let options = bytes.get(4..)?;
        let (mut client, mut mud) = (Only::None, Only::None);
        let mut all = Options(options);
        for (code, whole, value) in &mut all {
            match code {
                CLIENT_ID => client.put(value),
                MUD_URL => mud.put(whole),
                _ => {}
            }
        }
        let Only::One(client) = client else { return None };
        if !all.0.is_empty() || client.is_empty() || client.len() > MAX_DUID {
            return None;
        }
        let transaction = u32::from_be_bytes([0, a, b, c]);
        Some(Self { kind, transaction, client, mud, options })
    }

    /// Addresses in it, temporary ones too (section 21.4 to 21.6). Those of an association that is not well-formed are left out.
    pub fn leases(&self) -> impl Iterator<Item = Lease> + use<'f> {
        let inner = Options(self.options).filter_map(|(code, _, value)| match code {
            IA_NA => value.get(12..),
            IA_TA => value.get(4..),
            _ => None,
        });
        let addresses = inner.flat_map(|options| Options(options).filter(|(code, ..)| *code == IA_ADDRESS));
        let leases = addresses.filter_map(|(_, _, value)| {
            let address = Ipv6Addr::from(field::<16>(value, 0)?);
            Some(Lease { address, valid: u32::from_be_bytes(field(value, 20)?) })
        });
        leases.take(Self::MAX_LEASES)
    }
}

/// Options: code, the whole, and the value. Ends before the first that runs past the end, which stays.
struct Options<'f>(&'f [u8]);

impl<'f> Iterator for Options<'f> {
    type Item = (u16, &'f [u8], &'f [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let code = u16::from_be_bytes(field(self.0, 0)?);
        let length = usize::from(u16::from_be_bytes(field(self.0, 2)?));
        let (whole, rest) = self.0.split_at_checked(4 + length)?;
        self.0 = rest;
        Some((code, whole, whole.get(4..)?))
    }
}

/// Longest identifier: a type and 128 bytes (section 11.1).
const MAX_DUID: usize = 130;
// Options (section 21; 112 is RFC 8520).
const CLIENT_ID: u16 = 1;
const IA_NA: u16 = 3;
const IA_TA: u16 = 4;
const IA_ADDRESS: u16 = 5;
const MUD_URL: u16 = 112;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn option(code: u16, value: &[u8]) -> Vec<u8> {
        [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
    }

    /// A message of this sort with these options after the client's identifier.
    pub(crate) fn message(kind: u8, options: &[u8]) -> Vec<u8> {
        [&[kind, 0xab, 0xcd, 0xef], &option(1, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 11])[..], options].concat()
    }

    pub(crate) fn association(address: Ipv6Addr, valid: u32) -> Vec<u8> {
        let address = [&address.octets()[..], &valid.to_be_bytes(), &valid.to_be_bytes()].concat();
        option(3, &[&[0; 12], &option(5, &address)[..]].concat())
    }

    const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

    #[test]
    fn reads_sort_client_mud_url_and_addresses() {
        let mud = option(112, b"https://maker.example/m.json");
        for (number, kind) in [
            (1, Some(Dhcp6Kind::Ask)),
            (2, None),
            (3, Some(Dhcp6Kind::Ask)),
            (5, Some(Dhcp6Kind::Ask)),
            (7, Some(Dhcp6Kind::Reply)),
            (8, Some(Dhcp6Kind::Release)),
            (9, Some(Dhcp6Kind::Decline)),
            (11, Some(Dhcp6Kind::Ask)),
            (12, None),
            (13, None),
        ] {
            let bytes = message(number, &[mud.clone(), association(ADDRESS, 3600)].concat());
            let read = Dhcp6::decode(&bytes);
            assert_eq!(read.map(|read| read.kind), kind, "{number}");
            let Some(read) = read else { continue };
            assert_eq!((read.transaction, read.client.len(), read.mud), (0xab_cdef, 10, Only::One(&mud)));
            assert_eq!(read.leases().collect::<Vec<_>>(), [Lease { address: ADDRESS, valid: 3600 }]);
        }
        let twice = message(1, &[mud.clone(), mud].concat());
        assert_eq!(Dhcp6::decode(&twice).unwrap().mud, Only::Several);
    }

    #[test]
    fn names_a_bounded_number_of_addresses() {
        let many: Vec<u8> = (0..40).flat_map(|_| association(ADDRESS, 1)).collect();
        let bytes = message(7, &many);
        assert_eq!(Dhcp6::decode(&bytes).unwrap().leases().count(), Dhcp6::MAX_LEASES);
        let temporary = option(4, &[&[0; 4], &association(ADDRESS, 5)[16..]].concat());
        let bytes = message(7, &temporary);
        assert_eq!(Dhcp6::decode(&bytes).unwrap().leases().next().unwrap().valid, 5);
    }

    #[test]
    fn passes_over_what_is_no_whole_message() {
        let good = message(1, &association(ADDRESS, 1));
        let whole: Vec<usize> =
            (0..=good.len()).filter(|end| Dhcp6::decode(&good[..*end]).is_some()).collect();
        assert_eq!(whole, [18, good.len()], "only where an option ends");
        let twice = message(1, &option(1, &[0, 3]));
        assert_eq!(Dhcp6::decode(&twice), None, "two clients");
        assert_eq!(Dhcp6::decode(&[1, 0, 0, 0]), None, "no client");
        let longest = [&[1, 0, 0, 0], &option(1, &[7; MAX_DUID])[..]].concat();
        assert!(Dhcp6::decode(&longest).is_some());
        let longer = [&[1, 0, 0, 0], &option(1, &[7; MAX_DUID + 1])[..]].concat();
        assert_eq!(Dhcp6::decode(&longer), None);
        let cut = option(3, &[&[0; 12], &[0, 5, 0, 24, 1][..]].concat());
        assert_eq!(Dhcp6::decode(&message(7, &cut)).unwrap().leases().count(), 0, "an address that is cut");
    }
}
