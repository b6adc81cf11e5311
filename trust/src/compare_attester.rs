use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

use corim::{Element, RegisterId};
use crypto::{Digest, HashAlgorithm};

use crate::{
    Against, Agreement, Attester, Beliefs, Candidate, Chosen, Compared, Comparison, Expected, Measured,
    corroborate::{component, digests, name},
    matching::{Pair, nearest, pairs},
};

/// Sets what an attester measured beside what is expected of its environment now, by manifests or by releases of the
/// operator's own: by the release that was `found` to cover it, or else the one that comes nearest.
///
/// Only what has a digest is set side by side, each integrity register for itself, by an algorithm that both sides have.
/// Where a release names one element several times, as alternatives, it is the one that agrees, or else the first.
pub fn compare_attester(attester: &Attester, beliefs: &Beliefs<'_>, found: Option<&Digest>) -> Comparison {
    let releases = releases(attester, beliefs);
    let (measured, optional) = measured(attester, beliefs, &releases);
    let (mut by_name, mut again) = (BTreeMap::new(), Vec::new());
    for one in &measured {
        match by_name.get(one.name.as_str()) {
            // The same twice says no more than once.
            Some(known) if *known == one => {}
            Some(_) => again.push(one),
            None => _ = by_name.insert(one.name.as_str(), one),
        }
    }
    let expecting: Vec<_> = releases.iter().map(|release| (release, release.expected(&by_name))).collect();
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    for (release, expected) in &expecting {
        candidates.push(Candidate { release: release.manifest, version: &release.name, expected });
    }
    let own = beliefs.releases.iter().filter(|own| attester.is_of_class(own.release.class()));
    candidates.extend(own.map(|own| own.release.candidate()));
    let matched = found.and_then(|found| {
        let of_release = candidates.iter().filter(|candidate| candidate.release == *found);
        // A manifest can hold several releases: the one that was found is nearest.
        nearest(&by_name, &of_release.copied().collect::<Vec<_>>(), None)
    });
    let chosen = match matched {
        Some(matched) => Some((matched, Chosen::Matched)),
        None => nearest(&by_name, &candidates, None).map(|nearest| (nearest, Chosen::Nearest)),
    };
    let expected = chosen.map_or(&[] as &[Expected], |(candidate, _)| candidate.expected);
    let is_denied = |one: &Measured| one.digest.is_some_and(|digest| beliefs.denied.contains(&digest));
    let is_twice = |name: &str| again.iter().any(|one| one.name == name);
    let row = |pair: Pair<'_>| Compared {
        name: pair.name.into(),
        expected: pair.expected.cloned(),
        measured: pair.measured.cloned(),
        agreement: match pair.agreement {
            _ if pair.measured.is_some_and(is_denied) => Agreement::Denied,
            _ if is_twice(pair.name) => Agreement::Twice,
            Agreement::Unknown if chosen.is_some() && optional.contains(pair.name) => Agreement::Extra,
            agreement => agreement,
        },
    };
    let mut components: Vec<Compared> = pairs(&by_name, expected, false).map(row).collect();
    components.extend(again.iter().map(|one| Compared {
        name: one.name.clone(),
        expected: None,
        measured: Some((*one).clone()),
        agreement: if is_denied(one) { Agreement::Denied } else { Agreement::Twice },
    }));
    let against = chosen.map(|(candidate, chosen)| Against {
        release: candidate.release,
        version: candidate.version.into(),
        chosen,
    });
    Comparison { against, components }
}

/// A component or integrity register, and its digests by different algorithms.
struct Digested {
    name: String,
    digests: Vec<Digest>,
}

fn digested(element: &Element) -> Vec<Digested> {
    let registers = &element.values.integrity_registers;
    if registers.is_empty() {
        return Vec::from([Digested { name: component(element), digests: digests(element) }]);
    }
    let register = |(id, digests): (&RegisterId, &Vec<corim::Digest>)| Digested {
        name: match id {
            RegisterId::Number(number) => format!("register {number}"),
            RegisterId::Name(name) => name.clone(),
        },
        digests: digests.iter().filter_map(corim::Digest::to_crypto).collect(),
    };
    registers.iter().map(register).collect()
}

/// What a release of a manifest expects of an environment.
struct Release {
    manifest: Digest,
    name: String,
    components: Vec<Digested>,
}

impl Release {
    /// What it expects, each by the algorithm of what was measured.
    fn expected(&self, measured: &BTreeMap<&str, &Measured>) -> Vec<Expected> {
        let mut expected: Vec<Expected> = Vec::new();
        for Digested { name, digests } in &self.components {
            let found = measured.get(name.as_str()).and_then(|measured| measured.digest);
            let of = |algorithm: HashAlgorithm| digests.iter().find(|digest| digest.algorithm() == algorithm);
            let same = found.and_then(|found| of(found.algorithm()));
            let Some(digest) = same.or(digests.first()).copied() else { continue };
            let one = Expected { name: name.clone(), digest, size: None, required: true, version: None };
            match expected.iter_mut().find(|other| other.name == one.name) {
                Some(other) if found == Some(digest) => *other = one,
                Some(_) => {}
                None => expected.push(one),
            }
        }
        expected
    }
}

/// The releases of manifests that say something of the environment and are valid.
fn releases(attester: &Attester, beliefs: &Beliefs<'_>) -> Vec<Release> {
    let (endorsements, environment) = (beliefs.endorsements, &attester.measured.environment);
    let (releases, _) = endorsements.references().about(environment);
    let mut all = Vec::new();
    for release in releases {
        let Some(manifest) = endorsements.origin(&release.id).copied() else { continue };
        if !endorsements.is_valid(release, beliefs.now) {
            continue;
        }
        let about = release.triples.iter().filter(|triple| triple.environment.is_satisfied_by(environment));
        let measurements = about.flat_map(|triple| &triple.measurements);
        let components = measurements.flat_map(|measurement| digested(&measurement.into())).collect();
        all.push(Release { manifest, name: name(&release.id), components });
    }
    all
}

/// What was measured, by an algorithm that some release names it by, and which of it need not be expected. PCRs are in the
/// terms of the first release that names those that were quoted.
fn measured(
    attester: &Attester,
    beliefs: &Beliefs<'_>,
    releases: &[Release],
) -> (Vec<Measured>, BTreeSet<String>) {
    if !attester.files.is_empty() {
        return (attester.files.clone(), BTreeSet::new());
    }
    let mut algorithms: BTreeMap<&str, BTreeSet<HashAlgorithm>> = BTreeMap::new();
    for one in releases.iter().flat_map(|release| &release.components) {
        algorithms.entry(&one.name).or_default().extend(one.digests.iter().map(Digest::algorithm));
    }
    let one = |Digested { name, digests }: Digested| {
        let named = |digest: &&Digest| {
            algorithms.get(name.as_str()).is_some_and(|algorithms| algorithms.contains(&digest.algorithm()))
        };
        let digest = digests.iter().find(named).or(digests.first()).copied();
        Measured { name, digest, size: None }
    };
    let Some(quoted) = &attester.quoted else {
        let optional = attester.optional.iter().filter_map(|index| attester.measured.elements.get(*index));
        let measured = attester.measured.elements.iter().flat_map(digested).map(one).collect();
        return (measured, optional.map(component).collect());
    };
    let forms = quoted.elements(&attester.measured.environment, beliefs.endorsements);
    let elements = forms.unwrap_or_default().into_iter().next().unwrap_or_default();
    (elements.iter().flat_map(digested).map(one).collect(), BTreeSet::new())
}
