use alloc::{borrow::ToOwned, collections::BTreeMap, string::String, vec::Vec};

use crypto::Digest;
use eat::VerifiedEvidence;

use crate::{
    Candidate, Expected, Measured, Policy, Reason, References,
    appraise::measured,
    matching::{Pair, nearest, pairs},
};

/// Every component of a device, expected beside measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The release that gives what is expected; none where nothing is left to compare with.
    pub against: Option<Against>,
    /// The components: those of the release in its order, then what was measured besides.
    pub components: Vec<Compared>,
}

/// The release that measured components are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Against {
    /// Its manifest digest.
    pub release: Digest,
    /// Its version, for people.
    pub version: String,
    /// Why this one.
    pub chosen: Chosen,
}

/// Why measured components are compared with a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// It covers everything that was measured.
    Matched,
    /// None does, and the evidence names it.
    Named,
    /// None does, and most components agree with it.
    Nearest,
}

/// One component: in a release, in what was measured, or in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// What the release says of it.
    pub expected: Option<Expected>,
    /// What the device measured of it.
    pub measured: Option<Measured>,
    /// What the two are to each other.
    pub agreement: Agreement,
}

/// What is expected of a component and what was measured of it are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// What was measured is what is expected.
    Same,
    /// It is something else, or proves nothing.
    Differs,
    /// It must be measured, and was not.
    Missing,
    /// It need not be measured, and was not.
    Absent,
    /// It was measured, and nothing is expected of it.
    Unknown,
    /// The same, which the policy lets pass.
    Extra,
    /// It was measured twice, so that nothing is said.
    Twice,
    /// What was measured must not run anywhere, whatever is expected.
    Denied,
}

impl Chosen {
    /// Its word, as it is written everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Named => "named",
            Self::Nearest => "nearest",
        }
    }
}

impl Agreement {
    /// Its word, as it is written everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Missing => "missing",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
            Self::Extra => "extra",
            Self::Twice => "twice",
            Self::Denied => "denied",
        }
    }

    /// Whether it keeps evidence from matching a release.
    pub const fn stands_against(self) -> bool {
        !matches!(self, Self::Same | Self::Absent | Self::Extra)
    }
}

/// Sets what evidence measured beside what is expected, with the same references and policy that it is appraised with:
/// reasons of [`appraise`](crate::appraise) on components speak of what is here.
///
/// # Errors
/// When what was measured cannot be read.
pub fn compare(
    evidence: &VerifiedEvidence<'_>,
    references: &References<'_>,
    policy: &Policy,
) -> Result<Comparison, Reason> {
    let claims = evidence.claims();
    let measured = measured(&claims.measurement)?;
    let (mut by_name, mut again) = (BTreeMap::new(), Vec::new());
    for component in &measured {
        if by_name.contains_key(component.name.as_str()) {
            again.push(component);
        } else {
            by_name.insert(component.name.as_str(), component);
        }
    }
    let extra = policy.allow_extra_components;
    let named = claims.manifest.map(|manifest| manifest.digest);
    let found = choose((&claims.vendor, &claims.class), &measured, &by_name, named, references, extra);
    let expected = found.map_or(&[] as &[Expected], |(candidate, _)| candidate.expected);
    let denied =
        |component: &Measured| component.digest.is_some_and(|digest| references.denied.contains(&digest));
    let is_twice = |name: &str| again.iter().any(|component| component.name == name);
    let row = |pair: Pair<'_>| Compared {
        name: pair.name.to_owned(),
        expected: pair.expected.cloned(),
        measured: pair.measured.cloned(),
        agreement: match pair.agreement {
            _ if pair.measured.is_some_and(denied) => Agreement::Denied,
            _ if is_twice(pair.name) => Agreement::Twice,
            // Where there is nothing to compare with, no policy lets it pass.
            Agreement::Extra if found.is_none() => Agreement::Unknown,
            agreement => agreement,
        },
    };
    let mut components: Vec<Compared> = pairs(&by_name, expected, extra).map(row).collect();
    components.extend(again.iter().map(|component| Compared {
        name: component.name.clone(),
        expected: None,
        measured: Some((*component).clone()),
        agreement: if denied(component) { Agreement::Denied } else { Agreement::Twice },
    }));
    let against = found.map(|(candidate, chosen)| Against {
        release: candidate.release,
        version: candidate.version.to_owned(),
        chosen,
    });
    Ok(Comparison { against, components })
}

fn choose<'r>(
    target: (&[u8; 16], &[u8; 16]),
    measured: &[Measured],
    by_name: &BTreeMap<&str, &Measured>,
    named: Option<Digest>,
    references: &References<'r>,
    extra: bool,
) -> Option<(Candidate<'r>, Chosen)> {
    let (releases, without) = (references.releases, references.without);
    let is_plain = by_name.len() == measured.len();
    let covering = is_plain.then(|| releases.covering(target, measured, by_name, extra, without)).flatten();
    if let Some(found) = covering {
        return Some((found, Chosen::Matched));
    }
    // With a tampered reference out of the way nothing is left to compare with.
    if references.tampered.is_some() {
        return None;
    }
    let nearest = nearest(by_name, &releases.near(target, measured, named, without), named)?;
    let chosen = if named == Some(nearest.release) { Chosen::Named } else { Chosen::Nearest };
    Some((nearest, chosen))
}
