//! Encrypted content and hash-based signatures of others: SUIT's published examples, libcsuit, RFC 8778.

use cose::{
    DecryptionKey, DecryptionKeys, Distrust, Encrypt, Error, Key, Purpose, RecipientKey, Sign1, Sign1Builder,
    TrustAnchor, TrustAnchors,
};
use crypto::{
    ContentAlgorithm, Digest, HashAlgorithm, HssSigningKey, KeyWrapAlgorithm, KeyWrapKey, LmotsType, LmsType,
    PublicKey, SignatureAlgorithm,
};
use sextant_cose as cose;
use testkit::{hex, read_hex, vectors};

/// What SUIT binds agreed keys with (draft-ietf-suit-firmware-encryption, section 6.2).
const SUIT: &[u8] = b"SUIT Payload Encryption";

/// What every published example encrypts.
const IMAGE: &[u8] = b"This is a real firmware image.";

/// The published group key of `kid-1`; its file is a COSE_Key that this crate refuses for a length written too long.
fn group_key(kid: &[u8]) -> DecryptionKey {
    let key = KeyWrapKey::from_bytes(KeyWrapAlgorithm::A128Kw, &[b'a'; 16]).expect("a key");
    DecryptionKey::key_wrap(key, kid)
}

/// The first tagged COSE_Encrypt in the bytes of a manifest.
fn encryption_info(envelope: &[u8]) -> &[u8] {
    let at = envelope.windows(3).position(|bytes| bytes == hex("d86084")).expect("an encryption info");
    cbor::Reader::with_order(&envelope[at..], cbor::Order::Unique).raw().expect("one item")
}

#[test]
fn published_suit_examples_decrypt() {
    let Some(suit) = vectors("suit") else { return };
    let read = |name: &str| read_hex(&suit.join("firmware-encryption").join(name));
    let device = read_hex(&suit.join("keys/device_esdh_cose_key_private.cosekey.hex"));
    let device = DecryptionKey::decode(&device).expect("a key");
    let kid_2 = DecryptionKey::decode(&with_kid(&device, b"kid-2")).expect("a key");
    let keys = DecryptionKeys::new(vec![group_key(b"kid-1"), device, kid_2]);

    let gcm = read("encrypted-payload-aes-kw-aes-gcm.hex");
    let ctr = read("encrypted-payload-es-ecdh-aes-ctr.hex");
    let in_content = read("suit-manifest-aes-kw-content.hex");
    let copied = read("suit-manifest-aes-kw.hex");
    let dependency = read("suit-manifest-es-ecdh-dependency.hex");
    for manifest in [&in_content, &dependency] {
        assert!(manifest.windows(gcm.len()).any(|bytes| bytes == gcm), "the manifest carries the ciphertext");
    }
    let pairs = [
        (read("suit-encryption-info-aes-kw-aes-gcm.hex"), &gcm, -3, ContentAlgorithm::A128Gcm),
        (read("suit-encryption-info-es-ecdh-aes-ctr.hex"), &ctr, -29, ContentAlgorithm::A128Ctr),
        (encryption_info(&in_content).to_vec(), &gcm, -3, ContentAlgorithm::A128Gcm),
        (encryption_info(&copied).to_vec(), &gcm, -3, ContentAlgorithm::A128Gcm),
        (encryption_info(&dependency).to_vec(), &gcm, -29, ContentAlgorithm::A128Gcm),
    ];
    for (info, ciphertext, recipient, algorithm) in pairs {
        let message = Encrypt::decode(&info).expect("well-formed");
        assert_eq!((message.recipients()[0].alg(), message.algorithm()), (recipient, algorithm));
        assert_eq!(message.decrypt(&keys, Some(ciphertext), &[], SUIT).as_deref(), Ok(&IMAGE.to_vec()));

        // In pieces, as a device does; and for counter mode once more after a power cut.
        let mut decryptor = message.open(&keys, &[], SUIT).expect("opens");
        let mut image = Vec::new();
        for piece in ciphertext.chunks(7) {
            image.extend_from_slice(decryptor.update(piece, &mut [0; 7]).expect("room").as_unverified());
        }
        assert_eq!(image, IMAGE);
        assert_eq!(decryptor.finish().expect("unchanged").is_authenticated(), algorithm.is_authenticated());
        if !algorithm.is_authenticated() {
            let mut again = message.open(&keys, &[], SUIT).expect("opens");
            again.seek(17).expect("counter mode");
            let mut out = [0; 30];
            assert_eq!(
                again.update(&ciphertext[17..], &mut out).expect("room").as_unverified(),
                &IMAGE[17..]
            );
        }

        let stranger = DecryptionKeys::new(vec![group_key(b"kid-9")]);
        assert!(message.open(&stranger, &[], SUIT).is_err());
        let other_use = message.open(&keys, &[], b"another use").err();
        assert_eq!(other_use, (recipient == -29).then(|| Error::from(Distrust::BadWrappedKey)));
        if algorithm.is_authenticated() {
            let mut changed = ciphertext.clone();
            *changed.last_mut().expect("a tag") ^= 1;
            let refused = message.decrypt(&keys, Some(&changed), &[], SUIT).err();
            assert_eq!(refused, Some(Distrust::BadTag.into()));
        }
    }
}

/// The same key under another identifier.
fn with_kid(key: &DecryptionKey, kid: &[u8]) -> Vec<u8> {
    let bytes = key.encode_secret();
    let mut reader = cbor::Reader::new(&bytes);
    let mut members = reader.map().expect("a map");
    let mut written = cbor::MapBuilder::new();
    while let Some(label) = members.next_int(&mut reader).expect("a label") {
        let value = reader.raw().expect("a value");
        written.int(label, |w| {
            if label == cose::labels::KEY_KID {
                w.bytes(kid)
            } else {
                w.raw(value)
            };
        });
    }
    written.into_bytes()
}

#[test]
fn libcsuit_examples_decrypt() {
    let Some(suit) = vectors("suit") else { return };
    let read = |name: &str| std::fs::read(suit.join("libcsuit").join(name)).expect("a file");
    let device = read_hex(&suit.join("keys/device_esdh_cose_key_private.cosekey.hex"));
    let device = DecryptionKey::decode(&device).expect("a key");
    let device = DecryptionKey::decode(&with_kid(&device, b"kid-2")).expect("a key");
    let keys = DecryptionKeys::new(vec![group_key(b""), device]);
    for (info, ciphertext) in [
        ("encryption_info_config_aes.cose", "encrypted_config_aes.bin"),
        ("encryption_info_esdh.cose", "encrypted_image_esdh.bin"),
    ] {
        let (info_bytes, ciphertext) = (read(info), read(ciphertext));
        let message = Encrypt::decode(&info_bytes).expect(info);
        let plaintext = message.decrypt(&keys, Some(&ciphertext), &[], SUIT).expect(info);
        assert_eq!(plaintext.len(), ciphertext.len() - message.algorithm().tag_len());
    }
}

#[test]
fn published_encryption_keys_are_read_and_written_back() {
    let Some(keys) = vectors("suit/keys") else { return };
    for name in ["device_esdh", "trust_anchor_esdh"] {
        let private = read_hex(&keys.join(format!("{name}_cose_key_private.cosekey.hex")));
        let public = read_hex(&keys.join(format!("{name}_cose_key_public.cosekey.hex")));
        let key = DecryptionKey::decode(&private).expect(name);
        assert_eq!(*key.encode_secret(), private);
        assert_eq!(*key.recipient_key().expect("a key").encode(), public);
        assert_eq!(*RecipientKey::decode(&public).expect(name).encode(), public);
        assert!(Key::decode(&private).is_err(), "it signs nothing");
    }
}

/// The message and the key of RFC 8778, appendix A, from their notation in text.
fn rfc8778() -> Option<(Vec<u8>, Vec<u8>)> {
    let text =
        std::fs::read_to_string(vectors("suit/cose")?.join("sign1_hss_lms_rfc8778_a2.edn")).expect("a file");
    let (_, signature) = text.split_once("/ signature / h'").expect("a signature");
    let (signature, rest) = signature.split_once('\'').expect("its end");
    let (_, key) = rest.split_once("kid ItsBig): ").expect("a key");
    let unprotected = hex("a1 04 46 497473426967");
    let message = cbor::Writer::encode(|w| {
        w.tag(cose::labels::TAG_SIGN1).array(4).bytes(&hex("a101382d")).raw(&unprotected);
        w.bytes(b"This is the content.").bytes(&hex(signature));
    });
    Some((message, hex(key.trim())))
}

#[test]
fn the_published_hash_based_signature_verifies_as_any_other() {
    let Some((message, key)) = rfc8778() else { return };
    let key = PublicKey::from_hss(&key).expect("a key");
    let sign1 = Sign1::decode(&message).expect("well-formed");
    assert_eq!((sign1.alg(), sign1.kid()), (-46, Some(&b"ItsBig"[..])));
    assert_eq!(sign1.verify(&key, None, &[]), Ok(()));
    let anchor = TrustAnchor {
        key: key.clone(),
        kid: b"ItsBig".to_vec(),
        purpose: Purpose::Author,
        name: "maker".into(),
    };
    let anchors = TrustAnchors::new(vec![anchor]);
    assert!(sign1.verify_with(&anchors, Purpose::Author, None, &[]).is_ok());
    let other = sign1.verify_with(&anchors, Purpose::Operator, None, &[]);
    assert_eq!(other, Err(Distrust::NoKey.into()));
    assert_eq!(sign1.verify(&key, None, b"other"), Err(Distrust::BadSignature.into()));

    let elliptic = crypto::SigningKey::from_bytes(SignatureAlgorithm::Es256, &[1; 32]).expect("a key");
    assert_eq!(sign1.verify(elliptic.public_key(), None, &[]), Err(Distrust::WrongAlgorithm(-46).into()));

    // The signature is of the whole Sig_structure: each changed byte of the message is refused or not its own.
    for at in (0..message.len()).step_by(7) {
        let mut changed = message.clone();
        changed[at] ^= 0x20;
        let outcome = Sign1::decode(&changed).and_then(|sign1| sign1.verify(&key, None, &[]));
        // The key identifier is the one part that is not covered.
        let in_kid = (8..16).contains(&at);
        assert!(outcome.is_err() || in_kid, "byte {at}");
    }

    // RFC 8778, section 6; RFC 9679, section 4.4.
    let object = Key::from_public(&key).with_kid(b"ItsBig");
    let bytes = object.encode();
    let expected = [&hex("a4 01 05 02 46 497473426967 03 382d 20 58 3c")[..], key.as_bytes()].concat();
    assert_eq!(bytes, expected);
    assert_eq!(Key::decode(&bytes).expect("a key").public(), &key);
    let required = [&hex("a2 01 05 20 58 3c")[..], key.as_bytes()].concat();
    assert_eq!(object.thumbprint(HashAlgorithm::Sha256), Digest::of(HashAlgorithm::Sha256, &required));
}

#[test]
fn a_key_with_state_signs_what_any_recipient_verifies() {
    let mut key = HssSigningKey::from_seed(&[(LmsType::H5, LmotsType::W8); 2], &[3; 32]).expect("a key");
    let public = key.public_key().clone();
    let builder = Sign1Builder::new().kid(b"offline root");
    let signed = builder.to_be_signed(SignatureAlgorithm::HssLms, b"payload");
    let reserved = key.reserve().expect("unused");
    let stored = reserved.state().to_vec();
    let signature = reserved.confirm(&stored).expect("stored").sign(&signed).expect("signs");
    let message = builder.assemble(SignatureAlgorithm::HssLms, Some(b"payload"), &signature);
    let sign1 = Sign1::decode(&message).expect("well-formed");
    assert_eq!(sign1.verify(&public, None, &[]), Ok(()));
    assert_eq!(sign1.alg(), -46);
}

#[test]
fn refuses_hash_based_keys_that_break_a_rule() {
    let public = HssSigningKey::from_seed(&[(LmsType::H5, LmotsType::W8)], &[3; 32]).expect("a key");
    let public = public.public_key().as_bytes();
    let object = |alg: i64, ops: i64, key: &[u8]| {
        cbor::Writer::encode(|w| {
            w.map(4).int(1).int(5).int(3).int(alg).int(4).array(1).int(ops).int(-1).bytes(key);
        })
    };
    assert!(Key::decode(&object(-46, 2, public)).is_ok());
    for (bytes, refusal) in [
        (object(-7, 2, public), Error::from(Distrust::KeyUse)),
        (object(-46, 1, public), Distrust::KeyUse.into()),
        (object(-46, 2, &public[1..]), Distrust::BadKey.into()),
        (object(-46, 2, &[0; 60]), Distrust::BadKey.into()),
    ] {
        assert_eq!(Key::decode(&bytes).err(), Some(refusal));
    }
}
