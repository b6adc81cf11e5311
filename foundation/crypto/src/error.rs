use core::fmt;

/// Why a cryptographic operation did not give what was asked, sorted by who is to blame.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not the DER of one key; `at` is the offset of the first thing that was not understood.
    MalformedDer {
        /// Offset into the received bytes.
        at: usize,
    },
    /// The parameters are not a key of the named algorithm: wrong length, not on the curve, of small order,
    /// out of range, or a private key whose stated public key is another.
    MalformedKey,
    /// The signature is not one of this message by this key.
    BadSignature,
    /// A key of an algorithm or curve this crate does not implement.
    UnsupportedAlgorithm,
    /// An elliptic-curve point in compressed form; only the uncompressed form is read.
    UnsupportedCompressedPoint,
    /// The operation does not exist for keys of this algorithm: the caller mixed up key types.
    WrongKeyType,
    /// The caller's source of randomness gave no usable private key in many attempts.
    BadEntropy,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedDer { at } => write!(f, "malformed DER at byte {at}"),
            Self::MalformedKey => f.write_str("key parameters are not a valid key of their algorithm"),
            Self::BadSignature => f.write_str("signature does not match the message and the key"),
            Self::UnsupportedAlgorithm => f.write_str("key algorithm or curve is not supported"),
            Self::UnsupportedCompressedPoint => f.write_str("compressed curve points are not supported"),
            Self::WrongKeyType => f.write_str("operation does not exist for keys of this algorithm"),
            Self::BadEntropy => f.write_str("source of randomness gave no usable private key"),
        }
    }
}

impl core::error::Error for Error {}
