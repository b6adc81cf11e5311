use cbor::{Error as Cbor, Reason, Writer};
use crypto::{Digest, HashAlgorithm};

use crate::{
    Category, JsonError, MeasuredComponent, Measurement, Tier, TrustVector, VersionScheme, VersionText,
    base64url, json::Value,
};

#[test]
fn base64url_goes_both_ways() {
    let rows: [(&[u8], &str); 6] = [
        (b"", ""),
        (b"f", "Zg"),
        (b"fo", "Zm8"),
        (b"foo", "Zm9v"),
        (b"foob", "Zm9vYg"),
        (&[0xfb, 0xff, 0xbf], "-_-_"),
    ];
    for (bytes, text) in rows {
        assert_eq!(base64url::encode(bytes), text);
        assert_eq!(base64url::decode(text).as_deref(), Some(bytes));
    }
}

#[test]
fn base64url_refuses_padding_foreign_characters_and_loose_bits() {
    for text in ["Zg==", "Zm9v\n", "Zm+v", "Zm/v", "Z", "Zm9vY", "Zh", "Zm9"] {
        assert_eq!(base64url::decode(text), None, "{text}");
    }
}

#[test]
fn json_goes_both_ways() {
    for text in
        ["null", "true", "[]", "{}", r#"{"a":[1,-2,3.5e+7,false],"b":{"c":"d"}}"#, r#""\"\\\u001f / é 😀""#]
    {
        let mut out = String::new();
        Value::parse(text.as_bytes()).unwrap().write(&mut out);
        assert_eq!(out, text);
    }
    let escapes = Value::parse(br#" "\u0041\n\t\/\ud83d\ude00" "#).unwrap();
    assert_eq!(escapes.as_text(), Some("A\n\t/😀"));
}

#[test]
fn json_refuses_what_rfc_8259_forbids_and_duplicate_members() {
    let rows: [(&[u8], usize, &str); 18] = [
        (b"", 0, "expected a value"),
        (b"nul", 0, "expected a value"),
        (b"1 2", 2, "characters follow the value"),
        (b"01", 1, "characters follow the value"),
        (b"-", 1, "expected a digit"),
        (b"1.", 2, "expected a digit"),
        (b"1e", 2, "expected a digit"),
        (b"+1", 0, "expected a value"),
        (b"[1,]", 3, "expected a value"),
        (b"[1 2]", 3, "expected a comma or the end of the array"),
        (b"{\"a\":1,}", 7, "expected a member name"),
        (b"{\"a\" 1}", 5, "expected a colon"),
        (b"{\"a\":1 \"b\":2}", 7, "expected a comma or the end of the object"),
        (b"{\"a\":1,\"\\u0061\":2}", 7, "member occurs twice"),
        (b"\"a", 2, "text does not end"),
        (b"\"\n\"", 1, "control character in text"),
        (b"\"\\ud800x\"", 1, "escape is not valid"),
        (b"\"\xff\"", 1, "text is not UTF-8"),
    ];
    for (input, at, rule) in rows {
        assert_eq!(Value::parse(input), Err(JsonError::at(at, rule)), "{}", String::from_utf8_lossy(input));
    }
}

#[test]
fn json_nests_until_the_limit_and_no_further() {
    let nested =
        |depth: usize| Value::parse(format!("{}{}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
    assert!(nested(16).is_ok());
    assert_eq!(nested(17), Err(JsonError::at(16, "nesting is too deep")));
}

#[test]
fn json_objects_hold_members_up_to_the_limit_and_no_further() {
    let object = |count: usize| {
        let members: Vec<String> = (0..count).map(|n| format!("\"{n}\":0")).collect();
        Value::parse(format!("{{{}}}", members.join(",")).as_bytes())
    };
    assert!(object(1024).is_ok());
    assert!(matches!(object(1025), Err(JsonError { rule: "object has too many members", .. })));
}

#[test]
fn tiers_follow_the_tables_at_every_edge() {
    let rows = [
        (i8::MIN, -97, Tier::Contraindicated),
        (-96, -33, Tier::Warning),
        (-32, -2, Tier::Affirming),
        (-1, 1, Tier::None),
        (2, 31, Tier::Affirming),
        (32, 95, Tier::Warning),
        (96, i8::MAX, Tier::Contraindicated),
    ];
    for (from, to, tier) in rows {
        assert_eq!((Tier::of(from), Tier::of(to)), (tier, tier));
    }
    for tier in Tier::ALL {
        assert_eq!(Tier::from_number(tier.number()), Some(tier));
        assert_eq!(Tier::from_name(tier.name()), Some(tier));
    }
    assert_eq!(Tier::from_number(1), None);
}

#[test]
fn named_values_have_the_tier_their_table_puts_them_in() {
    for category in Category::ALL {
        let named: Vec<i8> = (i8::MIN..=i8::MAX).filter(|value| category.meaning(*value).is_some()).collect();
        assert!(named.contains(&2) && named.contains(&96) || category == Category::InstanceIdentity);
        for value in named {
            let tier = match value {
                -1..=1 => Tier::None,
                2 | 3 => Tier::Affirming,
                32 | 33 | 36 => Tier::Warning,
                _ => Tier::Contraindicated,
            };
            assert_eq!(Tier::of(value), tier, "{category} {value}");
        }
    }
}

#[test]
fn a_vector_is_as_bad_as_its_worst_claim_and_nothing_is_not_affirming() {
    let vector = |values: &[(Category, i8)]| {
        values
            .iter()
            .fold(TrustVector::new(), |vector, (category, value)| vector.with(*category, *value))
            .tier()
    };
    assert_eq!(vector(&[]), Tier::None);
    assert_eq!(vector(&[(Category::Hardware, 1), (Category::Executables, -1)]), Tier::None);
    assert_eq!(vector(&[(Category::Hardware, 2)]), Tier::Affirming);
    assert_eq!(vector(&[(Category::Hardware, 2), (Category::Executables, 33)]), Tier::Warning);
    assert_eq!(vector(&[(Category::Hardware, -97), (Category::Executables, 33)]), Tier::Contraindicated);
    assert_eq!(TrustVector::VALIDATION_FAILED.tier(), Tier::Contraindicated);
}

#[test]
fn the_graver_claim_stays_whatever_the_order() {
    let rows =
        [(0, 2, 2), (2, 3, 3), (2, 33, 33), (33, 96, 96), (-100, 96, 96), (-2, 2, 2), (0, 1, 1), (1, 2, 2)];
    for (one, other, kept) in rows {
        for (first, second) in [(one, other), (other, one)] {
            let mut vector = TrustVector::new();
            vector.add(Category::Executables, first);
            vector.add(Category::Executables, second);
            assert_eq!(vector.get(Category::Executables), kept, "{first} and {second}");
        }
    }
}

#[test]
fn a_whole_is_affirming_only_if_every_part_is() {
    use Tier::{Affirming, Contraindicated, None, Warning};
    assert_eq!(Tier::of_parts([]), None);
    assert_eq!(Tier::of_parts([Affirming, Affirming]), Affirming);
    assert_eq!(Tier::of_parts([Affirming, None]), None);
    assert_eq!(Tier::of_parts([Warning, None]), Warning);
    assert_eq!(Tier::of_parts([Warning, Contraindicated, Affirming]), Contraindicated);
}

#[test]
fn a_stated_tier_is_covered_unless_it_is_better() {
    use Tier::{Affirming, Contraindicated, None, Warning};
    let covered = [
        (None, None),
        (None, Affirming),
        (Affirming, Affirming),
        (Warning, None),
        (Warning, Affirming),
        (Warning, Warning),
        (Contraindicated, None),
        (Contraindicated, Affirming),
        (Contraindicated, Warning),
        (Contraindicated, Contraindicated),
    ];
    for stated in Tier::ALL {
        for computed in Tier::ALL {
            assert_eq!(
                stated.is_covered_by(computed),
                covered.contains(&(stated, computed)),
                "{stated} {computed}"
            );
        }
    }
}

#[test]
fn measured_components_go_both_ways() {
    let component = MeasuredComponent {
        name: "boot".into(),
        version: Some(VersionText { text: "1.2".into(), scheme: Some(VersionScheme::Int(1)) }),
        measurement: Measurement::Digest(Digest::of(HashAlgorithm::Sha384, b"x")),
        authorities: vec![vec![1; 32]],
        flags: Some([0, 0, 0, 0, 0, 0, 1, 1]),
    };
    assert_eq!(MeasuredComponent::decode(&component.encode()).unwrap(), component);
    let raw = MeasuredComponent {
        version: None,
        measurement: Measurement::Raw(vec![1, 2]),
        authorities: vec![],
        flags: None,
        ..component
    };
    assert_eq!(MeasuredComponent::decode(&raw.encode()).unwrap(), raw);
}

#[test]
fn refuses_measured_components_that_break_one_rule() {
    type Write = fn(&mut Writer);
    let rows: [(Write, Reason); 9] = [
        (|w| _ = w.map(1).int(5).bytes(b"x"), Reason::MissingKey(1)),
        (|w| _ = w.map(1).int(1).array(1).text("x"), Reason::MissingKey(2)),
        (|w| _ = w.map(2).int(1).array(1).text("").int(5).bytes(b"x"), Reason::Rule("component has no name")),
        (
            |w| _ = w.map(2).int(1).array(0).int(5).bytes(b"x"),
            Reason::Rule("component id is not an array of a name and a version"),
        ),
        (
            |w| {
                _ = w
                    .map(3)
                    .int(1)
                    .array(1)
                    .text("x")
                    .int(2)
                    .array(2)
                    .int(1)
                    .bytes(&[0; 32])
                    .int(5)
                    .bytes(b"x")
            },
            Reason::Rule("component has a digest and a raw measurement"),
        ),
        (
            |w| _ = w.map(2).int(1).array(1).text("x").int(2).array(2).int(1).bytes(&[0; 31]),
            Reason::Rule("digest has another length than its algorithm"),
        ),
        (
            |w| _ = w.map(2).int(1).array(1).text("x").int(2).array(2).int(6).bytes(&[0; 4]),
            Reason::Rule("hash algorithm is not supported"),
        ),
        (
            |w| _ = w.map(2).int(1).array(1).text("x").int(4).bytes(&[0; 7]),
            Reason::Rule("byte string has another length than the format fixes"),
        ),
        (|w| _ = w.map(1).int(6).int(0), Reason::Unknown(6)),
    ];
    for (row, (write, reason)) in rows.into_iter().enumerate() {
        let error = MeasuredComponent::decode(&Writer::encode(write)).unwrap_err();
        assert_eq!(error.reason, reason, "row {row}");
    }
    assert_eq!(MeasuredComponent::decode(&[]), Err(Cbor::new(0, Reason::Truncated)));
}
