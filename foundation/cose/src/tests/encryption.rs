//! Encrypted messages: what is built opens again, one refusal a rule, and keys that do one thing.

use crypto::{
    AgreementCurve, AgreementKey, ContentAlgorithm, ContentKey, KeyWrapAlgorithm, KeyWrapKey, Zeroizing,
};

use super::*;

const OTHER: &[u8] = b"Sextant test";
const PLAINTEXT: &[u8] = b"a payload that only devices read";

/// Counts up, so that every run is the same.
fn counting() -> impl FnMut(&mut [u8]) {
    let mut next = 0u8;
    move |out: &mut [u8]| {
        for byte in out {
            next = next.wrapping_mul(167).wrapping_add(13);
            *byte = next;
        }
    }
}

fn group(wrap: KeyWrapAlgorithm, number: u8, kid: &[u8]) -> DecryptionKey {
    let key = KeyWrapKey::from_bytes(wrap, &vec![number; wrap.key_len()]).expect("a key");
    DecryptionKey::key_wrap(key, kid)
}

fn on_p256(number: u8) -> AgreementKey {
    AgreementKey::from_bytes(AgreementCurve::P256, &[number; 32]).expect("a key")
}

fn device(wrap: KeyWrapAlgorithm, number: u8, kid: &[u8]) -> DecryptionKey {
    DecryptionKey::agreement(on_p256(number), wrap, kid).expect("on P-256")
}

fn keys<const N: usize>(keys: [DecryptionKey; N]) -> DecryptionKeys {
    DecryptionKeys::new(keys.into())
}

type Outcome = Result<Zeroizing<Vec<u8>>, Error>;

fn open(message: &[u8], keys: &DecryptionKeys) -> Outcome {
    Encrypt::decode(message).and_then(|message| message.decrypt(keys, None, &[], OTHER))
}

/// A message for one recipient.
fn sealed(algorithm: ContentAlgorithm, key: &DecryptionKey) -> Vec<u8> {
    let recipient = key.recipient_key().expect("a key");
    let builder = EncryptBuilder::new(algorithm).recipient(&recipient).other(OTHER);
    builder.encrypt(PLAINTEXT, &mut counting()).expect("encrypts")
}

#[test]
fn every_content_algorithm_opens_with_every_recipient_algorithm() {
    for algorithm in ContentAlgorithm::IN_PIECES {
        for wrap in KeyWrapAlgorithm::ALL {
            for key in [group(wrap, 1, b"kid"), device(wrap, 2, b"kid"), device(wrap, 3, b"")] {
                let message = sealed(algorithm, &key);
                let decoded = Encrypt::decode(&message).expect("well-formed");
                assert_eq!(decoded.algorithm(), algorithm);
                assert_eq!(decoded.recipients()[0].alg(), key.algorithm().cose_id());
                let kid = Some(key.kid()).filter(|kid| !kid.is_empty());
                assert_eq!(decoded.recipients()[0].kid(), kid);
                assert_eq!(open(&message, &keys([key])).as_deref(), Ok(&PLAINTEXT.to_vec()));
            }
        }
    }
}

#[test]
fn a_detached_ciphertext_is_made_and_opened_piece_by_piece() {
    let own = device(KeyWrapAlgorithm::A128Kw, 2, b"device");
    let recipient = own.recipient_key().expect("a key");
    for algorithm in ContentAlgorithm::IN_PIECES {
        let builder = EncryptBuilder::new(algorithm).recipient(&recipient).other(OTHER).salt(b"salt");
        let (message, ciphertext) = builder.encrypt_detached(PLAINTEXT, &mut counting()).expect("encrypts");
        let decoded = Encrypt::decode(&message).expect("well-formed");
        assert_eq!(decoded.ciphertext(), None);
        let own = keys([device(KeyWrapAlgorithm::A128Kw, 2, b"device")]);
        let mut decryptor = decoded.open(&own, &[], OTHER).expect("opens");
        let mut plaintext = Vec::new();
        for piece in ciphertext.chunks(5) {
            let mut out = [0; 5];
            plaintext.extend_from_slice(decryptor.update(piece, &mut out).expect("room").as_unverified());
        }
        assert_eq!(decryptor.finish().expect("unchanged").is_authenticated(), algorithm.is_authenticated());
        assert_eq!(plaintext, PLAINTEXT);
        assert_eq!(decoded.decrypt(&own, None, &[], OTHER).err(), Some(Error::PayloadMissing));
        let other = decoded.decrypt(&own, Some(&ciphertext), &[], b"another protocol").err();
        assert_eq!(other, Some(Distrust::BadWrappedKey.into()));
    }
}

#[test]
fn each_of_several_recipients_opens_the_message_and_nobody_else() {
    let all = [
        group(KeyWrapAlgorithm::A256Kw, 1, b"group"),
        device(KeyWrapAlgorithm::A128Kw, 2, b"one"),
        device(KeyWrapAlgorithm::A128Kw, 3, b"two"),
    ];
    let recipients: Vec<_> = all.iter().map(|key| key.recipient_key().expect("a key")).collect();
    let builder = recipients
        .iter()
        .fold(EncryptBuilder::new(ContentAlgorithm::A256Gcm), |builder, key| builder.recipient(key));
    let message = builder.other(OTHER).encrypt(PLAINTEXT, &mut counting()).expect("encrypts");
    for key in all {
        assert_eq!(open(&message, &keys([key])).as_deref(), Ok(&PLAINTEXT.to_vec()));
    }
    // By trying, where the device does not know how it is called.
    let nameless = keys([device(KeyWrapAlgorithm::A128Kw, 9, b""), device(KeyWrapAlgorithm::A128Kw, 3, b"")]);
    assert_eq!(open(&message, &nameless).as_deref(), Ok(&PLAINTEXT.to_vec()));

    let strangers = [
        (keys([]), Error::from(Distrust::NoKey)),
        (keys([device(KeyWrapAlgorithm::A128Kw, 2, b"three")]), Distrust::NoKey.into()),
        (keys([device(KeyWrapAlgorithm::A128Kw, 9, b"one")]), Distrust::BadWrappedKey.into()),
        (keys([group(KeyWrapAlgorithm::A128Kw, 1, b"group")]), Distrust::WrongAlgorithm(-5).into()),
        (keys([device(KeyWrapAlgorithm::A256Kw, 2, b"one")]), Distrust::WrongAlgorithm(-29).into()),
    ];
    for (keys, refusal) in strangers {
        assert_eq!(open(&message, &keys).err(), Some(refusal));
    }
}

#[test]
fn every_message_has_a_content_key_of_its_own() {
    let key = group(KeyWrapAlgorithm::A128Kw, 1, b"").recipient_key().expect("a key");
    let builder = EncryptBuilder::new(ContentAlgorithm::A128Ctr).recipient(&key);
    let mut fill = counting();
    let (first, second) = (builder.encrypt(PLAINTEXT, &mut fill), builder.encrypt(PLAINTEXT, &mut fill));
    let ciphertext = |message: Result<Vec<u8>, Error>| {
        let message = message.expect("encrypts");
        Encrypt::decode(&message).expect("well-formed").ciphertext().expect("attached").to_vec()
    };
    assert_ne!(ciphertext(first), ciphertext(second));
    let broken = builder.encrypt(PLAINTEXT, &mut |_| {}).err();
    assert_eq!(broken, Some(Error::Crypto(crypto::Error::BadEntropy)));
}

#[test]
fn every_flipped_bit_of_a_message_is_refused() {
    // Without an identifier, which is a hint and unprotected.
    let own = keys([device(KeyWrapAlgorithm::A128Kw, 2, b"")]);
    let message = sealed(ContentAlgorithm::ChaCha20Poly1305, &device(KeyWrapAlgorithm::A128Kw, 2, b""));
    assert!(open(&message, &own).is_ok());
    for bit in 0..message.len() * 8 {
        let mut changed = message.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&changed, &own).is_err(), "bit {bit}");
    }
    for len in 0..message.len() {
        assert!(matches!(open(&message[..len], &own), Err(Error::Malformed(_))), "{len} bytes");
    }
}

/// The parts of a COSE_Encrypt with one recipient by key wrap, to be broken one at a time.
struct Parts {
    protected: Vec<u8>,
    unprotected: Vec<u8>,
    recipient_protected: Vec<u8>,
    recipient_unprotected: Vec<u8>,
    wrapped: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl Parts {
    /// A128GCM and A128KW by rule.
    fn right() -> Self {
        let content = ContentKey::from_bytes(ContentAlgorithm::A128Gcm, &[9; 16]).expect("a key");
        let protected = hex("a10101");
        let aad = structure::additional_data(structure::ENCRYPT, &protected, &[]);
        let kek = KeyWrapKey::from_bytes(KeyWrapAlgorithm::A128Kw, &[1; 16]).expect("a key");
        Self {
            unprotected: hex("a1 05 4c 000000000000000000000000"),
            ciphertext: content.encrypt(&[0; 12], &aad, PLAINTEXT).expect("encrypts"),
            protected,
            recipient_protected: vec![],
            recipient_unprotected: hex("a1 01 22"),
            wrapped: kek.wrap(&[9; 16]).expect("wraps"),
        }
    }

    fn message(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.tag(labels::TAG_ENCRYPT).array(4).bytes(&self.protected).raw(&self.unprotected);
            w.bytes(&self.ciphertext).array(1).array(3);
            w.bytes(&self.recipient_protected).raw(&self.recipient_unprotected).bytes(&self.wrapped);
        })
    }
}

fn group_store() -> DecryptionKeys {
    keys([group(KeyWrapAlgorithm::A128Kw, 1, b""), device(KeyWrapAlgorithm::A128Kw, 2, b"")])
}

#[test]
fn refuses_messages_that_break_a_rule() {
    let message = Parts::right().message();
    assert_eq!(open(&message, &group_store()).as_deref(), Ok(&PLAINTEXT.to_vec()));
    let wrapped_as_map = Parts { recipient_protected: vec![0xa0], ..Parts::right() };
    assert!(open(&wrapped_as_map.message(), &group_store()).is_ok());

    type Break = fn(&mut Parts);
    let missing = |label| malformed(0, Reason::MissingKey(label));
    let rows: [(&str, Break, Error); 21] = [
        ("no algorithm", |p| p.protected = vec![], missing(1)),
        (
            "AEAD not protected",
            |p| {
                p.protected = vec![];
                p.unprotected = hex("a2 01 01 05 4c 000000000000000000000000");
            },
            Distrust::AlgorithmNotProtected.into(),
        ),
        (
            "counter mode protected",
            |p| p.protected = hex("a1 01 39fffd"),
            broken(3, "protected header is not empty, and the algorithm protects nothing"),
        ),
        (
            "counter mode beside a protected parameter",
            |p| {
                p.protected = hex("a1 03 00");
                p.unprotected = hex("a2 01 39fffd 05 50 00000000000000000000000000000000");
            },
            broken(3, "protected header is not empty, and the algorithm protects nothing"),
        ),
        ("a signature algorithm", |p| p.protected = hex("a1 01 26"), Feature::Algorithm(-7).into()),
        ("a MAC algorithm", |p| p.protected = hex("a1 01 05"), Feature::Algorithm(5).into()),
        ("a named algorithm", |p| p.protected = hex("a1 01 61 61"), Feature::NamedAlgorithm.into()),
        (
            "an unknown critical parameter",
            |p| p.protected = hex("a3 01 01 02 81 18 63 18 63 00"),
            Feature::CriticalHeader(99).into(),
        ),
        ("no IV", |p| p.unprotected = hex("a0"), missing(5)),
        (
            "an IV of 16 bytes for GCM",
            |p| p.unprotected = hex("a1 05 50 00000000000000000000000000000000"),
            broken(9, "initialisation vector has the wrong length"),
        ),
        ("a part of an IV", |p| p.unprotected = hex("a1 06 41 00"), Feature::Header(6).into()),
        ("another IV", |p| p.unprotected = hex("a1 05 4c 000000000000000000000001"), Distrust::BadTag.into()),
        ("a changed tag", |p| *p.ciphertext.last_mut().expect("a tag") ^= 1, Distrust::BadTag.into()),
        ("a truncated ciphertext", |p| p.ciphertext.truncate(15), Distrust::BadTag.into()),
        ("a changed wrapped key", |p| p.wrapped[0] ^= 1, Distrust::BadWrappedKey.into()),
        (
            "a wrapped key of another length",
            |p| {
                let kek = KeyWrapKey::from_bytes(KeyWrapAlgorithm::A128Kw, &[1; 16]).expect("a key");
                p.wrapped = kek.wrap(&[9; 32]).expect("wraps");
            },
            Distrust::BadContentKey.into(),
        ),
        ("no wrapped key", |p| p.wrapped = vec![], broken(78, "recipient carries no wrapped key")),
        (
            "key wrap with a protected header",
            |p| p.recipient_protected = hex("a1 03 00"),
            broken(73, "protected header of a key wrap recipient is not empty"),
        ),
        ("direct use", |p| p.recipient_unprotected = hex("a1 01 25"), Feature::Algorithm(-6).into()),
        (
            "agreement not protected",
            |p| p.recipient_unprotected = hex("a1 01 38 1c"),
            Distrust::AlgorithmNotProtected.into(),
        ),
        (
            "agreement without an ephemeral key",
            |p| {
                p.recipient_protected = hex("a1 01 38 1c");
                p.recipient_unprotected = hex("a0");
            },
            missing(-1),
        ),
    ];
    for (name, change, refusal) in rows {
        let mut parts = Parts::right();
        change(&mut parts);
        assert_eq!(open(&parts.message(), &group_store()).err(), Some(refusal), "{name}");
    }
}

#[test]
fn refuses_ephemeral_keys_that_are_none() {
    let public = on_p256(7).public_key().clone();
    let (x, y) = public.coordinates();
    let ephemeral = |kty: i64, alg: Option<i64>, crv: i64, x: &[u8], y: Option<&[u8]>| {
        Writer::encode(|w| {
            w.map(1).int(labels::EPHEMERAL_KEY);
            w.map(4 + usize::from(alg.is_some())).int(1).int(kty);
            if let Some(alg) = alg {
                w.int(3).int(alg);
            }
            w.int(-1).int(crv).int(-2).bytes(x).int(-3);
            match y {
                Some(y) => w.bytes(y),
                None => w.bool(true),
            };
        })
    };
    let mut off_curve = y.to_vec();
    off_curve[0] ^= 1;
    let rows = [
        (ephemeral(2, None, 1, x, Some(y)), Error::from(Distrust::BadWrappedKey)),
        (ephemeral(2, Some(-29), 1, x, Some(y)), Distrust::BadWrappedKey.into()),
        (ephemeral(2, Some(-7), 1, x, Some(y)), Distrust::KeyUse.into()),
        (ephemeral(1, None, 1, x, Some(y)), Feature::KeyType(1).into()),
        (ephemeral(2, None, 2, x, Some(y)), Feature::Curve(2).into()),
        (ephemeral(2, None, 1, x, None), Feature::CompressedPoint.into()),
        (ephemeral(2, None, 1, x, Some(&off_curve)), Distrust::BadKey.into()),
        (ephemeral(2, None, 1, &x[1..], Some(y)), Distrust::BadKey.into()),
    ];
    for (recipient_unprotected, refusal) in rows {
        let parts =
            Parts { recipient_protected: hex("a1 01 38 1c"), recipient_unprotected, ..Parts::right() };
        assert_eq!(open(&parts.message(), &group_store()).err(), Some(refusal));
    }
    // Parties that the derivation would have to name, and it names none.
    let mut with_party = ephemeral(2, None, 1, x, Some(y));
    with_party[0] = 0xa2;
    with_party.extend_from_slice(&hex("34 41 00"));
    let parts = Parts {
        recipient_protected: hex("a1 01 38 1c"),
        recipient_unprotected: with_party,
        ..Parts::right()
    };
    assert_eq!(open(&parts.message(), &group_store()).err(), Some(Feature::Header(-21).into()));
}

#[test]
fn an_unknown_recipient_does_not_keep_others_out() {
    let right = Parts::right();
    let message = |count: usize, known: bool| {
        Writer::encode(|w| {
            w.tag(labels::TAG_ENCRYPT).array(4).bytes(&right.protected).raw(&right.unprotected);
            w.bytes(&right.ciphertext).array(count);
            for _ in 0..count - usize::from(known) {
                w.array(3).bytes(&[]).raw(&hex("a1 01 39 ffee")).bytes(&[0; 24]);
            }
            if known {
                w.array(3).bytes(&[]).raw(&right.recipient_unprotected).bytes(&right.wrapped);
            }
        })
    };
    assert!(open(&message(2, true), &group_store()).is_ok());
    assert_eq!(open(&message(2, false), &group_store()).err(), Some(Feature::Algorithm(-65519).into()));
    assert!(open(&message(MAX_RECIPIENTS, true), &group_store()).is_ok());
    let refused = open(&message(MAX_RECIPIENTS + 1, true), &group_store()).err();
    let at = 4 + 1 + right.unprotected.len() + 2 + right.ciphertext.len() + 2;
    assert_eq!(refused, Some(malformed(at, Reason::TooLong { limit: MAX_RECIPIENTS })));

    let nested = Writer::encode(|w| {
        w.tag(labels::TAG_ENCRYPT).array(4).bytes(&right.protected).raw(&right.unprotected);
        w.null()
            .array(1)
            .array(4)
            .bytes(&[])
            .raw(&right.recipient_unprotected)
            .bytes(&right.wrapped)
            .array(0);
    });
    assert_eq!(open(&nested, &group_store()).err(), Some(Feature::NestedRecipients.into()));
    let builder = EncryptBuilder::new(ContentAlgorithm::A128Gcm);
    assert_eq!(builder.encrypt(PLAINTEXT, &mut counting()).err(), Some(Error::Recipients));
}

#[test]
fn no_more_keys_are_tried_than_the_limit() {
    let wrap = KeyWrapAlgorithm::A128Kw;
    let message = sealed(ContentAlgorithm::A128Gcm, &group(wrap, 99, b"named"));
    for (wrong, refusal) in
        [(MAX_DECRYPTION_TRIES - 1, None), (MAX_DECRYPTION_TRIES, Some(Distrust::TooManyKeys))]
    {
        let mut store: Vec<_> = (0..wrong).map(|number| group(wrap, number as u8, b"")).collect();
        // Passed over without being tried: another algorithm, another name.
        store.extend((0..50).map(|number| group(KeyWrapAlgorithm::A256Kw, number, b"")));
        store.extend((0..50).map(|number| group(wrap, number, b"other")));
        store.push(group(wrap, 99, b"named"));
        let outcome = open(&message, &DecryptionKeys::new(store));
        assert_eq!(outcome.err(), refusal.map(Error::from));
    }
}

#[test]
fn a_single_key_message_opens_with_its_key_alone() {
    for algorithm in ContentAlgorithm::ALL {
        let key = ContentKey::generate(algorithm, &mut counting()).expect("a key");
        let authenticated = algorithm.is_authenticated();
        let aad: &[u8] = if authenticated { b"aad" } else { b"" };
        let builder = Encrypt0Builder::new().kid(b"kid").external_aad(aad);
        let message = builder.encrypt(&key, PLAINTEXT, &mut counting()).expect("encrypts");
        let decoded = Encrypt0::decode(&message).expect("well-formed");
        assert_eq!((decoded.algorithm(), decoded.kid()), (algorithm, Some(&b"kid"[..])));
        assert_eq!(decoded.decrypt(&key, None, aad).as_deref(), Ok(&PLAINTEXT.to_vec()));
        assert_eq!(decoded.decrypt(&key, Some(b"x"), aad).err(), Some(Error::PayloadTwice));
        let wrong_aad = decoded.decrypt(&key, None, b"other").err();
        let refusal = if authenticated {
            Distrust::BadTag.into()
        } else {
            Error::Crypto(crypto::Error::NotAuthenticated)
        };
        assert_eq!(wrong_aad, Some(refusal), "{algorithm}");
        for other in ContentAlgorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            let key = ContentKey::from_bytes(other, &vec![1; other.key_len()]).expect("a key");
            let refused = decoded.decrypt(&key, None, aad).err();
            assert_eq!(refused, Some(Distrust::WrongAlgorithm(algorithm.cose_id()).into()));
        }
        assert!(Encrypt::decode(&message).is_err() && Sign1::decode(&message).is_err());
        assert!(Encrypt0::decode_untagged(&message[1..]).is_ok());
        let untagged = builder.untagged().encrypt(&key, PLAINTEXT, &mut counting()).expect("encrypts");
        assert_eq!(untagged, message[1..]);
    }
}

#[test]
fn keys_are_written_and_read_back() {
    for wrap in KeyWrapAlgorithm::ALL {
        for key in [group(wrap, 1, b"kid"), device(wrap, 2, b""), device(wrap, 3, b"kid")] {
            let again = DecryptionKey::decode(&key.encode_secret()).expect("a key");
            assert_eq!((again.algorithm(), again.kid()), (key.algorithm(), key.kid()));
            let recipient = key.recipient_key().expect("a key");
            let written = recipient.encode();
            let recipient = RecipientKey::decode(&written).expect("a key");
            assert_eq!((recipient.algorithm(), recipient.kid()), (key.algorithm(), key.kid()));
            assert_eq!(recipient.encode(), written);
            let builder = EncryptBuilder::new(ContentAlgorithm::A128Gcm).recipient(&recipient).other(OTHER);
            let message = builder.encrypt(PLAINTEXT, &mut counting()).expect("encrypts");
            assert!(open(&message, &keys([again])).is_ok());
        }
    }
    let shown = format!(
        "{:?} {:?}",
        group(KeyWrapAlgorithm::A128Kw, 0x5a, b""),
        device(KeyWrapAlgorithm::A128Kw, 0x5a, b"")
    );
    assert!(
        shown.contains("Key(A128KW)") && shown.contains("Key(ECDH P-256)") && !shown.contains("90"),
        "{shown}"
    );
}

#[test]
fn a_key_that_decrypts_never_verifies_and_the_other_way_round() {
    let signing = Key::from_secret(key(SignatureAlgorithm::Es256, 1));
    let mac = Writer::encode(|w| {
        w.map(3).int(1).int(4).int(3).int(5).int(-1).bytes(&[1; 32]);
    });
    let edwards = Key::from_secret(key(SignatureAlgorithm::Ed25519, 1));
    let secret = |key: &Key| key.encode_secret().expect("private").to_vec();
    for (bytes, refusal) in [
        (secret(&signing), Error::from(Feature::Algorithm(-7))),
        (mac.clone(), Feature::Algorithm(5).into()),
        (secret(&edwards), Feature::KeyType(1).into()),
    ] {
        assert_eq!(DecryptionKey::decode(&bytes).err(), Some(refusal));
        assert_eq!(RecipientKey::decode(&bytes).err(), Some(refusal));
    }
    let (wrap, agree) = (group(KeyWrapAlgorithm::A128Kw, 1, b""), device(KeyWrapAlgorithm::A128Kw, 1, b""));
    assert_eq!(Key::decode(&agree.encode_secret()).err(), Some(Feature::Algorithm(-29).into()));
    assert_eq!(Key::decode(&wrap.encode_secret()).err(), Some(Feature::KeyType(4).into()));
    assert_eq!(MacKey::decode(&wrap.encode_secret()).err(), Some(Feature::Algorithm(-3).into()));
    assert_eq!(MacKey::decode(&agree.encode_secret()).err(), Some(Feature::KeyType(2).into()));
}

#[test]
fn refuses_encryption_keys_that_break_a_rule() {
    let scalar = on_p256(1);
    let (x, y) = scalar.public_key().coordinates();
    let write = |members: &[(i64, Vec<u8>)]| {
        Writer::encode(|w| {
            w.map(members.len());
            for (label, value) in members {
                w.int(*label).raw(value);
            }
        })
    };
    let int = |value: i64| {
        Writer::encode(|w| {
            w.int(value);
        })
    };
    let bytes = |value: &[u8]| {
        Writer::encode(|w| {
            w.bytes(value);
        })
    };
    let symmetric = |alg: i64, len: usize| vec![(1, int(4)), (3, int(alg)), (-1, bytes(&vec![1; len]))];
    let ec2 = |alg: i64| {
        let d = scalar.secret_bytes();
        vec![(1, int(2)), (3, int(alg)), (-1, int(1)), (-2, bytes(x)), (-3, bytes(y)), (-4, bytes(&d))]
    };
    let with = |mut members: Vec<(i64, Vec<u8>)>, label, value: Vec<u8>| {
        members.retain(|(known, _)| *known != label);
        members.push((label, value));
        members
    };
    let without = |mut members: Vec<(i64, Vec<u8>)>, label| {
        members.retain(|(known, _)| *known != label);
        members
    };
    let other = on_p256(2);
    assert!(DecryptionKey::decode(&write(&symmetric(-3, 16))).is_ok());
    assert!(DecryptionKey::decode(&write(&ec2(-29))).is_ok());
    assert!(DecryptionKey::decode(&write(&with(ec2(-29), 4, hex("81 07")))).is_ok());
    assert!(
        DecryptionKey::decode(&write(&without(without(ec2(-31), -2), -3))).is_ok(),
        "public key left out"
    );
    let rows = [
        (symmetric(-3, 32), Error::from(Distrust::BadKey)),
        (symmetric(-5, 16), Distrust::BadKey.into()),
        (symmetric(-29, 16), Distrust::KeyUse.into()),
        (symmetric(1, 16), Feature::Algorithm(1).into()),
        (without(symmetric(-3, 16), 3), Distrust::KeyUse.into()),
        (with(symmetric(-3, 16), 4, hex("81 05")), Distrust::KeyUse.into()),
        (ec2(-3), Distrust::KeyUse.into()),
        (without(ec2(-29), 3), Distrust::KeyUse.into()),
        (without(ec2(-29), -4), malformed(0, Reason::MissingKey(-4))),
        (with(ec2(-29), 4, hex("81 01")), Distrust::KeyUse.into()),
        (with(ec2(-29), -4, bytes(&other.secret_bytes())), Distrust::BadKey.into()),
        (with(ec2(-29), -1, int(2)), Feature::Curve(2).into()),
        (with(ec2(-29), -3, hex("f5")), Feature::CompressedPoint.into()),
    ];
    for (members, refusal) in rows {
        assert_eq!(DecryptionKey::decode(&write(&members)).err(), Some(refusal), "{members:?}");
    }
    let public = RecipientKey::decode(&write(&without(without(ec2(-29), -4), -2))).err();
    assert_eq!(public, Some(malformed(0, Reason::MissingKey(-2))));
}

#[test]
fn refuses_agreement_keys_of_another_curve() {
    let key = AgreementKey::from_bytes(AgreementCurve::P384, &[7; 48]).expect("a key");
    let refusal = Some(Error::Crypto(crypto::Error::WrongKeyType));
    let (public, wrap) = (key.public_key().clone(), KeyWrapAlgorithm::A256Kw);
    assert_eq!(RecipientKey::agreement(public, wrap, b"").err(), refusal);
    assert_eq!(DecryptionKey::agreement(key, wrap, b"").err(), refusal);
}

#[test]
fn content_for_recipients_is_of_an_algorithm_that_works_piece_by_piece() {
    let recipient = device(KeyWrapAlgorithm::A128Kw, 2, b"").recipient_key().expect("a key");
    for algorithm in ContentAlgorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_in_pieces()) {
        let builder = EncryptBuilder::new(algorithm).recipient(&recipient);
        let refusal = Error::Crypto(crypto::Error::NotInPieces);
        assert_eq!(builder.encrypt(PLAINTEXT, &mut counting()), Err(refusal));
        assert_eq!(builder.begin_detached(&mut counting()).err(), Some(refusal));
        let key = ContentKey::generate(algorithm, &mut counting()).expect("a key");
        let message = Encrypt0Builder::new().encrypt(&key, PLAINTEXT, &mut counting()).expect("encrypts");
        assert_eq!(Encrypt0::decode(&message).expect("reads").open(&key, &[]).err(), Some(refusal));
        // The same content with recipients, as another implementation would write it.
        let message = [&[0xd8, 96, 0x84], &message[2..], &[0x81]].concat();
        let refusal = Feature::Algorithm(algorithm.cose_id()).into();
        assert_eq!(Encrypt::decode(&message).err(), Some(refusal));
    }
}
