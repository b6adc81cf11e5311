//! Which versions are meant: lists, ranges between events as OSV has them, and ranges in the form of `vers:`.

use alloc::{string::String, vec::Vec};
use core::cmp::Ordering;

use super::{Comparison, Doubt, Scheme, purl::percent_decode};

/// How many bounds one range may have.
pub const MAX_BOUNDS: usize = 1_000;

/// Versions of a package. The empty value means none that could be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Every version.
    pub all: bool,
    /// Versions one by one.
    pub listed: Vec<String>,
    /// How versions one by one are told to be equal where their texts are not.
    pub scheme: Scheme,
    /// Ranges of them.
    pub ranges: Vec<Range>,
    /// Why there may be more versions than the ones that can be compared with.
    pub unread: Option<Doubt>,
}

/// A range of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// How its versions are ordered.
    pub scheme: Scheme,
    /// Whether it begins before its first bound.
    pub from_start: bool,
    /// Where it begins and ends.
    pub bounds: Vec<Bound>,
    /// Versions it leaves out.
    pub except: Vec<String>,
    /// Where there are any, versions from each of these on are out of the range.
    pub limits: Vec<String>,
}

/// A place where a range begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// `>` and `>=` begin it, `<` and `<=` end it.
    pub comparison: Comparison,
    /// The version.
    pub version: String,
}

impl Versions {
    /// Every version.
    pub fn all() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// One version.
    pub fn one(version: impl Into<String>) -> Self {
        Self { listed: Vec::from([version.into()]), ..Self::default() }
    }

    /// Versions that cannot be told.
    pub fn unread(doubt: Doubt) -> Self {
        Self { unread: Some(doubt), ..Self::default() }
    }

    /// Whether a version is one of them, or why that cannot be told.
    pub fn contain(&self, version: Option<&str>, scheme: Option<Scheme>) -> Result<bool, Doubt> {
        if self.all {
            return Ok(true);
        }
        if self.listed.is_empty() && self.ranges.is_empty() {
            return Err(self.unread.unwrap_or(Doubt::NoVersions));
        }
        let version = version.ok_or(Doubt::VersionUnstated)?;
        let listed_scheme = Scheme::join(scheme, self.scheme);
        let equal = |listed: &String| listed_scheme.compare(listed, version) == Some(Ordering::Equal);
        if self.listed.iter().any(equal) {
            return Ok(true);
        }
        let mut doubt = self.unread;
        for range in &self.ranges {
            match range.contains(version, scheme) {
                Some(true) => return Ok(true),
                Some(false) => {}
                None => doubt = Some(Doubt::NoOrder),
            }
        }
        doubt.map_or(Ok(false), Err)
    }
}

impl Range {
    /// A range in the form of `vers:`, or why it is none.
    pub fn read(text: &str) -> Result<Versions, &'static str> {
        let rest = text.strip_prefix("vers:").ok_or("a range in the form of vers:")?;
        let (kind, constraints) = rest.split_once('/').ok_or("a slash after the kind of versions")?;
        let scheme = match kind {
            "semver" | "npm" | "cargo" | "golang" | "hex" | "pub" => Scheme::Semver,
            "deb" => Scheme::Debian,
            "intdot" => Scheme::MultipartNumeric,
            "" => return Err("the kind of versions"),
            _ => Scheme::Unstated,
        };
        if constraints.trim() == "*" {
            return Ok(Versions::all());
        }
        let mut versions = Versions { scheme, ..Versions::default() };
        let mut range =
            Self { scheme, from_start: false, bounds: Vec::new(), except: Vec::new(), limits: Vec::new() };
        for (count, constraint) in constraints.split('|').enumerate() {
            if count >= MAX_BOUNDS {
                return Err("no more than 1000 constraints");
            }
            let constraint = constraint.trim();
            if let Some(version) = constraint.strip_prefix("!=") {
                range.except.push(decode(version)?);
                continue;
            }
            let (comparison, version) =
                Comparison::split_prefix(constraint).unwrap_or((Comparison::Equal, constraint));
            let version = decode(version)?;
            if comparison == Comparison::Equal {
                versions.listed.push(version);
            } else {
                range.bounds.push(Bound { comparison, version });
            }
        }
        let unsorted = |pair: &[Bound]| match pair {
            [a, b] => scheme.compare(&a.version, &b.version) == Some(Ordering::Greater),
            _ => false,
        };
        if range.bounds.windows(2).any(unsorted) {
            return Err("constraints in the order of their versions");
        }
        // What only leaves versions out begins with the first of all.
        range.from_start = range.bounds.first().map_or(!range.except.is_empty(), Bound::is_end);
        if !range.bounds.is_empty() || !range.except.is_empty() {
            versions.ranges.push(range);
        }
        Ok(versions)
    }

    /// Whether a version lies in the range: what counts is the last bound that it is past. `None` where one cannot be
    /// compared with it.
    pub fn contains(&self, version: &str, scheme: Option<Scheme>) -> Option<bool> {
        let scheme = Scheme::join(scheme, self.scheme);
        for limit in self.limits.iter().filter(|limit| *limit != "*") {
            if scheme.compare(version, limit)?.is_ge() {
                return Some(false);
            }
        }
        for except in &self.except {
            if scheme.compare(version, except)?.is_eq() {
                return Some(false);
            }
        }
        let mut last: Option<&Bound> = None;
        for bound in &self.bounds {
            if !bound.is_passed(scheme.compare(version, &bound.version)?) {
                continue;
            }
            let later = match last {
                None => true,
                Some(last) => scheme
                    .compare(&bound.version, &last.version)?
                    .then(bound.rank().cmp(&last.rank()))
                    .is_ge(),
            };
            if later {
                last = Some(bound);
            }
        }
        Some(last.map_or(self.from_start, |bound| !bound.is_end()))
    }
}

impl Bound {
    fn is_end(&self) -> bool {
        matches!(self.comparison, Comparison::Less | Comparison::AtMost)
    }

    /// Whether a version of this order to the bound has it behind.
    fn is_passed(&self, order: Ordering) -> bool {
        match self.comparison {
            Comparison::Less | Comparison::AtLeast | Comparison::Equal => order.is_ge(),
            Comparison::AtMost | Comparison::Greater => order.is_gt(),
        }
    }

    /// Which of several bounds at one version comes first.
    const fn rank(&self) -> u8 {
        match self.comparison {
            Comparison::Less => 0,
            Comparison::AtLeast | Comparison::Equal => 1,
            Comparison::AtMost => 2,
            Comparison::Greater => 3,
        }
    }
}

fn decode(version: &str) -> Result<String, &'static str> {
    percent_decode(version.trim())
        .filter(|version| !version.is_empty())
        .ok_or("a version after the comparison")
}
