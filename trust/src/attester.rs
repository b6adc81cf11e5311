//! Evidence of the formats in the field: read by its media type, verified with endorsed keys, and put into the terms of
//! reference values.

use alloc::{
    borrow::{Cow, ToOwned},
    string::{String, ToString},
    vec::Vec,
};

use corim::{
    CCA_PLATFORM_CONFIG, CCA_REMS, CCA_RIM, CCA_RPV, CCA_SOFTWARE_COMPONENT, Class, ClassId, CryptoKey, Ect,
    Element, Environment, Instance, MeasuredElement, MeasurementValues, PSA_SOFTWARE_COMPONENT, RawValue,
    Version,
};
use coswid::Tag;
use crypto::{Digest, HashAlgorithm};
use eat::{
    CcaRealmClaims, CcaToken, Claims, Cmw, DebugStatus, Lifecycle, MAX_TOKEN_LEN, MediaType, Nonce,
    PsaProfile, PsaToken, SoftwareComponent, Token,
};

use crate::{Code, EndorsedKey, Endorsements, Reason};

/// Content-Format of CoSWID (RFC 9393, section 8.2).
const COSWID_FORMAT: u16 = 258;

/// Media types of wrappers: of the draft, and those that Veraison's clients have for them.
const WRAPPERS: [&str; 4] = [
    "application/cmw+cbor",
    "application/cmw+json",
    "application/vnd.veraison.cmw+cbor",
    "application/vnd.veraison.cmw+json",
];

/// The media types of evidence that are read, as they are offered to clients.
pub const EVIDENCE_MEDIA_TYPES: [&str; 11] = [
    "application/eat+cwt",
    "application/eat+jwt",
    "application/eat+cwt; eat_profile=\"tag:psacertified.org,2023:psa#tfm\"",
    "application/eat-cwt; profile=\"http://arm.com/psa/2.0.0\"",
    "application/psa-attestation-token",
    "application/eat-collection; profile=\"http://arm.com/CCA-SSD/1.0.0\"",
    "application/eat-collection; profile=\"tag:arm.com,2023:cca_platform#1.0.0\"",
    "application/cmw+cbor",
    "application/cmw+json",
    "application/vnd.veraison.cmw+cbor",
    "application/vnd.veraison.cmw+json",
];

/// What attests for itself within evidence: the device, or one of its parts that has expected values of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attester {
    /// Its name in results.
    pub name: &'static str,
    /// The profile of its claims.
    pub profile: Option<String>,
    /// What it measured of which environment.
    pub measured: Ect,
    /// Elements that count only where a release names them: what grows while the device runs, and what others chose.
    pub optional: Vec<usize>,
    /// The security lifecycle of its root of trust.
    pub lifecycle: Option<Lifecycle>,
    /// Whether it can be debugged.
    pub debug: Option<DebugStatus>,
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
}

/// Takes evidence out of its wrappers (draft-ietf-rats-msg-wrap): gives it with its media type. A collection must hold
/// one message, since different ones would have to be bound together.
pub fn unwrap_evidence<'b>(
    bytes: &'b [u8],
    media_type: &MediaType,
) -> Result<(Cow<'b, [u8]>, MediaType), Reason> {
    if !WRAPPERS.contains(&media_type.essence()) {
        return Ok((Cow::Borrowed(bytes), media_type.clone()));
    }
    let wrapper = Cmw::decode(bytes).map_err(malformed)?;
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
        match (media_type.essence(), parameter) {
            ("application/psa-attestation-token", _) => Self::psa(bytes),
            ("application/eat-collection", _) => CcaToken::decode(bytes).map(Self::Cca).map_err(malformed),
            ("application/eat-cwt" | "application/eat+cwt", Some(profile)) if is_psa(profile) => {
                Self::psa(bytes)
            }
            ("application/eat-cwt" | "application/eat+cwt", _) => {
                let token = Token::decode_cwt(bytes).map_err(malformed)?;
                let named = match &token.unverified().profile {
                    Some(eat::Profile::Uri(uri)) => is_psa(uri),
                    _ => false,
                };
                if named { Self::psa(bytes) } else { Ok(Self::Token(token)) }
            }
            ("application/eat-jwt" | "application/eat+jwt", _) => {
                Token::decode_jwt(bytes).map(Self::Token).map_err(malformed)
            }
            (other, _) => Err(malformed("the media type is not supported").with("media-type", other)),
        }
    }

    fn psa(bytes: &'b [u8]) -> Result<Self, Reason> {
        PsaToken::decode(bytes).map(Self::Psa).map_err(malformed)
    }

    /// Which device it says to come from.
    pub fn instance(&self) -> Option<&[u8]> {
        match self {
            Self::Psa(token) => Some(token.unverified().instance_id.as_bytes()),
            Self::Cca(token) => Some(token.unverified_platform().instance_id.as_bytes()),
            Self::Token(token) => token.unverified().ueid.as_ref().map(eat::Ueid::as_bytes),
        }
    }

    /// Verifies signature and freshness with the keys that are endorsed for the device, and gives who attests.
    pub fn verify(
        self,
        endorsements: &Endorsements,
        nonce: &Nonce,
        now: i64,
    ) -> Result<Vec<Attester>, Reason> {
        match self {
            Self::Psa(token) => {
                let claims = token.unverified();
                let environment = arm(&claims.implementation_id, claims.instance_id.as_bytes());
                let keys = endorsed(endorsements, &environment, now)?;
                let (token, by) = first(&keys, |key| token.clone().verify(&key.key, nonce))?;
                let claims = token.claims();
                let components = claims.components.iter();
                let elements = components.map(|one| component(PSA_SOFTWARE_COMPONENT, one, None)).collect();
                Ok(Vec::from([Attester {
                    profile: Some(claims.profile.name().to_owned()),
                    lifecycle: Some(claims.lifecycle),
                    ..Attester::new("PSA_IOT", environment, elements, by)
                }]))
            }
            Self::Cca(token) => {
                let claims = token.unverified_platform();
                let environment = arm(&claims.implementation_id, claims.instance_id.as_bytes());
                let keys = endorsed(endorsements, &environment, now)?;
                let (token, by) = first(&keys, |key| token.clone().verify(&key.key, nonce))?;
                let platform = token.platform();
                let hash = Some(platform.hash_algorithm);
                let components = platform.components.iter();
                let mut elements: Vec<Element> =
                    components.map(|one| component(CCA_SOFTWARE_COMPONENT, one, hash)).collect();
                elements.push(raw(CCA_PLATFORM_CONFIG, &platform.config));
                let realm = realm(token.realm());
                Ok(Vec::from([
                    Attester {
                        profile: Some(platform.profile.name().to_owned()),
                        optional: Vec::from([elements.len() - 1]),
                        lifecycle: Some(platform.lifecycle),
                        ..Attester::new("CCA_SSD_PLATFORM", environment, elements, by)
                    },
                    realm,
                ]))
            }
            Self::Token(token) => {
                let environment = environment(token.unverified());
                let keys = endorsed(endorsements, &environment, now)?;
                let (token, by) = first(&keys, |key| token.clone().verify(&key.key, nonce))?;
                let claims = token.claims();
                if !claims.submods.is_empty() {
                    // They have claims of their own, and to pass over them would be to judge a part.
                    return Err(malformed("submodules are not appraised"));
                }
                let profile = match &claims.profile {
                    Some(eat::Profile::Uri(uri)) => Some(uri.clone()),
                    _ => None,
                };
                Ok(Vec::from([Attester {
                    profile,
                    debug: claims.dbgstat,
                    ..Attester::new("EAT", environment, measured(claims)?, by)
                }]))
            }
        }
    }
}

impl Attester {
    fn new(name: &'static str, environment: Environment, elements: Vec<Element>, by: &EndorsedKey) -> Self {
        // What the endorsement says of the device counts as well: evidence need not tell its own class.
        let environment = merged(environment, &by.environment);
        let authority = CryptoKey::of_public_key(&by.key);
        Self {
            name,
            profile: None,
            measured: Ect::evidence(environment, elements, authority),
            optional: Vec::new(),
            lifecycle: None,
            debug: None,
        }
    }
}

/// An environment with what an endorsement adds to it. The two agree: else the key would not have been found.
fn merged(told: Environment, endorsed: &Environment) -> Environment {
    let class = match (told.class, endorsed.class.clone()) {
        (Some(told), Some(endorsed)) => Some(Class {
            id: told.id.or(endorsed.id),
            vendor: told.vendor.or(endorsed.vendor),
            model: told.model.or(endorsed.model),
            layer: told.layer.or(endorsed.layer),
            index: told.index.or(endorsed.index),
        }),
        (told, endorsed) => told.or(endorsed),
    };
    Environment {
        class,
        instance: told.instance.or_else(|| endorsed.instance.clone()),
        group: told.group.or_else(|| endorsed.group.clone()),
    }
}

fn malformed(error: impl ToString) -> Reason {
    Reason::new(Code::MalformedEvidence).with("error", error.to_string())
}

fn is_psa(profile: &str) -> bool {
    PsaProfile::ALL.into_iter().any(|known| known.name() == profile)
}

/// The keys of an environment: without one, nobody knows the device.
fn endorsed<'e>(
    endorsements: &'e Endorsements,
    environment: &Environment,
    now: i64,
) -> Result<Vec<&'e EndorsedKey>, Reason> {
    let keys = endorsements.keys(environment, now);
    if keys.is_empty() {
        return Err(Code::UnknownDevice.into());
    }
    Ok(keys)
}

/// The first key that verifies. A nonce that is not ours is told apart from a signature that is not the device's.
fn first<'k, T>(
    keys: &[&'k EndorsedKey],
    verify: impl Fn(&'k EndorsedKey) -> Result<T, eat::Error>,
) -> Result<(T, &'k EndorsedKey), Reason> {
    let mut refusal = Reason::new(Code::UnknownDevice);
    for key in keys {
        match verify(key) {
            Ok(verified) => return Ok((verified, key)),
            Err(eat::Error::Untrusted(eat::Distrust::Nonce)) => return Err(Code::ReplayedNonce.into()),
            Err(error) => refusal = Reason::new(Code::BadEvidenceSignature).with("error", error),
        }
    }
    Err(refusal)
}

/// The environment of a PSA root of trust or CCA platform.
fn arm(implementation: &[u8; 32], instance: &[u8]) -> Environment {
    Environment {
        class: Some(Class { id: Some(ClassId::Bytes(implementation.to_vec())), ..Class::default() }),
        instance: Some(Instance::Ueid(instance.to_vec())),
        group: None,
    }
}

/// The environment of a token: its UEID, and its model as class.
fn environment(claims: &Claims) -> Environment {
    let class = claims
        .hwmodel
        .as_ref()
        .map(|model| Class { id: Some(ClassId::Bytes(model.clone())), ..Class::default() });
    let instance = claims.ueid.as_ref().map(|ueid| Instance::Ueid(ueid.as_bytes().to_vec()));
    Environment { class, instance, group: None }
}

fn realm(claims: &CcaRealmClaims) -> Attester {
    let digest = |key: &str, value: &[u8]| match Digest::new(claims.hash_algorithm, value) {
        Some(digest) => element(
            key,
            MeasurementValues { digests: [digest.into()].into(), ..MeasurementValues::default() },
        ),
        // What is as long as another hash is a value that no expected digest equals.
        None => raw(key, value),
    };
    let mut elements = Vec::from([digest(CCA_RIM, &claims.initial_measurement)]);
    let extensible = CCA_REMS.iter().zip(&claims.extensible_measurements);
    elements.extend(extensible.map(|(key, value)| digest(key, value)));
    elements.push(raw(CCA_RPV, &claims.personalisation));
    // A realm is known by what it began as, and its key by the platform that vouches for it.
    let class = Class { id: Some(ClassId::Bytes(claims.initial_measurement.clone())), ..Class::default() };
    let environment = Environment { class: Some(class), ..Environment::default() };
    Attester {
        name: "CCA_REALM",
        profile: None,
        optional: (1..elements.len()).collect(),
        measured: Ect::evidence(environment, elements, CryptoKey::of_public_key(&claims.public_key)),
        lifecycle: None,
        debug: None,
    }
}

fn element(key: &str, values: MeasurementValues) -> Element {
    Element { key: Some(MeasuredElement::Name(key.to_owned())), values }
}

fn raw(key: &str, value: &[u8]) -> Element {
    element(
        key,
        MeasurementValues {
            raw_value: Some(RawValue::Plain(value.to_vec())),
            ..MeasurementValues::default()
        },
    )
}

fn component(key: &str, found: &SoftwareComponent, default: Option<HashAlgorithm>) -> Element {
    let digest = found.digest(default);
    let values = MeasurementValues {
        digests: digest.into_iter().map(Into::into).collect(),
        // By an algorithm that is not known it is a value that no expected digest equals.
        raw_value: digest.is_none().then(|| RawValue::Plain(found.measurement.clone())),
        name: found.measurement_type.clone(),
        version: found.version.clone().map(|version| Version { version, scheme: None }),
        cryptokeys: [CryptoKey::Bytes(found.signer_id.clone())].into(),
        ..MeasurementValues::default()
    };
    element(key, values)
}

/// What the CoSWID evidence tags in a token measure, each file by its path. Measurements in other formats are refused:
/// passing over one would be to judge a part.
fn measured(claims: &Claims) -> Result<Vec<Element>, Reason> {
    let mut elements = Vec::new();
    for content in &claims.measurements {
        let eat::ContentBody::Bytes(bytes) = &content.body else {
            return Err(malformed("a measurement is text"));
        };
        if content.format != COSWID_FORMAT || bytes.len() > MAX_TOKEN_LEN {
            return Err(malformed("a measurement is of a format that is not read")
                .with("content-format", content.format));
        }
        let tag = Tag::decode(bytes).map_err(malformed)?;
        for file in tag.measured_files() {
            let digest = file.digest.ok_or_else(|| malformed("a measured file has no digest that counts"))?;
            let values =
                MeasurementValues { digests: [digest.into()].into(), ..MeasurementValues::default() };
            elements.push(element(&file.path(), values));
        }
    }
    Ok(elements)
}
