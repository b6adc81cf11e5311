use std::collections::BTreeMap;

use cbor::{Reason, Writer};
use cose::{Distrust as CoseDistrust, Sign1Builder};

use super::{distrust, key};
use crate::*;

fn decode(write: impl FnOnce(&mut Writer)) -> Result<Cmw, Error> {
    Cmw::decode(&Writer::encode(write))
}

#[test]
fn wrappers_survive_a_round_trip_in_both_forms() {
    let record = CmwRecord::new("application/eat+jwt", b"a.b.c".as_slice()).unwrap();
    let with_use = record.clone().with_indicator(CmwIndicator::EVIDENCE);
    let number = CmwRecord { kind: CmwType::ContentFormat(263), ..with_use.clone() };
    let inner = CmwCollection {
        kind: None,
        entries: BTreeMap::from([(CmwKey::Text("x".into()), with_use.clone().into())]),
    };
    let collection = CmwCollection {
        kind: Some("tag:example.com,2026:all".into()),
        entries: BTreeMap::from([
            (CmwKey::Text("a".into()), record.clone().into()),
            (CmwKey::Text("b".into()), number.clone().into()),
            (CmwKey::Text("c".into()), inner.into()),
        ]),
    };
    for wrapper in [record.into(), with_use.into(), number.into(), Cmw::from(collection)] {
        assert_eq!(Cmw::decode(&wrapper.encode()), Ok(wrapper.clone()));
        assert_eq!(Cmw::decode(wrapper.encode_json().unwrap().as_bytes()), Ok(wrapper));
    }
    let tagged =
        CmwRecord { kind: CmwType::ContentFormat(263), value: vec![1], indicator: None, tagged: true };
    let bytes = Cmw::from(tagged.clone()).encode();
    assert_eq!(bytes[..5], [0xda, 0x63, 0x74, 0x02, 0x09], "1668547081 stands for 263");
    assert_eq!(Cmw::decode(&bytes), Ok(tagged.into()));
    let numbered = CmwCollection {
        kind: None,
        entries: BTreeMap::from([(CmwKey::Int(-1), Cmw::decode(&bytes).unwrap())]),
    };
    let numbered = Cmw::from(numbered);
    assert_eq!(Cmw::decode(&numbered.encode()), Ok(numbered.clone()));
    assert_eq!(numbered.encode_json(), Err(Error::Unsignable("an entry under a number has no form in JSON")));
    assert_eq!(numbered.records().len(), 1);
}

#[test]
fn every_content_format_has_one_tag() {
    for (format, tag) in
        [(0u16, 1_668_546_817u64), (254, 1_668_547_071), (255, 1_668_547_073), (65024, 1_668_612_095)]
    {
        let wrapper = decode(|w| _ = w.tag(tag).bytes(&[])).unwrap();
        let [(_, record)] = wrapper.records()[..] else { panic!("one record") };
        assert_eq!(record.kind, CmwType::ContentFormat(format));
        assert_eq!(wrapper.encode(), Writer::encode(|w| _ = w.tag(tag).bytes(&[])));
    }
    let none = Err(cbor::Error::rule(0, "tag of no content format").into());
    for tag in [18, 1_668_546_816, 1_668_547_072, 1_668_612_096, u64::MAX] {
        assert_eq!(decode(|w| _ = w.tag(tag).bytes(&[])), none, "{tag}");
    }
}

#[test]
fn types_are_compared_by_what_they_mean() {
    let kind = |text: &str| CmwRecord::new(text, []).unwrap().kind;
    assert_eq!(kind("application/EAT+CWT"), CmwType::ContentFormat(263));
    assert_eq!(
        kind("application/eat+cwt;eat_profile=\"tag:psacertified.org,2023:psa#tfm\""),
        CmwType::ContentFormat(10003)
    );
    assert_ne!(kind("application/eat+cwt"), CmwType::ContentFormat(10003));
    assert_ne!(CmwType::ContentFormat(65000), kind("application/x"));
}

#[test]
fn refuses_wrappers_that_break_one_rule() {
    let rule = |at, rule| Err(cbor::Error::rule(at, rule).into());
    let parts = "record is not of a type, a value and an indicator";
    assert_eq!(decode(|w| _ = w.array(1).uint(1)), rule(0, parts));
    assert_eq!(decode(|w| _ = w.array(4).uint(1).bytes(&[]).uint(1).uint(1)), rule(0, parts));
    for bits in [0, 32] {
        let at = Err(cbor::Error::new(3, Reason::OutOfRange).into());
        assert_eq!(decode(|w| _ = w.array(3).uint(1).bytes(&[]).uint(bits)), at);
    }
    assert!(decode(|w| _ = w.array(3).uint(1).bytes(&[]).uint(31)).is_ok());
    assert_eq!(
        decode(|w| _ = w.array(2).uint(65536).bytes(&[])),
        Err(cbor::Error::new(1, Reason::OutOfRange).into())
    );
    assert!(matches!(decode(|w| _ = w.array(2).text("x").bytes(&[])), Err(Error::MalformedJson(_))));
    assert_eq!(decode(|w| _ = w.map(0)), rule(0, "collection is empty"));
    let kind = "type of the collection is neither URI nor OID";
    assert_eq!(decode(|w| _ = w.map(1).text("__cmwc_t").text("tag:x")), rule(0, "collection is empty"));
    for text in ["x", "1x:y", "a:"] {
        assert_eq!(decode(|w| _ = w.map(1).text("__cmwc_t").text(text)), rule(10, kind));
    }
    assert_eq!(decode(|w| _ = w.map(1).bool(true).uint(0)), rule(1, "map key is neither integer nor text"));
    assert_eq!(decode(|w| _ = w.uint(0)), rule(0, "expected a record, a tag or a collection"));
    let trailing = Cmw::decode(&[0x82, 0x01, 0x40, 0x00]);
    assert_eq!(trailing, Err(cbor::Error::new(3, Reason::TrailingBytes).into()));
    let nested = |depth: usize| {
        decode(|w| {
            (0..depth).for_each(|_| _ = w.map(1).int(1));
            w.array(2).uint(1).bytes(&[]);
        })
    };
    assert!(nested(MAX_CMW_DEPTH).is_ok());
    assert_eq!(nested(MAX_CMW_DEPTH + 1), Err(cbor::Error::new(8, Reason::TooDeep).into()));
    let wide = |count: usize| {
        decode(|w| {
            w.map(count);
            (0..count as i64).for_each(|n| _ = w.int(n).array(2).uint(1).bytes(&[]));
        })
    };
    assert!(wide(MAX_CMW_ENTRIES).is_ok());
    assert_eq!(
        wide(MAX_CMW_ENTRIES + 1),
        Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_CMW_ENTRIES }).into())
    );
    let long = Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_CMW_LEN }).into());
    assert_eq!(Cmw::decode(&vec![b'['; MAX_CMW_LEN + 1]), long);
    let rows = [
        ("[1]", parts),
        (r#"[1,"",0]"#, "indicator is not of 1 to 31"),
        (r#"[1,"",32]"#, "indicator is not of 1 to 31"),
        (r#"[-1,""]"#, "type is neither a media type nor a content format"),
        (r#"[1,"="]"#, "expected base64url without padding"),
        ("{}", "collection is empty"),
        (r#"{"__cmwc_t":"tag:x"}"#, "collection is empty"),
        (r#"{"__cmwc_t":1}"#, kind),
        (r#"{"a":1}"#, "expected a record or a collection"),
        (r#"{"a":{"a":{"a":{"a":{"a":[1,""]}}}}}"#, "nesting is too deep"),
    ];
    for (text, rule) in rows {
        match Cmw::decode(text.as_bytes()) {
            Err(Error::MalformedJson(error)) => assert_eq!(error.rule, rule, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    for der in [[].as_slice(), &[0x04], &[0x04, 0x01], &[0x05, 0x00], &[0x04, 0x80], &[0x04, 0x00, 0x00]] {
        assert!(Cmw::decode_extension(der).is_err(), "{der:?}");
    }
}

#[test]
fn a_signature_covers_the_content_type() {
    let wrapper = Cmw::from(CmwRecord::new("application/eat+cwt", [1]).unwrap());
    let signed = wrapper.sign(&key(1), b"kid").unwrap();
    let decoded = SignedCmw::decode(&signed).unwrap();
    assert_eq!((decoded.kid(), decoded.unverified()), (Some(b"kid".as_slice()), &wrapper));
    assert_eq!(decoded.clone().verify(key(2).public_key()), Err(distrust(CoseDistrust::BadSignature)));
    assert_eq!(decoded.verify(key(1).public_key()).unwrap().cmw(), &wrapper);
    let plain = Sign1Builder::new().sign(&key(1), &wrapper.encode());
    assert_eq!(SignedCmw::decode(&plain), Err(Distrust::ContentType.into()));
    let other = Sign1Builder::new().content_type("application/eat+cwt").sign(&key(1), &wrapper.encode());
    assert_eq!(SignedCmw::decode(&other), Err(Distrust::ContentType.into()));
    let jws = |header: &str| {
        let encode = |text: &str| base64url::encode(text.as_bytes());
        let text = format!("{}.{}", encode(header), encode(&wrapper.encode_json().unwrap()));
        let signature = key(1).sign(text.as_bytes());
        format!("{text}.{}", base64url::encode(&signature))
    };
    for cty in ["application/cmw+json", "cmw+json"] {
        let text = jws(&format!(r#"{{"alg":"ES256","cty":"{cty}"}}"#));
        assert_eq!(
            SignedCmw::decode(text.as_bytes()).unwrap().verify(key(1).public_key()).unwrap().cmw(),
            &wrapper
        );
    }
    let text = jws(r#"{"alg":"ES256"}"#);
    assert_eq!(SignedCmw::decode(text.as_bytes()), Err(Distrust::ContentType.into()));
}
