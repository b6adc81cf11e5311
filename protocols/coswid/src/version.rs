use core::cmp::Ordering;

use crate::registry::registry;

registry! {
    /// How versions are written and ordered (RFC 9393, section 4.1).
    VersionScheme in -256..=65535 {
        /// `1.2.3`: numbers, compared one after another.
        MultipartNumeric = 1,
        /// `1.2.3a`: numbers, then a text.
        MultipartNumericSuffix = 2,
        /// A text, compared as such.
        Alphanumeric = 3,
        /// `1.25`: one decimal number.
        Decimal = 4,
        /// Semantic Versioning 2.0.0.
        Semver = 16384,
    }
}

/// A version and the scheme it is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version<'t> {
    /// software-version (13).
    pub text: &'t str,
    /// version-scheme (14).
    pub scheme: Option<&'t VersionScheme>,
}

impl Version<'_> {
    /// The order of two versions, or `None` when they have none: their schemes differ, are absent or unknown, or a
    /// text does not fit its scheme. Without a scheme only equal texts compare.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        if self.scheme != other.scheme {
            return None;
        }
        let (a, b) = (self.text, other.text);
        let by_scheme = match self.scheme {
            Some(VersionScheme::MultipartNumeric) => multipart(a, b),
            Some(VersionScheme::MultipartNumericSuffix) => multipart_suffix(a, b),
            Some(VersionScheme::Alphanumeric) => Some(a.cmp(b)),
            Some(VersionScheme::Decimal) => decimal(a, b),
            Some(VersionScheme::Semver) => semver(a, b),
            Some(VersionScheme::Other(_) | VersionScheme::Named(_)) | None => None,
        };
        by_scheme.or((a == b).then_some(Ordering::Equal))
    }
}

fn multipart(a: &str, b: &str) -> Option<Ordering> {
    let valid = |text: &str| text.split('.').all(is_number);
    (valid(a) && valid(b)).then(|| parts(a, b))
}

fn multipart_suffix(a: &str, b: &str) -> Option<Ordering> {
    let split = |text| -> Option<(&str, &str)> {
        let text: &str = text;
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (numbers, suffix) = text.split_at(end);
        let numbers = if suffix.is_empty() { numbers } else { numbers.trim_end_matches('.') };
        numbers.split('.').all(is_number).then_some((numbers, suffix))
    };
    let ((numbers_a, suffix_a), (numbers_b, suffix_b)) = (split(a)?, split(b)?);
    Some(parts(numbers_a, numbers_b).then_with(|| suffix_a.cmp(suffix_b)))
}

fn decimal(a: &str, b: &str) -> Option<Ordering> {
    let split = |text| -> Option<(&str, &str)> {
        let text: &str = text;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        (is_number(whole) && is_number(fraction)).then_some((whole, fraction.trim_end_matches('0')))
    };
    let ((whole_a, fraction_a), (whole_b, fraction_b)) = (split(a)?, split(b)?);
    Some(number(whole_a, whole_b).then_with(|| fraction_a.cmp(fraction_b)))
}

/// Precedence of Semantic Versioning 2.0.0, section 11; build metadata does not count.
fn semver(a: &str, b: &str) -> Option<Ordering> {
    let split = |text| -> Option<(&str, Option<&str>)> {
        let text: &str = text;
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
        let valid = core.split('.').count() == 3 && core.split('.').all(is_number);
        let valid_pre = pre.is_none_or(|pre| pre.split('.').all(|id| !id.is_empty()));
        (valid && valid_pre).then_some((core, pre))
    };
    let ((core_a, pre_a), (core_b, pre_b)) = (split(a)?, split(b)?);
    Some(parts(core_a, core_b).then_with(|| match (pre_a, pre_b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => lexicographic(a, b, |a, b| match (is_number(a), is_number(b)) {
            (true, true) => number(a, b),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => a.cmp(b),
        }),
    }))
}

fn parts(a: &str, b: &str) -> Ordering {
    lexicographic(a, b, number)
}

/// Compares what stands between dots from left to right; the shorter of two equal beginnings comes first.
fn lexicographic(a: &str, b: &str, compare: impl Fn(&str, &str) -> Ordering) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (Some(a), Some(b)) => compare(a, b),
            (a, b) => return a.is_some().cmp(&b.is_some()),
        };
        if order.is_ne() {
            return order;
        }
    }
}

pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Compares digit strings of any length as numbers; none are zero.
pub(crate) fn number(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}
