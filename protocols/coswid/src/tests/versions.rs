use core::cmp::Ordering::{self, Equal, Greater, Less};

use crate::{Version, VersionScheme};

fn compare(scheme: &VersionScheme, a: &str, b: &str) -> Option<Ordering> {
    Version { text: a, scheme: Some(scheme) }.compare(&Version { text: b, scheme: Some(scheme) })
}

#[test]
fn versions_order_by_their_scheme() {
    use VersionScheme::{Alphanumeric, Decimal, MultipartNumeric, MultipartNumericSuffix, Other, Semver};
    let rows = [
        (MultipartNumeric, "1.9", "1.10", Some(Less)),
        (MultipartNumeric, "1.2", "1.2.0", Some(Less)),
        (MultipartNumeric, "01.2", "1.2", Some(Equal)),
        (MultipartNumeric, "99999999999999999999999", "100000000000000000000000", Some(Less)),
        (MultipartNumeric, "1.2a", "1.3", None),
        (MultipartNumeric, "1..2", "1.3", None),
        (MultipartNumeric, "oops", "oops", Some(Equal)),
        (MultipartNumericSuffix, "1.2.3a", "1.2.3b", Some(Less)),
        (MultipartNumericSuffix, "1.2.3", "1.2.3a", Some(Less)),
        (MultipartNumericSuffix, "1.2.10a", "1.2.9b", Some(Greater)),
        (MultipartNumericSuffix, "a", "b", None),
        (Alphanumeric, "1.10", "1.9", Some(Less)),
        (Decimal, "1.25", "1.3", Some(Less)),
        (Decimal, "1.50", "1.5", Some(Equal)),
        (Decimal, "2", "1.5", Some(Greater)),
        (Decimal, "1.2.3", "1.2.4", None),
        (Semver, "1.0.0-alpha", "1.0.0-alpha.1", Some(Less)),
        (Semver, "1.0.0-alpha.1", "1.0.0-alpha.beta", Some(Less)),
        (Semver, "1.0.0-beta.2", "1.0.0-beta.11", Some(Less)),
        (Semver, "1.0.0-rc.1", "1.0.0", Some(Less)),
        (Semver, "1.0.0+a", "1.0.0+b", Some(Equal)),
        (Semver, "1.10.0", "1.9.0", Some(Greater)),
        (Semver, "1.0", "1.1", None),
        (Other(5), "1", "2", None),
        (Other(5), "1", "1", Some(Equal)),
    ];
    for (scheme, a, b, order) in rows {
        assert_eq!(compare(&scheme, a, b), order, "{a} and {b} by {scheme:?}");
        assert_eq!(compare(&scheme, b, a), order.map(Ordering::reverse), "{b} and {a} by {scheme:?}");
    }
}

#[test]
fn versions_of_different_or_no_scheme_have_no_order() {
    let semver = Version { text: "1.0.0", scheme: Some(&VersionScheme::Semver) };
    let multipart = Version { text: "1.0.0", scheme: Some(&VersionScheme::MultipartNumeric) };
    let none = |text| Version { text, scheme: None };
    assert_eq!(semver.compare(&multipart), None);
    assert_eq!(semver.compare(&none("1.0.0")), None);
    assert_eq!(none("1").compare(&none("2")), None);
    assert_eq!(none("1").compare(&none("1")), Some(Equal));
}
