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
    /// The initialisation vector has another length than the algorithm wants.
    MalformedIv,
    /// The bytes are not the state of a private HSS key: damaged, cut short, or of another format.
    MalformedState,
    /// The authentication tag is not that of the ciphertext, or is missing.
    BadTag,
    /// The ciphertext was not encrypted to this private key.
    BadCiphertext,
    /// The wrapped key was not wrapped with this key-encryption key.
    BadWrappedKey,
    /// More data than the algorithm protects with one initialisation vector, or derives from one secret.
    TooLong,
    /// The caller's buffer is shorter than what is to be written.
    BufferTooShort,
    /// The caller gave additional data to an algorithm that authenticates none.
    NotAuthenticated,
    /// The caller wanted to go to an offset in a ciphertext whose tag covers all of it.
    NotSeekable,
    /// The caller wanted to encrypt or decrypt piece by piece with an algorithm that must know the length of all first.
    NotInPieces,
    /// Every one-time key of the private HSS key was used.
    KeyExhausted,
    /// The caller wants signatures with one-time keys that may have been used.
    StateWentBack,
    /// What the caller read back is not the state that had to be stored.
    StateNotStored,
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
            Self::MalformedIv => f.write_str("initialisation vector has the wrong length"),
            Self::MalformedState => f.write_str("not the state of a private HSS key, or a damaged one"),
            Self::BadTag => f.write_str("authentication tag does not match the ciphertext"),
            Self::BadCiphertext => f.write_str("ciphertext is not one for the private key"),
            Self::BadWrappedKey => f.write_str("wrapped key does not match the key-encryption key"),
            Self::TooLong => f.write_str("more data than the algorithm allows at once"),
            Self::BufferTooShort => f.write_str("buffer is too short for the result"),
            Self::NotAuthenticated => f.write_str("algorithm does not authenticate additional data"),
            Self::NotSeekable => f.write_str("authenticated ciphertext is decrypted from its beginning only"),
            Self::NotInPieces => f.write_str("algorithm encrypts in one piece only"),
            Self::KeyExhausted => f.write_str("every one-time key of the private key was used"),
            Self::StateWentBack => f.write_str("one-time keys asked for may have been used"),
            Self::StateNotStored => f.write_str("state read back is not the one to be stored"),
            Self::BadEntropy => f.write_str("source of randomness gave no usable private key"),
        }
    }
}

impl core::error::Error for Error {}
