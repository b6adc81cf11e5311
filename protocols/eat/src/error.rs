use core::fmt;

/// Why a token or result is refused, sorted by who is to blame.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not what they should be; the offset counts from the start of the token or of its payload.
    Malformed(cbor::Error),
    /// The JSON form is not what it should be.
    MalformedJson(JsonError),
    /// The structure of a TPM is not what it should be.
    MalformedTpm(TpmError),
    /// The COSE object is malformed, unsupported or not believed.
    Signature(cose::Error),
    /// The object is well-formed, and not believed.
    Untrusted(Distrust),
    /// The object needs something this crate does not implement.
    Unsupported(Feature),
    /// The caller wants to sign something that breaks a rule of its format, named here.
    Unsignable(&'static str),
}

/// Why a well-formed token or result is not believed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// The nonce is not the one that was sent, or there is none.
    Nonce,
    /// The profile is not one whose rules are known.
    Profile,
    /// The result or token is past its expiry.
    Expired,
    /// The result or token was made in the future.
    NotYetValid,
    /// The bytes of a detached claims-set are not those of its digest.
    DetachedDigest,
    /// A bundle holds a claims-set that no digest in its token covers.
    UncoveredSet,
    /// The signature does not cover a content type that says what is signed.
    ContentType,
    /// The platform does not name the key of the realm.
    RealmBinding,
    /// A hash function that is believed nowhere any more: SHA-1.
    WeakHash,
    /// What was signed does not begin as all that a TPM signs.
    TpmMagic,
    /// A TPM signed something else than what is wanted.
    TpmType,
    /// A TPM certified a key of another name.
    TpmName,
    /// The key is not one to attest with: not restricted, not for signatures, or not bound to one TPM.
    KeyAttributes,
    /// A quote is of other PCRs than those asked for.
    PcrSelection,
    /// The values of PCRs are not those that were quoted.
    PcrDigest,
    /// Tokens are nested deeper than is read, or there are more.
    NestedTokens,
    /// A status claims more than its trust vector, or than the statuses below it.
    StatusBetterThanVector,
}

/// Something this crate does not implement.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// An unsigned claims-set (RFC 9781).
    UnprotectedClaimsSet,
    /// A detached EAT bundle (RFC 9711, section 5).
    DetachedBundle,
    /// A token protected by other means than this place takes.
    Protection,
    /// A JWS with an algorithm or a critical header parameter that is not known.
    JwsHeader,
    /// A confirmation method other than a public key (RFC 8747, section 3).
    Confirmation,
    /// An algorithm, curve or kind of key with this number in the TCG Algorithm Registry.
    TpmAlgorithm(u16),
    /// A collection that does not hold the parts of one quote.
    TpmCollection,
    /// RSA, which is left out of the build.
    Rsa,
}

/// What was not understood in the structure of a TPM, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TpmError {
    /// Byte offset in the structure.
    pub at: usize,
    /// What is wrong there.
    pub rule: &'static str,
}

/// What was not understood in JSON, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Where it stands.
    pub place: JsonPlace,
    /// What is wrong there.
    pub rule: &'static str,
}

/// A place in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonPlace {
    /// A byte offset in the decoded part.
    Byte(usize),
    /// A member by its name.
    Member(&'static str),
}

impl JsonError {
    pub(crate) const fn at(at: usize, rule: &'static str) -> Self {
        Self { place: JsonPlace::Byte(at), rule }
    }

    pub(crate) const fn member(name: &'static str, rule: &'static str) -> Self {
        Self { place: JsonPlace::Member(name), rule }
    }
}

impl From<cbor::Error> for Error {
    fn from(error: cbor::Error) -> Self {
        Self::Malformed(error)
    }
}

impl From<JsonError> for Error {
    fn from(error: JsonError) -> Self {
        Self::MalformedJson(error)
    }
}

impl From<cose::Error> for Error {
    fn from(error: cose::Error) -> Self {
        Self::Signature(error)
    }
}

impl From<Distrust> for Error {
    fn from(distrust: Distrust) -> Self {
        Self::Untrusted(distrust)
    }
}

impl From<Feature> for Error {
    fn from(feature: Feature) -> Self {
        Self::Unsupported(feature)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(_) | Self::MalformedJson(_) | Self::MalformedTpm(_) => {
                f.write_str("malformed attestation token")
            }
            Self::Signature(_) => f.write_str("signature of the attestation token is refused"),
            Self::Untrusted(distrust) => distrust.fmt(f),
            Self::Unsupported(feature) => write!(f, "{feature} is not supported"),
            Self::Unsignable(rule) => write!(f, "token cannot be made: {rule}"),
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nonce => "nonce is not the one that was sent",
            Self::Profile => "profile is not known",
            Self::Expired => "attestation has expired",
            Self::NotYetValid => "attestation was made in the future",
            Self::DetachedDigest => "detached claims-set is not the one of its digest",
            Self::UncoveredSet => "detached claims-set is covered by no digest",
            Self::ContentType => "signature covers no content type of this kind",
            Self::RealmBinding => "platform does not vouch for the key of the realm",
            Self::WeakHash => "hash function is too weak",
            Self::TpmMagic => "not signed as a TPM signs its own",
            Self::TpmType => "a TPM signed something else",
            Self::TpmName => "a TPM certified another key",
            Self::KeyAttributes => "key is not one to attest with",
            Self::PcrSelection => "quote is of other PCRs than those asked for",
            Self::PcrDigest => "values of PCRs are not those that were quoted",
            Self::NestedTokens => "tokens are nested too deep, or too many",
            Self::StatusBetterThanVector => "status is better than its trust vector",
        })
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TpmAlgorithm(id) => return write!(f, "algorithm {id:#06x} of a TPM"),
            Self::TpmCollection => "a collection without the two parts of one quote",
            Self::Rsa => "RSA",
            Self::UnprotectedClaimsSet => "an unprotected claims-set",
            Self::DetachedBundle => "a detached bundle",
            Self::Protection => "this kind of protection",
            Self::JwsHeader => "an algorithm or critical header of the JWS",
            Self::Confirmation => "a confirmation method other than a public key",
        })
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            JsonPlace::Byte(at) => write!(f, "{} at byte {at}", self.rule),
            JsonPlace::Member(name) => write!(f, "{} in `{name}`", self.rule),
        }
    }
}

impl fmt::Display for TpmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.rule, self.at)
    }
}

impl core::error::Error for JsonError {}

impl core::error::Error for TpmError {}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(source) => Some(source),
            Self::MalformedJson(source) => Some(source),
            Self::MalformedTpm(source) => Some(source),
            Self::Signature(source) => Some(source),
            _ => None,
        }
    }
}
