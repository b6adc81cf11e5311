use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crypto::Digest;

use crate::{Agreement, Code, Reason};

/// What a release says that one of its components measures.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expected {
    /// Name of the component, as it is measured.
    pub name: String,
    /// Digest of the bytes that are measured.
    pub digest: Digest,
    /// How many they are, if the release says so.
    pub size: Option<u64>,
    /// Whether the component must be measured.
    pub required: bool,
    /// Its version, for people.
    pub version: Option<String>,
}

/// What a device measured of one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Name of the component.
    pub name: String,
    /// Digest, unless it was given in a form that proves nothing.
    pub digest: Option<Digest>,
    /// How many bytes were measured, if the device says so.
    pub size: Option<u64>,
}

/// One release to match against.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its manifest digest.
    pub release: Digest,
    /// Its version, for people.
    pub version: &'a str,
    /// All that it says about measurements.
    pub expected: &'a [Expected],
}

impl Expected {
    fn agrees(&self, measured: &Measured) -> bool {
        measured.digest == Some(self.digest)
            && match (self.size, measured.size) {
                (Some(expected), Some(measured)) => expected == measured,
                _ => true,
            }
    }
}

impl Candidate<'_> {
    /// Whether everything measured is in this release, and everything it requires was measured. Nothing measured is no
    /// proof of anything.
    pub(crate) fn covers(&self, measured: &BTreeMap<&str, &Measured>, allow_extra: bool) -> bool {
        let mut agreed = 0;
        let expected_hold = self.expected.iter().all(|expected| match measured.get(expected.name.as_str()) {
            Some(component) => {
                agreed += 1;
                expected.agrees(component)
            }
            None => !expected.required,
        });
        expected_hold && agreed > 0 && (allow_extra || agreed == measured.len())
    }
}

/// What was measured, by name: each component once.
pub(crate) fn by_name(measured: &[Measured]) -> Result<BTreeMap<&str, &Measured>, Vec<Reason>> {
    let mut by_name = BTreeMap::new();
    for component in measured {
        if by_name.insert(component.name.as_str(), component).is_some() {
            return Err([Reason::new(Code::ComponentTwice).with("component", &component.name)].into());
        }
    }
    Ok(by_name)
}

/// Finds the one release that covers everything that was measured.
///
/// Releases are never mixed and never matched in part: a device whose components are each known, but from different
/// releases, is a device that somebody rolled back in part. `named` is the release that the evidence itself names; it
/// orders the search and the explanation, and proves nothing.
pub fn find_release(
    measured: &[Measured],
    candidates: &[Candidate<'_>],
    named: Option<Digest>,
    allow_extra: bool,
) -> Result<Digest, Vec<Reason>> {
    let by_name = by_name(measured)?;
    if candidates.is_empty() {
        return Err([Code::NoReference.into()].into());
    }
    // Explaining is dear, and only needed when nothing matches.
    if let Some(found) = candidates.iter().find(|candidate| candidate.covers(&by_name, allow_extra)) {
        return Ok(found.release);
    }
    let nearest = nearest(&by_name, candidates, named);
    let faults = nearest.map(|nearest| faults(&nearest, &by_name, allow_extra)).unwrap_or_default();
    let each_known = !measured.is_empty()
        && measured.iter().all(|component| {
            candidates.iter().any(|candidate| {
                candidate
                    .expected
                    .iter()
                    .any(|expected| expected.name == component.name && expected.agrees(component))
            })
        });
    if each_known && faults.iter().all(|fault| fault.code != Code::ComponentMissing) {
        let releases: Vec<&str> = candidates.iter().map(|candidate| candidate.version).collect();
        return Err([Reason::new(Code::MixedReleases).with("releases", releases.join(", "))].into());
    }
    Err(faults)
}

/// The release that explains best why none matches: the one that the evidence names, or else the first of those that most
/// of the components agree with.
pub(crate) fn nearest<'c>(
    measured: &BTreeMap<&str, &Measured>,
    candidates: &[Candidate<'c>],
    named: Option<Digest>,
) -> Option<Candidate<'c>> {
    let mut best: Option<(usize, &Candidate<'c>)> = None;
    for candidate in candidates {
        let agrees = |expected: &&Expected| {
            measured.get(expected.name.as_str()).is_some_and(|component| expected.agrees(component))
        };
        let agreed = || candidate.expected.iter().filter(agrees).count();
        let rank = if named == Some(candidate.release) { usize::MAX } else { agreed() };
        if best.is_none_or(|(other, _)| other < rank) {
            best = Some((rank, candidate));
        }
    }
    best.map(|(_, candidate)| *candidate)
}

/// One component in a release and in what was measured: in one of them at least.
pub(crate) struct Pair<'a> {
    pub(crate) name: &'a str,
    pub(crate) expected: Option<&'a Expected>,
    pub(crate) measured: Option<&'a Measured>,
    pub(crate) agreement: Agreement,
}

/// Every component of a release in its order, then what was measured besides, by name. Reasons are taken from the same as
/// what people are shown.
pub(crate) fn pairs<'a>(
    measured: &'a BTreeMap<&'a str, &'a Measured>,
    expected: &'a [Expected],
    allow_extra: bool,
) -> impl Iterator<Item = Pair<'a>> {
    let known = expected.iter().map(|expected| {
        let found = measured.get(expected.name.as_str()).copied();
        let agreement = match found {
            Some(component) if expected.agrees(component) => Agreement::Same,
            Some(_) => Agreement::Differs,
            None if expected.required => Agreement::Missing,
            None => Agreement::Absent,
        };
        Pair { name: &expected.name, expected: Some(expected), measured: found, agreement }
    });
    let besides =
        measured.iter().filter(|(name, _)| !expected.iter().any(|expected| expected.name == **name));
    let agreement = if allow_extra { Agreement::Extra } else { Agreement::Unknown };
    known.chain(besides.map(move |(name, component)| Pair {
        name,
        expected: None,
        measured: Some(component),
        agreement,
    }))
}

/// What keeps one release from covering what was measured.
fn faults(candidate: &Candidate<'_>, measured: &BTreeMap<&str, &Measured>, allow_extra: bool) -> Vec<Reason> {
    let (mut agreed, mut faults) = (false, Vec::new());
    for Pair { name, expected, measured, agreement } in pairs(measured, candidate.expected, allow_extra) {
        let fault = |code| Reason::new(code).with("component", name).with("version", candidate.version);
        faults.push(match agreement {
            Agreement::Same => {
                agreed = true;
                continue;
            }
            // What was measured twice, or is denied, is said before any release is looked at.
            Agreement::Absent | Agreement::Extra | Agreement::Twice | Agreement::Denied => continue,
            Agreement::Missing => fault(Code::ComponentMissing),
            Agreement::Unknown => fault(Code::ComponentUnknown),
            Agreement::Differs => {
                let mut fault = fault(Code::DigestMismatch);
                if let Some(expected) = expected {
                    fault = fault.with("expected", expected.digest);
                }
                match measured.and_then(|component| component.digest) {
                    Some(digest) => fault.with("measured", digest),
                    None => fault.with("measured", "nothing that proves it"),
                }
            }
        });
    }
    // Nothing measured and nothing required is no proof of anything.
    if !agreed && faults.is_empty() {
        faults.push(Reason::new(Code::ComponentMissing).with("version", candidate.version));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::HashAlgorithm;

    fn digest(text: &str) -> Digest {
        Digest::of(HashAlgorithm::Sha256, text.as_bytes())
    }

    fn expected(name: &str, content: &str) -> Expected {
        Expected {
            name: name.into(),
            digest: digest(content),
            size: Some(content.len() as u64),
            required: true,
            version: None,
        }
    }

    fn measured(name: &str, content: &str) -> Measured {
        Measured { name: name.into(), digest: Some(digest(content)), size: Some(content.len() as u64) }
    }

    fn codes(result: Result<Digest, Vec<Reason>>) -> Vec<Code> {
        result.expect_err("should not match").iter().map(|reason| reason.code).collect()
    }

    #[test]
    fn matches_one_whole_release_and_nothing_else() {
        let old = [expected("boot", "b1"), expected("app", "a1")];
        let new = [
            expected("boot", "b2"),
            expected("app", "a2"),
            Expected { required: false, ..expected("extra", "x") },
        ];
        let candidates = [
            Candidate { release: digest("1.0"), version: "1.0", expected: &old },
            Candidate { release: digest("1.1"), version: "1.1", expected: &new },
        ];
        let find = |measured: &[Measured]| find_release(measured, &candidates, None, false);
        assert_eq!(find(&[measured("boot", "b1"), measured("app", "a1")]), Ok(digest("1.0")));
        assert_eq!(find(&[measured("app", "a2"), measured("boot", "b2")]), Ok(digest("1.1")));
        assert_eq!(
            find(&[measured("app", "a2"), measured("boot", "b2"), measured("extra", "x")]),
            Ok(digest("1.1"))
        );

        let rows: [(&[Measured], &[Code]); 8] = [
            (&[measured("boot", "b1"), measured("app", "a2")], &[Code::MixedReleases]),
            (&[measured("boot", "b1")], &[Code::ComponentMissing]),
            (&[], &[Code::ComponentMissing, Code::ComponentMissing]),
            (&[measured("boot", "b1"), measured("app", "evil")], &[Code::DigestMismatch]),
            (
                &[measured("boot", "b1"), measured("app", "a1"), measured("spy", "s")],
                &[Code::ComponentUnknown],
            ),
            (
                &[measured("boot", "b1"), measured("boot", "b1"), measured("app", "a1")],
                &[Code::ComponentTwice],
            ),
            (
                &[measured("boot", "b1"), Measured { digest: None, ..measured("app", "a1") }],
                &[Code::DigestMismatch],
            ),
            (
                &[measured("boot", "b1"), Measured { size: Some(3), ..measured("app", "a1") }],
                &[Code::DigestMismatch],
            ),
        ];
        for (measured, expected) in rows {
            assert_eq!(codes(find(measured)), expected, "{measured:?}");
        }
        assert_eq!(codes(find_release(&[measured("app", "a1")], &[], None, false)), [Code::NoReference]);
    }

    #[test]
    fn extra_components_pass_only_where_policy_lets_them() {
        let release = [expected("app", "a1")];
        let candidates = [Candidate { release: digest("1.0"), version: "1.0", expected: &release }];
        let evidence = [measured("app", "a1"), measured("log", "l")];
        assert_eq!(find_release(&evidence, &candidates, None, true), Ok(digest("1.0")));
        assert_eq!(codes(find_release(&evidence, &candidates, None, false)), [Code::ComponentUnknown]);
    }

    #[test]
    fn a_release_that_requires_nothing_matches_nothing() {
        let optional = [Expected { required: false, ..expected("app", "a1") }];
        let candidates = [Candidate { release: digest("1.0"), version: "1.0", expected: &optional }];
        assert_eq!(codes(find_release(&[], &candidates, None, true)), [Code::ComponentMissing]);
        assert_eq!(
            codes(find_release(&[measured("log", "l")], &candidates, None, true)),
            [Code::ComponentMissing]
        );
    }

    #[test]
    fn a_mismatch_is_explained_against_the_release_the_device_names() {
        let old = [expected("app", "a1")];
        let new = [expected("app", "a2")];
        let candidates = [
            Candidate { release: digest("1.0"), version: "1.0", expected: &old },
            Candidate { release: digest("1.1"), version: "1.1", expected: &new },
        ];
        let evidence = [measured("app", "evil")];
        let reasons = find_release(&evidence, &candidates, Some(digest("1.1")), false).unwrap_err();
        let expected = Reason::new(Code::DigestMismatch)
            .with("component", "app")
            .with("version", "1.1")
            .with("expected", digest("a2"))
            .with("measured", digest("evil"));
        assert_eq!(reasons, [expected]);
    }
}
