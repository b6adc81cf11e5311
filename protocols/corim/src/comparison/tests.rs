use alloc::{collections::BTreeMap, string::ToString, vec};

use super::*;
use crate::{ClassId, Group, Instance, MeasuredElement, RegisterId, Version, VersionScheme};

fn values() -> MeasurementValues {
    MeasurementValues::default()
}

fn digest(algorithm: i64, byte: u8) -> Digest {
    let len = match algorithm {
        1 | 10 => 32,
        6 => 4,
        7 => 48,
        _ => 3,
    };
    Digest::new(DigestAlgorithm::Id(algorithm), &vec![byte; len]).expect("its length")
}

fn named(name: &str, byte: u8) -> Digest {
    Digest::new(DigestAlgorithm::Name(name.into()), &[byte; 32]).expect("its length")
}

fn digests(list: &[Digest]) -> MeasurementValues {
    MeasurementValues { digests: list.to_vec(), ..values() }
}

fn svn(svn: Svn) -> MeasurementValues {
    MeasurementValues { svn: Some(svn), ..values() }
}

fn raw(raw: RawValue) -> MeasurementValues {
    MeasurementValues { raw_value: Some(raw), ..values() }
}

fn masked(value: &[u8], mask: &[u8]) -> MeasurementValues {
    raw(RawValue::Masked { value: value.into(), mask: mask.into() })
}

fn older_masked(value: &[u8], mask: &[u8]) -> MeasurementValues {
    raw(RawValue::OlderMasked { value: value.into(), mask: mask.into() })
}

fn plain(value: &[u8]) -> MeasurementValues {
    raw(RawValue::Plain(value.into()))
}

fn flags(known: &[(u8, bool)]) -> MeasurementValues {
    let flags = Flags { known: known.iter().copied().collect(), ..Flags::default() };
    MeasurementValues { flags: Some(flags), ..values() }
}

fn keys(list: &[&[u8]]) -> MeasurementValues {
    let cryptokeys = list.iter().map(|key| CryptoKey::Bytes(key.to_vec())).collect();
    MeasurementValues { cryptokeys, ..values() }
}

fn registers(list: &[(RegisterId, Digest)]) -> MeasurementValues {
    let mut registers: BTreeMap<RegisterId, Vec<Digest>> = BTreeMap::new();
    for (id, digest) in list {
        registers.entry(id.clone()).or_default().push(digest.clone());
    }
    MeasurementValues { integrity_registers: registers, ..values() }
}

fn range(range: IntRange) -> MeasurementValues {
    MeasurementValues { int_range: Some(range), ..values() }
}

fn version(version: &str, scheme: Option<i64>) -> MeasurementValues {
    let version = Version { version: version.into(), scheme: scheme.map(VersionScheme::Id) };
    MeasurementValues { version: Some(version), ..values() }
}

fn extended(label: i64, value: u8) -> MeasurementValues {
    let mut extended = values();
    extended.extensions.insert(label, &[value]).expect("an item");
    extended
}

/// Condition, what is found, and whether the second satisfies the first.
#[test]
fn values_satisfy_conditions_as_the_draft_says() {
    use IntRange::{Exact as At, Range};
    use RegisterId::{Name, Number};
    use Svn::{Bare, Exact, Min};
    let rows = [
        ("nothing asked", values(), svn(Bare(1)), true),
        ("nothing found", svn(Bare(1)), values(), false),
        ("equal svn", svn(Bare(1)), svn(Exact(1)), true),
        ("other svn", svn(Exact(1)), svn(Exact(2)), false),
        ("above the minimum", svn(Min(1)), svn(Bare(2)), true),
        ("at the minimum", svn(Min(2)), svn(Exact(2)), true),
        ("below the minimum", svn(Min(3)), svn(Bare(2)), false),
        ("minimum as a state", svn(Min(3)), svn(Min(3)), true),
        ("higher minimum as a state", svn(Min(3)), svn(Min(4)), false),
        ("minimum is no number", svn(Bare(3)), svn(Min(3)), false),
        ("one digest", digests(&[digest(1, 1)]), digests(&[digest(1, 1)]), true),
        ("other digest", digests(&[digest(1, 1)]), digests(&[digest(1, 2)]), false),
        ("no common algorithm", digests(&[digest(1, 1)]), digests(&[digest(7, 1)]), false),
        ("one common", digests(&[digest(1, 1), digest(7, 1)]), digests(&[digest(7, 1), digest(10, 9)]), true),
        ("downgrade", digests(&[digest(1, 1), digest(7, 1)]), digests(&[digest(1, 1), digest(7, 2)]), false),
        ("twice expected", digests(&[digest(1, 1), digest(1, 2)]), digests(&[digest(1, 1)]), false),
        ("twice found", digests(&[digest(1, 1)]), digests(&[digest(1, 1), digest(1, 2)]), false),
        (
            "twice by two names",
            digests(&[digest(1, 1)]),
            digests(&[digest(1, 1), named("sha-256", 2)]),
            false,
        ),
        ("number and name", digests(&[digest(1, 1)]), digests(&[named("sha-256", 1)]), true),
        ("truncated alone", digests(&[digest(6, 1)]), digests(&[digest(6, 1)]), false),
        (
            "wrong truncated",
            digests(&[digest(1, 1), digest(6, 1)]),
            digests(&[digest(1, 1), digest(6, 2)]),
            false,
        ),
        ("digests not found", digests(&[digest(1, 1)]), values(), false),
        ("flag set", flags(&[(1, true)]), flags(&[(1, true), (3, true)]), true),
        ("flag not set", flags(&[(1, true)]), flags(&[(1, false)]), false),
        ("flag unknown", flags(&[(1, false)]), flags(&[(3, true)]), false),
        ("equal bytes", plain(b"ab"), plain(b"ab"), true),
        ("longer bytes", plain(b"ab"), plain(b"abc"), false),
        ("masked", masked(&[0x12, 0x34], &[0xff, 0x00]), plain(&[0x12, 0xff]), true),
        ("masked otherwise", masked(&[0x12, 0x34], &[0xff, 0x01]), plain(&[0x12, 0xff]), false),
        ("masked in older form", older_masked(&[0x12, 0x34], &[0xff, 0x00]), plain(&[0x12, 0xff]), true),
        ("masked and shorter", masked(&[0x12, 0x34], &[0xff, 0x00]), plain(&[0x12]), false),
        ("short mask", masked(&[0x12, 0x34], &[0xff]), plain(&[0x12, 0x34]), false),
        ("mask in what is found", plain(b"a"), masked(b"a", &[0]), false),
        ("first keys", keys(&[b"a"]), keys(&[b"a", b"b"]), true),
        ("other order", keys(&[b"a", b"b"]), keys(&[b"b", b"a"]), false),
        ("more keys asked", keys(&[b"a", b"b"]), keys(&[b"a"]), false),
        (
            "register",
            registers(&[(Number(5), digest(1, 1))]),
            registers(&[(Number(5), digest(1, 1)), (Number(6), digest(1, 2))]),
            true,
        ),
        (
            "register of another type",
            registers(&[(Number(5), digest(1, 1))]),
            registers(&[(Name("5".to_string()), digest(1, 1))]),
            false,
        ),
        (
            "register differs",
            registers(&[(Number(5), digest(1, 1))]),
            registers(&[(Number(5), digest(1, 2))]),
            false,
        ),
        (
            "one of two algorithms",
            registers(&[(Number(5), digest(1, 1)), (Number(5), digest(7, 1))]),
            registers(&[(Number(5), digest(7, 1))]),
            true,
        ),
        ("equal integer", range(At(5)), range(At(5)), true),
        ("other integer", range(At(5)), range(At(6)), false),
        ("at both ends", range(Range(Some(5), Some(5))), range(At(5)), true),
        ("below", range(Range(Some(5), None)), range(At(4)), false),
        ("above", range(Range(None, Some(5))), range(At(6)), false),
        ("without limits", range(Range(None, None)), range(Range(None, None)), true),
        ("within", range(Range(Some(1), Some(9))), range(Range(Some(1), Some(8))), true),
        ("unlimited in limited", range(Range(Some(1), None)), range(Range(None, Some(5))), false),
        ("range of one", range(At(5)), range(Range(Some(5), Some(5))), true),
        ("range of none", range(At(4)), range(Range(Some(5), Some(3))), false),
        ("equal version", version("1", Some(1)), version("1", Some(1)), true),
        ("other scheme", version("1", Some(1)), version("1", None), false),
        ("unknown value", extended(-5, 1), extended(-5, 1), false),
        ("unknown value found", values(), extended(-5, 1), true),
    ];
    for (row, condition, found, satisfied) in rows {
        assert_eq!(condition.is_satisfied_by(&found, None), satisfied, "{row}");
    }
}

#[test]
fn only_a_profile_compares_what_it_defined() {
    let rows = [
        (Some(KnownProfile::Intel), -5, true),
        (Some(KnownProfile::Intel), 200, false),
        (Some(KnownProfile::Psa), 100, true),
        (Some(KnownProfile::Psa), -5, false),
        (Some(KnownProfile::CcaRealm), 100, false),
        (None, 100, false),
    ];
    for (profile, label, satisfied) in rows {
        let condition = extended(label, 1);
        assert_eq!(condition.is_satisfied_by(&extended(label, 1), profile), satisfied, "{profile:?} {label}");
        assert!(!condition.is_satisfied_by(&extended(label, 2), profile));
        assert!(!condition.is_satisfied_by(&values(), profile));
    }
}

#[test]
fn every_single_attribute_counts() {
    let full = MeasurementValues {
        mac_addr: Some(vec![1; 6]),
        ip_addr: Some(vec![1; 4]),
        serial_number: Some("1".into()),
        ueid: Some(vec![1; 7]),
        uuid: Some([1; 16]),
        name: Some("1".into()),
        ..values()
    };
    assert!(full.is_satisfied_by(&full, None));
    let changes: [fn(&mut MeasurementValues); 6] = [
        |values| values.mac_addr = Some(vec![2; 6]),
        |values| values.ip_addr = None,
        |values| values.serial_number = Some("2".into()),
        |values| values.ueid = None,
        |values| values.uuid = Some([2; 16]),
        |values| values.name = None,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut found = full.clone();
        change(&mut found);
        assert!(!full.is_satisfied_by(&found, None), "change {index}");
    }
}

#[test]
fn environments_satisfy_what_they_contain() {
    let class = Class {
        id: Some(ClassId::Uuid([1; 16])),
        vendor: Some("v".into()),
        model: Some("m".into()),
        layer: Some(1),
        index: Some(2),
    };
    let full = Environment {
        class: Some(class.clone()),
        instance: Some(Instance::Ueid(vec![1; 33])),
        group: Some(Group::Uuid([3; 16])),
    };
    let only = |class: Class| Environment { class: Some(class), ..Environment::default() };
    let part = Class { layer: Some(1), ..Class::default() };
    assert!(only(part).is_satisfied_by(&full) && only(class.clone()).is_satisfied_by(&full));
    assert!(full.is_satisfied_by(&full) && !full.is_satisfied_by(&only(class.clone())));
    let others = [
        Class { id: Some(ClassId::Bytes(vec![1; 16])), ..class.clone() },
        Class { vendor: Some("w".into()), ..class.clone() },
        Class { model: Some("n".into()), ..class.clone() },
        Class { layer: Some(0), ..class.clone() },
        Class { index: Some(0), ..class },
    ];
    for other in others {
        assert!(!only(other).is_satisfied_by(&full));
    }
    let elsewhere = Environment { instance: Some(Instance::Ueid(vec![2; 33])), ..Environment::default() };
    assert!(!elsewhere.is_satisfied_by(&full));
    let group = Environment { group: Some(Group::Bytes(vec![3; 16])), ..Environment::default() };
    assert!(!group.is_satisfied_by(&full));
}

#[test]
fn keys_of_elements_are_equal_or_both_absent() {
    let element = |key| Element { key, values: svn(Svn::Bare(1)) };
    let measurement = |key| Measurement { key, ..Measurement::new(svn(Svn::Bare(1))) };
    let number = Some(MeasuredElement::Number(5));
    let name = Some(MeasuredElement::Name("5".into()));
    assert!(measurement(None).is_satisfied_by(&element(None), None));
    assert!(measurement(number.clone()).is_satisfied_by(&element(number.clone()), None));
    assert!(!measurement(None).is_satisfied_by(&element(number.clone()), None));
    assert!(!measurement(number.clone()).is_satisfied_by(&element(None), None));
    assert!(!measurement(number).is_satisfied_by(&element(name), None));
}
