//! Whose a manifest is: signatures, certificates, uploads, and when it counts.

mod common;

use common::{Component, NOW, anchors, key, release, verify};
use corim::{
    Anchors, Authority, Class, ClassId, Comid, Corim, CryptoKey, Digest, Distrust, Environment, Error,
    Instance, KeyTriple, KnownProfile, Profile, Received, SignedCorim, SignerMeta, Tag, TagId, TagIdentity,
    Triples, Validity, VerifiedCorim,
};
use cose::TrustAnchors;
use crypto::HashAlgorithm;
use sextant_corim as corim;
use x509::{Certificate, CertificateBuilder, Name};

fn corim() -> Corim {
    release("release", &[Component("BL", 1, 7)])
}

fn meta() -> SignerMeta {
    SignerMeta::new("maker").valid(Some(NOW - 10), NOW + 10)
}

#[test]
fn a_signed_manifest_verifies_with_the_signers_key_alone() {
    let bytes = corim().sign(&meta(), &key(3), b"").unwrap();
    let verified = verify(&bytes, &[4, 3]).unwrap();
    assert_eq!((verified.corim(), verified.profile()), (&corim(), Some(KnownProfile::Psa)));
    assert!(matches!(verified.authority(), Authority::Key(anchor) if anchor.name == "3"));
    assert_eq!(verified.authority_keys(), CryptoKey::of_public_key(key(3).public_key()));
    assert_eq!(verified.meta(), Some(&meta()));
    assert_eq!(verified.digest(), crypto::Digest::of(HashAlgorithm::Sha256, &bytes));
    let strangers = verify(&bytes, &[4]);
    assert_eq!(strangers, Err(Error::Signature(cose::Distrust::NoKey.into())));
    assert_eq!(verify(&bytes, &[]), Err(Error::Signature(cose::Distrust::NoKey.into())));
}

#[test]
fn a_bad_signature_is_told_from_a_strangers_where_it_names_a_trusted_key() {
    let keys = anchors(&[3]);
    let kid = keys.iter().next().unwrap().kid.clone();
    let verify = |kid: &[u8], signer: u8| {
        let bytes = corim().sign(&meta(), &key(signer), kid).unwrap();
        let Received::Signed(signed) = Received::decode(&bytes).unwrap() else { panic!("signed") };
        signed.verify(Anchors { keys: &keys, issuers: &[] }, NOW).map_err(|error| error.code())
    };
    assert!(verify(&kid, 3).is_ok());
    assert_eq!(verify(&kid, 4), Err("bad-manifest-signature"));
    assert_eq!(verify(b"other", 4), Err("unknown-signer"));
    assert_eq!(verify(b"", 4), Err("unknown-signer"));
}

#[test]
fn no_byte_that_is_signed_can_be_changed() {
    let bytes = corim().sign(&meta(), &key(3), b"").unwrap();
    let mut unsigned = 0;
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        if !matches!(Received::decode(&altered), Ok(Received::Signed(_))) {
            continue;
        }
        if let Ok(verified) = verify(&altered, &[3]) {
            assert_eq!((verified.corim(), verified.meta()), (&corim(), Some(&meta())), "byte {at}");
            unsigned += 1;
        }
    }
    assert!(unsigned <= 3, "only the key identifier is not signed, an entry of two bytes in a map");
}

#[test]
fn older_wrappings_are_taken_off() {
    let corim = corim();
    let signed = corim.sign(&meta(), &key(3), b"").unwrap();
    let unsigned = corim.encode();
    let under = |tags: &[u64], bytes: &[u8]| {
        cbor::Writer::encode(|w| {
            tags.iter().for_each(|tag| _ = w.tag(*tag));
            w.raw(bytes);
        })
    };
    for tags in [&[][..], &[500], &[502], &[500, 502]] {
        assert_eq!(verify(&under(tags, &signed), &[3]).unwrap().corim(), &corim, "{tags:?}");
    }
    for tags in [&[][..], &[500]] {
        let bytes = under(tags, &unsigned);
        let Received::Unsigned(received) = Received::decode(&bytes).unwrap() else { panic!("unsigned") };
        assert_eq!(received.unverified(), &corim);
    }
    for tags in [&[502][..], &[500, 502], &[500, 500]] {
        assert!(Received::decode(&under(tags, &unsigned)).is_err(), "{tags:?}");
    }
    // Before there was tag 501, the map stood alone.
    assert_eq!(Corim::decode(&unsigned[3..]).unwrap(), corim);
}

#[test]
fn a_manifest_may_come_apart_from_its_signature() {
    let content = corim().build().unwrap();
    let detached = meta().envelope(b"").sign_detached(&key(3), &content);
    let digest = crypto::Digest::of(HashAlgorithm::Sha384, &content);
    let envelope = meta().hash_envelope(b"", &digest, Some("https://maker.example/release"));
    let envelope = envelope.sign(&key(3), digest.as_bytes());
    let keys: TrustAnchors =
        anchors(&[3]).iter().map(|anchor| cose::TrustAnchor { kid: Vec::new(), ..anchor.clone() }).collect();
    let anchors = Anchors { keys: &keys, issuers: &[] };
    let other = release("other", &[]).encode();
    for message in [&detached, &envelope] {
        let signed = SignedCorim::decode(message, Some(&content)).unwrap();
        assert_eq!(signed.location().is_some(), message == &envelope);
        assert_eq!(signed.verify(anchors, NOW).unwrap().corim(), &corim());
        assert_eq!(SignedCorim::decode(message, None), Err(Distrust::NoContent.into()));
        assert_eq!(Received::decode(message), Err(Distrust::NoContent.into()));
        let _malformed = SignedCorim::decode(message, Some(&other)).unwrap_err();
    }
    let swapped = release("other", &[Component("BL", 2, 7)]).build().unwrap();
    let refusals = [Error::Signature(cose::Distrust::NoKey.into()), Distrust::ContentDigest.into()];
    for (message, refusal) in [&detached, &envelope].into_iter().zip(refusals) {
        let signed = SignedCorim::decode(message, Some(&swapped)).unwrap();
        assert_eq!(signed.verify(anchors, NOW), Err(refusal));
    }
    let attached = corim().sign(&meta(), &key(3), b"").unwrap();
    assert_eq!(SignedCorim::decode(&attached, Some(&content)), Err(cose::Error::PayloadTwice.into()));
    assert_eq!(Received::decode_with(&content, Some(&content), 1000), Err(cose::Error::PayloadTwice.into()));
    let too_long = cbor::Reason::TooLong { limit: content.len() - 1 };
    for message in [&attached, &content] {
        assert!(Received::decode_with(message, None, content.len()).is_ok());
        let refused = Received::decode_with(message, None, content.len() - 1);
        assert_eq!(refused, Err(Error::Malformed(cbor::Error::new(0, too_long))));
    }
}

#[test]
fn a_certificate_must_lead_to_an_anchor_and_be_for_signatures() {
    let issuer = certificate("Maker CA", 1, None);
    let leaf = certificate("Maker CoRIM", 2, Some(&issuer));
    let chain = cbor::Writer::encode(|w| {
        w.bytes(leaf.as_der());
    });
    let content = corim().build().unwrap();
    let bytes = meta().envelope(b"").protected(33, &chain).sign(&key(2), &content);
    let nobody = TrustAnchors::default();
    let verify = |issuers: &[Certificate], now: i64| -> Result<VerifiedCorim, Error> {
        let Received::Signed(signed) = Received::decode(&bytes)? else { panic!("signed") };
        signed.verify(Anchors { keys: &nobody, issuers }, now)
    };
    let verified = verify(std::slice::from_ref(&issuer), NOW).unwrap();
    assert_eq!(verified.authority(), &Authority::Certificate(leaf.clone()));
    let mut forms = CryptoKey::of_certificate(&leaf);
    forms.extend(CryptoKey::of_public_key(key(2).public_key()));
    assert_eq!(verified.authority_keys(), forms);
    let stranger = certificate("Stranger CA", 5, None);
    let unknown = Error::Certificate(x509::Error::Untrusted(x509::Distrust::UnknownIssuer));
    assert_eq!(verify(&[stranger], NOW), Err(unknown));
    assert_eq!(verify(&[], NOW), Err(Error::Signature(cose::Distrust::NoKey.into())));
    assert!(matches!(verify(std::slice::from_ref(&issuer), NOW + 5000), Err(Error::Certificate(_))));
    // The certificate is the signer's, and its key did not sign.
    let forged = meta().envelope(b"").protected(33, &chain).sign(&key(3), &content);
    let Received::Signed(signed) = Received::decode(&forged).unwrap() else { panic!("signed") };
    let refused = signed.verify(Anchors { keys: &nobody, issuers: std::slice::from_ref(&issuer) }, NOW);
    assert_eq!(refused, Err(Error::Signature(cose::Distrust::BadSignature.into())));
    // An authority's certificate is for certificates.
    let own = cbor::Writer::encode(|w| {
        w.bytes(issuer.as_der());
    });
    let bytes = meta().envelope(b"").protected(33, &own).sign(&key(1), &content);
    let Received::Signed(signed) = Received::decode(&bytes).unwrap() else { panic!("signed") };
    let refused = signed.verify(Anchors { keys: &nobody, issuers: &[issuer] }, NOW);
    assert_eq!(refused, Err(Distrust::KeyUsage.into()));
}

fn certificate(name: &str, seed: u8, issuer: Option<&Certificate>) -> Certificate {
    let validity = x509::Validity { not_before: NOW - 1000, not_after: NOW + 1000 };
    let subject = format!("CN={name}").parse::<Name>().unwrap();
    let holder = key(seed);
    let builder = CertificateBuilder::new(subject, holder.public_key(), &[seed], validity);
    match issuer {
        Some(issuer) => builder.issued_by(issuer, &key(1)).unwrap(),
        None => builder.authority(Some(0)).self_signed(&holder).unwrap(),
    }
}

#[test]
fn manifest_and_signature_count_within_their_validity() {
    let valid =
        Corim { validity: Some(Validity { not_before: Some(NOW - 5), not_after: NOW + 5 }), ..corim() };
    let rows = [
        (meta(), valid.clone(), NOW, Ok(())),
        (meta(), valid.clone(), NOW + 5, Ok(())),
        (meta(), valid.clone(), NOW + 6, Err(Distrust::Expired)),
        (meta(), valid.clone(), NOW - 5, Ok(())),
        (meta(), valid.clone(), NOW - 6, Err(Distrust::NotYetValid)),
        (meta(), corim(), NOW + 10, Ok(())),
        (meta(), corim(), NOW + 11, Err(Distrust::Expired)),
        (meta(), corim(), NOW - 11, Err(Distrust::NotYetValid)),
        (SignerMeta::new("maker"), corim(), i64::MAX, Ok(())),
    ];
    let keys: TrustAnchors =
        anchors(&[3]).iter().map(|anchor| cose::TrustAnchor { kid: Vec::new(), ..anchor.clone() }).collect();
    for (row, (meta, corim, now, expected)) in rows.into_iter().enumerate() {
        let bytes = corim.sign(&meta, &key(3), b"").unwrap();
        let Received::Signed(signed) = Received::decode(&bytes).unwrap() else { panic!("signed") };
        let verified = signed.verify(Anchors { keys: &keys, issuers: &[] }, now);
        assert_eq!(verified.clone().map(|_| ()), expected.map_err(Error::from), "row {row}");
        if let Ok(verified) = verified {
            assert_eq!(verified.check_validity(now), Ok(()));
            assert_eq!(
                verified.check_validity(i64::MAX).is_err(),
                verified.meta().unwrap().not_after.is_some()
            );
        }
    }
}

#[test]
fn an_unsigned_manifest_needs_somebody_who_answers() {
    let bytes = corim().build().unwrap();
    let decode = || match Received::decode(&bytes) {
        Ok(Received::Unsigned(unsigned)) => unsigned,
        other => panic!("{other:?}"),
    };
    for nobody in ["", "  "] {
        assert_eq!(decode().trusted_by_operator(nobody, vec![], NOW), Err(Distrust::NobodyAnswers.into()));
    }
    let verified = decode().trusted_by_operator("jo", vec![CryptoKey::Bytes(b"jo".to_vec())], NOW).unwrap();
    assert_eq!(verified.authority(), &Authority::Operator("jo".into()));
    assert_eq!((verified.authority_keys().len(), verified.meta()), (1, None));
    let late = Corim { validity: Some(Validity { not_before: None, not_after: NOW - 1 }), ..corim() };
    let bytes = late.build().unwrap();
    let Ok(Received::Unsigned(unsigned)) = Received::decode(&bytes) else { panic!("unsigned") };
    assert_eq!(unsigned.trusted_by_operator("jo", vec![], NOW), Err(Distrust::Expired.into()));
}

/// Protected headers and what is wrong with each.
#[test]
fn refuses_headers_that_do_not_say_who_signs_what() {
    let content = corim().build().unwrap();
    let text = |text: &str| {
        cbor::Writer::encode(|w| {
            w.text(text);
        })
    };
    let builder = || cose::Sign1Builder::new();
    let claims = |name: &str, expires: i64| {
        cbor::Writer::encode(|w| {
            w.map(2).int(1).text(name).int(4).int(expires);
        })
    };
    let meta = |name: &str, expires: i64| {
        cbor::Writer::encode(|w| {
            w.wrap(|w| {
                w.map(2).int(0).map(1).int(0).text(name);
                w.int(1).map(1).int(1).tag(1).int(expires);
            });
        })
    };
    let named = |builder: cose::Sign1Builder| builder.content_type(corim::CONTENT_TYPE);
    let rows = [
        (
            "both say the same",
            named(builder()).protected(8, &meta("a", 5)).protected(15, &claims("a", 5)),
            None,
        ),
        ("claims alone", named(builder()).protected(15, &claims("a", 5)), None),
        ("corim-meta alone", named(builder()).protected(8, &meta("a", 5)), None),
        ("nobody", named(builder()), Some(Distrust::NoSigner)),
        ("unprotected", named(builder()).unprotected(15, &claims("a", 5)), Some(Distrust::NoSigner)),
        (
            "two signers",
            named(builder()).protected(8, &meta("a", 5)).protected(15, &claims("b", 5)),
            Some(Distrust::SignersDiffer),
        ),
        (
            "two validities",
            named(builder()).protected(8, &meta("a", 5)).protected(15, &claims("a", 6)),
            Some(Distrust::SignersDiffer),
        ),
        ("no content type", builder().protected(15, &claims("a", 5)), Some(Distrust::ContentType)),
        (
            "another content type",
            builder().content_type("application/swid+cbor").protected(15, &claims("a", 5)),
            Some(Distrust::ContentType),
        ),
        (
            "content type by number",
            builder().content_type(258).protected(15, &claims("a", 5)),
            Some(Distrust::ContentType),
        ),
        (
            "content type unprotected",
            builder().unprotected(3, &text(corim::CONTENT_TYPE)).protected(15, &claims("a", 5)),
            Some(Distrust::ContentType),
        ),
        (
            "older content type",
            builder().content_type("application/corim-unsigned+cbor").protected(15, &claims("a", 5)),
            None,
        ),
        (
            "digest under a content type",
            named(builder()).protected(258, &[0x2f]).protected(15, &claims("a", 5)),
            Some(Distrust::ContentType),
        ),
        (
            "unknown hash",
            builder().protected(258, &[0x18, 99]).protected(15, &claims("a", 5)),
            Some(Distrust::HashAlgorithm(99)),
        ),
    ];
    for (row, builder, refusal) in rows {
        let bytes = builder.sign(&key(3), &content);
        let decoded = SignedCorim::decode(&bytes, None).map(|signed| signed.meta().name.clone());
        assert_eq!(decoded, refusal.map_or(Ok("a".into()), |refusal| Err(refusal.into())), "{row}");
    }
}

#[test]
fn what_a_decoder_would_refuse_is_not_built() {
    let mut empty = corim();
    empty.tags.clear();
    let rule = cbor::Reason::Rule("an array of one or more values is empty");
    assert!(matches!(empty.build(), Err(Error::Unfit(error)) if error.reason == rule));
    let ambiguous = Corim { tags: vec![corim::Tag::Other(505, vec![0xa0])], ..corim() };
    assert!(matches!(ambiguous.build(), Err(Error::Incomplete(_))));
    let long = Corim { id: TagId::Text("x".repeat(corim::MAX_TEXT_LEN + 1)), ..corim() };
    assert!(matches!(long.build(), Err(Error::Unfit(_))));
    assert!(long.sign(&meta(), &key(3), b"").is_err());
    assert_eq!(Digest::new(corim::DigestAlgorithm::Id(1), &[0; 31]), None);
}

#[test]
fn in_arms_profiles_of_before_2025_keys_of_identity_attest() {
    let environment = Environment {
        class: Some(Class { id: Some(ClassId::Bytes([7; 32].into())), ..Class::default() }),
        instance: Some(Instance::Ueid([1; 33].into())),
        group: None,
    };
    let triple = KeyTriple {
        environment: environment.clone(),
        keys: [CryptoKey::PkixKey("a key in PEM".into())].into(),
        element: None,
        authorized_by: Vec::new(),
    };
    for (profile, attests) in [("http://arm.com/psa/iot/1", 1), ("tag:arm.com,2025:psa#1.0.0", 0)] {
        let triples = Triples { identity: [triple.clone()].into(), ..Triples::default() };
        let identity = TagIdentity { id: TagId::Text("keys".into()), version: 0 };
        let corim = Corim {
            profile: Some(Profile::Uri(profile.into())),
            ..Corim::new(TagId::Text("maker".into()), [Tag::Comid(Comid::new(identity, triples))].into())
        };
        let bytes = corim.build().unwrap();
        let Ok(Received::Unsigned(manifest)) = Received::decode(&bytes) else { panic!("{profile}") };
        let manifest = manifest.trusted_by_operator("operator", Vec::new(), NOW).unwrap();
        assert_eq!(manifest.attest_keys(&environment, &[]).count(), attests, "{profile}");
        assert_eq!(manifest.identity_keys(&environment, &[]).count(), 1 - attests, "{profile}");
    }
}
