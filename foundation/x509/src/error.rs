use core::fmt;

/// Why a certificate or signature is refused, sorted by who is to blame.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not what they should be.
    Malformed {
        /// Offset, into the outermost input, of the first element that was not understood.
        at: usize,
        /// What is wrong there.
        reason: Malformed,
    },
    /// Well-formed, and not believed.
    Untrusted(Distrust),
    /// Well-formed, and beyond what this crate implements.
    Unsupported(Feature),
    /// The caller asked for something that cannot be made.
    Misuse(Misuse),
}

/// What is wrong with the bytes.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not the distinguished encoding of the element that belongs here.
    Der,
    /// Bytes follow the last element.
    TrailingBytes,
    /// More bytes or elements than the decoder allows.
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// A text whose blocks have no end, or are not base64.
    Pem,
    /// A well-formed element that breaks a rule of the format, named here.
    Rule(&'static str),
}

/// Why something well-formed is not believed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// The message carries no signature at all.
    Unsigned,
    /// The certificate that the signer names is neither in the message nor known otherwise.
    SignerNotFound,
    /// The content is not the one that was signed.
    ContentDigest,
    /// The content could be somebody's signed attributes, replayed as content.
    AmbiguousContent,
    /// The signature over the content is not one of the signer's key.
    Signature,
    /// The signer's certificate has no key usage extension with digitalSignature (RFC 8520, section 13.2).
    NoDigitalSignature,
    /// The signer's certificate names extended key usages, and none fits the signature of a document.
    ExtendedKeyUsage,
    /// The signer has another subject than the one expected.
    SignerSubject,
    /// No anchor, and no certificate at hand, issued this certificate.
    UnknownIssuer,
    /// A certificate is used before it is valid.
    NotYetValid {
        /// When its validity begins, in seconds since 1970.
        not_before: i64,
    },
    /// A certificate is used after it was valid.
    Expired {
        /// The last second of its validity, since 1970.
        not_after: i64,
    },
    /// The issuer's certificate is not one of a certification authority.
    NotAuthority,
    /// The issuer's key usage lacks keyCertSign.
    NoCertSign,
    /// More certification authorities in the chain than the issuer's pathLenConstraint or [`crate::MAX_CHAIN_LEN`]
    /// allows.
    ChainTooLong,
    /// The signature on a certificate is not one of its issuer's key.
    CertificateSignature,
    /// The signature on a certification request is not one of the key in it: its maker may not have the private key.
    ProofOfPossession,
    /// The certificates offer more ways to an anchor than are worth trying ([`crate::MAX_SIGNATURE_CHECKS`]).
    TooManyCandidates,
}

/// What this crate does not implement.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// A certificate version other than 3.
    CertificateVersion,
    /// A version of a certification request other than 1.
    RequestVersion,
    /// A key of an algorithm, curve or point form that `crypto` does not implement: RSA among them.
    KeyAlgorithm,
    /// A signature algorithm that `crypto` does not implement, or that does not belong to the signer's key.
    SignatureAlgorithm,
    /// A hash function outside of SHA-2, or one that does not go with the signature algorithm.
    DigestAlgorithm,
    /// A critical extension that this crate does not process.
    CriticalExtension,
    /// Name constraints on an authority, critical or not.
    NameConstraints,
    /// A CMS content type other than signed data, or signed data of another type than the profile's.
    ContentType,
    /// The content is inside the message, and not detached.
    EmbeddedContent,
}

/// What the caller asked for in vain.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// A name attribute or alternative name is empty, too long or of characters that its type does not have.
    NameValue,
    /// A text that does not have the form of a name.
    NameSyntax,
    /// A serial number that is empty, zero or longer than [`crate::MAX_SERIAL_LEN`].
    SerialNumber,
    /// A time before 1970 or after 9999, or an end before its beginning.
    Time,
    /// A URL that is not of printable ASCII.
    Url,
    /// The same extension twice.
    DuplicateExtension,
    /// A signing key, or a signature, that is not of the public key it should be of.
    WrongKey,
    /// More certificates to send along than a message may carry.
    TooManyCertificates,
}

impl Error {
    pub(crate) const fn der(at: usize) -> Self {
        Self::Malformed { at, reason: Malformed::Der }
    }

    pub(crate) const fn too_long(at: usize, limit: usize) -> Self {
        Self::Malformed { at, reason: Malformed::TooLong { limit } }
    }

    pub(crate) const fn rule(at: usize, rule: &'static str) -> Self {
        Self::Malformed { at, reason: Malformed::Rule(rule) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { at, reason } => write!(f, "{reason} at byte {at}"),
            Self::Untrusted(distrust) => distrust.fmt(f),
            Self::Unsupported(feature) => write!(f, "{feature} not supported"),
            Self::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Der => f.write_str("not the DER of the expected element"),
            Self::TrailingBytes => f.write_str("bytes follow the last element"),
            Self::TooLong { limit } => write!(f, "more than the {limit} allowed"),
            Self::Pem => f.write_str("not the textual form of DER"),
            Self::Rule(rule) => f.write_str(rule),
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsigned => "message carries no signature",
            Self::SignerNotFound => "signer's certificate is not at hand",
            Self::ContentDigest => "content is not the one that was signed",
            Self::AmbiguousContent => "content could be signed attributes of another message",
            Self::Signature => "signature does not match the content and the signer's key",
            Self::NoDigitalSignature => "signer's certificate lacks key usage digitalSignature",
            Self::ExtendedKeyUsage => "signer's extended key usage does not allow to sign documents",
            Self::SignerSubject => "signer's subject is not the expected one",
            Self::UnknownIssuer => "no chain to a trust anchor",
            Self::NotYetValid { not_before } => {
                return write!(f, "certificate is not valid before {not_before} seconds since 1970");
            }
            Self::Expired { not_after } => {
                return write!(f, "certificate expired at {not_after} seconds since 1970");
            }
            Self::NotAuthority => "issuer is not a certification authority",
            Self::NoCertSign => "issuer's key usage lacks keyCertSign",
            Self::ChainTooLong => "chain is longer than an issuer in it allows",
            Self::CertificateSignature => "certificate's signature does not match its issuer's key",
            Self::ProofOfPossession => "certification request is not signed by the key in it",
            Self::TooManyCandidates => "too many possible chains",
        })
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateVersion => "certificate version is",
            Self::RequestVersion => "certification request version is",
            Self::KeyAlgorithm => "key algorithm is",
            Self::SignatureAlgorithm => "signature algorithm is",
            Self::DigestAlgorithm => "digest algorithm is",
            Self::CriticalExtension => "critical certificate extension is",
            Self::NameConstraints => "name constraints are",
            Self::ContentType => "content type is",
            Self::EmbeddedContent => "embedded content is",
        })
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameValue => "name value is empty, too long or of characters its type does not have",
            Self::NameSyntax => "expected a name such as `O=Maker, CN=Signer`",
            Self::SerialNumber => "serial number is empty, zero or too long",
            Self::Time => "time is before 1970 or after 9999, or validity ends before it begins",
            Self::Url => "url is not of printable ASCII characters",
            Self::DuplicateExtension => "extension is given twice",
            Self::WrongKey => "key or signature does not belong to the public key",
            Self::TooManyCertificates => "too many certificates to send along",
        })
    }
}
