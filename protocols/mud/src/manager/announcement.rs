//! How a device announces its MUD URL: on the wire (RFC 8520, sections 10 and 12), and on its label (RFC 9238). Anybody on the network can say this:
//! a URL learned here is weak, see [`crate::Strength`].

use alloc::borrow::ToOwned;
use alloc::string::String;
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
/// Envelope of a label: message head, format 06, and the data identifier for this profile; record separators and end.
const QR_HEAD: &str = "[)>\u{1e}06\u{1d}12N";
const QR_TAIL: &str = "\u{1e}\u{4}";
const QR_RECORD: char = '\u{1f}';
const QR_UNIT: char = '\u{1c}';
/// No QR code holds more characters.
const MAX_LABEL: usize = 4296;
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
    /// It says two things where one may stand.
    Contradiction,
    /// A label without the company or the model.
    Incomplete,
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

/// The URL of a device by all that it announced over DHCP (section 10.1): each option at most once, and the same URL in
/// both. `None` where it announced none.
///
/// # Errors
/// When an option stands there twice, both versions differ, or one is no announcement: a device that says two things
/// is believed neither.
pub fn announced_by_dhcp(v4: &[&[u8]], v6: &[&[u8]]) -> Result<Option<MudUrl>, AnnouncementFault> {
    let only = |announcer, options: &[&[u8]]| match options {
        [] => Ok(None),
        [option] => announced_url(announcer, option).map(Some),
        _ => Err(AnnouncementFault::Contradiction),
    };
    match (only(Announcer::DhcpV4, v4)?, only(Announcer::DhcpV6, v6)?) {
        (Some(old), Some(new)) if old != new => Err(AnnouncementFault::Contradiction),
        (old, new) => Ok(old.or(new)),
    }
}

/// What a label on a device or its box says (RFC 9238). Whoever prints one can say anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// `B000`: the company.
    pub company: String,
    /// `B001`: the product.
    pub product: Option<String>,
    /// `B002`: the model.
    pub model: String,
    /// `M180`: the MUD URL, without what stands behind a question mark.
    pub url: MudUrl,
    /// `M06C`: the MAC address, 12 or 16 hexadecimal digits in upper case.
    pub mac: Option<String>,
}

impl Label {
    /// Reads the text of a QR code: an envelope of ISO 15434 with records of four characters and a value. A file separator
    /// starts a new unit, and what was before is forgotten.
    ///
    /// # Errors
    /// When the envelope is another, or company, model or MUD URL are missing.
    pub fn decode(text: &str) -> Result<Self, AnnouncementFault> {
        let content = text.strip_prefix(QR_HEAD).and_then(|rest| rest.strip_suffix(QR_TAIL));
        let content = content.filter(|_| text.len() <= MAX_LABEL).ok_or(AnnouncementFault::OtherOption)?;
        let unit = content.rsplit(QR_UNIT).next().unwrap_or_default();
        let value = |id: &str| {
            let mut found = unit.split(QR_RECORD).filter_map(|record| record.strip_prefix(id));
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => Err(AnnouncementFault::Contradiction),
                (value, _) => Ok(value.filter(|value| !value.is_empty()).map(ToOwned::to_owned)),
            }
        };
        let url = value("M180")?.ok_or(AnnouncementFault::NoUrl)?;
        let url = url.split('?').next().and_then(MudUrl::parse).ok_or(AnnouncementFault::NoUrl)?;
        expect(!url.is_internal(), AnnouncementFault::Internal)?;
        let mac = |text: String| {
            let digits: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
            let good = matches!(digits.len(), 12 | 16) && digits.bytes().all(|b| b.is_ascii_hexdigit());
            good.then(|| digits.to_ascii_uppercase())
        };
        Ok(Self {
            company: value("B000")?.ok_or(AnnouncementFault::Incomplete)?,
            product: value("B001")?,
            model: value("B002")?.ok_or(AnnouncementFault::Incomplete)?,
            url,
            mac: value("M06C")?.and_then(mac),
        })
    }
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
            Self::Contradiction => "says two things where one may stand",
            Self::Incomplete => "names no company or no model",
            Self::Internal => "the URL leads inside of the network",
        })
    }
}

impl core::error::Error for AnnouncementFault {}

#[cfg(test)]
mod tests {
    use alloc::vec;
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
    fn a_device_that_says_two_things_is_believed_neither() {
        let v4 = announcement(Announcer::DhcpV4, URL);
        let v6 = announcement(Announcer::DhcpV6, URL);
        let other = announcement(Announcer::DhcpV6, b"https://other.example/");
        let url = Ok(MudUrl::parse("https://maker.example/cam.json"));
        let two = Err(AnnouncementFault::Contradiction);
        for (v4, v6, expected) in [
            (&[][..], &[][..], Ok(None)),
            (&[&*v4], &[], url.clone()),
            (&[], &[&*v6], url.clone()),
            (&[&*v4], &[&*v6], url),
            (&[&*v4, &*v4], &[], two.clone()),
            (&[&*v4], &[&*v6, &*v6], two.clone()),
            (&[&*v4], &[&*other], two),
            (&[&*v6], &[], Err(AnnouncementFault::OtherOption)),
        ] {
            assert_eq!(announced_by_dhcp(v4, v6), expected);
        }
    }

    #[test]
    fn a_label_names_maker_model_and_url() {
        const US: &str = "\u{1f}";
        let label = |records: &[&str]| {
            let records: String = records.iter().flat_map(|record| [*record, US]).collect();
            Label::decode(&[QR_HEAD, &records, QR_TAIL].concat())
        };
        let good = [
            "B000Maker",
            "B001Cam",
            "B002MC-2",
            "M180https://maker.example/cam.json?x=1",
            "M06C00-00-5e-00-53-0a",
        ];
        let expected = Label {
            company: "Maker".into(),
            product: Some("Cam".into()),
            model: "MC-2".into(),
            url: MudUrl::parse("https://maker.example/cam.json").expect("a URL"),
            mac: Some("00005E00530A".into()),
        };
        assert_eq!(label(&good), Ok(expected.clone()));
        // A new unit: what was before is forgotten.
        let twice = [&good[..], &["\u{1c}B000Other", "B002O-1", "M180https://other.example/"]].concat();
        assert_eq!(label(&twice).expect("a label").company, "Other");
        let bare = [good[0], good[2], good[3]];
        let least = Label { product: None, mac: None, ..expected.clone() };
        assert_eq!(label(&bare), Ok(least.clone()));
        assert_eq!(label(&[&bare[..], &["M06C00:00"]].concat()), Ok(least), "no address");
        for (records, fault) in [
            (vec![good[0], good[2]], AnnouncementFault::NoUrl),
            (vec![good[2], good[3]], AnnouncementFault::Incomplete),
            (vec![good[0], good[3]], AnnouncementFault::Incomplete),
            (vec![good[0], good[2], "M180http://maker.example/"], AnnouncementFault::NoUrl),
            (vec![good[0], good[2], "M180https://10.0.0.1/"], AnnouncementFault::Internal),
            (vec![good[0], good[2], good[3], good[3]], AnnouncementFault::Contradiction),
            (vec![], AnnouncementFault::NoUrl),
        ] {
            assert_eq!(label(&records), Err(fault), "{records:?}");
        }
        assert_eq!(Label::decode("https://maker.example/cam.json"), Err(AnnouncementFault::OtherOption));
        let long = "B000".to_owned() + &"x".repeat(MAX_LABEL);
        assert_eq!(label(&[&long, good[2], good[3]]), Err(AnnouncementFault::OtherOption));
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
