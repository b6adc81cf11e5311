use alloc::{vec, vec::Vec};

use proptest::prelude::*;

use crate::{
    Error, Key, MAX_DEPTH, MapBuilder, Order, Reader, Reason, Type, Writer, diagnostic, normalize,
    normalize_definite,
};

/// Examples of RFC 8949, appendix A, that are deterministic: bytes and diagnostic notation.
const EXAMPLES: &[(&[u8], &str)] = &[
    (&[0x00], "0"),
    (&[0x17], "23"),
    (&[0x18, 0x18], "24"),
    (&[0x19, 0x03, 0xe8], "1000"),
    (&[0x1a, 0x00, 0x0f, 0x42, 0x40], "1000000"),
    (&[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "18446744073709551615"),
    (&[0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "-18446744073709551616"),
    (&[0x20], "-1"),
    (&[0x39, 0x03, 0xe7], "-1000"),
    (&[0xf9, 0x00, 0x00], "0.0"),
    (&[0xf9, 0x80, 0x00], "-0.0"),
    (&[0xf9, 0x3c, 0x00], "1.0"),
    (&[0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a], "1.1"),
    (&[0xf9, 0x7b, 0xff], "65504.0"),
    (&[0xfa, 0x47, 0xc3, 0x50, 0x00], "100000.0"),
    (&[0xf9, 0x00, 0x01], "5.960464477539063e-8"),
    (&[0xf9, 0x04, 0x00], "6.103515625e-5"),
    (&[0xf9, 0x7c, 0x00], "inf"),
    (&[0xf9, 0x7e, 0x00], "NaN"),
    (&[0xf4], "false"),
    (&[0xf5], "true"),
    (&[0xf6], "null"),
    (&[0xf7], "undefined"),
    (&[0xf0], "simple(16)"),
    (&[0xf8, 0xff], "simple(255)"),
    (&[0xc1, 0x1a, 0x51, 0x4b, 0x67, 0xb0], "1(1363896240)"),
    (&[0x44, 0x01, 0x02, 0x03, 0x04], "h'01020304'"),
    (&[0x62, 0x22, 0x5c], "\"\\\"\\\\\""),
    (&[0x62, 0xc3, 0xbc], "\"\u{fc}\""),
    (&[0x80], "[]"),
    (&[0x83, 0x01, 0x82, 0x02, 0x03, 0x82, 0x04, 0x05], "[1, [2, 3], [4, 5]]"),
    (&[0xa2, 0x61, 0x61, 0x01, 0x61, 0x62, 0x82, 0x02, 0x03], "{\"a\": 1, \"b\": [2, 3]}"),
];

#[test]
fn reads_and_prints_the_examples_of_the_specification() {
    for (bytes, notation) in EXAMPLES {
        assert_eq!(diagnostic(bytes).as_deref(), Ok(*notation), "{bytes:02x?}");
        assert_eq!(normalize(bytes, 64).as_deref(), Ok(*bytes), "{bytes:02x?}");
    }
}

/// One row per rule: the smallest input that breaks just that rule.
#[test]
fn refuses_each_broken_rule_at_its_offset() {
    let deep = vec![0x81; MAX_DEPTH + 2];
    let rows: Vec<(&[u8], usize, Reason)> = vec![
        (&[], 0, Reason::Truncated),
        (&[0x19, 0x01], 0, Reason::Truncated),
        (&[0x42, 0x01], 0, Reason::Truncated),
        (&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 0, Reason::Truncated),
        (&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 0, Reason::Truncated),
        (&[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 0, Reason::Truncated),
        (&[0x82, 0x01], 2, Reason::Truncated),
        (&[0x18, 0x17], 0, Reason::NotShortest),
        (&[0x19, 0x00, 0xff], 0, Reason::NotShortest),
        (&[0x1a, 0x00, 0x00, 0xff, 0xff], 0, Reason::NotShortest),
        (&[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], 0, Reason::NotShortest),
        (&[0x58, 0x01, 0x00], 0, Reason::NotShortest),
        (&[0xfa, 0x3f, 0x80, 0x00, 0x00], 0, Reason::NotShortest),
        (&[0xf8, 0x14], 0, Reason::NotShortest),
        (&[0x9f, 0xff], 0, Reason::IndefiniteLength),
        (&[0x5f, 0xff], 0, Reason::IndefiniteLength),
        (&[0xff], 0, Reason::IndefiniteLength),
        (&[0x1c], 0, Reason::ReservedHead),
        (&[0x1f], 0, Reason::ReservedHead),
        (&[0x61, 0xff], 0, Reason::NotUtf8),
        (&[0xa2, 0x01, 0x00, 0x01, 0x00], 3, Reason::DuplicateKey),
        (&[0xa2, 0x02, 0x00, 0x01, 0x00], 3, Reason::KeyOrder),
        (&[0xa2, 0x62, 0x61, 0x61, 0x00, 0x61, 0x62, 0x00], 5, Reason::KeyOrder),
        (&[0x81, 0xa2, 0x02, 0x00, 0x01, 0x00], 4, Reason::KeyOrder),
        (&deep, MAX_DEPTH, Reason::TooDeep),
    ];
    for (bytes, at, reason) in rows {
        assert_eq!(Reader::new(bytes).skip(), Err(Error::new(at, reason)), "{bytes:02x?}");
    }
}

#[test]
fn accepts_nesting_at_the_limit() {
    let mut bytes = vec![0x81; MAX_DEPTH];
    bytes.push(0x00);
    assert_eq!(Reader::new(&bytes).raw(), Ok(bytes.as_slice()));
    assert_eq!(normalize(&bytes, bytes.len()).as_deref(), Ok(bytes.as_slice()));
    bytes.insert(0, 0x81);
    assert_eq!(normalize(&bytes, bytes.len()), Err(Error::new(MAX_DEPTH, Reason::TooDeep)));
}

#[test]
fn refuses_bytes_after_the_last_item() {
    let mut reader = Reader::new(&[0x01, 0x02]);
    assert_eq!(reader.uint(), Ok(1));
    assert_eq!(reader.end(), Err(Error::new(1, Reason::TrailingBytes)));
}

#[test]
fn names_the_expected_and_the_found_type() {
    let found = |expected, found| Err(Error::new(0, Reason::WrongType { expected, found }));
    assert_eq!(Reader::new(&[0x61, 0x61]).bytes(), found(Type::Bytes, Type::Text));
    assert_eq!(
        Reader::new(&[0x40]).int(),
        Err(Error::new(0, Reason::WrongType { expected: Type::Integer, found: Type::Bytes }))
    );
    assert_eq!(Reader::new(&[0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0]).int(), Err(Error::new(0, Reason::OutOfRange)));
    assert_eq!(Reader::new(&[0x19, 0x01, 0x00]).uint_as::<u8>(), Err(Error::new(0, Reason::OutOfRange)));
}

#[test]
fn a_failed_read_does_not_move_the_reader() {
    let mut reader = Reader::new(&[0x82, 0x01, 0x02]);
    assert!(reader.array_of(3).is_err());
    assert_eq!(reader.position(), 0);
    assert!(reader.text().is_err());
    assert_eq!(reader.array(), Ok(2));
}

#[test]
fn offsets_inside_a_wrapped_item_point_into_the_whole() {
    let bytes = Writer::encode(|w| {
        w.array(2).uint(7).wrap(|w| {
            w.array(1).text("x");
        });
    });
    let mut reader = Reader::new(&bytes);
    reader.array_of(2).unwrap();
    reader.uint().unwrap();
    let mut inner = reader.wrapped().unwrap();
    inner.array_of(1).unwrap();
    assert_eq!(
        inner.uint(),
        Err(Error::new(4, Reason::WrongType { expected: Type::Unsigned, found: Type::Text }))
    );
}

#[test]
fn unique_order_accepts_unsorted_keys_and_refuses_duplicates() {
    let unsorted = [0xa2, 0x02, 0x00, 0x01, 0x00];
    assert!(Reader::with_order(&unsorted, Order::Unique).skip().is_ok());
    let twice = [0xa3, 0x02, 0x00, 0x01, 0x00, 0x02, 0x00];
    let expected = Err(Error::new(5, Reason::DuplicateKey));
    assert_eq!(Reader::with_order(&twice, Order::Unique).skip(), expected);
    let mut reader = Reader::with_order(&twice, Order::Unique);
    let mut map = reader.map().unwrap();
    let outcome = loop {
        match map.next(&mut reader) {
            Ok(Some(_)) => reader.skip().unwrap(),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    assert_eq!(outcome, expected);
}

#[test]
fn map_builder_sorts_bytewise_by_encoded_key() {
    // The order RFC 8949, section 4.2.1 gives: 10, 100, -1, "z", "aa", [100], false.
    let mut map = MapBuilder::new();
    for key in ["aa", "z"] {
        map.text(key, |w| {
            w.null();
        });
    }
    for key in [-1, 100, 10] {
        map.int(key, |w| {
            w.null();
        });
    }
    map.entry(vec![0xf4], |w| {
        w.null();
    });
    map.entry(vec![0x81, 0x18, 0x64], |w| {
        w.null();
    });
    let bytes = map.into_bytes();
    assert_eq!(
        diagnostic(&bytes).unwrap(),
        "{10: null, 100: null, -1: null, \"z\": null, \"aa\": null, [100]: null, false: null}"
    );
    let mut reader = Reader::new(&bytes);
    let mut map = reader.map().unwrap();
    assert_eq!(map.next(&mut reader), Ok(Some(Key::Int(10))));
}

#[test]
fn normalize_reads_what_the_field_writes() {
    let rows: &[(&[u8], &[u8])] = &[
        (&[0x18, 0x01], &[0x01]),
        (&[0x9f, 0x01, 0x18, 0x02, 0xff], &[0x82, 0x01, 0x02]),
        (&[0x5f, 0x41, 0x01, 0x42, 0x02, 0x03, 0xff], &[0x43, 0x01, 0x02, 0x03]),
        (&[0xbf, 0x02, 0x00, 0x01, 0x00, 0xff], &[0xa2, 0x01, 0x00, 0x02, 0x00]),
        (&[0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0], &[0xf9, 0x3c, 0x00]),
    ];
    for (input, output) in rows {
        assert_eq!(normalize(input, 64).as_deref(), Ok(*output), "{input:02x?}");
    }
    let refused: &[(&[u8], usize, Reason)] = &[
        (&[0xbf, 0x01, 0x00, 0x18, 0x01, 0x00, 0xff], 3, Reason::DuplicateKey),
        (&[0x9f, 0x01], 2, Reason::Truncated),
        (&[0x5f, 0x61, 0x61, 0xff], 1, Reason::ReservedHead),
        (&[0x5f, 0x5f, 0xff, 0xff], 1, Reason::ReservedHead),
        (&[0x01, 0x02], 1, Reason::TrailingBytes),
        (&[0xff], 0, Reason::ReservedHead),
        (&[0x81, 0xff], 1, Reason::ReservedHead),
    ];
    for (input, at, reason) in refused {
        assert_eq!(normalize(input, 64), Err(Error::new(*at, *reason)), "{input:02x?}");
    }
    assert_eq!(normalize(&[0x00, 0x00], 1), Err(Error::new(0, Reason::TooLong { limit: 1 })));
}

#[test]
fn definite_formats_take_any_head_and_no_open_length() {
    assert_eq!(
        normalize_definite(&[0xb8, 0x01, 0x18, 0x01, 0x40], 64).as_deref(),
        Ok([0xa1, 0x01, 0x40].as_slice())
    );
    let refused: [(&[u8], usize); 5] = [
        (&[0x9f, 0xff], 0),
        (&[0xbf, 0xff], 0),
        (&[0x5f, 0xff], 0),
        (&[0x7f, 0xff], 0),
        (&[0x81, 0xa1, 0x01, 0x9f, 0xff], 3),
    ];
    for (input, at) in refused {
        assert_eq!(
            normalize_definite(input, 64),
            Err(Error::new(at, Reason::IndefiniteLength)),
            "{input:02x?}"
        );
    }
    assert_eq!(normalize_definite(&[0xff], 64), Err(Error::new(0, Reason::ReservedHead)));
}

#[test]
fn many_keys_in_the_worst_order_are_sorted_once() {
    let count: u32 = 200_000;
    let mut bytes = Writer::encode(|w| {
        w.map(count as usize);
    });
    for key in (0..count).rev() {
        bytes.extend(Writer::encode(|w| {
            w.uint(u64::from(key)).null();
        }));
    }
    let normal = normalize(&bytes, bytes.len()).unwrap();
    assert_eq!(Reader::new(&normal).skip(), Ok(()));
}

#[test]
fn hostile_lengths_and_depths_are_refused_without_reading_far() {
    let brackets = vec![0x9f; 1 << 20];
    assert!(normalize(&brackets, 1 << 21).is_err());
    assert!(Reader::new(&vec![0x81; 1 << 20]).skip().is_err());
    assert!(Reader::new(&vec![0xa1; 1 << 20]).skip().is_err());
}

proptest! {
    #[test]
    fn no_input_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = Reader::new(&bytes).skip();
        let _ = Reader::with_order(&bytes, Order::Unique).skip();
        let _ = diagnostic(&bytes);
        let _ = normalize(&bytes, 1 << 16);
    }

    #[test]
    fn what_normalizes_is_strict_afterwards(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
        if let Ok(normal) = normalize(&bytes, 64) {
            let mut reader = Reader::new(&normal);
            prop_assert_eq!(reader.skip(), Ok(()));
            prop_assert_eq!(reader.end(), Ok(()));
            prop_assert_eq!(normalize(&normal, 64), Ok(normal.clone()));
        }
    }

    #[test]
    fn integers_and_floats_round_trip(value in any::<i64>(), float in any::<f64>()) {
        let bytes = Writer::encode(|w| { w.int(value).float(float); });
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.int(), Ok(value));
        let back = reader.float().unwrap();
        prop_assert!(back.to_bits() == float.to_bits() || (back.is_nan() && float.is_nan()));
    }
}
