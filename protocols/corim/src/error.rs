use core::fmt;

/// Why a manifest is refused or cannot be made, sorted by who is to blame.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not a CoRIM; the byte offset counts from the start of the bytes decoded.
    Malformed(cbor::Error),
    /// The signed object is malformed, or its signature is not believed.
    Signature(cose::Error),
    /// The certificate that came with the signature is malformed, or leads to no anchor.
    Certificate(x509::Error),
    /// Well-formed, and not believed.
    Untrusted(Distrust),
    /// The profile is none of those this crate knows: the whole manifest is refused (draft, section 4.1.4).
    UnknownProfile,
    /// A triple breaks a rule of the profile.
    Profile {
        /// Which CoMID of the manifest, counted from zero.
        comid: usize,
        /// The rule, named.
        rule: &'static str,
    },
    /// The caller puts a manifest together that breaks a rule, named here.
    Incomplete(&'static str),
    /// The caller puts a manifest together that a decoder would refuse; the offset is in what would have been written.
    Unfit(cbor::Error),
}

/// Why a well-formed manifest is not believed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// The protected header does not name the content type of a CoRIM.
    ContentType,
    /// The protected header says neither in corim-meta nor in CWT claims who signs.
    NoSigner,
    /// corim-meta and CWT claims name different signers or times.
    SignersDiffer,
    /// The payload is a digest, or carried apart, and the manifest was not given.
    NoContent,
    /// The manifest given is not the one whose digest is signed.
    ContentDigest,
    /// The hash algorithm of a hash envelope is not implemented; its COSE number.
    HashAlgorithm(i64),
    /// The validity of the manifest or of its signature has not begun.
    NotYetValid,
    /// The validity of the manifest or of its signature is over.
    Expired,
    /// The certificate of the signer is not for digital signatures.
    KeyUsage,
    /// The operator who is to answer for an unsigned manifest has no name.
    NobodyAnswers,
}

impl Error {
    /// Stable code of the refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Signature(cose::Error::Untrusted(cose::Distrust::BadSignature))
            | Self::Untrusted(Distrust::ContentDigest) => "bad-manifest-signature",
            Self::Signature(cose::Error::Untrusted(_))
            | Self::Certificate(_)
            | Self::Untrusted(
                Distrust::NoSigner | Distrust::SignersDiffer | Distrust::KeyUsage | Distrust::NobodyAnswers,
            ) => "unknown-signer",
            Self::Signature(cose::Error::Unsupported(_)) | Self::Untrusted(Distrust::HashAlgorithm(_)) => {
                "unsupported-algorithm"
            }
            Self::Untrusted(Distrust::NotYetValid) => "reference-not-yet-valid",
            Self::Untrusted(Distrust::Expired) => "reference-expired",
            Self::UnknownProfile | Self::Profile { .. } => "reference-profile",
            Self::Malformed(_)
            | Self::Signature(_)
            | Self::Untrusted(Distrust::ContentType | Distrust::NoContent)
            | Self::Incomplete(_)
            | Self::Unfit(_) => "malformed-object",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(_) => f.write_str("malformed reference integrity manifest"),
            Self::Signature(_) => f.write_str("signature of the reference integrity manifest is refused"),
            Self::Certificate(_) => f.write_str("certificate of the manifest's signer is refused"),
            Self::Untrusted(distrust) => distrust.fmt(f),
            Self::UnknownProfile => f.write_str("profile of the manifest is not known"),
            Self::Profile { comid, rule } => write!(f, "module tag {comid} breaks its profile: {rule}"),
            Self::Incomplete(rule) => write!(f, "manifest cannot be built: {rule}"),
            Self::Unfit(_) => f.write_str("manifest cannot be built"),
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContentType => {
                f.write_str("signed manifest lacks the protected content type application/rim+cbor")
            }
            Self::NoSigner => f.write_str("protected header does not say who signs"),
            Self::SignersDiffer => f.write_str("protected header names two different signers or validities"),
            Self::NoContent => f.write_str("manifest is carried apart from its signature and was not given"),
            Self::ContentDigest => f.write_str("manifest is not the one whose digest is signed"),
            Self::HashAlgorithm(id) => write!(f, "hash algorithm {id} is not supported"),
            Self::NotYetValid => f.write_str("manifest or its signature is not valid yet"),
            Self::Expired => f.write_str("manifest or its signature is no longer valid"),
            Self::KeyUsage => f.write_str("signer's certificate is not for digital signatures"),
            Self::NobodyAnswers => f.write_str("nobody is named who answers for the unsigned manifest"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(source) | Self::Unfit(source) => Some(source),
            Self::Signature(source) => Some(source),
            Self::Certificate(source) => Some(source),
            _ => None,
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
impl From<x509::Error> for Error {
    fn from(error: x509::Error) -> Self {
        Self::Certificate(error)
    }
}
impl From<Distrust> for Error {
    fn from(distrust: Distrust) -> Self {
        Self::Untrusted(distrust)
    }
}
