use super::*;

#[test]
fn a_signature_verifies_with_its_key_and_over_its_bytes_only() {
    for algorithm in SignatureAlgorithm::STATELESS {
        let (key, other) = (key(algorithm, 1), key(algorithm, 2));
        let message = Sign1Builder::new().external_aad(b"aad").sign(&key, PAYLOAD);
        let sign1 = Sign1::decode(&message).expect("well-formed");
        assert_eq!(sign1.verify(key.public_key(), None, b"aad"), Ok(()));
        let bad = Err(Distrust::BadSignature.into());
        assert_eq!(sign1.verify(other.public_key(), None, b"aad"), bad);
        assert_eq!(sign1.verify(key.public_key(), None, b""), bad);
        for at in 0..message.len() {
            let mut forged = message.clone();
            forged[at] ^= 0x01;
            let verified =
                Sign1::decode(&forged).and_then(|sign1| sign1.verify(key.public_key(), None, b"aad"));
            assert!(verified.is_err(), "byte {at} of {algorithm} changed");
        }
    }
}

#[test]
fn a_detached_payload_is_given_exactly_when_it_is_missing() {
    let key = key(SignatureAlgorithm::Es256, 1);
    let detached = Sign1Builder::new().sign_detached(&key, PAYLOAD);
    let detached = Sign1::decode(&detached).expect("well-formed");
    assert_eq!(detached.payload(), None);
    assert_eq!(detached.verify(key.public_key(), Some(PAYLOAD), &[]), Ok(()));
    assert_eq!(detached.verify(key.public_key(), Some(b"other"), &[]), Err(Distrust::BadSignature.into()));
    assert_eq!(detached.verify(key.public_key(), None, &[]), Err(Error::PayloadMissing));
    let attached = Sign1Builder::new().sign(&key, PAYLOAD);
    let attached = Sign1::decode(&attached).expect("well-formed");
    assert_eq!(attached.verify(key.public_key(), Some(PAYLOAD), &[]), Err(Error::PayloadTwice));
}

#[test]
fn an_algorithm_counts_in_both_its_numbers_and_only_for_its_own_keys() {
    for signer in SignatureAlgorithm::STATELESS {
        let key = key(signer, 1);
        for number in [-7, -9, -35, -51, -8, -19] {
            let protected = Writer::encode(|w| {
                w.map(1).int(labels::ALG).int(number);
            });
            let message = signed_with_buckets(&key, &protected, &[0xa0]);
            let verified = Sign1::decode(&message).expect("well-formed").verify(key.public_key(), None, &[]);
            let expected = match SignatureAlgorithm::from_cose_id(number) {
                Some(named) if named == signer => Ok(()),
                _ => Err(Distrust::WrongAlgorithm(number).into()),
            };
            assert_eq!(verified, expected, "{number} with a key for {signer}");
        }
        let message = Sign1Builder::new().fully_specified().sign(&key, PAYLOAD);
        let sign1 = Sign1::decode(&message).expect("well-formed");
        assert_eq!(sign1.alg(), signer.fully_specified_cose_id());
        assert_eq!(sign1.verify(key.public_key(), None, &[]), Ok(()));
    }
}

#[test]
fn an_algorithm_nobody_implements_or_that_is_none_is_refused() {
    let key = key(SignatureAlgorithm::Es256, 1);
    let anchors = TrustAnchors::new(vec![anchor(&key, Purpose::Evidence, b"")]);
    // none, HMAC 256/256, ES512, ES256K, SHA-256
    for number in [0, 5, -36, -47, -16] {
        let protected = Writer::encode(|w| {
            w.map(1).int(labels::ALG).int(number);
        });
        let message = signed_with_buckets(&key, &protected, &[0xa0]);
        let sign1 = Sign1::decode(&message).expect("well-formed");
        let refused = Feature::Algorithm(number).into();
        assert_eq!(sign1.verify(key.public_key(), None, &[]), Err(refused));
        assert_eq!(sign1.verify_with(&anchors, Purpose::Evidence, None, &[]), Err(refused));
    }
}

#[test]
fn a_key_of_one_purpose_passes_for_no_other() {
    let keys: Vec<_> = Purpose::ALL.iter().zip(1..).map(|(_, n)| key(SignatureAlgorithm::Es256, n)).collect();
    let anchors: TrustAnchors =
        Purpose::ALL.into_iter().zip(&keys).map(|(purpose, key)| anchor(key, purpose, b"")).collect();
    for (key_purpose, key) in Purpose::ALL.into_iter().zip(&keys) {
        let message = Sign1Builder::new().sign(key, PAYLOAD);
        let sign1 = Sign1::decode(&message).expect("well-formed");
        for object_purpose in Purpose::ALL {
            let verified = sign1.verify_with(&anchors, object_purpose, None, &[]);
            match verified {
                Ok(anchor) => assert!(object_purpose == key_purpose && anchor.purpose == key_purpose),
                Err(error) => {
                    assert_ne!(object_purpose, key_purpose);
                    assert_eq!(error, Distrust::BadSignature.into());
                }
            }
        }
        assert_eq!(Purpose::from_name(key_purpose.name()), Some(key_purpose));
    }
}

#[test]
fn a_key_identifier_is_a_hint_that_several_keys_may_share() {
    let keys: Vec<_> = (1..=4).map(|n| key(SignatureAlgorithm::Es256, n)).collect();
    let anchors = TrustAnchors::new(vec![
        anchor(&keys[0], Purpose::Author, b"shared"),
        anchor(&keys[1], Purpose::Author, b"shared"),
        anchor(&keys[2], Purpose::Author, b"own"),
        anchor(&keys[3], Purpose::Author, b""),
    ]);
    let verify = |key: &SigningKey, kid: Option<&[u8]>| {
        let builder = kid.map_or(Sign1Builder::new(), |kid| Sign1Builder::new().kid(kid));
        let message = builder.sign(key, PAYLOAD);
        let sign1 = Sign1::decode(&message).expect("well-formed");
        sign1.verify_with(&anchors, Purpose::Author, None, &[]).map(|anchor| anchor.key.clone())
    };
    for key in &keys {
        assert_eq!(verify(key, None).as_ref(), Ok(key.public_key()));
    }
    for key in [&keys[0], &keys[1], &keys[3]] {
        assert_eq!(verify(key, Some(b"shared")).as_ref(), Ok(key.public_key()));
    }
    // The named keys and the nameless one are tried, and this is none of them.
    assert_eq!(verify(&keys[2], Some(b"shared")), Err(Distrust::BadSignature.into()));

    let named_only: TrustAnchors = anchors.iter().filter(|anchor| !anchor.kid.is_empty()).cloned().collect();
    let message = Sign1Builder::new().kid(b"unknown").sign(&keys[0], PAYLOAD);
    let sign1 = Sign1::decode(&message).expect("well-formed");
    let refused = Err(Distrust::NoKey.into());
    assert_eq!(sign1.verify_with(&named_only, Purpose::Author, None, &[]), refused);
    assert_eq!(sign1.verify_with(&TrustAnchors::default(), Purpose::Author, None, &[]), refused);
}

#[test]
fn an_anchor_is_known_by_its_thumbprint() {
    let key = key(SignatureAlgorithm::Es256, 1);
    let anchor = TrustAnchor::new(key.public_key().clone(), Purpose::Author, "maker");
    let kid = thumbprint(key.public_key(), HashAlgorithm::Sha256);
    let anchors = TrustAnchors::new(vec![anchor]);
    let message = Sign1Builder::new().kid(kid.as_bytes()).sign(&key, PAYLOAD);
    let sign1 = Sign1::decode(&message).expect("well-formed");
    let found = sign1.verify_with(&anchors, Purpose::Author, None, &[]).expect("verified");
    assert_eq!(found.name, "maker");
}

#[test]
fn tries_no_more_keys_than_the_limit_and_none_of_another_algorithm() {
    let right = key(SignatureAlgorithm::Es256, 99);
    let message = Sign1Builder::new().sign(&right, PAYLOAD);
    let sign1 = Sign1::decode(&message).expect("well-formed");
    let with_before = |wrong: usize| {
        let mut anchors = TrustAnchors::default();
        for number in 0..wrong {
            anchors.push(anchor(&key(SignatureAlgorithm::Ed25519, 1 + number as u8), Purpose::Result, b""));
            anchors.push(anchor(&key(SignatureAlgorithm::Es256, 1 + number as u8), Purpose::Result, b""));
        }
        anchors.push(anchor(&right, Purpose::Result, b""));
        anchors
    };
    let anchors = with_before(MAX_CANDIDATES - 1);
    assert!(sign1.verify_with(&anchors, Purpose::Result, None, &[]).is_ok());
    let anchors = with_before(MAX_CANDIDATES);
    assert_eq!(sign1.verify_with(&anchors, Purpose::Result, None, &[]), Err(Distrust::TooManyKeys.into()));
    let others = TrustAnchors::new(vec![anchor(&key(SignatureAlgorithm::Ed25519, 1), Purpose::Result, b"")]);
    assert_eq!(
        sign1.verify_with(&others, Purpose::Result, None, &[]),
        Err(Distrust::WrongAlgorithm(-7).into())
    );
}

#[test]
fn a_signature_made_elsewhere_is_assembled() {
    let key = key(SignatureAlgorithm::Ed25519, 1);
    let builder = Sign1Builder::new().kid(b"offline").external_aad(b"aad");
    let signature = key.sign(&builder.to_be_signed(key.algorithm(), PAYLOAD));
    assert_eq!(builder.assemble(key.algorithm(), Some(PAYLOAD), &signature), builder.sign(&key, PAYLOAD));
    assert_eq!(builder.assemble(key.algorithm(), None, &signature), builder.sign_detached(&key, PAYLOAD));
    let untagged = builder.clone().untagged().sign(&key, PAYLOAD);
    assert_eq!(untagged, builder.sign(&key, PAYLOAD)[1..]);
}

mod several_signers {
    use super::*;

    fn keys() -> [SigningKey; 3] {
        [(SignatureAlgorithm::Es256, 1), (SignatureAlgorithm::Ed25519, 2), (SignatureAlgorithm::Es384, 3)]
            .map(|(algorithm, number)| key(algorithm, number))
    }

    fn signers(keys: &[SigningKey]) -> Vec<Signer<'_>> {
        keys.iter().map(|key| Signer { key, kid: None }).collect()
    }

    #[test]
    fn each_is_verified_and_those_unknown_do_not_matter() {
        let keys = keys();
        let message =
            SignBuilder::new().content_type(50).external_aad(b"aad").sign_detached(&signers(&keys), PAYLOAD);
        let sign = Sign::decode(&message).expect("well-formed");
        assert_eq!(sign.signatures().len(), 3);
        for key in &keys {
            assert_eq!(sign.verify(key.public_key(), Some(PAYLOAD), b"aad"), Ok(()));
            assert_eq!(
                sign.verify(key.public_key(), Some(b"other"), b"aad"),
                Err(Distrust::BadSignature.into())
            );
            assert_eq!(sign.verify(key.public_key(), None, b"aad"), Err(Error::PayloadMissing));
        }
        let stranger = key(SignatureAlgorithm::Es256, 9);
        assert_eq!(
            sign.verify(stranger.public_key(), Some(PAYLOAD), b"aad"),
            Err(Distrust::BadSignature.into())
        );

        let anchors: TrustAnchors = [&keys[0], &keys[2], &stranger]
            .map(|key| anchor(key, Purpose::Author, b""))
            .into_iter()
            .collect();
        let found = sign.verify_with(&anchors, Purpose::Author, Some(PAYLOAD), b"aad").expect("two of them");
        let found: Vec<_> = found.iter().map(|anchor| &anchor.key).collect();
        assert_eq!(found, [keys[0].public_key(), keys[2].public_key()]);
        assert_eq!(
            sign.verify_with(&anchors, Purpose::Operator, Some(PAYLOAD), b"aad"),
            Err(Distrust::NoKey.into())
        );
    }

    #[test]
    fn one_key_counts_once_however_often_it_signs_and_whatever_its_names() {
        let key = key(SignatureAlgorithm::Es256, 1);
        let twice = [Signer { key: &key, kid: Some(b"a") }, Signer { key: &key, kid: Some(b"b") }];
        let message = SignBuilder::new().sign(&twice, PAYLOAD);
        let sign = Sign::decode(&message).expect("well-formed");
        let anchors =
            TrustAnchors::new(vec![anchor(&key, Purpose::Author, b"a"), anchor(&key, Purpose::Author, b"b")]);
        assert_eq!(sign.verify_with(&anchors, Purpose::Author, None, &[]).expect("one").len(), 1);
    }

    #[test]
    fn a_signature_belongs_to_its_message_kind_and_to_its_body() {
        let key = key(SignatureAlgorithm::Es256, 1);
        let one = Sign1Builder::new().sign(&key, PAYLOAD);
        let signature = Sign1::decode(&one).expect("well-formed").signature();
        // The signature of a COSE_Sign1 in a COSE_Sign.
        let moved = Writer::encode(|w| {
            w.tag(labels::TAG_SIGN).array(4).bytes(&[]).map(0).bytes(PAYLOAD).array(1);
            w.array(3).bytes(&[0xa1, 0x01, 0x26]).map(0).bytes(signature);
        });
        let sign = Sign::decode(&moved).expect("well-formed");
        assert_eq!(sign.verify(key.public_key(), None, &[]), Err(Distrust::BadSignature.into()));
    }

    #[test]
    fn an_empty_protected_bucket_counts_the_same_in_both_encodings() {
        let key = key(SignatureAlgorithm::Es256, 1);
        let message = SignBuilder::new().sign(&signers(core::slice::from_ref(&key)), PAYLOAD);
        // d8 62 84 40 …: the bucket as an empty string, then as an empty map
        assert_eq!(message[..4], [0xd8, 0x62, 0x84, 0x40]);
        let as_map = [&message[..3], &[0x41, 0xa0], &message[4..]].concat();
        for message in [message, as_map] {
            let sign = Sign::decode(&message).expect("well-formed");
            assert_eq!(sign.verify(key.public_key(), None, &[]), Ok(()));
        }
    }

    #[test]
    fn there_is_at_least_one_and_at_most_the_limit() {
        let with = |count: usize| {
            Writer::encode(|w| {
                w.tag(labels::TAG_SIGN).array(4).bytes(&[]).map(0).bytes(PAYLOAD).array(count);
                for _ in 0..count {
                    w.array(3).bytes(&[0xa1, 0x01, 0x26]).map(0).bytes(&[0; 64]);
                }
            })
        };
        assert!(Sign::decode(&with(MAX_SIGNATURES)).is_ok());
        let at = 6 + PAYLOAD.len();
        let refused = malformed(at, Reason::TooLong { limit: MAX_SIGNATURES });
        assert_eq!(Sign::decode(&with(MAX_SIGNATURES + 1)).err(), Some(refused));
        assert_eq!(Sign::decode(&with(0)).err(), Some(broken(at, "message has no signature")));
    }

    #[test]
    fn the_algorithm_of_each_must_be_protected() {
        let message = Writer::encode(|w| {
            w.tag(labels::TAG_SIGN).array(4).bytes(&[0xa1, 0x01, 0x26]).map(0).bytes(PAYLOAD).array(1);
            w.array(3).bytes(&[]).map(1).int(labels::ALG).int(-7).bytes(&[0; 64]);
        });
        assert_eq!(Sign::decode(&message).err(), Some(Distrust::AlgorithmNotProtected.into()));
    }
}

mod macs {
    use super::*;

    #[test]
    fn a_tag_verifies_with_its_key_and_over_its_bytes_only() {
        for algorithm in HashAlgorithm::ALL {
            let key = MacKey::new(algorithm, &[7; 32]).expect("a key");
            let message = Mac0Builder::new().kid(b"kid").external_aad(b"aad").authenticate(&key, PAYLOAD);
            let mac = Mac0::decode(&message).expect("well-formed");
            assert_eq!((mac.kid(), mac.payload()), (Some(&b"kid"[..]), Some(PAYLOAD)));
            assert_eq!(mac.verify(&key, None, b"aad"), Ok(()));
            assert_eq!(mac.verify(&key, None, b""), Err(Distrust::BadTag.into()));
            let other = MacKey::new(algorithm, &[8; 32]).expect("a key");
            assert_eq!(mac.verify(&other, None, b"aad"), Err(Distrust::BadTag.into()));
            let mut forged = message.clone();
            *forged.last_mut().expect("a tag") ^= 1;
            let forged = Mac0::decode(&forged).expect("well-formed");
            assert_eq!(forged.verify(&key, None, b"aad"), Err(Distrust::BadTag.into()));

            let detached = Mac0Builder::new().authenticate_detached(&key, PAYLOAD);
            let detached = Mac0::decode(&detached).expect("well-formed");
            assert_eq!(detached.verify(&key, Some(PAYLOAD), &[]), Ok(()));
            assert_eq!(detached.verify(&key, None, &[]), Err(Error::PayloadMissing));
        }
    }

    #[test]
    fn a_key_is_for_one_algorithm() {
        let key = MacKey::new(HashAlgorithm::Sha256, &[7; 32]).expect("a key");
        let longer = MacKey::new(HashAlgorithm::Sha512, &[7; 32]).expect("a key");
        let message = Mac0Builder::new().authenticate(&longer, PAYLOAD);
        let mac = Mac0::decode(&message).expect("well-formed");
        assert_eq!(mac.verify(&key, None, &[]), Err(Distrust::WrongAlgorithm(7).into()));
        // HMAC 256/64 (4) is truncated; ES256 is no MAC
        for number in [4, -7] {
            let protected = Writer::encode(|w| {
                w.map(1).int(labels::ALG).int(number);
            });
            let message = Writer::encode(|w| {
                w.tag(labels::TAG_MAC0).array(4).bytes(&protected).map(0).bytes(PAYLOAD).bytes(&[0; 8]);
            });
            let mac = Mac0::decode(&message).expect("well-formed");
            assert_eq!(mac.verify(&key, None, &[]), Err(Feature::Algorithm(number).into()));
        }
    }

    #[test]
    fn a_signed_message_is_no_authenticated_one() {
        let key = key(SignatureAlgorithm::Es256, 1);
        let message = Sign1Builder::new().sign(&key, PAYLOAD);
        assert_eq!(Mac0::decode(&message).err(), Some(broken(0, "another tag than that of the message")));
    }
}

/// Made elsewhere, by `openssl dgst` 3.0, over the payload of these tests.
#[test]
fn rsa_signatures_verify_with_their_key_and_over_their_bytes_only() {
    let data = |name: &str| {
        testkit::read_hex(
            &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{name}.hex")),
        )
    };
    let rsa = crypto::RsaPublicKey::from_spki_der(&data("rsa-2048-spki")).expect("a key");
    // The required members alone, in deterministic order.
    let members = Writer::encode(|w| {
        w.map(3).int(1).int(3).int(-1).bytes(rsa.modulus()).int(-2).bytes(&[1, 0, 1]);
    });
    let thumbprint = crypto::Digest::of(HashAlgorithm::Sha256, &members);
    assert_eq!(rsa_thumbprint(&rsa, HashAlgorithm::Sha256), thumbprint);
    for (name, number) in [("rs256", labels::RS256), ("rs384", labels::RS384)] {
        let message = data(name);
        let sign1 = Sign1::decode(&message).expect("well-formed");
        assert_eq!((sign1.alg(), sign1.payload()), (number, Some(PAYLOAD)));
        assert_eq!(sign1.verify_rsa(&rsa, None, &[]), Ok(()));
        assert_eq!(sign1.verify_rsa(&rsa, None, b"aad"), Err(Distrust::BadSignature.into()));
        // No key of another kind takes it, and it takes no message of another kind.
        let ec = key(SignatureAlgorithm::Es256, 1);
        assert_eq!(sign1.verify(ec.public_key(), None, &[]), Err(Feature::Algorithm(number).into()));
        let other = Sign1Builder::new().sign(&ec, PAYLOAD);
        let other = Sign1::decode(&other).expect("well-formed");
        assert_eq!(other.verify_rsa(&rsa, None, &[]), Err(Distrust::WrongAlgorithm(-7).into()));
        for at in 0..message.len() {
            let mut forged = message.clone();
            forged[at] ^= 0x01;
            let verified = Sign1::decode(&forged).and_then(|sign1| sign1.verify_rsa(&rsa, None, &[]));
            assert!(verified.is_err(), "byte {at} of {name} changed");
        }
    }
}

#[test]
fn rsa_messages_are_made_for_their_key_where_there_are_private_ones() {
    let Some(key) = rsa_signing_key() else { return };
    let sha384 = HashAlgorithm::from_name("sha384").expect("known");
    for (hash, number) in [(HashAlgorithm::Sha256, labels::RS256), (sha384, labels::RS384)] {
        let message = Sign1Builder::new().kid(b"owner").external_aad(b"aad").sign_rsa(&key, hash, PAYLOAD);
        let message = message.expect("signs");
        let sign1 = Sign1::decode(&message).expect("well-formed");
        assert_eq!((sign1.alg(), sign1.payload(), sign1.kid()), (number, Some(PAYLOAD), Some(&b"owner"[..])));
        assert_eq!(sign1.verify_rsa(key.public_key(), None, b"aad"), Ok(()));
        assert_eq!(sign1.verify_rsa(key.public_key(), None, b""), Err(Distrust::BadSignature.into()));
    }
    let sha512 = HashAlgorithm::from_name("sha512").expect("known");
    let refused = Sign1Builder::new().sign_rsa(&key, sha512, PAYLOAD);
    assert_eq!(refused, Err(Error::Crypto(crypto::Error::UnsupportedAlgorithm)));
}

/// `None`, aloud, where the back end of the build has none.
fn rsa_signing_key() -> Option<crypto::RsaSigningKey> {
    let key = crypto::RsaSigningKey::generate(2048);
    if key.as_ref().err() == Some(&crypto::Error::UnsupportedAlgorithm) {
        testkit::skipped(format_args!("no private RSA keys without the fast back end"));
        return None;
    }
    Some(key.expect("a key"))
}
