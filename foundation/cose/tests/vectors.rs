//! Keys and messages of other implementations.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cose::TrustAnchors;
use cose::{
    ContentType, Distrust, Error, Feature, Key, Mac0, MacKey, Purpose, Sign1, Sign1Builder, TrustAnchor,
};
use crypto::{Digest, HashAlgorithm, PublicKey, SignatureAlgorithm, SigningKey};
use serde_json::Value;
use sextant_cose as cose;
use testkit::{hex, read_hex, vectors};

#[test]
fn cose_keys_are_read_and_written_back() {
    let Some(keys) = vectors("suit/keys") else { return };
    let mut read = 0;
    for entry in std::fs::read_dir(keys).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        if !name.ends_with(".cosekey.hex") {
            continue;
        }
        read += 1;
        let bytes = read_hex(&path);
        if name.contains("hmac256") {
            assert_eq!(MacKey::decode(&bytes).expect(&name).algorithm(), HashAlgorithm::Sha256);
        } else if name.contains("a128") {
            // A key for key wrap, and its length is written in more bytes than it needs.
            let refusal = cbor::Error::new(41, cbor::Reason::NotShortest);
            assert_eq!(MacKey::decode(&bytes).err(), Some(Error::Malformed(refusal)), "{name}");
        } else if name.contains("esdh") {
            assert_eq!(Key::decode(&bytes).err(), Some(Feature::Algorithm(-29).into()), "{name}");
        } else {
            let key = Key::decode(&bytes).expect(&name);
            match key.encode_secret() {
                Some(secret) => assert_eq!(*secret, bytes, "{name}"),
                None => assert_eq!(key.encode(), bytes, "{name}"),
            }
            assert_eq!(key.public().algorithm(), SignatureAlgorithm::Es256);
        }
    }
    assert!(read >= 10, "{read} keys");
}

#[test]
fn suit_manifest_signatures_verify_over_the_detached_digest() {
    let Some(suit) = vectors("suit") else { return };
    let key = read_hex(&suit.join("keys/trust_anchor_p256_private.key.pkcs8.der.hex"));
    let key = SigningKey::from_pkcs8_der(&key).expect("a key");
    let anchor = TrustAnchor::new(key.public_key().clone(), Purpose::Author, "draft-ietf-suit-manifest");
    let anchors = TrustAnchors::new(vec![anchor]);
    for example in 0..4 {
        let envelope = read_hex(&suit.join(format!("manifest-37/example{example}.signed.hex")));
        let (digest, block) = authentication_wrapper(&envelope);
        let sign1 = Sign1::decode(block).expect("a COSE_Sign1");
        assert_eq!(sign1.payload(), None);
        let found = sign1.verify_with(&anchors, Purpose::Author, Some(digest), &[]).expect("verified");
        assert_eq!(found.purpose, Purpose::Author);
        assert_eq!(
            sign1.verify_with(&anchors, Purpose::MudSigner, Some(digest), &[]),
            Err(Distrust::NoKey.into())
        );
        assert_eq!(sign1.verify(key.public_key(), None, &[]), Err(Error::PayloadMissing));
        let rebuilt = Sign1Builder::new().assemble(SignatureAlgorithm::Es256, None, sign1.signature());
        assert_eq!(rebuilt, block);
    }
    // libcsuit names the algorithm by its fully specified number.
    let envelope = std::fs::read(suit.join("libcsuit/exp0.suit")).expect("an envelope");
    let (digest, block) = authentication_wrapper(&envelope);
    let sign1 = Sign1::decode(block).expect("a COSE_Sign1");
    assert_eq!(sign1.alg(), -9);
    assert_eq!(sign1.verify(key.public_key(), Some(digest), &[]), Ok(()));
}

#[test]
fn cose_working_group_examples_verify_and_are_rebuilt() {
    let Some(folder) = vectors("rats/cose-sign1") else { return };
    let mut verified = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let case: Value =
            serde_json::from_str(&std::fs::read_to_string(&path).expect("a file")).expect("JSON");
        let Some(key) = jwk(&case["key"]) else { continue };
        verified += 1;
        if let Some(check) = case.get("sign1::verify") {
            let message = hex(check["taggedCOSESign1"]["cborHex"].as_str().expect("hex"));
            let aad = hex(check["external"].as_str().unwrap_or_default());
            let outcome = Sign1::decode(&message).and_then(|sign1| sign1.verify(&key, None, &aad));
            assert_eq!(outcome.is_ok(), check["shouldVerify"].as_bool().expect("bool"), "{}", path.display());
        }
        if let Some(make) = case.get("sign1::sign") {
            let expected = hex(make["expectedOutput"]["cborHex"].as_str().expect("hex"));
            let aad = hex(make["external"].as_str().unwrap_or_default());
            let sign1 = Sign1::decode(&expected).expect("well-formed");
            let mut builder = Sign1Builder::new().external_aad(&aad).kid(sign1.kid().expect("a kid"));
            if let Some(ContentType::Format(format)) = sign1.content_type() {
                builder = builder.content_type(format);
            }
            let payload = sign1.payload().expect("attached");
            let signed = builder.to_be_signed(key.algorithm(), payload);
            assert_eq!(signed, hex(make["tbsHex"]["cborHex"].as_str().expect("hex")));
            assert_eq!(builder.assemble(key.algorithm(), Some(payload), sign1.signature()), expected);
            // The signature shown need not be by the key shown (0000's is by the key of the verify example with the
            // same message): what counts is the part before it, and that ours verifies.
            let secret = URL_SAFE_NO_PAD.decode(case["key"]["d"].as_str().expect("text")).expect("base64url");
            let secret = SigningKey::from_bytes(key.algorithm(), &secret).expect("a key");
            assert_eq!(secret.public_key(), &key);
            let ours = builder.sign(&secret, payload);
            let fixed = make["fixedOutputLength"].as_u64().expect("a length") as usize;
            assert_eq!(ours[..fixed], expected[..fixed]);
            assert_eq!(Sign1::decode(&ours).and_then(|ours| ours.verify(&key, None, &aad)), Ok(()));
        }
    }
    assert!(verified >= 5, "{verified} examples");
}

#[test]
fn psa_tokens_verify_in_both_forms() {
    let Some(rats) = vectors("rats") else { return };
    let token = std::fs::read(rats.join("psa-rfc9783/psa-sign1.cbor")).expect("a token");
    let key = read_hex(&rats.join("psa-rfc9783/tfm-es-iak.key.sec1.der.hex"));
    let key = SigningKey::from_sec1_der(&key).expect("a key");
    let sign1 = Sign1::decode(&token).expect("a COSE_Sign1");
    assert_eq!(sign1.verify(key.public_key(), None, &[]), Ok(()));
    assert_eq!(Mac0::decode(&token).err().map(is_malformed), Some(true));

    let token = std::fs::read(rats.join("psa-rfc9783/psa-mac0.cbor")).expect("a token");
    let key = std::fs::read(rats.join("psa-rfc9783/tfm-hs-iak.bin")).expect("a key");
    let mac = Mac0::decode(&token).expect("a COSE_Mac0");
    let key = MacKey::new(HashAlgorithm::Sha256, &key).expect("a key");
    assert_eq!(mac.verify(&key, None, &[]), Ok(()));
    assert_eq!(mac.alg(), crypto::HashAlgorithm::Sha256.hmac_cose_id());

    let token = std::fs::read(rats.join("psa-tfm/psa-iot-1_sign1.bin")).expect("a token");
    let key = read_hex(&rats.join("psa-tfm/key.key.sec1.der.hex"));
    let key = SigningKey::from_sec1_der(&key).expect("a key");
    assert_eq!(Sign1::decode(&token).and_then(|token| token.verify(key.public_key(), None, &[])), Ok(()));
}

#[test]
fn every_tagged_message_in_the_field_is_read_unless_it_breaks_a_rule() {
    let not_protected = Error::from(Distrust::AlgorithmNotProtected);
    let no_map = cbor::Reason::WrongType { expected: cbor::Type::Map, found: cbor::Type::Simple };
    let broken = [
        ("coswid/hirs/sign-pass-01.cose", not_protected),
        ("rats/eat-made/bad-alg-unprotected.cbor", not_protected),
        (
            "corim/cocli/data-corim-signed-corim-bad-signature.cbor",
            Error::Malformed(cbor::Error::new(4, no_map)),
        ),
    ];
    let mut files = Vec::new();
    for area in ["rats", "corim", "coswid", "suit", "teep"] {
        let Some(folder) = vectors(area) else { return };
        collect_files(&folder, &mut files);
    }
    let (mut read, mut refused) = (0, 0);
    for path in files {
        let bytes = std::fs::read(&path).expect("a file");
        let outcome = match bytes.as_slice() {
            [0xd2, ..] => Sign1::decode(&bytes).map(|_| ()),
            [0xd1, ..] => Mac0::decode(&bytes).map(|_| ()),
            // A CWT tag around it, which is not this crate's to read.
            [0xd8, 0x3d, message @ ..] if message.first() == Some(&0xd2) => {
                Sign1::decode(message).map(|_| ())
            }
            _ => continue,
        };
        match broken.iter().find(|(name, _)| path.ends_with(name)) {
            Some((_, refusal)) => {
                assert_eq!(outcome, Err(*refusal), "{}", path.display());
                refused += 1;
            }
            None => {
                assert_eq!(outcome, Ok(()), "{}", path.display());
                read += 1;
            }
        }
    }
    assert_eq!(refused, broken.len());
    assert!(read >= 50, "{read} messages");
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { collect_files(&path, files) } else { files.push(path) }
    }
}

/// The digest that was signed and the first COSE block of a SUIT envelope, tagged or not.
fn authentication_wrapper(envelope: &[u8]) -> (&[u8], &[u8]) {
    let mut reader = cbor::Reader::new(envelope);
    reader.is_tag(107).expect("an envelope");
    let mut map = reader.map().expect("a map");
    assert_eq!(map.next_int(&mut reader), Ok(Some(2)));
    let mut wrapper = reader.wrapped().expect("a byte string");
    wrapper.array().expect("an array");
    let digest = wrapper.bytes().expect("a digest");
    let block = wrapper.bytes().expect("a COSE block");
    assert!(Digest::new(HashAlgorithm::Sha256, &digest[digest.len() - 32..]).is_some());
    (digest, block)
}

/// A public key of a kind this project knows.
fn jwk(key: &Value) -> Option<PublicKey> {
    let algorithm = match key["crv"].as_str()? {
        "P-256" => SignatureAlgorithm::Es256,
        "P-384" => SignatureAlgorithm::Es384,
        _ => return None,
    };
    let coordinate =
        |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().expect("text")).expect("base64url");
    Some(PublicKey::from_ec2(algorithm, &coordinate("x"), &coordinate("y")).expect("a key"))
}

fn is_malformed(error: Error) -> bool {
    matches!(error, Error::Malformed(_))
}
