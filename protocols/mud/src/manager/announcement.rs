//! How a device announces its MUD URL on the wire (RFC 8520, sections 10 and 12). Anybody on the network can say this:
//! a URL learned here is weak, see [`crate::Strength`].

use core::fmt;

use crate::url::MudUrl;

/// DHCPv4 option `OPTION_MUD_URL_V4`.
const DHCPV4_OPTION: u8 = 161;
/// DHCPv6 option `OPTION_MUD_URL_V6`.
const DHCPV6_OPTION: u16 = 112;
/// LLDP: organisationally specific, of the IANA, with the subtype for MUD.
const LLDP_TYPE: u16 = 127;
const LLDP_MUD: [u8; 4] = [0x00, 0x00, 0x5e, 1];
/// Most octets of a string in a TLV.
const MAX_LLDP_STRING: usize = 255;
/// Bits of the length in the head of a TLV.
const LLDP_LENGTH_BITS: u16 = 9;

/// Where an announcement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announcer {
    /// Option 161 of DHCPv4, with code and length.
    DhcpV4,
    /// Option 112 of DHCPv6, with code and length.
    DhcpV6,
    /// The TLV of LLDP, with its head.
    Lldp,
}

/// Why an announcement is passed over.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnouncementFault {
    /// Another option, or the TLV of another organisation or purpose.
    OtherOption,
    /// The length is not that of what follows.
    Length,
    /// There is no MUD URL in it.
    NoUrl,
    /// The URL leads to an address inside of the network: whoever announces it wants the manager to go there.
    Internal,
}

/// The URL in an announcement. What follows the first space is reserved and passed over (sections 10 and 12).
///
/// # Errors
/// When the bytes are not exactly one announcement of a URL that a manager may fetch.
pub fn announced_url(announcer: Announcer, bytes: &[u8]) -> Result<MudUrl, AnnouncementFault> {
    let text = match announcer {
        Announcer::DhcpV4 => {
            let ([code, length], text) = bytes.split_first_chunk().ok_or(AnnouncementFault::Length)?;
            expect(*code == DHCPV4_OPTION, AnnouncementFault::OtherOption)?;
            expect(usize::from(*length) == text.len(), AnnouncementFault::Length)?;
            text
        }
        Announcer::DhcpV6 => {
            let ([a, b, c, d], text) = bytes.split_first_chunk().ok_or(AnnouncementFault::Length)?;
            expect(u16::from_be_bytes([*a, *b]) == DHCPV6_OPTION, AnnouncementFault::OtherOption)?;
            expect(usize::from(u16::from_be_bytes([*c, *d])) == text.len(), AnnouncementFault::Length)?;
            text
        }
        Announcer::Lldp => {
            let (head, value) = bytes.split_first_chunk().ok_or(AnnouncementFault::Length)?;
            let head = u16::from_be_bytes(*head);
            expect(head >> LLDP_LENGTH_BITS == LLDP_TYPE, AnnouncementFault::OtherOption)?;
            let length = usize::from(head & ((1 << LLDP_LENGTH_BITS) - 1));
            expect(length == value.len(), AnnouncementFault::Length)?;
            let text = value.strip_prefix(&LLDP_MUD).ok_or(AnnouncementFault::OtherOption)?;
            expect(text.len() <= MAX_LLDP_STRING, AnnouncementFault::Length)?;
            text
        }
    };
    let url = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    let url = core::str::from_utf8(url).ok().and_then(MudUrl::parse).ok_or(AnnouncementFault::NoUrl)?;
    if url.is_internal() { Err(AnnouncementFault::Internal) } else { Ok(url) }
}

fn expect(holds: bool, fault: AnnouncementFault) -> Result<(), AnnouncementFault> {
    if holds { Ok(()) } else { Err(fault) }
}

impl fmt::Display for AnnouncementFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherOption => "no announcement of a MUD URL",
            Self::Length => "the length is not that of what follows",
            Self::NoUrl => "no MUD URL",
            Self::Internal => "the URL leads inside of the network",
        })
    }
}

impl core::error::Error for AnnouncementFault {}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const URL: &[u8] = b"https://maker.example/cam.json";

    fn announcement(announcer: Announcer, text: &[u8]) -> Vec<u8> {
        let length = text.len() as u16;
        let head = match announcer {
            Announcer::DhcpV4 => alloc::vec![161, length as u8],
            Announcer::DhcpV6 => [112_u16.to_be_bytes(), length.to_be_bytes()].concat(),
            Announcer::Lldp => [&(0xfe00 | (length + 4)).to_be_bytes()[..], &LLDP_MUD].concat(),
        };
        [&head, text].concat()
    }

    #[test]
    fn every_announcement_gives_its_url_and_nothing_behind_it() {
        for announcer in [Announcer::DhcpV4, Announcer::DhcpV6, Announcer::Lldp] {
            let url = |text: &[u8]| announced_url(announcer, &announcement(announcer, text));
            assert_eq!(url(URL).expect("a URL").as_str().as_bytes(), URL);
            assert_eq!(url(&[URL, b" to come"].concat()), url(URL));
            for (text, fault) in [
                (&b""[..], AnnouncementFault::NoUrl),
                (b" https://maker.example/", AnnouncementFault::NoUrl),
                (b"http://maker.example/", AnnouncementFault::NoUrl),
                (b"https://maker.example/\0", AnnouncementFault::NoUrl),
                (b"https://m\xe4ker.example/", AnnouncementFault::NoUrl),
                (b"https://192.168.1.1/", AnnouncementFault::Internal),
                (b"https://[fe80::1]/", AnnouncementFault::Internal),
            ] {
                assert_eq!(url(text), Err(fault), "{announcer:?} {text:?}");
            }
            let whole = announcement(announcer, URL);
            for end in 0..whole.len() {
                assert_eq!(
                    announced_url(announcer, &whole[..end]),
                    Err(AnnouncementFault::Length),
                    "cut at {end}"
                );
            }
            let longer = [&whole[..], b"x"].concat();
            assert_eq!(announced_url(announcer, &longer), Err(AnnouncementFault::Length));
            let mut other = whole;
            other[0] ^= 0x20;
            assert_eq!(announced_url(announcer, &other), Err(AnnouncementFault::OtherOption));
        }
    }

    #[test]
    fn a_string_of_lldp_has_at_most_255_octets() {
        let text = |length: usize| {
            let mut text = URL.to_vec();
            text.resize(length, b'x');
            announced_url(Announcer::Lldp, &announcement(Announcer::Lldp, &text))
        };
        assert!(text(255).is_ok());
        assert_eq!(text(256), Err(AnnouncementFault::Length));
    }
}
