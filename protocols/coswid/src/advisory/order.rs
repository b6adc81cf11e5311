//! The order of versions. Two versions that cannot be ordered for certain have none.

use core::cmp::Ordering;

use crate::{
    Version, VersionScheme,
    version::{is_number, number},
};

/// How versions are written and ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// `1.2.3`: numbers, one after another.
    MultipartNumeric,
    /// `1.2.3a`: numbers, then a text.
    MultipartNumericSuffix,
    /// A text, byte for byte.
    Alphanumeric,
    /// `1.25`: one decimal number.
    Decimal,
    /// Semantic Versioning 2.0.0.
    Semver,
    /// `1:3.0.11-1~deb12u2`: an epoch, the version of upstream and a revision, as packages of Debian have them.
    Debian,
    /// Nobody said one: only what has the same order in every scheme in use is ordered.
    #[default]
    Unstated,
    /// One that is not known here: only equal texts are ordered.
    Unknown,
}

impl Scheme {
    /// The order of two versions, or `None` where they have none for certain. Equal texts are always equal.
    ///
    /// Within one scheme the order is transitive, and exchanging the two reverses it.
    pub fn compare(self, a: &str, b: &str) -> Option<Ordering> {
        if a == b {
            return Some(Ordering::Equal);
        }
        let by = |scheme: VersionScheme| {
            Version { text: a, scheme: Some(&scheme) }.compare(&Version { text: b, scheme: Some(&scheme) })
        };
        match self {
            Self::MultipartNumeric => by(VersionScheme::MultipartNumeric),
            Self::MultipartNumericSuffix => by(VersionScheme::MultipartNumericSuffix),
            Self::Alphanumeric => by(VersionScheme::Alphanumeric),
            Self::Decimal => by(VersionScheme::Decimal),
            Self::Semver => by(VersionScheme::Semver),
            Self::Debian => debian(a, b),
            Self::Unstated => unstated(a, b),
            Self::Unknown => None,
        }
    }

    /// The scheme to compare with when a component and a range each say theirs. Where they disagree, only what has the
    /// same order in both is ordered.
    pub fn join(component: Option<Self>, range: Self) -> Self {
        match (component, range) {
            (None, range) => range,
            (Some(component), Self::Unstated) => component,
            (Some(component), range) if component == range => component,
            (Some(Self::Unstated), range) => range,
            (Some(component), range) if component.is_numbers() && range.is_numbers() => Self::Unstated,
            _ => Self::Unknown,
        }
    }

    /// Whether it orders numbers between dots as numbers.
    const fn is_numbers(self) -> bool {
        matches!(self, Self::MultipartNumeric | Self::MultipartNumericSuffix | Self::Semver | Self::Debian)
    }
}

impl From<&VersionScheme> for Scheme {
    fn from(scheme: &VersionScheme) -> Self {
        match scheme {
            VersionScheme::MultipartNumeric => Self::MultipartNumeric,
            VersionScheme::MultipartNumericSuffix => Self::MultipartNumericSuffix,
            VersionScheme::Alphanumeric => Self::Alphanumeric,
            VersionScheme::Decimal => Self::Decimal,
            VersionScheme::Semver => Self::Semver,
            VersionScheme::Other(_) | VersionScheme::Named(_) => Self::Unknown,
        }
    }
}

/// Versions whose first different part is a number in both, with nothing but numbers before: every scheme that orders
/// parts between dots agrees on these. Two that could be decimal numbers must have the same order as such.
fn unstated(a: &str, b: &str) -> Option<Ordering> {
    let order = leading_numbers(a, b)?;
    let decimal = Scheme::Decimal.compare(a, b);
    decimal.is_none_or(|decimal| decimal == order).then_some(order)
}

fn leading_numbers(a: &str, b: &str) -> Option<Ordering> {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (Some(a), Some(b)) if is_number(a) && is_number(b) => number(a, b),
            (Some(_), Some(_)) => return None,
            (None, None) => return Some(Ordering::Equal),
            (Some(more), None) => return longer(more, a).map(|()| Ordering::Greater),
            (None, Some(more)) => return longer(more, b).map(|()| Ordering::Less),
        };
        if order.is_ne() {
            return Some(order);
        }
    }
}

/// Whether what one version has more than the other makes it the later one for certain: `1.2.1` comes after `1.2`, but
/// whether `1.2.0` does depends on the scheme.
fn longer<'t>(first: &'t str, rest: impl Iterator<Item = &'t str>) -> Option<()> {
    let mut parts = core::iter::once(first).chain(rest);
    let decisive = parts.find(|part| !part.bytes().all(|byte| byte == b'0') || part.is_empty())?;
    is_number(decisive).then_some(())
}

/// The order of Debian policy, section 5.6.12.
fn debian(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (DebianVersion::read(a)?, DebianVersion::read(b)?);
    let order = number(a.epoch, b.epoch);
    Some(
        order.then_with(|| piecewise(a.upstream, b.upstream)).then_with(|| piecewise(a.revision, b.revision)),
    )
}

struct DebianVersion<'t> {
    epoch: &'t str,
    upstream: &'t str,
    revision: &'t str,
}

impl<'t> DebianVersion<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        let plain = |text: &str, more: &[u8]| {
            !text.is_empty()
                && text.bytes().all(|byte| {
                    byte.is_ascii_alphanumeric() || b".+~".contains(&byte) || more.contains(&byte)
                })
        };
        let begins = upstream.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        let fits = is_number(epoch) && begins && plain(upstream, b"-:") && plain(revision, b"");
        fits.then_some(Self { epoch, upstream, revision })
    }
}

/// Compares in turns a piece without digits and a number, from left to right.
fn piecewise(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (words_a, rest_a) = split(a, |byte| !byte.is_ascii_digit());
        let (words_b, rest_b) = split(b, |byte| !byte.is_ascii_digit());
        let order = words(words_a, words_b);
        if order.is_ne() {
            return order;
        }
        let (digits_a, next_a) = split(rest_a, |byte| byte.is_ascii_digit());
        let (digits_b, next_b) = split(rest_b, |byte| byte.is_ascii_digit());
        let order = number(digits_a, digits_b);
        if order.is_ne() {
            return order;
        }
        if next_a.is_empty() && next_b.is_empty() {
            return Ordering::Equal;
        }
        (a, b) = (next_a, next_b);
    }
}

fn split(text: &str, is_first: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !is_first(byte)).unwrap_or(text.len());
    text.split_at(end)
}

/// Compares what holds no digits: a tilde comes before the end, letters before everything else.
fn words(a: &str, b: &str) -> Ordering {
    let weight = |byte: Option<u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(byte) => i32::from(byte) + 256,
    };
    let (mut a, mut b) = (a.bytes(), b.bytes());
    loop {
        let (next_a, next_b) = (a.next(), b.next());
        let order = weight(next_a).cmp(&weight(next_b));
        if order.is_ne() || next_a.is_none() {
            return order;
        }
    }
}
