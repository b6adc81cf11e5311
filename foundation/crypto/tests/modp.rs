//! Diffie-Hellman modulo a prime, held against powers computed in another language.
//!
//! `cargo test -p sextant-crypto --features modp`

#![cfg(feature = "modp")]

use std::path::Path;

use sextant_crypto::{Error, ModpGroup, ModpKey};
use testkit::hex;

/// Group and its prime, exponents of both sides, their public values, and what they share.
struct Row {
    group: ModpGroup,
    prime: Vec<u8>,
    exponents: [Vec<u8>; 2],
    publics: [Vec<u8>; 2],
    shared: Vec<u8>,
}

fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/modp.json");
    let rows: serde_json::Value = serde_json::from_slice(&std::fs::read(path).expect("rows")).expect("JSON");
    let read = |row: &serde_json::Value| {
        let text = |value: &serde_json::Value| hex(value.as_str().expect("digits"));
        let pair = |name: &str| [0, 1].map(|side| text(&row[name][side]));
        let number = row["group"].as_u64();
        let group = ModpGroup::ALL.into_iter().find(|group| Some(u64::from(group.number())) == number);
        Row {
            group: group.expect("known"),
            prime: text(&row["prime"]),
            exponents: pair("exponents"),
            publics: pair("publics"),
            shared: text(&row["shared"]),
        }
    };
    rows.as_array().expect("rows").iter().map(read).collect()
}

#[test]
fn two_sides_agree_on_what_another_implementation_computes() {
    let rows = rows();
    assert_eq!(rows.len(), 6);
    for group in ModpGroup::ALL {
        let of_group = || rows.iter().filter(|row| row.group == group);
        assert!(of_group().any(|row| row.shared[0] == 0), "a shared secret with a leading zero");
        assert!(of_group().any(|row| row.publics[0][0] == 0), "a public value with a leading zero");
    }
    for row in &rows {
        let keys = row.exponents.each_ref().map(|exponent| ModpKey::from_bytes(row.group, exponent));
        let keys = keys.map(|key| key.expect("an exponent"));
        assert_eq!(row.shared.len(), row.group.width());
        for (own, other) in [(0, 1), (1, 0)] {
            assert_eq!(keys[own].public_value(), row.publics[own]);
            let shared = keys[own].agree(&row.publics[other]).expect("agrees");
            assert_eq!(*shared, row.shared);
            let zeros = row.publics[other].iter().take_while(|byte| **byte == 0).count();
            assert_eq!(*keys[own].agree(&row.publics[other][zeros..]).expect("without zeros"), row.shared);
            let more = [&[0; 3], row.publics[other].as_slice()].concat();
            assert_eq!(*keys[own].agree(&more).expect("more zeros"), row.shared);
        }
    }
}

#[test]
fn generated_keys_agree_and_have_the_length_asked_for() {
    let mut next = 0u8;
    let mut fill = |out: &mut [u8]| {
        out.iter_mut().for_each(|byte| {
            next = next.wrapping_mul(167).wrapping_add(13);
            *byte = next;
        });
        next = next.wrapping_add(1);
    };
    for (group, bits) in [(ModpGroup::Modp2048, 256), (ModpGroup::Modp3072, 768), (ModpGroup::Modp2048, 2040)]
    {
        let keys = [(); 2].map(|()| ModpKey::generate(group, bits, &mut fill).expect("a key"));
        assert_ne!(keys[0].public_value(), keys[1].public_value());
        assert_eq!(8 * keys[0].secret_bytes().len(), bits);
        let shared = [(0, 1), (1, 0)]
            .map(|(own, other): (usize, usize)| keys[own].agree(keys[other].public_value()).expect("agrees"));
        assert_eq!(shared[0], shared[1]);
        assert_eq!((shared[0].len(), keys[0].public_value().len()), (group.width(), group.width()));
        assert_eq!(format!("{:?}", keys[0]), format!("Key(Diffie-Hellman group {})", group.number()));
    }
}

#[test]
fn refuses_values_that_give_the_secret_away() {
    for Row { group, prime, .. } in rows() {
        let key = ModpKey::from_bytes(group, &[7; 32]).expect("a key");
        let refused = |value: &[u8]| assert_eq!(key.agree(value).err(), Some(Error::MalformedKey));
        let prime_less = |less: u8| {
            let mut value = prime.clone();
            value[group.width() - 1] -= less;
            value
        };
        refused(&[]);
        refused(&[0]);
        refused(&[1]);
        refused(&vec![0; group.width()]);
        refused(&prime_less(1));
        refused(&prime);
        refused(&vec![0xff; group.width()]);
        refused(&[&[1], &vec![0; group.width()][..]].concat());
        assert_eq!(*key.agree(&[2]).expect("in range"), key.public_value());
        // The exponent is odd, so that what -2 gives and what 2 gives add up to the prime.
        let mut sum = key.agree(&prime_less(2)).expect("in range").to_vec();
        let mut carry = 0;
        for (byte, other) in sum.iter_mut().zip(key.public_value()).rev() {
            let added = u16::from(*byte) + u16::from(*other) + carry;
            (*byte, carry) = (added as u8, added >> 8);
        }
        assert_eq!((sum, carry), (prime.clone(), 0));
    }
}

#[test]
fn refuses_exponents_that_are_short_or_too_long() {
    for group in ModpGroup::ALL {
        let most = 8 * group.width() - 8;
        let mut ones = |out: &mut [u8]| out.fill(1);
        for bits in [256, 264, most] {
            assert!(ModpKey::generate(group, bits, &mut ones).is_ok(), "{bits}");
        }
        for bits in [0, 8, 248, 255, 257, most + 8] {
            assert_eq!(ModpKey::generate(group, bits, &mut ones).err(), Some(Error::MalformedKey), "{bits}");
            assert_eq!(ModpKey::generate(group, bits, &mut |_| {}).err(), Some(Error::MalformedKey));
        }
        assert_eq!(ModpKey::generate(group, 256, &mut |_| {}).err(), Some(Error::BadEntropy));
        let mut zero = [0; 32];
        assert_eq!(ModpKey::from_bytes(group, &zero).err(), Some(Error::MalformedKey));
        zero[31] = 1;
        assert!(ModpKey::from_bytes(group, &zero).is_ok(), "2 is a value like any other");
    }
}
