//! Keys that come with evidence as certificates, and whom those bind them to.

use alloc::{
    format,
    string::{String, ToString as _},
    vec,
    vec::Vec,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use corim::{
    Class, ClassId, Comid, Corim, CryptoKey, Environment, Instance, KeyTriple, Received, Tag, TagId,
    TagIdentity, Triples,
};
use cose::Sign1Builder;
use crypto::SigningKey;
use eat::{Claims, MediaType, Nonce, OemId, Ueid};
use x509::{AttributeType, Certificate, CertificateBuilder, KeyUsage, Name, Validity};

use super::{
    attester::beliefs,
    fixture::{NOW, key},
};
use crate::{Beliefs, Code, Endorsements, ForeignEvidence, KeyBinding};

const MODEL: [u8; 8] = [0x22; 8];
/// COSE header parameter (RFC 9360).
const X5CHAIN: i64 = 33;

fn ueid() -> Vec<u8> {
    [&[1][..], &[0xab; 16]].concat()
}

fn nonce() -> Nonce {
    Nonce::new(&[7; 32]).unwrap()
}

fn subject(name: &str, serial: Option<&str>) -> Name {
    let mut attributes = vec![(AttributeType::CommonName, name)];
    attributes.extend(serial.map(|serial| (AttributeType::SerialNumber, serial)));
    Name::new(&attributes).unwrap()
}

const VALID: Validity = Validity { not_before: NOW - 1000, not_after: NOW + 1000 };

fn authority(seed: u8) -> Certificate {
    let key = key(seed);
    let builder = CertificateBuilder::new(subject("Root", None), key.public_key(), &[1], VALID);
    builder.authority(None).self_signed(&key).unwrap()
}

/// A certificate of the device's key, by the key of an authority.
fn leaf(device: &SigningKey, serial: Option<&str>, by: u8) -> Certificate {
    let builder = CertificateBuilder::new(subject("Device", serial), device.public_key(), &[2], VALID);
    builder.issued_by(&authority(by), &key(by)).unwrap()
}

fn hex(bytes: &[u8]) -> alloc::string::String {
    crate::device_name(bytes)
}

/// Claims of a device and model as told.
fn claims(told: Option<&[u8]>) -> Claims {
    Claims {
        nonces: vec![nonce()],
        ueid: told.and_then(Ueid::new),
        oemid: Some(OemId::Pen(1)),
        hwmodel: Some(MODEL.into()),
        ..Claims::default()
    }
}

/// A CWT with certificates, of a device and model as told.
fn token(device: &SigningKey, told: Option<&[u8]>, chain: &[&Certificate]) -> Vec<u8> {
    let header = cbor::Writer::encode(|w| {
        if let [one] = chain {
            w.bytes(one.as_der());
        } else {
            w.array(chain.len());
            chain.iter().for_each(|certificate| _ = w.bytes(certificate.as_der()));
        }
    });
    let builder = Sign1Builder::new();
    let builder = if chain.is_empty() { builder } else { builder.unprotected(X5CHAIN, &header) };
    builder.sign(device, &claims(told).encode())
}

/// The same as JWT.
fn json_token(device: &SigningKey, told: Option<&[u8]>, chain: &[&Certificate]) -> Vec<u8> {
    let certificates: Vec<String> =
        chain.iter().map(|certificate| format!("\"{}\"", STANDARD.encode(certificate.as_der()))).collect();
    let header = match certificates.as_slice() {
        [] => r#"{"alg":"ES256"}"#.to_string(),
        some => format!(r#"{{"alg":"ES256","x5c":[{}]}}"#, some.join(",")),
    };
    let plain = claims(told).sign_jwt(device, b"kid").unwrap();
    let payload = plain.split('.').nth(1).unwrap();
    let signed = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header));
    let signature = URL_SAFE_NO_PAD.encode(device.sign(signed.as_bytes()));
    format!("{signed}.{signature}").into_bytes()
}

fn found(bytes: &[u8], beliefs: &Beliefs<'_>) -> Result<Environment, Code> {
    bound(bytes, beliefs).map(|(environment, _)| environment)
}

fn bound(bytes: &[u8], beliefs: &Beliefs<'_>) -> Result<(Environment, Option<KeyBinding>), Code> {
    let form = if bytes.starts_with(b"ey") { "application/eat+jwt" } else { "application/eat+cwt" };
    let media_type = MediaType::parse(form).unwrap();
    let evidence = ForeignEvidence::decode(bytes, &media_type).map_err(|reason| reason.code)?;
    let attesters = evidence.verify(beliefs, &nonce()).map_err(|reason| reason.code)?;
    Ok((attesters[0].measured.environment.clone(), attesters[0].binding))
}

fn environment(class: Option<&[u8]>, instance: Option<&[u8]>) -> Environment {
    Environment {
        class: class.map(|id| Class { id: Some(ClassId::Bytes(id.into())), ..Class::default() }),
        instance: instance.map(|ueid| Instance::Ueid(ueid.into())),
        group: None,
    }
}

/// A manifest that names an authority for an environment.
fn naming(certificate: &Certificate, environment: Environment) -> Endorsements {
    let triple = KeyTriple {
        environment,
        keys: vec![CryptoKey::CertificateDer(certificate.as_der().into())],
        element: None,
        authorized_by: vec![],
    };
    let triples = Triples { attest_key: vec![triple], ..Triples::default() };
    let identity = TagIdentity { id: TagId::Text("keys".into()), version: 0 };
    let corim = Corim::new(TagId::Text("maker".into()), vec![Tag::Comid(Comid::new(identity, triples))]);
    let bytes = corim.build().unwrap();
    let Received::Unsigned(manifest) = Received::decode(&bytes).unwrap() else { panic!("it is unsigned") };
    let mut endorsements = Endorsements::new();
    endorsements.add(manifest.trusted_by_operator("operator", vec![], NOW).unwrap());
    endorsements
}

/// Makes a token with certificates.
type Make = fn(&SigningKey, Option<&[u8]>, &[&Certificate]) -> Vec<u8>;

#[test]
fn the_operators_authorities_certify_the_devices_that_their_certificates_name() {
    for token in [token as Make, json_token] {
        certifies_the_devices_that_certificates_name(token);
    }
}

fn certifies_the_devices_that_certificates_name(token: Make) {
    let (device, root) = (key(61), [authority(60)]);
    let nothing = Endorsements::new();
    let beliefs = Beliefs { authorities: &root, ..beliefs(&nothing) };
    let (ueid, own) = (ueid(), hex(&ueid()));
    let named = leaf(&device, Some(&own), 60);
    let good = token(&device, Some(&ueid), &[&named]);
    assert_eq!(found(&good, &beliefs), Ok(environment(Some(&MODEL), Some(&ueid))));
    let upper = leaf(&device, Some(&own.to_uppercase()), 60);
    assert!(found(&token(&device, Some(&ueid), &[&upper]), &beliefs).is_ok());

    // Over another authority, which came along.
    let middle = CertificateBuilder::new(subject("Middle", None), key(62).public_key(), &[3], VALID);
    let middle = middle.authority(Some(0)).issued_by(&root[0], &key(60)).unwrap();
    let below = CertificateBuilder::new(subject("Device", Some(&own)), device.public_key(), &[4], VALID);
    let below = below.issued_by(&middle, &key(62)).unwrap();
    assert!(found(&token(&device, Some(&ueid), &[&below, &middle]), &beliefs).is_ok());

    let (other, anonymous) = (leaf(&device, Some("00aa"), 60), leaf(&device, None, 60));
    let stranger = leaf(&device, Some(&own), 63);
    let is_authority =
        CertificateBuilder::new(subject("Device", Some(&own)), device.public_key(), &[5], VALID);
    let is_authority = is_authority.authority(None).issued_by(&root[0], &key(60)).unwrap();
    let encrypts = CertificateBuilder::new(subject("Device", Some(&own)), device.public_key(), &[6], VALID);
    let encrypts = encrypts.key_usage(Some(KeyUsage::KEY_AGREEMENT)).issued_by(&root[0], &key(60)).unwrap();
    let certificate = Err(Code::AttesterCertificate);
    let rows = [
        ("of another device", token(&device, Some(&ueid), &[&other]), certificate.clone()),
        ("of no device", token(&device, Some(&ueid), &[&anonymous]), certificate.clone()),
        ("a device is not told", token(&device, None, &[&named]), certificate.clone()),
        ("of somebody else", token(&device, Some(&ueid), &[&stranger]), certificate.clone()),
        ("an authority", token(&device, Some(&ueid), &[&is_authority]), certificate.clone()),
        ("not for signatures", token(&device, Some(&ueid), &[&encrypts]), certificate.clone()),
        ("one that is missing between", token(&device, Some(&ueid), &[&below]), certificate),
        ("another key", token(&key(64), Some(&ueid), &[&named]), Err(Code::BadEvidenceSignature)),
        ("none", token(&device, Some(&ueid), &[]), Err(Code::UnknownDevice)),
    ];
    for (row, bytes, expected) in rows {
        assert_eq!(found(&bytes, &beliefs), expected, "{row}");
    }
    for now in [NOW - 1001, NOW + 1001] {
        assert_eq!(found(&good, &Beliefs { now, ..beliefs }), Err(Code::AttesterCertificate));
    }
    // Whoever certifies nobody makes certificates weigh nothing.
    assert_eq!(found(&good, &Beliefs { authorities: &[], ..beliefs }), Err(Code::UnknownDevice));
}

#[test]
fn the_longest_identifiers_leave_out_their_type() {
    let (device, root) = (key(61), [authority(60)]);
    let nothing = Endorsements::new();
    let beliefs = Beliefs { authorities: &root, ..beliefs(&nothing) };
    let longest = [&[1][..], &[0xcd; 32]].concat();
    let named = leaf(&device, Some(&hex(&longest[1..])), 60);
    assert!(found(&token(&device, Some(&longest), &[&named]), &beliefs).is_ok());
    let other_type = [&[2][..], &[0xcd; 32]].concat();
    assert!(found(&token(&device, Some(&other_type), &[&named]), &beliefs).is_err());
    let shorter = [&[1][..], &[0xcd; 16]].concat();
    let named = leaf(&device, Some(&hex(&shorter[1..])), 60);
    assert!(found(&token(&device, Some(&shorter), &[&named]), &beliefs).is_err());
}

#[test]
fn authorities_of_manifests_certify_the_instance_or_class_that_they_are_named_for() {
    let (device, root, ueid) = (key(61), authority(60), ueid());
    let (named, anonymous) = (leaf(&device, Some(&hex(&ueid)), 60), leaf(&device, None, 60));
    let rows = [
        (environment(Some(&MODEL), None), Some(&ueid), &named, Ok(())),
        (environment(Some(&MODEL), None), None, &anonymous, Ok(())),
        (environment(Some(&MODEL), None), Some(&ueid), &anonymous, Err(Code::AttesterCertificate)),
        (environment(None, Some(&ueid)), Some(&ueid), &anonymous, Ok(())),
        (environment(Some(&[1]), None), Some(&ueid), &named, Err(Code::UnknownDevice)),
        (environment(None, Some(&[1; 17])), Some(&ueid), &named, Err(Code::UnknownDevice)),
    ];
    for (bound, told, certificate, expected) in rows {
        let endorsements = naming(&root, bound.clone());
        for token in [token as Make, json_token] {
            let bytes = token(&device, told.map(Vec::as_slice), &[certificate]);
            assert_eq!(found(&bytes, &beliefs(&endorsements)).map(drop), expected, "{bound:?}");
        }
        // The authority's own key attests nothing.
        let own = token(&key(60), told.map(Vec::as_slice), &[]);
        assert_eq!(found(&own, &beliefs(&endorsements)), Err(Code::UnknownDevice));
    }
    let mut endorsements = naming(&root, environment(Some(&MODEL), None));
    let told = token(&device, Some(&ueid), &[&named]);
    let by_manifest = bound(&told, &beliefs(&endorsements)).unwrap().1;
    let roots = [root.clone()];
    let nobody = Endorsements::new();
    let by_operator = bound(&told, &Beliefs { authorities: &roots, ..beliefs(&nobody) }).unwrap().1;
    assert_eq!(by_operator, Some(KeyBinding::OperatorAuthority));
    let manifest = endorsements.authorities(&environment(Some(&MODEL), None), NOW)[0].manifest;
    assert_eq!(by_manifest, Some(KeyBinding::ManifestAuthority(manifest)));
    assert!(endorsements.remove(&manifest));
    let bytes = token(&device, Some(&ueid), &[&named]);
    assert_eq!(found(&bytes, &beliefs(&endorsements)), Err(Code::UnknownDevice));
}

#[test]
fn the_certificates_of_a_jwt_cannot_be_exchanged() {
    let (device, thief, root, ueid) = (key(61), key(64), [authority(60)], ueid());
    let nothing = Endorsements::new();
    let beliefs = Beliefs { authorities: &root, ..beliefs(&nothing) };
    let own = leaf(&device, Some(&hex(&ueid)), 60);
    let other = leaf(&thief, Some(&hex(&ueid)), 63);
    let good = json_token(&device, Some(&ueid), &[&own]);
    assert!(found(&good, &beliefs).is_ok());

    let parts = |token: &[u8]| -> Vec<String> {
        core::str::from_utf8(token).unwrap().split('.').map(String::from).collect()
    };
    // The certificates of the device over what another signed, and none or others over what it signed itself.
    let stolen = json_token(&thief, Some(&ueid), &[&other]);
    let (good, stolen, bare) = (parts(&good), parts(&stolen), parts(&json_token(&device, Some(&ueid), &[])));
    let rows = [
        ([&good[0], &stolen[1], &stolen[2]], Code::BadEvidenceSignature),
        ([&stolen[0], &good[1], &good[2]], Code::AttesterCertificate),
        ([&bare[0], &good[1], &good[2]], Code::UnknownDevice),
    ];
    for (parts, expected) in rows {
        let bytes = parts.map(String::as_str).join(".").into_bytes();
        assert_eq!(found(&bytes, &beliefs), Err(expected));
    }
}
