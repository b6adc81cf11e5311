use super::*;

/// (claim, protected bucket, unprotected bucket, refusal). The protected bucket's content begins at byte 3.
fn refusals() -> Vec<(&'static str, &'static str, &'static str, Error)> {
    use Distrust::AlgorithmNotProtected;
    vec![
        ("algorithm in the unprotected bucket", "", "a1 01 26", AlgorithmNotProtected.into()),
        ("the same beside an empty map", "a0", "a1 01 26", AlgorithmNotProtected.into()),
        ("no algorithm", "a1 03 00", "a0", AlgorithmNotProtected.into()),
        ("algorithm by name", "a1 01 65 4553323536", "a0", Feature::NamedAlgorithm.into()),
        ("algorithm of another type", "a1 01 f5", "a0", wrong_type(5, Type::Integer, Type::Bool)),
        ("label twice in the protected bucket", "a2 0126 0126", "a0", malformed(6, Reason::DuplicateKey)),
        (
            "label twice in the unprotected bucket",
            "a1 0126",
            "a2 044131 044132",
            malformed(10, Reason::DuplicateKey),
        ),
        (
            "label in both buckets",
            "a2 0126 044131",
            "a1 044131",
            broken(11, "header parameter is in both buckets"),
        ),
        ("algorithm in both buckets", "a1 0126", "a1 0126", broken(8, "header parameter is in both buckets")),
        (
            "unprotected list of critical labels",
            "a1 0126",
            "a1 028101",
            broken(8, "list of critical header parameters is not protected"),
        ),
        (
            "empty list of critical labels",
            "a2 0126 0280",
            "a0",
            broken(7, "list of critical header parameters is empty"),
        ),
        (
            "critical label that is absent",
            "a2 0126 0281182a",
            "a0",
            broken(8, "critical header parameter is not in the protected bucket"),
        ),
        (
            "critical label that is only unprotected",
            "a2 0126 028104",
            "a1 044131",
            broken(8, "critical header parameter is not in the protected bucket"),
        ),
        (
            "critical label nobody understands",
            "a3 0126 0281182a 182a00",
            "a0",
            Feature::CriticalHeader(42).into(),
        ),
        (
            "critical name nobody understands",
            "a3 0126 02816178 617800",
            "a0",
            Feature::NamedCriticalHeader.into(),
        ),
        (
            "critical labels that are no list",
            "a2 0126 0201",
            "a0",
            wrong_type(7, Type::Array, Type::Unsigned),
        ),
        (
            "label that is a byte string",
            "a2 0126 410000",
            "a0",
            broken(6, "header label is neither a number nor a text"),
        ),
        ("protected bucket that is no map", "820126", "a0", wrong_type(3, Type::Map, Type::Array)),
        ("bytes after the protected map", "a1012600", "a0", malformed(6, Reason::TrailingBytes)),
        ("unprotected bucket that is no map", "a1 0126", "80", wrong_type(6, Type::Map, Type::Array)),
        ("key identifier that is text", "a1 0126", "a1 046131", wrong_type(8, Type::Bytes, Type::Text)),
        (
            "content type that is a byte string",
            "a2 0126 034100",
            "a0",
            wrong_type(7, Type::Unsigned, Type::Bytes),
        ),
        ("empty certificate chain", "a1 0126", "a1 182180", broken(9, "certificate chain is empty")),
        (
            "certificate hash without its algorithm",
            "a1 0126",
            "a1 1822814100",
            broken(9, "array has another number of items than the format fixes"),
        ),
    ]
}

#[test]
fn refuses_what_breaks_a_header_rule() {
    let key = key(SignatureAlgorithm::Es256, 1);
    for (claim, protected, unprotected, refusal) in refusals() {
        let message = signed_with_buckets(&key, &hex(protected), &hex(unprotected));
        assert_eq!(Sign1::decode(&message).err(), Some(refusal), "{claim}");
    }
}

#[test]
fn accepts_headers_in_any_order_and_ignores_but_keeps_unknown_ones() {
    let key = key(SignatureAlgorithm::Es256, 1);
    for (protected, unprotected) in [
        ("a2 617800 0126", "a1 3903e7 00"),
        ("a2 6178 01 01 26", "a2 3903e7 00 044131"),
        ("a2 6178 02 01 28", "a1 3903e7 f6"),
        ("a3 0126 028101 617800", "a1 3903e7 00"),
        ("a4 0126 03183d 02820301 617800", "a1 3903e7 00"),
    ] {
        let message = signed_with_buckets(&key, &hex(protected), &hex(unprotected));
        let sign1 = Sign1::decode(&message).expect(protected);
        assert_eq!(sign1.verify(key.public_key(), None, &[]), Ok(()), "{protected}");
        assert!(sign1.headers().protected().get("x").is_some(), "{protected}");
        assert!(sign1.headers().get(-1000).is_some() && sign1.headers().protected().get(-1000).is_none());
        assert_eq!(sign1.protected_raw(), hex(protected));
    }
}

#[test]
fn accepts_a_critical_header_the_caller_understands() {
    let key = key(SignatureAlgorithm::Es256, 1);
    let message = Sign1Builder::new().critical(42, &[0x00]).sign(&key, PAYLOAD);
    assert_eq!(Sign1::decode(&message).err(), Some(Feature::CriticalHeader(42).into()));
    let sign1 = Sign1::decode_understanding(&message, &[42]).expect("understood");
    assert_eq!(sign1.verify(key.public_key(), None, &[]), Ok(()));
    assert_eq!(sign1.protected_raw(), hex("a3 0126 0281182a 182a00"));
}

#[test]
fn reads_what_the_builder_wrote() {
    let key = key(SignatureAlgorithm::Es256, 1);
    let message = Sign1Builder::new()
        .content_type("application/example+cbor")
        .kid(b"kid")
        .unprotected(labels::X5CHAIN, &hex("82 4101 420203"))
        .protected(labels::X5T, &hex("82 2f 4104"))
        .unprotected("name", &[0xf5])
        .sign(&key, PAYLOAD);
    let sign1 = Sign1::decode(&message).expect("well-formed");
    assert_eq!(sign1.alg(), -7);
    assert_eq!(sign1.content_type(), Some(ContentType::MediaType("application/example+cbor")));
    assert_eq!(sign1.kid(), Some(&b"kid"[..]));
    assert_eq!(sign1.headers().x5chain(), [&[1][..], &[2, 3]]);
    assert_eq!(sign1.headers().x5t(), Some((-16, &[4][..])));
    assert_eq!(sign1.headers().unprotected().get("name"), Some(&[0xf5][..]));
    assert_eq!(sign1.payload(), Some(PAYLOAD));

    let message = Sign1Builder::new().content_type(61).sign(&key, PAYLOAD);
    assert_eq!(Sign1::decode(&message).expect("well-formed").content_type(), Some(ContentType::Format(61)));
}

#[test]
fn a_label_given_for_both_buckets_lands_in_the_last_one() {
    let key = key(SignatureAlgorithm::Es256, 1);
    let message = Sign1Builder::new().kid(b"kid").protected(labels::KID, &hex("4131")).sign(&key, PAYLOAD);
    let sign1 = Sign1::decode(&message).expect("well-formed");
    assert_eq!(sign1.headers().protected().get(labels::KID), Some(&[0x41, 0x31][..]));
    assert!(sign1.headers().unprotected().is_empty());
}

#[test]
fn holds_its_limits_at_the_limit_and_one_past_it() {
    let key = key(SignatureAlgorithm::Es256, 1);
    let with_headers = |count: usize| {
        let unprotected = Writer::encode(|w| {
            w.map(count);
            for label in 0..count {
                w.int(100 + label as i64).null();
            }
        });
        signed_with_buckets(&key, &[0xa1, 0x01, 0x26], &unprotected)
    };
    assert!(Sign1::decode(&with_headers(MAX_HEADERS)).is_ok());
    let refused = malformed(6, Reason::TooLong { limit: MAX_HEADERS });
    assert_eq!(Sign1::decode(&with_headers(MAX_HEADERS + 1)).err(), Some(refused));

    let with_certificates = |count: usize| {
        let unprotected = Writer::encode(|w| {
            w.map(1).int(labels::X5CHAIN).array(count);
            for _ in 0..count {
                w.bytes(&[0]);
            }
        });
        signed_with_buckets(&key, &[0xa1, 0x01, 0x26], &unprotected)
    };
    assert!(Sign1::decode(&with_certificates(MAX_CERTIFICATES)).is_ok());
    let refused = malformed(9, Reason::TooLong { limit: MAX_CERTIFICATES });
    assert_eq!(Sign1::decode(&with_certificates(MAX_CERTIFICATES + 1)).err(), Some(refused));

    let empty = Sign1Builder::new().assemble(SignatureAlgorithm::Es256, Some(&[]), &[0; 64]);
    // Four more bytes for the length of a payload this long.
    let room = MAX_MESSAGE_LEN - empty.len() - 4;
    let with_payload =
        |len| Sign1Builder::new().assemble(SignatureAlgorithm::Es256, Some(&vec![0; len]), &[0; 64]);
    assert!(Sign1::decode(&with_payload(room)).is_ok());
    let refused = malformed(0, Reason::TooLong { limit: MAX_MESSAGE_LEN });
    assert_eq!(Sign1::decode(&with_payload(room + 1)).err(), Some(refused));
}

#[test]
fn refuses_messages_of_another_shape() {
    let signature = "40";
    for (claim, message, refusal) in [
        ("no tag", "84 43a10126 a0 40", wrong_type(0, Type::Tag, Type::Array)),
        ("tag of COSE_Mac0", "d1 84 43a10126 a0 40", broken(0, "another tag than that of the message")),
        (
            "tag of a CWT around it",
            "d83d d2 84 43a10126 a0 40",
            broken(0, "another tag than that of the message"),
        ),
        ("tag twice", "d2 d2 84 43a10126 a0 40", wrong_type(1, Type::Array, Type::Tag)),
        ("text for a payload", "d2 84 43a10126 a0 6131", wrong_type(7, Type::Bytes, Type::Text)),
        (
            "five items",
            "d2 85 43a10126 a0 40 40",
            broken(1, "array has another number of items than the format fixes"),
        ),
        ("indefinite array", "d2 9f 43a10126 a0 40", malformed(1, Reason::IndefiniteLength)),
        ("protected bucket not wrapped", "d2 84 a10126 a0 40", wrong_type(2, Type::Bytes, Type::Map)),
    ] {
        let message = [hex(message), hex(signature)].concat();
        assert_eq!(Sign1::decode(&message).err(), Some(refusal), "{claim}");
    }
    let good = hex("d2 84 43a10126 a0 40 40");
    assert!(Sign1::decode(&good).is_ok());
    assert!(Sign1::decode_untagged(&good[1..]).is_ok());
    assert_eq!(Sign1::decode_untagged(&good).err(), Some(wrong_type(0, Type::Array, Type::Tag)));
    let longer = [good.as_slice(), &[0]].concat();
    assert_eq!(Sign1::decode(&longer).err(), Some(malformed(good.len(), Reason::TrailingBytes)));
    for end in 0..good.len() {
        assert!(Sign1::decode(&good[..end]).is_err(), "cut at {end}");
    }
}
