use core::fmt;
use core::str::FromStr;

/// Identifier of a device within FDO (section 3.3.3): 16 bytes, changed with each new owner unless that one reuses it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; Guid::LEN]);

/// Type of a UEID that is random (RFC 9711, section 4.2.1.1).
const UEID_RANDOM: u8 = 1;

impl Guid {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// The UEID of the device: the type for random ones and the GUID (section 3.3.6).
    pub fn ueid(&self) -> [u8; 1 + Self::LEN] {
        let mut ueid = [UEID_RANDOM; 1 + Self::LEN];
        ueid[1..].copy_from_slice(&self.0);
        ueid
    }
}

impl fmt::Display for Guid {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guid({self})")
    }
}

impl FromStr for Guid {
    type Err = NotAGuid;

    /// Reads 32 hexadecimal digits, with hyphens where a UUID has them or without.
    fn from_str(text: &str) -> Result<Self, NotAGuid> {
        let hyphens = text.bytes().enumerate().filter(|(_, byte)| *byte == b'-').map(|(at, _)| at);
        if !(text.len() == 2 * Self::LEN || hyphens.eq([8, 13, 18, 23])) {
            return Err(NotAGuid);
        }
        let mut digits = text.chars().filter(|digit| *digit != '-').map(|digit| digit.to_digit(16));
        let mut guid = [0; Self::LEN];
        for byte in &mut guid {
            let (Some(Some(high)), Some(Some(low))) = (digits.next(), digits.next()) else {
                return Err(NotAGuid);
            };
            *byte = (high << 4 | low) as u8;
        }
        if digits.next().is_some() { Err(NotAGuid) } else { Ok(Self(guid)) }
    }
}

/// The text is not a GUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAGuid;

impl fmt::Display for NotAGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a GUID of 32 hexadecimal digits")
    }
}

impl core::error::Error for NotAGuid {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_with_and_without_hyphens_and_nothing_else() {
        let guid = Guid(core::array::from_fn(|at| at as u8 * 17));
        let plain = "00112233445566778899aabbccddeeff";
        assert_eq!(guid.to_string(), plain);
        assert_eq!(plain.parse(), Ok(guid));
        assert_eq!("00112233-4455-6677-8899-AABBCCDDEEFF".parse(), Ok(guid));
        for text in [
            "",
            "-",
            &plain[1..],
            &format!("{plain}0"),
            &plain.replace('f', "g"),
            "0011223344556677-8899aabbccddeef",
            "00112233-4455-6677-8899-aabbccddeeff0",
        ] {
            assert_eq!(text.parse::<Guid>(), Err(NotAGuid), "{text}");
        }
        assert_eq!(guid.ueid()[..3], [1, 0, 0x11]);
    }
}
