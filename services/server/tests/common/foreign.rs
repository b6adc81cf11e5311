//! Devices that are not enrolled, and manifests about them.

use api::Session;
use corim::{
    Class, ClassId, Comid, Corim, CryptoKey, Environment, Instance, KeyTriple, MeasuredElement, Measurement,
    MeasurementValues, PSA_SOFTWARE_COMPONENT, Profile, Tag, TagId, TagIdentity, Triples, ValuesTriple,
};
use cose::Sign1Builder;
use crypto::{Digest, HashAlgorithm, SigningKey};
use eat::{Lifecycle, Nonce, PsaClaims, PsaProfile, SignedResult, SoftwareComponent, Tier, Ueid};
use trust::key_anchors;
use x509::pem;

use super::{NOW, Site, measured};

pub const PSA: &str = "application/psa-attestation-token";
pub const RIM: &str = "application/rim+cbor";
pub const SUBMIT: &str = "/endorsement-provisioning/v1/submit";
const IMPLEMENTATION: [u8; 32] = [0x11; 32];
const SIGNER: [u8; 32] = [0x22; 32];

pub fn instance() -> Vec<u8> {
    [&[1][..], &[0x33; 32]].concat()
}

pub fn digest(content: &str) -> Digest {
    Digest::of(HashAlgorithm::Sha256, content.as_bytes())
}

/// The key of the one device, and one release of one component.
pub fn manifest(id: &str, device: &SigningKey, content: &str) -> Corim {
    let class = Class { id: Some(ClassId::Bytes(IMPLEMENTATION.to_vec())), ..Class::default() };
    let platform = Environment { class: Some(class), ..Environment::default() };
    let keys = KeyTriple {
        environment: Environment { instance: Some(Instance::Ueid(instance())), ..platform.clone() },
        keys: vec![CryptoKey::PkixKey(pem::encode("PUBLIC KEY", &device.public_key().to_spki_der()))],
        element: None,
        authorized_by: vec![],
    };
    let measurement = Measurement {
        key: Some(MeasuredElement::Name(PSA_SOFTWARE_COMPONENT.into())),
        ..Measurement::new(MeasurementValues {
            digests: vec![digest(content).into()],
            name: Some("BL".into()),
            cryptokeys: vec![CryptoKey::Bytes(SIGNER.to_vec())],
            ..MeasurementValues::default()
        })
    };
    let triples = Triples {
        reference: vec![ValuesTriple { environment: platform, measurements: vec![measurement] }],
        attest_key: vec![keys],
        ..Triples::default()
    };
    let identity = TagIdentity { id: TagId::Text(format!("{id}-tag")), version: 0 };
    Corim {
        profile: Some(Profile::Uri("tag:arm.com,2025:psa#1.0.0".into())),
        ..Corim::new(TagId::Text(id.into()), vec![Tag::Comid(Comid::new(identity, triples))])
    }
}

pub fn token(device: &SigningKey, nonce: &[u8], content: &str) -> Vec<u8> {
    let component = SoftwareComponent {
        measurement_type: Some("BL".into()),
        measurement: digest(content).as_bytes().to_vec(),
        version: None,
        signer_id: SIGNER.to_vec(),
        description: None,
    };
    let claims = PsaClaims {
        profile: PsaProfile::Rfc9783,
        nonce: Nonce::new(nonce).unwrap(),
        instance_id: Ueid::new(&instance()).unwrap(),
        boot_seed: None,
        client_id: 1,
        lifecycle: Lifecycle::new(0x3000).unwrap(),
        implementation_id: IMPLEMENTATION,
        certification_reference: None,
        components: vec![component],
        verification_service: None,
    };
    Sign1Builder::new().sign(device, &claims.encode())
}

/// Asks for a session and answers it; gives the session after it.
pub fn attest(site: &Site, device: &SigningKey, content: &str) -> Session {
    let (location, session) = site.session();
    let token = token(device, &session.nonce.0, content);
    let reply = site.call("POST", &location, None, PSA, Some(&token)).expect(200);
    let session: Session = serde_json::from_slice(&reply.body).unwrap();
    let kept: Session =
        serde_json::from_slice(&site.call("GET", &location, None, "", None).expect(200).body).unwrap();
    assert_eq!((kept.result, kept.evidence), (session.result.clone(), session.evidence.clone()));
    session
}

/// Status and reasons of the one part of a result.
pub fn judged(site: &Site, session: &Session, part: &str) -> (Tier, Vec<String>) {
    let verifier = cose::Key::decode(site.server().result_key()).unwrap();
    let anchors = key_anchors(&[verifier], &[]);
    let jwt = session.result.clone().unwrap();
    let from_jwt = SignedResult::decode_jwt(jwt.as_bytes()).unwrap().verify(&anchors, NOW, None).unwrap();
    let cwt = session.sextant_result.clone().unwrap().0;
    let result = SignedResult::decode_cwt(&cwt).unwrap().verify(&anchors, NOW, None).unwrap();
    assert_eq!(from_jwt.result().submods, result.result().submods);
    assert_eq!((&result.result().ueid, &result.result().confirmation), (&None, &None));
    let appraisal = result.appraisal(part).unwrap_or_else(|| panic!("{:?}", result.result().submods));
    (appraisal.status, appraisal.reasons.iter().map(|reason| reason.code.clone()).collect())
}

/// A manifest that names the key of one device by its instance, and what its maker says of it.
pub fn instance_manifest(device: &SigningKey, endorsed: Vec<Measurement>) -> Vec<u8> {
    let environment = Environment { instance: Some(Instance::Ueid(instance())), ..Environment::default() };
    let key = KeyTriple {
        environment: environment.clone(),
        keys: vec![CryptoKey::PkixKey(pem::encode("PUBLIC KEY", &device.public_key().to_spki_der()))],
        element: None,
        authorized_by: vec![],
    };
    let endorsed = match endorsed.is_empty() {
        true => Vec::new(),
        false => vec![ValuesTriple { environment, measurements: endorsed }],
    };
    let triples = Triples { attest_key: vec![key], endorsed, ..Triples::default() };
    let identity = TagIdentity { id: TagId::Text("tag".into()), version: 0 };
    let manifest = Corim::new(TagId::Text("keys".into()), vec![Tag::Comid(Comid::new(identity, triples))]);
    manifest.build().unwrap()
}

/// Answers a session with a token of the class of the maker's releases, with CoSWID evidence of one file.
pub fn attest_eat(site: &Site, device: &SigningKey, app: &[u8]) -> Session {
    attest_eat_as(site, device, &instance(), app)
}

/// The same of the device with a UEID.
pub fn attest_eat_as(site: &Site, device: &SigningKey, ueid: &[u8], app: &[u8]) -> Session {
    let vendor = suit::Uuid::vendor("northlight.example");
    let (location, session) = site.session();
    let claims = eat::Claims {
        nonces: vec![Nonce::new(&session.nonce.0).unwrap()],
        ueid: Ueid::new(ueid),
        oemid: Some(eat::OemId::Random(*vendor.as_bytes())),
        hwmodel: Some(suit::Uuid::class(&vendor, b"welcome-cam").as_bytes().to_vec()),
        measurements: vec![eat::Content::bytes(258, measured(app))],
        ..eat::Claims::default()
    };
    let token = claims.sign_cwt(device, b"").unwrap();
    let reply = site.call("POST", &location, None, "application/eat+cwt", Some(&token)).expect(200);
    serde_json::from_slice(&reply.body).unwrap()
}
