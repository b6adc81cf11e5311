use std::fmt;

/// Of these codes, all but the low six bits say whose fault it is.
const FORMAT_ONE: u32 = 0x080;
const FORMAT_ONE_ERROR: u32 = 0x0bf;
const OF_PARAMETER: u32 = 0x040;
const OF_SESSION: u32 = 0x800;
/// What follows the twelve bits that the specification gives meaning to is of the layer that answered.
const LAYER: u32 = 0xffff_f000;

/// Why a TPM refused a command: TPM_RC (TPM 2.0 Library specification, part 2, section 6.6).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ResponseCode(pub u32);

impl ResponseCode {
    /// A wrapped key is not one of this TPM, or was altered.
    pub const INTEGRITY: u32 = 0x09f;
    /// The public part is not that of the secret part.
    pub const BINDING: u32 = 0x0a5;
    /// No room for another object.
    pub const OBJECT_MEMORY: u32 = 0x902;
    /// To be asked again.
    pub const YIELDED: u32 = 0x908;
    /// To be asked again after it tested itself.
    pub const TESTING: u32 = 0x90a;
    /// To be asked again.
    pub const RETRY: u32 = 0x922;

    /// The error, without the place in the command that it is about.
    pub fn error(self) -> u32 {
        if self.0 & FORMAT_ONE == 0 { self.0 } else { self.0 & (FORMAT_ONE_ERROR | LAYER) }
    }

    /// Its name in the specification, if it is one that is met.
    pub fn name(self) -> Option<&'static str> {
        let error = self.error();
        NAMES.iter().find(|(code, _)| *code == error).map(|(_, name)| *name)
    }
}

impl fmt::Display for ResponseCode {
    /// `TPM_RC_INTEGRITY (0x1df, of parameter 1)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.0;
        write!(f, "{} ({code:#05x}", self.name().unwrap_or("TPM_RC"))?;
        if code & FORMAT_ONE != 0 {
            let number = (code >> 8) & 0xf;
            let (what, number) = match (code & OF_PARAMETER != 0, code & OF_SESSION != 0) {
                (true, _) => ("parameter", number),
                (false, true) => ("session", number & 7),
                (false, false) => ("handle", number),
            };
            if number > 0 {
                write!(f, ", of {what} {number}")?;
            }
        }
        f.write_str(")")
    }
}

impl fmt::Debug for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const NAMES: [(u32, &str); 39] = [
    (0x01e, "TPM_RC_BAD_TAG"),
    (0x081, "TPM_RC_ASYMMETRIC"),
    (0x082, "TPM_RC_ATTRIBUTES"),
    (0x083, "TPM_RC_HASH"),
    (0x084, "TPM_RC_VALUE"),
    (0x085, "TPM_RC_HIERARCHY"),
    (0x08a, "TPM_RC_TYPE"),
    (0x08b, "TPM_RC_HANDLE"),
    (0x08e, "TPM_RC_AUTH_FAIL"),
    (0x092, "TPM_RC_SCHEME"),
    (0x095, "TPM_RC_SIZE"),
    (0x096, "TPM_RC_SYMMETRIC"),
    (0x097, "TPM_RC_TAG"),
    (0x09a, "TPM_RC_INSUFFICIENT"),
    (0x09c, "TPM_RC_KEY"),
    (ResponseCode::INTEGRITY, "TPM_RC_INTEGRITY"),
    (0x0a0, "TPM_RC_TICKET"),
    (0x0a2, "TPM_RC_BAD_AUTH"),
    (ResponseCode::BINDING, "TPM_RC_BINDING"),
    (0x0a6, "TPM_RC_CURVE"),
    (0x100, "TPM_RC_INITIALIZE"),
    (0x101, "TPM_RC_FAILURE"),
    (0x103, "TPM_RC_SEQUENCE"),
    (0x120, "TPM_RC_DISABLED"),
    (0x124, "TPM_RC_AUTH_TYPE"),
    (0x125, "TPM_RC_AUTH_MISSING"),
    (0x12d, "TPM_RC_UPGRADE"),
    (0x130, "TPM_RC_REBOOT"),
    (0x142, "TPM_RC_COMMAND_SIZE"),
    (0x143, "TPM_RC_COMMAND_CODE"),
    (ResponseCode::OBJECT_MEMORY, "TPM_RC_OBJECT_MEMORY"),
    (0x904, "TPM_RC_MEMORY"),
    (ResponseCode::YIELDED, "TPM_RC_YIELDED"),
    (ResponseCode::TESTING, "TPM_RC_TESTING"),
    (0x910, "TPM_RC_REFERENCE_H0"),
    (0x920, "TPM_RC_NV_RATE"),
    (0x921, "TPM_RC_LOCKOUT"),
    (ResponseCode::RETRY, "TPM_RC_RETRY"),
    (0x923, "TPM_RC_NV_UNAVAILABLE"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_by_name_and_place() {
        for (code, told) in [
            (0x1df, "TPM_RC_INTEGRITY (0x1df, of parameter 1)"),
            (0x9a2, "TPM_RC_BAD_AUTH (0x9a2, of session 1)"),
            (0x18b, "TPM_RC_HANDLE (0x18b, of handle 1)"),
            (0x09f, "TPM_RC_INTEGRITY (0x09f)"),
            (0x902, "TPM_RC_OBJECT_MEMORY (0x902)"),
            (0x100, "TPM_RC_INITIALIZE (0x100)"),
            (0x3fe, "TPM_RC (0x3fe, of parameter 3)"),
            // Of the resource manager, not of the TPM.
            (0x000b_0902, "TPM_RC (0xb0902)"),
        ] {
            assert_eq!(ResponseCode(code).to_string(), told);
        }
    }

    #[test]
    fn every_name_is_of_one_code() {
        for (number, (code, name)) in NAMES.iter().enumerate() {
            assert_eq!(ResponseCode(*code).name(), Some(*name));
            assert!(NAMES.iter().skip(number + 1).all(|(other, named)| other != code && named != name));
        }
    }
}
