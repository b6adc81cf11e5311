use core::fmt;

/// Why a tag is refused or cannot be made, sorted by who is to blame.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not a CoSWID; the byte offset counts from the start of the bytes decoded.
    Malformed(cbor::Error),
    /// The signed object is malformed, or its signature is not believed.
    Signature(cose::Error),
    /// The protected header does not say `application/swid+cbor` (RFC 9393, section 7).
    ContentType,
    /// The caller builds a tag that breaks a rule of RFC 9393, named here.
    Incomplete(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(_) => f.write_str("malformed software identification tag"),
            Self::Signature(_) => f.write_str("signature of the software identification tag is refused"),
            Self::ContentType => {
                f.write_str("signed tag lacks the protected content type application/swid+cbor")
            }
            Self::Incomplete(rule) => write!(f, "tag cannot be built: {rule}"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(source) => Some(source),
            Self::Signature(source) => Some(source),
            Self::ContentType | Self::Incomplete(_) => None,
        }
    }
}

impl From<cbor::Error> for Error {
    fn from(error: cbor::Error) -> Self {
        Self::Malformed(error)
    }
}
impl From<cose::Error> for Error {
    fn from(error: cose::Error) -> Self {
        Self::Signature(error)
    }
}
