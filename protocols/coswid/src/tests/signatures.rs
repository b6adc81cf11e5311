use std::fs;

use cbor::Writer;
use cose::{Distrust, Purpose, Sign1Builder, SignBuilder, Signer, TrustAnchor, TrustAnchors};
use crypto::{SignatureAlgorithm, SigningKey};

use super::release;
use crate::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::generate(SignatureAlgorithm::Es256, &mut |bytes: &mut [u8]| bytes.fill(seed)).unwrap()
}

fn anchors(key: &SigningKey, purpose: Purpose) -> TrustAnchors {
    TrustAnchors::new(vec![TrustAnchor {
        kid: b"k".to_vec(),
        ..TrustAnchor::new(key.public_key().clone(), purpose, "acme")
    }])
}

fn untrusted(distrust: Distrust) -> Error {
    Error::Signature(cose::Error::Untrusted(distrust))
}

#[test]
fn all_four_forms_are_told_apart() {
    let (tag, key) = (release(), key(1));
    let signed = sign(&tag, &key, b"k");
    let tagged = |bytes: &[u8]| {
        Writer::encode(|w| {
            w.tag(CBOR_TAG).raw(bytes);
        })
    };
    for bytes in [tag.as_bytes().to_vec(), tagged(tag.as_bytes())] {
        assert!(
            matches!(Received::decode(&bytes), Ok(Received::Unsigned(found)) if found.tag_id() == tag.tag_id())
        );
    }
    for bytes in [signed.clone(), tagged(&signed)] {
        let Ok(Received::Signed(found)) = Received::decode(&bytes) else {
            panic!("signed form is not recognised")
        };
        assert_eq!(found.unverified(), &tag);
        let verified = found.verify(&anchors(&key, Purpose::Swid)).unwrap();
        assert_eq!((verified.tag(), verified.signers()[0].name.as_str()), (&tag, "acme"));
    }
    assert_eq!(
        Received::decode(&[0xc1, 0x00]),
        Err(cbor::Error::rule(0, "expected a CoSWID or a signed CoSWID").into())
    );
}

#[test]
fn refuses_other_keys_other_purposes_and_altered_bytes() {
    let (tag, signer) = (release(), key(1));
    let signed = sign(&tag, &signer, b"k");
    let verify = |bytes: &[u8], anchors: &TrustAnchors| SignedTag::decode(bytes)?.verify(anchors);
    assert_eq!(verify(&signed, &anchors(&key(2), Purpose::Swid)), Err(untrusted(Distrust::BadSignature)));
    for purpose in Purpose::ALL.into_iter().filter(|purpose| *purpose != Purpose::Swid) {
        assert_eq!(verify(&signed, &anchors(&signer, purpose)), Err(untrusted(Distrust::NoKey)), "{purpose}");
    }
    let mut altered = signed.clone();
    let at = altered.windows(4).position(|window| window == b"boot").unwrap();
    altered[at] = b'r';
    assert_eq!(verify(&altered, &anchors(&signer, Purpose::Swid)), Err(untrusted(Distrust::BadSignature)));
    assert!(SignedTag::decode(&signed).unwrap().verify_with_key(signer.public_key(), "acme").is_ok());
    assert!(SignedTag::decode(&signed).unwrap().verify_with_key(key(2).public_key(), "acme").is_err());
}

#[test]
fn refuses_signed_tags_without_the_protected_content_type() {
    let (tag, key) = (release(), key(1));
    let rows = [
        Sign1Builder::new(),
        Sign1Builder::new().content_type("application/cbor"),
        Sign1Builder::new().content_type(258),
        Sign1Builder::new().unprotected(
            3,
            &Writer::encode(|w| {
                w.text(CONTENT_TYPE);
            }),
        ),
    ];
    for builder in rows {
        let bytes = builder.sign(&key, tag.as_bytes());
        assert_eq!(SignedTag::decode(&bytes), Err(Error::ContentType));
    }
    let detached = Sign1Builder::new().content_type(CONTENT_TYPE).sign_detached(&key, tag.as_bytes());
    assert_eq!(SignedTag::decode(&detached), Err(Error::Signature(cose::Error::PayloadMissing)));
}

#[test]
fn several_signers_are_told_by_name() {
    let (tag, one, two) = (release(), key(1), key(2));
    let bytes = SignBuilder::new().content_type(CONTENT_TYPE).sign(
        &[Signer { key: &one, kid: Some(b"1") }, Signer { key: &two, kid: Some(b"2") }],
        tag.as_bytes(),
    );
    let anchor = |key: &SigningKey, kid: &[u8], name: &str| TrustAnchor {
        kid: kid.to_vec(),
        ..TrustAnchor::new(key.public_key().clone(), Purpose::Swid, name)
    };
    let both = TrustAnchors::new(vec![anchor(&one, b"1", "one"), anchor(&two, b"2", "two")]);
    let verified = SignedTag::decode(&bytes).unwrap().verify(&both).unwrap();
    let names: Vec<_> = verified.signers().iter().map(|signer| signer.name.as_str()).collect();
    assert_eq!(names, ["one", "two"]);
    let none = TrustAnchors::new(vec![anchor(&key(3), b"1", "three")]);
    assert!(SignedTag::decode(&bytes).unwrap().verify(&none).is_err());
}

#[test]
fn signed_tags_of_the_field_decode_or_are_refused_for_their_header() {
    let Some(dir) = testkit::vectors("coswid") else { return };
    let read = |name: &str| fs::read(dir.join(name)).unwrap();
    let bytes = read("made/payload-signed-outer-tag.cbor");
    let Ok(Received::Signed(signed)) = Received::decode(&bytes) else {
        panic!("signed form is not recognised")
    };
    assert_eq!(signed.unverified().measured_files().len(), 2);
    for name in
        ["made/bad-signed-no-cty.cbor", "hirs/sign-pass-02.cose", "hirs/sign_pass_rsa_3072_sha384.cose"]
    {
        assert_eq!(SignedTag::decode(&read(name)), Err(Error::ContentType), "{name}");
    }
    // Its algorithm stands where anyone may change it.
    assert_eq!(
        SignedTag::decode(&read("hirs/sign-pass-01.cose")),
        Err(untrusted(Distrust::AlgorithmNotProtected))
    );
}

#[test]
fn the_signature_of_another_implementation_verifies() {
    let Some(dir) = testkit::vectors("coswid") else { return };
    let Some(rats) = testkit::vectors("rats") else { return };
    let secret = testkit::read_hex(&rats.join("psa-rfc9783/tfm-es-iak.key.sec1.der.hex"));
    let key = SigningKey::from_sec1_der(&secret).unwrap();
    let bytes = fs::read(dir.join("made/payload-signed-outer-tag.cbor")).unwrap();
    let verified = SignedTag::decode(&bytes).unwrap().verify_with_key(key.public_key(), "test key");
    assert!(verified.is_ok(), "{verified:?}");
}
