//! Names of registered values as SWID in XML has them (RFC 9393, sections 4.1 to 4.5), and of hash functions.

use alloc::string::{String, ToString as _};

use crate::{Hash, Ownership, Rel, Role, Use, VersionScheme};

/// Both directions between an enum of a registry and its names; private numbers are written as digits.
macro_rules! names {
    ($read:ident, $write:ident, $kind:ident { $($variant:ident = $name:literal,)+ }) => {
        pub(crate) fn $read(text: &str) -> $kind {
            match text {
                $($name => $kind::$variant,)+
                other => match other.parse() {
                    Ok(number) => $kind::from_int(number),
                    Err(_) => $kind::Named(other.to_string()),
                },
            }
        }

        pub(crate) fn $write(value: &$kind) -> String {
            match value {
                $($kind::$variant => $name.to_string(),)+
                $kind::Other(number) => number.to_string(),
                $kind::Named(name) => name.clone(),
            }
        }
    };
}

names!(role, role_name, Role {
    TagCreator = "tagCreator",
    SoftwareCreator = "softwareCreator",
    Aggregator = "aggregator",
    Distributor = "distributor",
    Licensor = "licensor",
    Maintainer = "maintainer",
});
names!(rel, rel_name, Rel {
    Ancestor = "ancestor",
    Component = "component",
    Feature = "feature",
    InstallationMedia = "installationmedia",
    PackageInstaller = "packageinstaller",
    Parent = "parent",
    Patches = "patches",
    Requires = "requires",
    SeeAlso = "see-also",
    Supersedes = "supersedes",
    Supplemental = "supplemental",
});
names!(scheme, scheme_name, VersionScheme {
    MultipartNumeric = "multipartnumeric",
    MultipartNumericSuffix = "multipartnumeric+suffix",
    Alphanumeric = "alphanumeric",
    Decimal = "decimal",
    Semver = "semver",
});
names!(ownership, ownership_name, Ownership {
    Abandon = "abandon",
    Private = "private",
    Shared = "shared",
});
names!(usage, usage_name, Use {
    Optional = "optional",
    Required = "required",
    Recommended = "recommended",
});

/// Names of hash functions without dashes, with their numbers in the Named Information registry. The first that a
/// document has of a file is the one that the tag takes.
const HASHES: [(&str, &str, i64); 7] = [
    ("SHA256", "SHA-256", 1),
    ("SHA384", "SHA-384", 7),
    ("SHA512", "SHA-512", 8),
    ("SHA3256", "SHA3-256", 10),
    ("SHA3384", "SHA3-384", 11),
    ("SHA3512", "SHA3-512", 12),
    ("SHA3224", "SHA3-224", 9),
];

/// The number of a hash function, and how good it is: the lower the better.
pub(crate) fn hash_algorithm(name: &str) -> Option<(usize, i64)> {
    let plain: String =
        name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_uppercase()).collect();
    let rank = HASHES.iter().position(|(known, _, _)| *known == plain)?;
    HASHES.get(rank).map(|(_, _, number)| (rank, *number))
}

/// The name of the hash function of a hash, with a dash.
pub(crate) fn hash_name(hash: &Hash) -> Option<&'static str> {
    HASHES.iter().find(|(_, _, number)| *number == hash.algorithm()).map(|(_, name, _)| *name)
}

/// A hash from its value in hexadecimal digits.
pub(crate) fn hash(algorithm: i64, digits: &str) -> Option<Hash> {
    Hash::new(algorithm, &from_hex(digits)?)
}

pub(crate) fn from_hex(digits: &str) -> Option<alloc::vec::Vec<u8>> {
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u8]| -> Option<u8> {
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        u8::try_from(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?).ok()
    };
    digits.as_bytes().chunks(2).map(byte).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| alloc::format!("{byte:02x}")).collect()
}

/// Seconds since 1970 as RFC 3339 has them, in UTC. Years before 0 and after 9999 are cut to those.
pub(crate) fn timestamp(seconds: i64) -> String {
    let seconds = seconds.clamp(-62_167_219_200, 253_402_300_799);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 0000-03-01, in eras of 400 years.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    alloc::format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_times_as_rfc_3339() {
        let rows = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_939_200, "2026-11-29T08:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
            (i64::MIN, "0000-01-01T00:00:00Z"),
        ];
        for (seconds, expected) in rows {
            assert_eq!(timestamp(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn names_every_registered_value_both_ways() {
        for number in 1..=11 {
            let value = Rel::from_int(number);
            assert_eq!(rel(&rel_name(&value)), value);
        }
        assert_eq!(role("tagCreator"), Role::TagCreator);
        assert_eq!(rel("describedby"), Rel::Named("describedby".into()));
        assert_eq!(scheme("-7"), VersionScheme::Other(-7));
    }
}
