//! Evidence of the formats in the field: read by its media type, verified with the keys that are known of who attests, and
//! put into the terms of reference values.

mod arm;
mod elements;
mod keys;
mod quote;
mod token;

use alloc::{
    borrow::{Cow, ToOwned},
    string::{String, ToString},
    vec::Vec,
};

use corim::{ClassId, CryptoKey, Ect, Element, Environment, Instance};
use crypto::{Digest, HashAlgorithm, PublicKey};
use eat::{
    Bundle, CcaToken, Claims, Cmw, DebugStatus, EnactTrustToken, Lifecycle, MeasuredComponentFormats,
    MediaType, Nonce, ParsecAttestation, PsaProfile, PsaToken, SignedCmw, Token, TpmCollection,
};
use x509::Certificate;

use crate::{
    Code, EndorsedKey, Endorsements, KeyBinding, Measured, Policy, Reason, Release, Vouchers,
    corroborate::{component, digests},
    quoted::Quoted,
};

/// Media types of wrappers: of the draft, and those that Veraison's clients have for them.
const WRAPPERS: [&str; 4] = [
    "application/cmw+cbor",
    "application/cmw+json",
    "application/vnd.veraison.cmw+cbor",
    "application/vnd.veraison.cmw+json",
];

/// The media types of evidence that are read, as they are offered to clients.
pub const EVIDENCE_MEDIA_TYPES: [&str; 16] = [
    "application/eat+cwt",
    "application/eat+jwt",
    "application/eat+cwt; eat_profile=\"tag:psacertified.org,2023:psa#tfm\"",
    "application/eat-cwt; profile=\"http://arm.com/psa/2.0.0\"",
    "application/psa-attestation-token",
    "application/eat-collection; profile=\"http://arm.com/CCA-SSD/1.0.0\"",
    "application/eat-collection; profile=\"tag:arm.com,2023:cca_platform#1.0.0\"",
    "application/eat-bun+cbor",
    "application/eat-bun+json",
    ENACT_TRUST,
    PARSEC_TPM,
    SIGNED_WRAPPER,
    "application/cmw+cbor",
    "application/cmw+json",
    "application/vnd.veraison.cmw+cbor",
    "application/vnd.veraison.cmw+json",
];

const SIGNED_WRAPPER: &str = "application/cmw+cose";
const ENACT_TRUST: &str = "application/vnd.enacttrust.tpm-evidence";
const PARSEC_TPM: &str = "application/vnd.parallaxsecond.key-attestation.tpm";

/// What a verifier believes of devices that are not enrolled, and how it judges them.
#[derive(Clone, Copy, Debug)]
pub struct Beliefs<'a> {
    /// What accepted manifests say.
    pub endorsements: &'a Endorsements,
    /// Releases of the operator's own, as expected values of tokens that carry CoSWID evidence of their class.
    pub releases: &'a [OwnRelease<'a>],
    /// Who certifies keys of devices, by the operator's word.
    pub authorities: &'a [Certificate],
    /// Keys of whoever attests, by the operator's word: they count for whatever device evidence tells.
    pub keys: &'a [PublicKey],
    /// Devices whose ownership vouchers were accepted, where anybody keeps them.
    pub vouchers: Option<&'a Vouchers>,
    /// Digests that must not run anywhere, whatever release holds them.
    pub denied: &'a [Digest],
    /// The Content-Formats of measured components, of which none is registered.
    pub components: Option<MeasuredComponentFormats>,
    /// The operator's policy.
    pub policy: &'a Policy,
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// A release that the operator accepted for devices of its own.
#[derive(Clone, Copy, Debug)]
pub struct OwnRelease<'a> {
    /// The release.
    pub release: &'a Release,
    /// What speaks against running it, such as that it was revoked.
    pub against: Option<&'a Reason>,
}

/// What attests for itself within evidence: the device, or one of its parts that has expected values of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attester {
    /// Its name in results.
    pub name: String,
    /// The profile of its claims.
    pub profile: Option<String>,
    /// What it measured of which environment.
    pub measured: Ect,
    /// Elements that count only where a release names them: what grows while the device runs, and what others chose.
    pub optional: Vec<usize>,
    /// PCRs that a TPM quoted: what they are in the terms of reference values, those that name them say.
    pub quoted: Option<Quoted>,
    /// The same, where all of it is files in CoSWID evidence.
    pub files: Vec<Measured>,
    /// The security lifecycle of its root of trust.
    pub lifecycle: Option<Lifecycle>,
    /// Whether it can be debugged.
    pub debug: Option<DebugStatus>,
    /// What binds its key to it; nothing where it is not believed.
    pub binding: Option<KeyBinding>,
    /// Whether it is part of the claims of another, so that it need not measure anything where nobody expects it to.
    pub carried: bool,
    /// Why it is not believed, though others in the same evidence are.
    pub refused: Option<Reason>,
}

/// Evidence that nobody vouches for yet.
#[allow(clippy::large_enum_variant, reason = "one a message")]
#[derive(Debug)]
pub enum ForeignEvidence<'b> {
    /// A PSA token.
    Psa(PsaToken),
    /// A CCA token.
    Cca(CcaToken),
    /// An entity attestation token of any other profile.
    Token(Token<'b>),
    /// A token, and claims-sets whose digests are in it.
    Bundle(Bundle),
    /// Unprotected claims in a signed wrapper.
    Carried(SignedCmw<'b>),
    /// A quote of a TPM in a token of EnactTrust.
    EnactTrust(EnactTrustToken),
    /// A quote of a TPM with a key that it certifies, by Parsec.
    Parsec(ParsecAttestation),
    /// A quote of a TPM in a collection.
    Quote(TpmCollection),
}

/// Takes evidence out of its wrappers (draft-ietf-rats-msg-wrap): gives it with its media type. A collection must hold
/// one message, since different ones would have to be bound together, or the parts of a quote, which stays as it is.
pub fn unwrap_evidence<'b>(
    bytes: &'b [u8],
    media_type: &MediaType,
) -> Result<(Cow<'b, [u8]>, MediaType), Reason> {
    if !is_wrapper(media_type) {
        return Ok((Cow::Borrowed(bytes), media_type.clone()));
    }
    let wrapper = Cmw::decode(bytes).map_err(keys::refused)?;
    if TpmCollection::is_one(&wrapper) {
        return Ok((Cow::Borrowed(bytes), media_type.clone()));
    }
    let records = wrapper.records();
    let [(_, record)] = records.as_slice() else {
        return Err(malformed("a collection of several messages is not supported"));
    };
    let inner = record.kind.media_type().ok_or_else(|| malformed("the type in the wrapper is not known"))?;
    Ok((Cow::Owned(record.value.clone()), inner))
}

impl<'b> ForeignEvidence<'b> {
    /// Reads evidence. The media type decides where it names a format; what only says that it is a token is read as
    /// the profile in it wants.
    pub fn decode(bytes: &'b [u8], media_type: &MediaType) -> Result<Self, Reason> {
        let parameter = media_type.parameter("eat_profile").or_else(|| media_type.parameter("profile"));
        let read = match (media_type.essence(), parameter) {
            ("application/psa-attestation-token", _) => PsaToken::decode(bytes).map(Self::Psa),
            ("application/eat-collection", _) => CcaToken::decode(bytes).map(Self::Cca),
            ("application/eat-cwt" | "application/eat+cwt", Some(profile)) if is_psa(profile) => {
                PsaToken::decode(bytes).map(Self::Psa)
            }
            ("application/eat-cwt" | "application/eat+cwt", _) => Self::token(bytes),
            ("application/eat-jwt" | "application/eat+jwt", _) => Token::decode_jwt(bytes).map(Self::Token),
            ("application/eat-bun+cbor", _) => Bundle::decode_cbor(bytes).map(Self::Bundle),
            ("application/eat-bun+json", _) => Bundle::decode_json(bytes).map(Self::Bundle),
            (SIGNED_WRAPPER, _) => SignedCmw::decode(bytes).map(Self::Carried),
            (essence, _) if token::is_unprotected(essence) => Err(eat::Feature::UnprotectedClaimsSet.into()),
            (ENACT_TRUST, _) => EnactTrustToken::decode(bytes).map(Self::EnactTrust),
            (PARSEC_TPM, _) => ParsecAttestation::decode(bytes).map(Self::Parsec),
            _ if is_wrapper(media_type) => {
                Cmw::decode(bytes).and_then(|wrapper| TpmCollection::read(&wrapper)).map(Self::Quote)
            }
            (other, _) => {
                return Err(malformed("the media type is not supported").with("media-type", other));
            }
        };
        read.map_err(keys::refused)
    }

    fn token(bytes: &'b [u8]) -> Result<Self, eat::Error> {
        let token = match Token::decode_cwt(bytes) {
            Err(eat::Error::Unsupported(eat::Feature::DetachedBundle)) => {
                return Bundle::decode_cbor(bytes).map(Self::Bundle);
            }
            token => token?,
        };
        match &token.unverified().profile {
            Some(eat::Profile::Uri(uri)) if is_psa(uri) => PsaToken::decode(bytes).map(Self::Psa),
            _ => Ok(Self::Token(token)),
        }
    }

    /// Which device it says to come from.
    pub fn instance(&self) -> Option<Vec<u8>> {
        let ueid = |claims: &Claims| claims.ueid.as_ref().map(|ueid| ueid.as_bytes().to_vec());
        match self {
            Self::Psa(token) => Some(token.unverified().instance_id.as_bytes().to_vec()),
            Self::Cca(token) => Some(token.unverified_platform().instance_id.as_bytes().to_vec()),
            Self::Token(token) => ueid(token.unverified()),
            Self::Bundle(bundle) => bundle.main().ok().and_then(|token| ueid(token.unverified())),
            Self::Carried(_) => None,
            Self::EnactTrust(token) => Some(token.node.to_vec()),
            Self::Parsec(attestation) => Some(attestation.kid().to_vec()),
            Self::Quote(collection) => Some(collection.quote.unverified().qualified_signer.clone()),
        }
    }

    /// Verifies signature and freshness with the keys that are endorsed for the device, and gives who attests.
    pub fn verify(&self, beliefs: &Beliefs<'_>, nonce: &Nonce) -> Result<Vec<Attester>, Reason> {
        match self {
            Self::Psa(token) => arm::psa(token, beliefs, nonce),
            Self::Cca(token) => arm::cca(token, beliefs, nonce),
            Self::Token(token) => token::verify(token, beliefs, nonce),
            Self::Bundle(bundle) => token::bundle(bundle, beliefs, nonce),
            Self::Carried(wrapper) => token::carried(wrapper, beliefs, nonce),
            Self::EnactTrust(token) => quote::enact_trust(token, beliefs, nonce),
            Self::Parsec(attestation) => quote::parsec(attestation, beliefs, nonce),
            Self::Quote(collection) => quote::collection(collection, beliefs, nonce),
        }
    }
}

impl Attester {
    /// Whether releases of the operator's own for a class of devices may be about what it measured: files of a token whose
    /// model is that class.
    pub fn is_of_class(&self, class: Option<&[u8; 16]>) -> bool {
        !self.files.is_empty() && class.is_some() && self.class().as_ref() == class
    }

    /// The device class that it tells or is endorsed as, where that is one of manifests (SUIT).
    pub fn class(&self) -> Option<[u8; 16]> {
        match self.measured.environment.class.as_ref()?.id.as_ref()? {
            ClassId::Uuid(uuid) => Some(*uuid),
            ClassId::Bytes(bytes) => bytes.as_slice().try_into().ok(),
            _ => None,
        }
    }

    /// The instance that it tells or is endorsed as, where that is no key; empty where there is none.
    pub fn instance(&self) -> &[u8] {
        match &self.measured.environment.instance {
            Some(Instance::Ueid(bytes) | Instance::Bytes(bytes)) => bytes,
            Some(Instance::Uuid(bytes)) => bytes,
            Some(Instance::Key(_)) | None => &[],
        }
    }

    /// What it measured, each by its name; nothing of PCRs, whose meaning only expected values tell.
    pub fn components(&self) -> Vec<Measured> {
        if !self.files.is_empty() {
            return self.files.clone();
        }
        let one = |element: &Element| Measured {
            name: component(element),
            digest: digests(element).first().copied(),
            size: None,
        };
        self.measured.elements.iter().map(one).collect()
    }

    /// Who it is: digest of its key and of the instance it tells or is endorsed as. Attesters that share a key and tell no
    /// instance are one.
    pub fn identity(&self) -> Digest {
        let key = self.measured.authority.iter().find_map(|key| match key {
            CryptoKey::CoseKey(key) => Some(key.as_slice()),
            _ => None,
        });
        let key = Digest::of(HashAlgorithm::Sha256, key.unwrap_or_default());
        Digest::of(HashAlgorithm::Sha256, &[key.as_bytes(), self.instance()].concat())
    }

    fn new(name: &str, environment: Environment, elements: Vec<Element>, by: &EndorsedKey) -> Self {
        // What the endorsement says of the device counts as well: evidence need not tell its own class.
        let environment = keys::merged(environment, &by.environment);
        Self { binding: Some(by.binding), ..Self::signed(name, environment, elements, by) }
    }

    fn signed(name: &str, environment: Environment, elements: Vec<Element>, by: &EndorsedKey) -> Self {
        Self::of(name, Ect::evidence(environment, elements, by.key.authority()))
    }

    /// One that is not believed.
    fn refused(name: &str, reason: Reason) -> Self {
        let nothing = Ect::evidence(Environment::default(), Vec::new(), Vec::new());
        Self { refused: Some(reason), ..Self::of(name, nothing) }
    }

    fn of(name: &str, measured: Ect) -> Self {
        Self {
            name: name.to_owned(),
            profile: None,
            measured,
            optional: Vec::new(),
            quoted: None,
            files: Vec::new(),
            lifecycle: None,
            debug: None,
            binding: None,
            carried: false,
            refused: None,
        }
    }
}

fn is_wrapper(media_type: &MediaType) -> bool {
    WRAPPERS.contains(&media_type.essence())
}

fn malformed(error: impl ToString) -> Reason {
    Reason::new(Code::MalformedEvidence).with("error", error.to_string())
}

fn is_psa(profile: &str) -> bool {
    PsaProfile::ALL.into_iter().any(|known| known.name() == profile)
}
