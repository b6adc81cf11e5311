use super::*;

/// The key of RFC 9679, section 6, with its key identifier, which does not count.
const THUMBPRINT_KEY: &str = "
    a5 01 02                # kty: EC2
       02 5820 496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec
       20 01                # crv: P-256
       21 5820 65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d
       22 5820 1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c";

#[test]
fn the_thumbprint_is_that_of_the_specification() {
    let key = Key::decode(&hex(THUMBPRINT_KEY)).expect("a key");
    let expected = "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec";
    assert_eq!(key.thumbprint(HashAlgorithm::Sha256).as_bytes(), hex(expected));
    assert_eq!(key.kid(), Some(hex(expected).as_slice()));
    assert_eq!(key.encode(), hex(THUMBPRINT_KEY));
}

#[test]
fn the_thumbprint_hashes_the_required_members_alone() {
    for algorithm in SignatureAlgorithm::STATELESS {
        let secret = key(algorithm, 1);
        let public = secret.public_key().clone();
        let hashed = match public.ec2_coordinates() {
            Some((x, y)) => Writer::encode(|w| {
                let curve = if algorithm == SignatureAlgorithm::Es256 { 1 } else { 2 };
                w.map(4).int(1).int(2).int(-1).int(curve).int(-2).bytes(x).int(-3).bytes(y);
            }),
            None => Writer::encode(|w| {
                w.map(3).int(1).int(1).int(-1).int(6).int(-2).bytes(public.as_bytes());
            }),
        };
        for hash in HashAlgorithm::ALL {
            let key = Key::from_secret(super::key(algorithm, 1)).with_kid(b"kid");
            assert_eq!(key.thumbprint(hash), crypto::Digest::of(hash, &hashed));
        }
    }
}

#[test]
fn keys_are_written_and_read_back() {
    for algorithm in SignatureAlgorithm::STATELESS {
        let private = Key::from_secret(key(algorithm, 1)).with_kid(b"kid");
        let bytes = private.encode_secret().expect("a private key");
        let again = Key::decode(&bytes).expect("a key");
        assert_eq!(again.public(), private.public());
        assert_eq!(again.kid(), Some(&b"kid"[..]));
        assert_eq!(again.alg(), Some(algorithm.cose_id()));
        assert_eq!(again.encode_secret().expect("a private key"), bytes);
        let signature = again.secret().expect("a private key").sign(PAYLOAD);
        assert_eq!(private.public().verify(PAYLOAD, &signature), Ok(()));

        let public = Key::decode(&private.encode()).expect("a key");
        assert_eq!(public.public(), private.public());
        assert!(public.secret().is_none() && public.encode_secret().is_none());
        assert_eq!(public.encode(), private.encode());
        assert!(!contains(&private.encode(), &private.secret().expect("private").secret_bytes()));
    }
}

#[test]
fn a_private_key_need_not_state_its_public_key() {
    let secret = key(SignatureAlgorithm::Es256, 1);
    let bytes = Writer::encode(|w| {
        w.map(3).int(1).int(2).int(-1).int(1).int(-4).bytes(&secret.secret_bytes());
    });
    assert_eq!(Key::decode(&bytes).expect("a key").public(), secret.public_key());
}

/// Labels and encoded values.
type Members = Vec<(i64, Vec<u8>)>;

#[test]
fn refuses_keys_that_break_a_rule() {
    let secret = key(SignatureAlgorithm::Es256, 1);
    let (x, y) = secret.public_key().ec2_coordinates().expect("coordinates");
    let (other_x, other_y) = (vec![7; 32], vec![9; 32]);
    let d = secret.secret_bytes();
    let edwards = key(SignatureAlgorithm::Ed25519, 1);
    let edwards_x = edwards.public_key().as_bytes();
    let other_d = key(SignatureAlgorithm::Es256, 2).secret_bytes();

    let bytes = |value: &[u8]| {
        Writer::encode(|w| {
            w.bytes(value);
        })
    };
    let ints = |values: &[i64]| {
        Writer::encode(|w| {
            w.array(values.len());
            for value in values {
                w.int(*value);
            }
        })
    };
    let int = |value: i64| {
        Writer::encode(|w| {
            w.int(value);
        })
    };
    let good = [(1, int(2)), (-1, int(1)), (-2, bytes(x)), (-3, bytes(y))];
    // Each row replaces members of the good key, or drops them where the new value is empty.
    let rows: Vec<(&str, Members, Error)> = vec![
        ("no key type", vec![(1, vec![])], malformed(0, Reason::MissingKey(1))),
        ("no curve", vec![(-1, vec![])], malformed(0, Reason::MissingKey(-1))),
        ("no x", vec![(-2, vec![])], malformed(0, Reason::MissingKey(-2))),
        ("no y", vec![(-3, vec![])], malformed(0, Reason::MissingKey(-3))),
        ("symmetric", vec![(1, int(4))], Feature::KeyType(4).into()),
        ("WalnutDSA", vec![(1, int(6))], Feature::KeyType(6).into()),
        ("P-521", vec![(-1, int(3))], Feature::Curve(3).into()),
        ("X25519", vec![(1, int(1)), (-1, int(4))], Feature::Curve(4).into()),
        ("P-256 as an octet key pair", vec![(1, int(1))], Feature::Curve(1).into()),
        ("Ed25519 with two coordinates", vec![(-1, int(6))], Feature::Curve(6).into()),
        ("compressed point", vec![(-3, vec![0xf5])], Feature::CompressedPoint.into()),
        ("short x", vec![(-2, bytes(&x[1..]))], Distrust::BadKey.into()),
        ("point off the curve", vec![(-2, bytes(&other_x)), (-3, bytes(&other_y))], Distrust::BadKey.into()),
        ("coordinates of another curve", vec![(-1, int(2))], Distrust::BadKey.into()),
        (
            "short Ed25519 key",
            vec![(1, int(1)), (-1, int(6)), (-2, bytes(&edwards_x[1..]))],
            Distrust::BadKey.into(),
        ),
        ("private key of another", vec![(-4, bytes(&other_d))], Distrust::BadKey.into()),
        ("private key of zero", vec![(-4, bytes(&[0; 32]))], Distrust::BadKey.into()),
        ("algorithm of another curve", vec![(3, int(-35))], Distrust::KeyUse.into()),
        ("algorithm for key agreement", vec![(3, int(-29))], Feature::Algorithm(-29).into()),
        ("algorithm by name", vec![(3, hex("65 4553323536"))], Feature::NamedAlgorithm.into()),
        ("operations without verify", vec![(4, ints(&[1]))], Distrust::KeyUse.into()),
        ("no operation at all", vec![(4, ints(&[]))], Distrust::KeyUse.into()),
        ("private without sign", vec![(4, ints(&[2])), (-4, bytes(&d))], Distrust::KeyUse.into()),
    ];
    let encode = |changes: &[(i64, Vec<u8>)]| {
        let mut members = good.to_vec();
        for (label, value) in changes {
            members.retain(|(other, _)| other != label);
            if !value.is_empty() {
                members.push((*label, value.clone()));
            }
        }
        Writer::encode(|w| {
            w.map(members.len());
            for (label, value) in &members {
                w.int(*label).raw(value);
            }
        })
    };
    assert!(Key::decode(&encode(&[])).is_ok());
    assert!(Key::decode(&encode(&[(3, int(-9)), (4, ints(&[2]))])).is_ok());
    assert!(Key::decode(&encode(&[(4, ints(&[1])), (-4, bytes(&d))])).is_ok());
    assert!(Key::decode(&encode(&[(-70_000, vec![0xf5]), (5, bytes(&[0]))])).is_ok());
    for (claim, changes, refusal) in rows {
        assert_eq!(Key::decode(&encode(&changes)).err(), Some(refusal), "{claim}");
    }
}

#[test]
fn refuses_malformed_keys() {
    let good = hex(THUMBPRINT_KEY);
    for end in 0..good.len() {
        assert!(matches!(Key::decode(&good[..end]), Err(Error::Malformed(_))), "cut at {end}");
    }
    let longer = [good.as_slice(), &[0]].concat();
    assert_eq!(Key::decode(&longer).err(), Some(malformed(good.len(), Reason::TrailingBytes)));
    assert_eq!(Key::decode(&hex("a2 0102 0102")).err(), Some(malformed(3, Reason::DuplicateKey)));
    assert_eq!(Key::decode(&hex("80")).err(), Some(wrong_type(0, Type::Map, Type::Array)));

    let public = key(SignatureAlgorithm::Es256, 1).public_key().clone();
    let room = MAX_KEY_LEN - Key::from_public(&public).with_kid(&[0; 256]).encode().len();
    let with_kid = |len: usize| Key::from_public(&public).with_kid(&vec![0; len]).encode();
    assert!(Key::decode(&with_kid(256 + room)).is_ok());
    let refused = malformed(0, Reason::TooLong { limit: MAX_KEY_LEN });
    assert_eq!(Key::decode(&with_kid(256 + room + 1)).err(), Some(refused));
}

#[test]
fn an_elliptic_key_is_no_mac_key_and_a_mac_key_no_elliptic_one() {
    let elliptic = Key::from_public(key(SignatureAlgorithm::Es256, 1).public_key()).encode();
    assert_eq!(MacKey::decode(&elliptic).err(), Some(Feature::KeyType(2).into()));
    let symmetric = hex("a3 0104 0305 2050 61616161616161616161616161616161");
    assert_eq!(MacKey::decode(&symmetric).expect("a key").algorithm(), HashAlgorithm::Sha256);
    assert_eq!(Key::decode(&symmetric).err(), Some(Feature::KeyType(4).into()));
}

#[test]
fn refuses_mac_keys_that_break_a_rule() {
    for (claim, key, refusal) in [
        ("no algorithm", "a2 0104 2050 61616161616161616161616161616161", Distrust::KeyUse.into()),
        ("key wrap", "a3 0104 0322 2050 61616161616161616161616161616161", Feature::Algorithm(-3).into()),
        (
            "operations of a signature",
            "a4 0104 0305 048101 2050 61616161616161616161616161616161",
            Distrust::KeyUse.into(),
        ),
        ("no key", "a2 0104 0305", malformed(0, Reason::MissingKey(-1))),
        ("15 bytes", "a3 0104 0305 204f 616161616161616161616161616161", Distrust::BadKey.into()),
    ] {
        assert_eq!(MacKey::decode(&hex(key)).err(), Some(refusal), "{claim}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let mac = MacKey::new(HashAlgorithm::Sha256, &[7; 32]).expect("a key");
    assert_eq!(format!("{mac:?}"), "Key(HMAC sha-256)");
    let shown = format!("{:?}", Key::from_secret(key(SignatureAlgorithm::Es256, 0x5a)));
    assert!(
        shown.contains("Key(ES256)") && !shown.contains("5a5a5a") && !shown.contains("90, 90"),
        "{shown}"
    );
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn rsa_keys_are_written_and_read_back_and_are_no_others() {
    let rsa = |members: &[(i64, &[u8])], number: Option<(i64, i64)>| {
        let mut map = cbor::MapBuilder::new();
        map.int(1, |w| _ = w.int(3));
        if let Some((label, value)) = number {
            map.int(label, |w| _ = w.int(value));
        }
        for (label, bytes) in members {
            map.int(*label, |w| _ = w.bytes(bytes));
        }
        map.into_bytes()
    };
    let modulus = [0xff; 256];
    let (n, e) = ((-1, &modulus[..]), (-2, &[1, 0, 1][..]));
    let bytes = rsa(&[n, e], None);
    let key = decode_rsa_key(&bytes).expect("a key");
    assert_eq!((key.modulus(), key.exponent()), (&modulus[..], &[1, 0, 1][..]));
    assert_eq!(encode_rsa_key(&key), bytes);
    let longest = rsa(&[(-1, &[0xff; 512]), e], None);
    assert_eq!(encode_rsa_key(&decode_rsa_key(&longest).expect("a key")), longest);

    let missing = |label| Err(Error::Malformed(cbor::Error::new(0, cbor::Reason::MissingKey(label))));
    let rows: [(Vec<u8>, Result<(), Error>); 7] = [
        (rsa(&[e], None), missing(-1)),
        (rsa(&[n], None), missing(-2)),
        (rsa(&[(-1, &[0xff; 255]), e], None), Err(Distrust::BadKey.into())),
        (rsa(&[n, (-2, &[3])], None), Err(Distrust::BadKey.into())),
        // RS256 is an algorithm of COSE.
        (rsa(&[n, e], Some((3, -257))), Err(Feature::Algorithm(-257).into())),
        (hex(THUMBPRINT_KEY), Err(Feature::KeyType(2).into())),
        (
            rsa(&[n, (-2, &[0; 800])], None),
            Err(cbor::Error::new(0, cbor::Reason::TooLong { limit: MAX_KEY_LEN }).into()),
        ),
    ];
    for (bytes, expected) in rows {
        assert_eq!(decode_rsa_key(&bytes).map(drop), expected);
    }
    assert_eq!(Key::decode(&bytes).map(drop), Err(Feature::KeyType(3).into()));
}
