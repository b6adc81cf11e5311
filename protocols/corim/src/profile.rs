use cbor::Reader;

use crate::{
    Class, ClassId, Comid, Corim, CryptoKey, Environment, Error, Instance, KeyTriple, MeasuredElement,
    Measurement, MeasurementValues, Profile, RawValue, Tag, ValuesTriple, older,
};

/// Measurement key of a software component of PSA.
pub const PSA_SOFTWARE_COMPONENT: &str = "psa.software-component";
/// Measurement key of a software component of the CCA platform.
pub const CCA_SOFTWARE_COMPONENT: &str = "cca.software-component";
/// Measurement key of the configuration of the CCA platform.
pub const CCA_PLATFORM_CONFIG: &str = "cca.platform-config";
/// Measurement key of the initial measurement of a CCA realm.
pub const CCA_RIM: &str = "cca.rim";
/// Measurement keys of the extensible measurements of a CCA realm.
pub const CCA_REMS: [&str; 4] = ["cca.rem0", "cca.rem1", "cca.rem2", "cca.rem3"];
/// Measurement key of the personalisation value of a CCA realm.
pub const CCA_RPV: &str = "cca.rpv";

/// The profiles whose rules this crate knows. A manifest that names another is refused whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KnownProfile {
    /// PSA (draft-fdb-rats-psa-endorsements).
    Psa,
    /// PSA as it was before 2025, with measurement keys of its own.
    OlderPsa,
    /// The platform of Arm CCA (draft-ydb-rats-cca-endorsements).
    CcaPlatform,
    /// The same as it was before 2025.
    OlderCcaPlatform,
    /// A realm of Arm CCA.
    CcaRealm,
    /// Intel (draft-cds-rats-intel-corim-profile): its extensions are carried and compared with nothing.
    Intel,
    /// Parsec with a TPM.
    ParsecTpm,
    /// Parsec with CCA.
    ParsecCca,
    /// EnactTrust's TPM agents.
    EnactTrust,
    /// RIOT: keys only.
    Riot,
    /// AMD SEV-SNP.
    SevSnp,
}

/// psa-cert-num, a value that endorsements of PSA have.
const PSA_CERTIFICATE: i64 = 100;

/// 2.16.840.1.113741.1.16.1.
const INTEL: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x4d, 0x01, 0x10, 0x01];

const NAMES: &[(&str, KnownProfile)] = &[
    ("tag:arm.com,2025:psa#1.0.0", KnownProfile::Psa),
    ("http://arm.com/psa/iot/1", KnownProfile::OlderPsa),
    ("tag:arm.com,2025:cca_platform#1.0.0", KnownProfile::CcaPlatform),
    ("http://arm.com/cca/ssd/1", KnownProfile::OlderCcaPlatform),
    ("tag:arm.com,2025:cca_realm#1.0.0", KnownProfile::CcaRealm),
    ("tag:github.com/parallaxsecond,2023-03-03:tpm", KnownProfile::ParsecTpm),
    ("tag:github.com/parallaxsecond,2023-03-03:cca", KnownProfile::ParsecCca),
    ("https://enacttrust.com/veraison/1.0.0", KnownProfile::EnactTrust),
    ("tag:veraison-project.com,2026:riot", KnownProfile::Riot),
    ("tag:amd.com,2024:snp-corim-profile", KnownProfile::SevSnp),
];

/// Whether a rule is kept, and which is not.
type Rule = Result<(), &'static str>;

impl KnownProfile {
    /// The profile of this name.
    pub fn find(profile: &Profile) -> Option<Self> {
        match profile {
            Profile::Oid(oid) => (oid == INTEL).then_some(Self::Intel),
            Profile::Uri(uri) => NAMES.iter().find(|(name, _)| name == uri).map(|(_, known)| *known),
        }
    }

    /// Holds every triple of a CoMID, which is in the terms of today, to the rules of the profile.
    fn check(self, comid: &Comid) -> Rule {
        let triples = &comid.triples;
        let all = |reference: fn(&ValuesTriple) -> Rule, key: fn(&KeyTriple) -> Rule| {
            triples.reference.iter().try_for_each(reference)?;
            triples.attest_key.iter().chain(&triples.identity).try_for_each(key)
        };
        match self {
            Self::Psa | Self::OlderPsa => all(psa_reference, arm_key),
            Self::CcaPlatform | Self::OlderCcaPlatform | Self::ParsecCca => {
                all(cca_platform_reference, arm_key)
            }
            Self::CcaRealm => all(cca_realm_reference, |_| Err("a realm has no keys of its own")),
            Self::ParsecTpm => all(parsec_tpm_reference, parsec_tpm_key),
            Self::EnactTrust => all(enact_trust_reference, enact_trust_key),
            Self::Riot => all(|_| Err("there are reference values"), riot_key),
            Self::SevSnp => all(sev_snp_reference, sev_snp_key),
            Self::Intel => Ok(()),
        }
    }

    /// Whether the profile has values under this encoded key of a measurement, to be compared for equality.
    ///
    /// Values of Intel's are equal or belong to an expression, which never equals evidence: so nothing that its
    /// operators would say is guessed at.
    pub(crate) fn compares(self, key: &[u8]) -> bool {
        match self {
            Self::Intel => Reader::new(key).int().is_ok_and(|label| label < 0),
            Self::Psa => Reader::new(key).int() == Ok(PSA_CERTIFICATE),
            _ => false,
        }
    }

    /// How the profile names a software component.
    fn component(self) -> &'static str {
        match self {
            Self::OlderCcaPlatform | Self::CcaPlatform | Self::ParsecCca => CCA_SOFTWARE_COMPONENT,
            _ => PSA_SOFTWARE_COMPONENT,
        }
    }
}

/// Brings a manifest into the terms of today and holds it to its profile, which must be known where it names one.
pub(crate) fn admit(corim: &mut Corim) -> Result<Option<KnownProfile>, Error> {
    let known = match &corim.profile {
        Some(profile) => Some(KnownProfile::find(profile).ok_or(Error::UnknownProfile)?),
        None => None,
    };
    let component = known.map_or(PSA_SOFTWARE_COMPONENT, KnownProfile::component);
    let comids = corim.tags.iter_mut().filter_map(|tag| match tag {
        Tag::Comid(comid) => Some(comid),
        _ => None,
    });
    for (index, comid) in comids.enumerate() {
        if matches!(known, Some(KnownProfile::OlderPsa | KnownProfile::OlderCcaPlatform)) {
            older::join_keys(&mut comid.triples);
        }
        let checked =
            older::upgrade(comid, component).and_then(|()| known.map_or(Ok(()), |p| p.check(comid)));
        checked.map_err(|rule| Error::Profile { comid: index, rule })?;
    }
    Ok(known)
}

fn psa_reference(triple: &ValuesTriple) -> Rule {
    implementation(&triple.environment)?;
    triple.measurements.iter().try_for_each(|measurement| match name(measurement) {
        Some(PSA_SOFTWARE_COMPONENT) => software_component(&measurement.values),
        _ => Err("measurement key is not that of a software component"),
    })
}

fn cca_platform_reference(triple: &ValuesTriple) -> Rule {
    implementation(&triple.environment)?;
    triple.measurements.iter().try_for_each(|measurement| match name(measurement) {
        Some(CCA_SOFTWARE_COMPONENT) => software_component(&measurement.values),
        Some(CCA_PLATFORM_CONFIG) => configuration(&measurement.values),
        _ => Err("measurement key is that of neither a software component nor the configuration"),
    })
}

fn cca_realm_reference(triple: &ValuesTriple) -> Rule {
    match class(&triple.environment).and_then(|class| class.id.as_ref()) {
        Some(ClassId::Bytes(rim)) if is_hash(rim) => {}
        _ => return Err("class is not the initial measurement of a realm"),
    }
    for measurement in &triple.measurements {
        match name(measurement) {
            Some(CCA_RPV) => personalisation(&measurement.values)?,
            Some(key) if key == CCA_RIM || CCA_REMS.contains(&key) => digests(&measurement.values)?,
            _ => return Err("measurement key is none of a realm"),
        }
    }
    if !triple.measurements.iter().any(|measurement| name(measurement) == Some(CCA_RIM)) {
        return Err("initial measurement of the realm is missing");
    }
    Ok(())
}

/// Attestation keys of PSA and CCA: one key of one instance.
fn arm_key(triple: &KeyTriple) -> Rule {
    implementation(&triple.environment)?;
    match &triple.environment.instance {
        Some(Instance::Ueid(ueid)) if ueid.len() == INSTANCE_LEN && ueid.first() == Some(&RANDOM_UEID) => {}
        _ => return Err("instance is not a UEID of type 1 with 33 bytes"),
    }
    match triple.keys.as_slice() {
        [CryptoKey::PkixKey(_)] => Ok(()),
        _ => Err("there is not exactly one public key"),
    }
}

fn parsec_tpm_reference(triple: &ValuesTriple) -> Rule {
    uuid_class(&triple.environment)?;
    triple.measurements.iter().try_for_each(|measurement| match &measurement.key {
        Some(MeasuredElement::Number(_)) => digests(&measurement.values),
        _ => Err("measurement key is not the number of a register"),
    })
}

fn parsec_tpm_key(triple: &KeyTriple) -> Rule {
    uuid_class(&triple.environment)?;
    match (&triple.environment.instance, triple.keys.as_slice()) {
        (Some(Instance::Bytes(_)), [_]) => Ok(()),
        (Some(Instance::Bytes(_)), _) => Err("there is not exactly one key"),
        _ => Err("instance is not bytes"),
    }
}

fn enact_trust_reference(triple: &ValuesTriple) -> Rule {
    node(&triple.environment)?;
    match triple.measurements.as_slice() {
        [one] => digests(&one.values),
        _ => Err("there is not exactly one measurement"),
    }
}

fn enact_trust_key(triple: &KeyTriple) -> Rule {
    node(&triple.environment)?;
    if triple.keys.len() == 1 { Ok(()) } else { Err("there is not exactly one key") }
}

fn riot_key(triple: &KeyTriple) -> Rule {
    let class = class(&triple.environment).ok_or("there is no class")?;
    match (class.vendor.as_deref(), class.model.as_deref()) {
        (Some("Veraison Project"), Some("RIOT")) => Ok(()),
        _ => Err("class has another vendor or model"),
    }
}

fn sev_snp_reference(triple: &ValuesTriple) -> Rule {
    let numbered = |measurement: &Measurement| matches!(measurement.key, Some(MeasuredElement::Number(_)));
    if triple.measurements.iter().all(numbered) { Ok(()) } else { Err("measurement key is not a number") }
}

fn sev_snp_key(triple: &KeyTriple) -> Rule {
    match class(&triple.environment) {
        Some(Class { vendor: Some(_), .. }) => Ok(()),
        _ => Err("class has no vendor"),
    }
}

/// The class of a PSA or CCA platform.
fn implementation(environment: &Environment) -> Rule {
    match class(environment).and_then(|class| class.id.as_ref()) {
        Some(ClassId::Bytes(id)) if id.len() == IMPLEMENTATION_LEN => Ok(()),
        _ => Err("class is not an implementation id of 32 bytes"),
    }
}

fn uuid_class(environment: &Environment) -> Rule {
    match class(environment).and_then(|class| class.id.as_ref()) {
        Some(ClassId::Uuid(_)) => Ok(()),
        _ => Err("class is not a UUID"),
    }
}

/// A node of EnactTrust is an instance and nothing else.
fn node(environment: &Environment) -> Rule {
    match environment {
        Environment { class: None, instance: Some(Instance::Uuid(_)), group: None } => Ok(()),
        _ => Err("environment is not the UUID of an instance alone"),
    }
}

/// Digests, and the one hash of the key that signed it.
fn software_component(values: &MeasurementValues) -> Rule {
    digests(values)?;
    match values.cryptokeys.as_slice() {
        [CryptoKey::Bytes(signer)] if is_hash(signer) => Ok(()),
        _ => Err("there is not exactly one signer id"),
    }
}

fn digests(values: &MeasurementValues) -> Rule {
    if values.digests.is_empty() { Err("there are no digests") } else { Ok(()) }
}

fn personalisation(values: &MeasurementValues) -> Rule {
    match &values.raw_value {
        Some(RawValue::Plain(value)) if value.len() == RPV_LEN => Ok(()),
        _ => Err("there is no personalisation value of 64 bytes"),
    }
}

fn configuration(values: &MeasurementValues) -> Rule {
    if values.raw_value.is_some() { Ok(()) } else { Err("there is no raw value") }
}

fn class(environment: &Environment) -> Option<&Class> {
    environment.class.as_ref()
}

fn name(measurement: &Measurement) -> Option<&str> {
    match &measurement.key {
        Some(MeasuredElement::Name(name)) => Some(name),
        _ => None,
    }
}

/// Whether bytes have the length of SHA-256, SHA-384 or SHA-512.
fn is_hash(bytes: &[u8]) -> bool {
    matches!(bytes.len(), 32 | 48 | 64)
}

const IMPLEMENTATION_LEN: usize = 32;
const INSTANCE_LEN: usize = 33;
/// First byte of a UEID that is a hash or random (RFC 9711, section 4.2.1.1).
const RANDOM_UEID: u8 = 1;
const RPV_LEN: usize = 64;
