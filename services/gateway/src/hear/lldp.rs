//! Frames of LLDP (IEEE 802.1AB, section 8): a list of TLVs.

use super::Only;
use super::options::field;

/// A frame, as far as it is of use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lldp<'f> {
    /// The TLV with the MUD URL (RFC 8520, section 12), with its head.
    pub mud: Only<'f>,
}

impl<'f> Lldp<'f> {
    /// Reads the TLVs up to the end. Nothing, if one runs past the end, or if the frame does not begin with those that it must.
    pub fn decode(mut bytes: &'f [u8]) -> Option<Self> {
        let mut mud = Only::None;
        let mut begin = MANDATORY.iter();
        while !bytes.is_empty() {
            let head = u16::from_be_bytes(field(bytes, 0)?);
            let length = usize::from(head & ((1 << LENGTH_BITS) - 1));
            let (whole, rest) = bytes.split_at_checked(2 + length)?;
            bytes = rest;
            let kind = head >> LENGTH_BITS;
            if begin.next().is_some_and(|expected| *expected != kind) {
                return None;
            }
            match kind {
                END => break,
                ORGANISATION if field(whole, 2) == Some(MUD) => mud.put(whole),
                _ => {}
            }
        }
        begin.as_slice().is_empty().then_some(Self { mud })
    }
}

const LENGTH_BITS: u16 = 9;
const END: u16 = 0;
const ORGANISATION: u16 = 127;
/// Chassis, port and time to live (section 8.2): all three, first, and in this order.
const MANDATORY: [u16; 3] = [1, 2, 3];
/// The IANA's organisation and the subtype for MUD.
const MUD: [u8; 4] = [0x00, 0x00, 0x5e, 1];

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn tlv(kind: u16, value: &[u8]) -> Vec<u8> {
        [&(kind << 9 | value.len() as u16).to_be_bytes()[..], value].concat()
    }

    /// A frame with these TLVs after the mandatory ones.
    pub(crate) fn message(tlvs: &[u8]) -> Vec<u8> {
        [&tlv(1, &[4, 2, 0, 0, 0, 0, 11])[..], &tlv(2, b"\x05eth0"), &tlv(3, &[0, 120]), tlvs, &[0, 0]]
            .concat()
    }

    #[test]
    fn finds_the_mud_url_among_others() {
        let mud = tlv(127, b"\x00\x00\x5e\x01https://maker.example/m.json");
        let other = tlv(127, b"\x00\x80\xc2\x01https://maker.example/m.json");
        let purpose = tlv(127, b"\x00\x00\x5e\x02https://maker.example/m.json");
        for (tlvs, expected) in [
            (vec![], Only::None),
            (mud.clone(), Only::One(&mud[..])),
            ([&other[..], &mud, &purpose].concat(), Only::One(&mud[..])),
            ([&mud[..], &mud].concat(), Only::Several),
            ([&[0, 0], &mud[..]].concat(), Only::None),
            ([other, purpose].concat(), Only::None),
        ] {
            assert_eq!(Lldp::decode(&message(&tlvs)).unwrap().mud, expected);
        }
        let unended = message(&mud);
        assert_eq!(Lldp::decode(&unended[..unended.len() - 2]).unwrap().mud, Only::One(&mud));
    }

    #[test]
    fn passes_over_what_is_no_frame() {
        let good = message(&[]);
        for end in [0, 1, 5, 9, 12, good.len() - 3] {
            assert_eq!(Lldp::decode(&good[..end]), None, "cut at {end}");
        }
        assert_eq!(Lldp::decode(&[&good[9..], &good[..]].concat()), None, "another order");
        assert_eq!(Lldp::decode(&message(&[0xff, 0xff, 1])), None, "a TLV past the end");
    }
}
