//! Package URLs, the order of versions and ranges of them: tables and properties.

use std::cmp::Ordering::{self, Equal, Greater, Less};

use coswid::advisory::{Advisory, Doubt, Purl, Range, Scheme, Versions};
use proptest::prelude::*;
use sextant_coswid as coswid;

#[test]
fn package_urls_are_read_and_normalised() {
    let rows = [
        ("pkg:npm/%40scope/Name@1.0.0", Some(("npm", "@scope", "name", Some("1.0.0")))),
        ("pkg:npm/@scope/name", Some(("npm", "@scope", "name", None))),
        ("pkg:PyPI/Foo_Bar.baz@1", Some(("pypi", "", "foo-bar-baz", Some("1")))),
        ("pkg:golang/github.com/a/B@v1.2.3#sub", Some(("golang", "github.com/a", "B", Some("1.2.3")))),
        ("pkg:maven/org.x/y@1?type=jar", Some(("maven", "org.x", "y", Some("1")))),
        ("pkg:generic/x@1%2B2", Some(("generic", "", "x", Some("1+2")))),
        ("pkg:generic/x?a=1&a=2", None),
        ("pkg:generic/x?a", None),
        ("pkg:generic/", None),
        ("pkg:generic", None),
        ("pkg:ge neric/x", None),
        ("pkg:generic/%zz", None),
        ("pkg:generic/%ff", None),
        ("https://x", None),
    ];
    for (text, expected) in rows {
        let purl = Purl::read(text);
        let parts = purl.as_ref().map(|purl| {
            (purl.kind.as_str(), purl.namespace.as_str(), purl.name.as_str(), purl.version.as_deref())
        });
        assert_eq!(parts, expected, "{text}");
    }
}

#[test]
fn debian_and_unstated_versions_are_ordered() {
    let rows: [(Scheme, &str, &str, Option<Ordering>); 31] = [
        (Scheme::Debian, "1.0~rc1-1", "1.0-1", Some(Less)),
        (Scheme::Debian, "1.0", "1.0-0", Some(Equal)),
        (Scheme::Debian, "1.0-1", "1.0-1+deb12u1", Some(Less)),
        (Scheme::Debian, "1:0.1", "9.0", Some(Greater)),
        (Scheme::Debian, "0:1.0", "1.0", Some(Equal)),
        (Scheme::Debian, "1.2.3", "1.2.3a", Some(Less)),
        (Scheme::Debian, "1.2.3a", "1.2.3+", Some(Less)),
        (Scheme::Debian, "1.10", "1.9", Some(Greater)),
        (Scheme::Debian, "1.0~~", "1.0~", Some(Less)),
        (Scheme::Debian, "1.0~~a", "1.0~", Some(Less)),
        (Scheme::Debian, "3.0.11-1~deb12u2", "3.0.14-1~deb12u2", Some(Less)),
        (Scheme::Debian, "00001.2", "1.02", Some(Equal)),
        (Scheme::Debian, "1.0_1", "1.0", None),
        (Scheme::Debian, "a1", "1", None),
        (Scheme::Debian, "x:1", "1", None),
        (Scheme::Unstated, "3.0.9", "3.0.14", Some(Less)),
        (Scheme::Unstated, "1.1.1w", "3.0.14", Some(Less)),
        (Scheme::Unstated, "1.1.1w", "1.1.1x", None),
        (Scheme::Unstated, "1.2", "1.2.1", Some(Less)),
        (Scheme::Unstated, "1.2", "1.2.0", None),
        (Scheme::Unstated, "1.2.0", "1.2.0.0.1", Some(Less)),
        (Scheme::Unstated, "1.2", "1.2.rc1", None),
        (Scheme::Unstated, "1.3", "1.25", None),
        (Scheme::Unstated, "1.2", "1.3", Some(Less)),
        (Scheme::Unstated, "2.0", "1.25", Some(Greater)),
        (Scheme::Unstated, "1.0.0-rc1", "1.0.0", None),
        (Scheme::Unstated, "1:2", "3", None),
        (Scheme::Unstated, "oops", "oops", Some(Equal)),
        (Scheme::Unknown, "1", "1", Some(Equal)),
        (Scheme::Unknown, "1", "2", None),
        (Scheme::Semver, "1.0.0-rc.1", "1.0.0", Some(Less)),
    ];
    for (scheme, a, b, order) in rows {
        assert_eq!(scheme.compare(a, b), order, "{a} and {b}");
        assert_eq!(scheme.compare(b, a), order.map(Ordering::reverse), "{b} and {a}");
    }
}

#[test]
fn schemes_that_differ_order_only_what_has_the_same_order_in_both() {
    let rows = [
        (None, Scheme::Semver, Scheme::Semver),
        (Some(Scheme::Debian), Scheme::Unstated, Scheme::Debian),
        (Some(Scheme::Debian), Scheme::Debian, Scheme::Debian),
        (Some(Scheme::Debian), Scheme::Semver, Scheme::Unstated),
        (Some(Scheme::Alphanumeric), Scheme::Semver, Scheme::Unknown),
        (Some(Scheme::Semver), Scheme::Decimal, Scheme::Unknown),
        (Some(Scheme::Unknown), Scheme::Unstated, Scheme::Unknown),
    ];
    for (component, range, expected) in rows {
        assert_eq!(Scheme::join(component, range), expected, "{component:?} and {range:?}");
    }
}

#[test]
fn ranges_of_vers_are_read() {
    let contains = |range: &str, version: &str| Range::read(range).unwrap().contain(Some(version), None);
    let rows = [
        ("vers:semver/1.0.0", "1.0.0", Ok(true)),
        ("vers:semver/1.0.0|2.0.0", "2.0.0+x", Ok(true)),
        ("vers:semver/=1.0.0", "1.0.1", Ok(false)),
        ("vers:semver/<=1.0.0", "1.0.0", Ok(true)),
        ("vers:semver/>1.0.0", "1.0.0", Ok(false)),
        ("vers:semver/>1.0.0", "1.0.1", Ok(true)),
        ("vers:semver/>=1.0.0|<=1.0.0", "1.0.1", Ok(false)),
        ("vers:semver/<=1.0.0|>1.0.0", "1.0.0", Ok(true)),
        ("vers:semver/<=1.0.0|>1.0.0", "1.0.1", Ok(true)),
        ("vers:semver/<1.0.0|>=1.0.0", "1.0.0", Ok(true)),
        ("vers:semver/!=1.0.0", "1.0.0", Ok(false)),
        ("vers:semver/!=1.0.0", "1.0.1", Ok(true)),
        ("vers:deb/<1%3A2.0", "9.0", Ok(true)),
        ("vers:intdot/<2.0", "1.99", Ok(true)),
        ("vers:generic/<1.0.0", "1.0.0-rc1", Err(Doubt::NoOrder)),
        ("vers:generic/<3.0.14", "3.0.9", Ok(true)),
    ];
    for (range, version, expected) in rows {
        assert_eq!(contains(range, version), expected, "{version} in {range}");
    }
    for bad in
        ["", "vers:semver", "vers:/1", "vers:semver/", "vers:semver/<", "vers:semver/1|", "vers:semver/%zz"]
    {
        assert!(Range::read(bad).is_err(), "{bad}");
    }
}

fn version_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-3](\\.[0-3]){0,3}",
        "[0-2]\\.[0-2]\\.[0-2](-(rc|[0-2])(\\.[0-2a])?)?(\\+x)?",
        "([01]:)?[0-2][.a~+0-2]{0,4}(-[0-2a~]{1,2})?",
        "[0-2][.0-2a-c]{0,4}"
    ]
}

const ORDERED: [Scheme; 6] = [
    Scheme::MultipartNumeric,
    Scheme::MultipartNumericSuffix,
    Scheme::Alphanumeric,
    Scheme::Decimal,
    Scheme::Semver,
    Scheme::Debian,
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_order_within_a_scheme_is_total_over_what_fits_it(a in version_text(), b in version_text(), c in version_text()) {
        for scheme in ORDERED {
            prop_assert_eq!(scheme.compare(&a, &a), Some(Equal));
            prop_assert_eq!(scheme.compare(&a, &b), scheme.compare(&b, &a).map(Ordering::reverse));
            // What can be compared with one other version can be compared with all that fit.
            let (ab, bc, ac) = (scheme.compare(&a, &b), scheme.compare(&b, &c), scheme.compare(&a, &c));
            if a != b && b != c && a != c {
                prop_assert_eq!([ab, bc, ac].iter().filter(|order| order.is_some()).count() == 2, false);
            }
            if let (Some(ab), Some(bc)) = (ab, bc)
                && (ab == bc || bc == Equal)
            {
                prop_assert_eq!(ac, Some(ab));
            }
        }
    }

    #[test]
    fn what_is_ordered_without_a_scheme_has_that_order_in_every_one(a in version_text(), b in version_text()) {
        let Some(order) = Scheme::Unstated.compare(&a, &b) else { return Ok(()) };
        prop_assert_eq!(Scheme::Unstated.compare(&b, &a), Some(order.reverse()));
        for scheme in ORDERED.into_iter().filter(|scheme| *scheme != Scheme::Alphanumeric) {
            if let Some(other) = scheme.compare(&a, &b) {
                prop_assert_eq!(other, order, "{:?}", scheme);
            }
        }
    }

    #[test]
    fn ranges_agree_with_their_definition(
        cuts in proptest::collection::btree_set(0u8..20, 1..6), from_start in any::<bool>(), version in 0u8..20,
        order in any::<prop::sample::Index>(),
    ) {
        // Between cuts that are half-open, a version is in or out in turns.
        let mut events: Vec<String> = Vec::new();
        if from_start {
            events.push(r#"{ "introduced": "0" }"#.into());
        }
        let mut inside = from_start;
        for cut in &cuts {
            let kind = if inside { "fixed" } else { "introduced" };
            events.push(format!(r#"{{ "{kind}": "1.{cut}.0" }}"#));
            inside = !inside;
        }
        let passed = cuts.iter().filter(|cut| **cut <= version).count();
        let expected = from_start ^ (passed % 2 == 1);
        let at = order.index(events.len());
        events.rotate_left(at);
        let text = format!(r#"{{ "id": "X", "affected": [{{ "package": {{ "ecosystem": "npm", "name": "x" }},
            "ranges": [{{ "type": "SEMVER", "events": [{}] }}] }}] }}"#, events.join(","));
        let advisory = Advisory::decode(text.as_bytes()).unwrap();
        let version = format!("1.{version}.0");
        prop_assert_eq!(advisory.packages[0].versions.contain(Some(&version), None), Ok(expected));
    }
}

#[test]
fn versions_that_say_nothing_tell_nothing() {
    assert_eq!(Versions::default().contain(Some("1"), None), Err(Doubt::NoVersions));
    assert_eq!(Versions::all().contain(None, None), Ok(true));
    assert_eq!(Versions::one("1").contain(None, None), Err(Doubt::VersionUnstated));
}
