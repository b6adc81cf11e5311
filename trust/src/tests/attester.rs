//! PSA and CCA tokens against manifests of reference values, made here and by others.

use alloc::{string::String, vec, vec::Vec};
use std::sync::LazyLock;

use corim::{
    Class, ClassId, Comid, Corim, CryptoKey, Environment, Group, Instance, KeyTriple, MeasuredElement,
    Measurement, MeasurementValues, PSA_SOFTWARE_COMPONENT, Profile, Received, Tag, TagId, TagIdentity,
    Triples, Validity, ValuesTriple,
};
use cose::Sign1Builder;
use coswid::{Entity, File, Hash, Role, TagBuilder, VersionScheme};
use crypto::{Digest, HashAlgorithm, SigningKey};
use eat::{Category, Lifecycle, MediaType, Nonce, PsaClaims, PsaProfile, SoftwareComponent, Tier, Ueid};
use x509::pem;

use super::fixture::{NOW, key};
use crate::{
    Agreement, Appraised, Attester, Beliefs, Chosen, Code, Compared, Endorsements, ForeignEvidence,
    KeyBinding, Part, Policy, Reason, Subject, ToldBinding, attestation_result_of, compare_attester,
    corroborate, key_binding, unwrap_evidence,
};

const IMPLEMENTATION: [u8; 32] = [0x11; 32];
const SIGNER: [u8; 32] = [0x22; 32];
const PSA: &str = "application/psa-attestation-token";
const SECURED: u16 = 0x3000;

fn instance() -> Vec<u8> {
    [&[1][..], &[0x33; 32]].concat()
}

fn nonce() -> Nonce {
    Nonce::new(&[7; 32]).unwrap()
}

fn digest(content: &str) -> Digest {
    Digest::of(HashAlgorithm::Sha256, content.as_bytes())
}

/// A manifest of the PSA profile that names a key of the instance and, of each release, its components.
fn manifest(id: &str, device: &SigningKey, releases: &[Components], until: i64) -> Vec<u8> {
    let class = Class { id: Some(ClassId::Bytes(IMPLEMENTATION.to_vec())), ..Class::default() };
    let platform = Environment { class: Some(class), ..Environment::default() };
    let device_environment = Environment { instance: Some(Instance::Ueid(instance())), ..platform.clone() };
    let pem = pem::encode("PUBLIC KEY", &device.public_key().to_spki_der());
    let keys = KeyTriple {
        environment: device_environment,
        keys: vec![CryptoKey::PkixKey(pem)],
        element: None,
        authorized_by: vec![],
    };
    let tag = |name: String, triples| {
        Tag::Comid(Comid::new(TagIdentity { id: TagId::Text(name), version: 0 }, triples))
    };
    let mut tags = vec![tag("keys".into(), Triples { attest_key: vec![keys], ..Triples::default() })];
    for (index, components) in releases.iter().enumerate() {
        let measurement = |(name, content): &(&str, &str)| Measurement {
            key: Some(MeasuredElement::Name(PSA_SOFTWARE_COMPONENT.into())),
            ..Measurement::new(MeasurementValues {
                digests: vec![digest(content).into()],
                name: Some((*name).into()),
                cryptokeys: vec![CryptoKey::Bytes(SIGNER.to_vec())],
                ..MeasurementValues::default()
            })
        };
        let reference = ValuesTriple {
            environment: platform.clone(),
            measurements: components.iter().map(measurement).collect(),
        };
        let triples = Triples { reference: vec![reference], ..Triples::default() };
        tags.push(tag(alloc::format!("release {index}"), triples));
    }
    let corim = Corim {
        profile: Some(Profile::Uri("tag:arm.com,2025:psa#1.0.0".into())),
        validity: Some(Validity { not_before: None, not_after: until }),
        ..Corim::new(TagId::Text(id.into()), tags)
    };
    corim.build().unwrap()
}

fn accept(bytes: &[u8], now: i64) -> corim::VerifiedCorim {
    match Received::decode(bytes).unwrap() {
        Received::Unsigned(manifest) => manifest.trusted_by_operator("operator", vec![], now).unwrap(),
        Received::Signed(_) => panic!("these are unsigned"),
    }
}

fn token(device: &SigningKey, lifecycle: u16, components: Components, signer: &[u8]) -> Vec<u8> {
    let component = |(name, content): &(&str, &str)| SoftwareComponent {
        measurement_type: Some((*name).into()),
        measurement: digest(content).as_bytes().to_vec(),
        version: None,
        signer_id: signer.to_vec(),
        description: None,
    };
    let claims = PsaClaims {
        profile: PsaProfile::Rfc9783,
        nonce: nonce(),
        instance_id: Ueid::new(&instance()).unwrap(),
        boot_seed: None,
        client_id: 1,
        lifecycle: Lifecycle::new(lifecycle).unwrap(),
        implementation_id: IMPLEMENTATION,
        certification_reference: None,
        components: components.iter().map(component).collect(),
        verification_service: None,
    };
    Sign1Builder::new().sign(device, &claims.encode())
}

pub(super) fn beliefs(endorsements: &Endorsements) -> Beliefs<'_> {
    static POLICY: LazyLock<Policy> = LazyLock::new(Policy::default);
    Beliefs {
        endorsements,
        releases: &[],
        authorities: &[],
        keys: &[],
        vouchers: None,
        denied: &[],
        components: None,
        policy: &POLICY,
        now: NOW,
    }
}

fn verify(bytes: &[u8], endorsements: &Endorsements, nonce: &Nonce) -> Result<Vec<Attester>, Reason> {
    ForeignEvidence::decode(bytes, &MediaType::parse(PSA).unwrap())?.verify(&beliefs(endorsements), nonce)
}

fn judge(bytes: &[u8], endorsements: &Endorsements) -> Appraised {
    let attesters = verify(bytes, endorsements, &nonce()).unwrap();
    assert_eq!(attesters.len(), 1);
    corroborate(&attesters[0], &beliefs(endorsements)).appraised
}

fn codes(appraised: &Appraised) -> Vec<Code> {
    appraised.reasons.iter().map(|reason| reason.code).collect()
}

/// Names of components, and what they contain.
type Components = &'static [(&'static str, &'static str)];

const OLD: Components = &[("BL", "b1"), ("PRoT", "p1")];
const NEW: Components = &[("BL", "b2"), ("PRoT", "p2")];

/// One accepted manifest of both releases, and its digest.
fn endorsements(device: &SigningKey) -> (Endorsements, Digest) {
    let mut endorsements = Endorsements::new();
    let digest = endorsements.add(accept(&manifest("maker", device, &[OLD, NEW], NOW + 100), NOW));
    (endorsements, digest)
}

#[test]
fn one_whole_release_of_a_psa_device_affirms_it_and_nothing_less_does() {
    let device = key(21);
    let (endorsements, origin) = endorsements(&device);
    for components in [OLD, NEW] {
        let appraised = judge(&token(&device, SECURED, components, &SIGNER), &endorsements);
        assert_eq!((appraised.vector.tier(), codes(&appraised)), (Tier::Affirming, vec![]));
        assert_eq!(appraised.release, Some(origin));
    }
    let rows: [(Components, &[u8], u16, Code); 8] = [
        (&[("BL", "b1"), ("PRoT", "p2")], &SIGNER, SECURED, Code::MixedReleases),
        (&[("BL", "b1")], &SIGNER, SECURED, Code::ComponentMissing),
        (&[("BL", "b1"), ("PRoT", "evil")], &SIGNER, SECURED, Code::DigestMismatch),
        (&[("BL", "b1"), ("PRoT", "p1"), ("App", "a")], &SIGNER, SECURED, Code::ComponentUnknown),
        (OLD, &[0x23; 32], SECURED, Code::ComponentSignerMismatch),
        (OLD, &SIGNER, 0x5000, Code::LifecycleNotSecured),
        (OLD, &SIGNER, 0x6000, Code::LifecycleNotSecured),
        (OLD, &SIGNER, 0x4000, Code::DebugOpen),
    ];
    for (components, signer, lifecycle, expected) in rows {
        let appraised = judge(&token(&device, lifecycle, components, signer), &endorsements);
        assert_eq!(codes(&appraised), [expected], "{components:?}");
        assert_eq!(appraised.release, None, "{expected}");
        assert_eq!(appraised.vector.tier(), Tier::Contraindicated, "{expected}");
    }
}

#[test]
fn no_reference_and_an_expired_one_are_no_pass() {
    let device = key(21);
    let mut endorsements = Endorsements::new();
    endorsements.add(accept(&manifest("keys", &device, &[], NOW + 100), NOW));
    let bytes = token(&device, SECURED, OLD, &SIGNER);
    let appraised = judge(&bytes, &endorsements);
    assert_eq!(codes(&appraised), [Code::NoReference]);
    assert_eq!(
        appraised.vector.iter().find(|(category, _)| *category == Category::Executables),
        Some((Category::Executables, 1))
    );

    let values = endorsements.add(accept(&manifest("values", &device, &[OLD], NOW - 1), NOW - 10));
    let appraised = judge(&bytes, &endorsements);
    assert_eq!(codes(&appraised), [Code::ReferenceExpired]);

    assert!(endorsements.remove(&values));
    assert!(!endorsements.remove(&values));
    assert_eq!(codes(&judge(&bytes, &endorsements)), [Code::NoReference]);
}

#[test]
fn a_denied_digest_counts_whatever_manifest_has_it() {
    let device = key(21);
    let (endorsements, _) = endorsements(&device);
    let attester = verify(&token(&device, SECURED, OLD, &SIGNER), &endorsements, &nonce()).unwrap().remove(0);
    let denied = [digest("p1")];
    let appraised = corroborate(&attester, &Beliefs { denied: &denied, ..beliefs(&endorsements) }).appraised;
    assert_eq!(codes(&appraised), [Code::DigestDenied]);
}

#[test]
fn evidence_is_refused_by_its_key_its_nonce_and_its_form() {
    let device = key(21);
    let (endorsements, _) = endorsements(&device);
    let good = token(&device, SECURED, OLD, &SIGNER);
    let code = |result: Result<Vec<Attester>, Reason>| result.unwrap_err().code;

    let other = Nonce::new(&[8; 32]).unwrap();
    assert_eq!(code(verify(&good, &endorsements, &other)), Code::ReplayedNonce);
    assert_eq!(code(verify(&good, &Endorsements::new(), &nonce())), Code::UnknownDevice);
    let forged = token(&key(22), SECURED, OLD, &SIGNER);
    assert_eq!(code(verify(&forged, &endorsements, &nonce())), Code::BadEvidenceSignature);
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(code(verify(&changed, &endorsements, &nonce())), Code::BadEvidenceSignature);
    assert_eq!(code(verify(&good[1..], &endorsements, &nonce())), Code::MalformedEvidence);
    let unknown = MediaType::parse("application/octet-stream").unwrap();
    assert_eq!(ForeignEvidence::decode(&good, &unknown).unwrap_err().code, Code::MalformedEvidence);
}

#[test]
fn wrapped_evidence_is_unwrapped_once_and_a_collection_of_several_is_refused() {
    let device = key(21);
    let token = token(&device, SECURED, OLD, &SIGNER);
    let record = eat::CmwRecord::new(PSA, token.clone()).unwrap();
    let wrapped = eat::Cmw::Record(record.clone()).encode();
    let media_type = MediaType::parse("application/cmw+cbor").unwrap();
    let (bytes, inner) = unwrap_evidence(&wrapped, &media_type).unwrap();
    assert_eq!((bytes.as_ref(), inner.essence()), (token.as_slice(), PSA));

    let entry = |name: &str| (eat::CmwKey::Text(name.into()), eat::Cmw::Record(record.clone()));
    let several = eat::CmwCollection { kind: None, entries: [entry("a"), entry("b")].into() };
    let several = eat::Cmw::Collection(several).encode();
    assert_eq!(unwrap_evidence(&several, &media_type).unwrap_err().code, Code::MalformedEvidence);
}

/// A manifest without profile that names a key of an environment.
pub(super) fn naming(key: &SigningKey, environment: Environment) -> Endorsements {
    naming_public(key.public_key(), environment, &[])
}

/// The same with reference values.
pub(super) fn naming_public(
    key: &crypto::PublicKey,
    environment: Environment,
    reference: &[ValuesTriple],
) -> Endorsements {
    let keys = [CryptoKey::PkixKey(pem::encode("PUBLIC KEY", &key.to_spki_der()))];
    let triple = KeyTriple { environment, keys: keys.into(), element: None, authorized_by: vec![] };
    let triples = Triples { attest_key: vec![triple], reference: reference.to_vec(), ..Triples::default() };
    let identity = TagIdentity { id: TagId::Text("keys".into()), version: 0 };
    let corim = Corim::new(TagId::Text("maker".into()), vec![Tag::Comid(Comid::new(identity, triples))]);
    let mut endorsements = Endorsements::new();
    endorsements.add(accept(&corim.build().unwrap(), NOW));
    endorsements
}

#[test]
fn a_key_is_bound_by_instance_or_class_and_by_nothing_less() {
    let device = key(21);
    let good = token(&device, SECURED, OLD, &SIGNER);
    let class = |id: [u8; 32]| Some(Class { id: Some(ClassId::Bytes(id.to_vec())), ..Class::default() });
    let vendor = Some(Class { vendor: Some("ACME".into()), ..Class::default() });
    let (mine, other) = (Some(Instance::Ueid(instance())), Some(Instance::Ueid(vec![1; 33])));
    let group = Some(Group::Uuid([5; 16]));
    let environment = |class, instance, group| Environment { class, instance, group };
    let rows = [
        (environment(None, mine.clone(), None), true),
        (environment(class(IMPLEMENTATION), None, None), true),
        (environment(class([9; 32]), None, None), false),
        (environment(class([9; 32]), mine.clone(), None), false),
        (environment(class(IMPLEMENTATION), other, None), false),
        (environment(vendor, None, None), false),
        (environment(None, None, group), false),
    ];
    for (environment, known) in rows {
        let found = verify(&good, &naming(&device, environment.clone()), &nonce());
        let code = found.err().map(|reason| reason.code);
        assert_eq!(code, (!known).then_some(Code::UnknownDevice), "{environment:?}");
    }
}

#[test]
fn entity_attestation_token_is_judged_whole_or_not_at_all() {
    let device = key(21);
    let content = "app";
    let tag = TagBuilder::evidence(coswid::TagId::Text("device".into()), "camera")
        .version("0", VersionScheme::Semver)
        .entity(Entity::new("device", [Role::TagCreator]))
        .file(File { hash: Some(Hash::from(digest(content))), ..File::new("app") })
        .build()
        .unwrap();
    let claims = eat::Claims {
        nonces: vec![nonce()],
        ueid: Ueid::new(&instance()),
        measurements: vec![eat::Content::bytes(258, tag.encode())],
        ..eat::Claims::default()
    };
    let mut endorsements =
        naming(&device, Environment { instance: Some(Instance::Ueid(instance())), ..Environment::default() });
    let values = MeasurementValues { digests: vec![digest(content).into()], ..MeasurementValues::default() };
    let measurement =
        Measurement { key: Some(MeasuredElement::Name("app".into())), ..Measurement::new(values) };
    let environment = Environment { instance: Some(Instance::Ueid(instance())), ..Environment::default() };
    let reference = ValuesTriple { environment, measurements: vec![measurement] };
    let triples = Triples { reference: vec![reference], ..Triples::default() };
    let identity = TagIdentity { id: TagId::Text("values".into()), version: 0 };
    let values = Corim::new(TagId::Text("values".into()), vec![Tag::Comid(Comid::new(identity, triples))]);
    endorsements.add(accept(&values.build().unwrap(), NOW));

    let eat = MediaType::parse("application/eat+cwt").unwrap();
    let attest = |claims: &eat::Claims| {
        let bytes = claims.sign_cwt(&device, b"").unwrap();
        ForeignEvidence::decode(&bytes, &eat)?.verify(&beliefs(&endorsements), &nonce())
    };
    let attester = attest(&claims).unwrap().remove(0);
    let appraised = corroborate(&attester, &beliefs(&endorsements)).appraised;
    assert_eq!((appraised.vector.tier(), codes(&appraised)), (Tier::Affirming, vec![]));

    let other_format = eat::Claims { measurements: vec![eat::Content::bytes(60, vec![1])], ..claims };
    assert_eq!(attest(&other_format).unwrap_err().code, Code::MalformedEvidence);
}

/// Evidence and endorsements of Veraison's end-to-end tests: theirs fit together, and ours say so.
#[test]
fn evidence_and_endorsements_of_veraison_fit_together() {
    let (Some(rats), Some(corims)) = (testkit::vectors("rats"), testkit::vectors("corim")) else { return };
    let rows = [
        (
            "veraison-e2e/psa-evidence.cbor",
            "veraison-e2e/psa-endorsements.cbor",
            PSA,
            vec!["PSA_IOT"],
            vec![vec![]],
        ),
        (
            "veraison-e2e/cca-evidence.cbor",
            "veraison-e2e/cca-endorsements.cbor",
            "application/eat-collection; profile=\"http://arm.com/CCA-SSD/1.0.0\"",
            vec!["CCA_SSD_PLATFORM", "CCA_REALM"],
            // That manifest says nothing of realms.
            vec![vec![], vec![Code::NoReference]],
        ),
    ];
    for (evidence, manifest, media_type, names, expected) in rows {
        let bytes = std::fs::read(rats.join(evidence)).unwrap();
        let mut endorsements = Endorsements::new();
        let manifest = std::fs::read(corims.join(manifest)).unwrap();
        // Theirs ended before the time of these tests.
        let validity = Corim::decode(&manifest).unwrap().validity;
        let now = validity.map_or(NOW, |validity| validity.not_after - 1);
        endorsements.add(accept(&manifest, now));
        let media_type = MediaType::parse(media_type).unwrap();
        let read = || ForeignEvidence::decode(&bytes, &media_type).unwrap();
        let asked = match read() {
            ForeignEvidence::Psa(token) => token.unverified().nonce.clone(),
            ForeignEvidence::Cca(token) => token.unverified_realm().challenge.clone(),
            _ => panic!("{evidence} is of another format"),
        };
        let beliefs = Beliefs { now, ..beliefs(&endorsements) };
        let attesters = read().verify(&beliefs, &asked).unwrap();
        assert_eq!(attesters.iter().map(|attester| attester.name.as_str()).collect::<Vec<_>>(), names);
        let found: Vec<_> =
            attesters.iter().map(|attester| codes(&corroborate(attester, &beliefs).appraised)).collect();
        assert_eq!(found, expected, "{evidence}");
    }
}

/// Name, verdict and whether something is expected, of every component beside what is expected.
fn beside(components: Components, endorsements: &Endorsements) -> (Option<(String, Chosen)>, Vec<String>) {
    let attesters = verify(&token(&key(31), SECURED, components, &SIGNER), endorsements, &nonce()).unwrap();
    let beliefs = beliefs(endorsements);
    let found = corroborate(&attesters[0], &beliefs).appraised.release;
    let comparison = compare_attester(&attesters[0], &beliefs, found.as_ref());
    let row = |row: &Compared| {
        let expected = row.expected.as_ref().map_or("-", |_| "+");
        alloc::format!("{} {}{}", row.name, row.agreement.as_str(), expected)
    };
    let against = comparison.against.map(|against| (against.version, against.chosen));
    (against, comparison.components.iter().map(row).collect())
}

#[test]
fn components_stand_beside_the_release_that_matches_or_comes_nearest() {
    let releases: [Components; 2] = [&[("BL", "b1"), ("APP", "a1")], &[("BL", "b2"), ("APP", "a2")]];
    let mut known = Endorsements::new();
    known.add(accept(&manifest("maker", &key(31), &releases, NOW + 1000), NOW));
    let against = |chosen| Some((String::from("maker"), chosen));
    let rows: [(Components, _, &[&str]); 7] = [
        (&[("BL", "b2"), ("APP", "a2")], against(Chosen::Matched), &["BL same+", "APP same+"]),
        (&[("APP", "a1"), ("BL", "b1")], against(Chosen::Matched), &["BL same+", "APP same+"]),
        (&[("BL", "b2"), ("APP", "x")], against(Chosen::Nearest), &["BL same+", "APP differs+"]),
        (&[("BL", "b1")], against(Chosen::Nearest), &["BL same+", "APP missing+"]),
        (
            &[("BL", "b1"), ("APP", "a1"), ("NEW", "n")],
            against(Chosen::Nearest),
            &["BL same+", "APP same+", "NEW unknown-"],
        ),
        (&[("BL", "b1"), ("BL", "b1"), ("APP", "a1")], against(Chosen::Matched), &["BL same+", "APP same+"]),
        (
            &[("BL", "b1"), ("BL", "b2"), ("APP", "a1")],
            against(Chosen::Nearest),
            &["BL twice+", "APP same+", "BL twice-"],
        ),
    ];
    for (components, expected, each) in rows {
        assert_eq!(beside(components, &known), (expected, each.iter().map(|row| (*row).into()).collect()));
    }
    let nothing = naming(&key(31), Environment { class: None, ..platform_of(instance()) });
    assert_eq!(beside(&[("BL", "b1")], &nothing), (None, vec!["BL unknown-".into()]));

    // What a manifest expected until its end is expected no more.
    let past = Beliefs { now: NOW + 1001, ..beliefs(&known) };
    let attesters = verify(&token(&key(31), SECURED, releases[0], &SIGNER), &known, &nonce()).unwrap();
    assert_eq!(compare_attester(&attesters[0], &past, None).against, None);

    // What must not run is told whatever is expected.
    let attesters =
        verify(&token(&key(31), SECURED, &[("BL", "b1"), ("APP", "a1")], &SIGNER), &known, &nonce()).unwrap();
    let denied = [digest("a1")];
    let beliefs = Beliefs { denied: &denied, ..beliefs(&known) };
    let comparison = compare_attester(&attesters[0], &beliefs, None);
    let agreements: Vec<_> = comparison.components.iter().map(|row| row.agreement).collect();
    assert_eq!(agreements, [Agreement::Same, Agreement::Denied]);
}

fn platform_of(instance: Vec<u8>) -> Environment {
    Environment { instance: Some(Instance::Ueid(instance)), ..Environment::default() }
}

#[test]
fn the_binding_of_a_key_is_told_in_its_result() {
    let mut known = Endorsements::new();
    let manifest = known.add(accept(&manifest("maker", &key(31), &[&[("BL", "b1")]], NOW + 1000), NOW));
    let bytes = token(&key(31), SECURED, &[("BL", "b1")], &SIGNER);
    let bound = |beliefs: &Beliefs<'_>| {
        let media_type = MediaType::parse(PSA).unwrap();
        let evidence = ForeignEvidence::decode(&bytes, &media_type).unwrap();
        let attesters = evidence.verify(beliefs, &nonce()).unwrap();
        let found = corroborate(&attesters[0], beliefs);
        let part = Part {
            name: "PSA_IOT",
            profile: None,
            appraised: &found.appraised,
            policy: beliefs.policy,
            endorsed: &found.endorsed,
            binding: attesters[0].binding,
        };
        let subject = Subject { ueid: Ueid::new(&[0; 7]).unwrap(), key: None, nonce: None };
        let verifier = eat::VerifierId { developer: "d".into(), build: "b".into() };
        let result = attestation_result_of(&[part], &subject, 60, verifier, NOW);
        let signed = result.sign_cwt(&key(1), b"k").unwrap();
        let read = eat::SignedResult::decode_cwt(&signed).unwrap();
        (attesters[0].binding, key_binding(&read.unverified().submods["PSA_IOT"]))
    };
    let told = |by: &str, manifest| Some(ToldBinding { by: by.to_owned(), manifest, guid: None });
    assert_eq!(
        bound(&beliefs(&known)),
        (Some(KeyBinding::Manifest(manifest)), told("manifest", Some(manifest.to_string())))
    );
    let (nobody, keys) = (Endorsements::new(), [key(31).public_key().clone()]);
    assert_eq!(
        bound(&Beliefs { keys: &keys, ..beliefs(&nobody) }),
        (Some(KeyBinding::Operator), told("operator", None))
    );
}
