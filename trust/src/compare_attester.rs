use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use crypto::Digest;

use crate::{
    Against, Agreement, Attester, Beliefs, Candidate, Chosen, Compared, Comparison, Expected, Measured,
    corroborate::{component, digests},
    matching::{Pair, nearest, pairs},
};

/// Sets what an attester measured beside what is expected of its environment, by manifests or by releases of the operator's
/// own: by the release that was `found` to cover it, or else the one that comes nearest.
///
/// Only what has a digest is set side by side. Where a release names one element several times, as alternatives, it is the
/// one that agrees, or else the first.
pub fn compare_attester(attester: &Attester, beliefs: &Beliefs<'_>, found: Option<&Digest>) -> Comparison {
    let (measured, optional) = measured(attester, beliefs);
    let (mut by_name, mut again) = (BTreeMap::new(), Vec::new());
    for one in &measured {
        match by_name.get(one.name.as_str()) {
            // The same twice says no more than once.
            Some(known) if *known == one => {}
            Some(_) => again.push(one),
            None => _ = by_name.insert(one.name.as_str(), one),
        }
    }
    let manifests = manifests(attester, beliefs, &by_name);
    let mut candidates: Vec<Candidate<'_>> = manifests.iter().map(Expecting::candidate).collect();
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

/// What was measured, and which of it need not be expected. PCRs are in the terms of the first release that names those that
/// were quoted.
fn measured(attester: &Attester, beliefs: &Beliefs<'_>) -> (Vec<Measured>, BTreeSet<String>) {
    let Some(quoted) = &attester.quoted else {
        let elements = attester.optional.iter().filter_map(|index| attester.measured.elements.get(*index));
        return (attester.components(), elements.map(component).collect());
    };
    let forms = quoted.elements(&attester.measured.environment, beliefs.endorsements);
    let elements = forms.unwrap_or_default().into_iter().next().unwrap_or_default();
    let one = |element: &corim::Element| {
        let name = component(element);
        let digest = digests(element).first().copied();
        Measured { name, digest, size: None }
    };
    (elements.iter().map(one).collect(), BTreeSet::new())
}

/// What a release of a manifest expects of an environment.
struct Expecting {
    manifest: Digest,
    name: String,
    expected: Vec<Expected>,
}

impl Expecting {
    fn candidate(&self) -> Candidate<'_> {
        Candidate { release: self.manifest, version: &self.name, expected: &self.expected }
    }
}

fn manifests(
    attester: &Attester,
    beliefs: &Beliefs<'_>,
    measured: &BTreeMap<&str, &Measured>,
) -> Vec<Expecting> {
    let mut all = Vec::new();
    for (id, name, components) in beliefs.endorsements.expected_of(&attester.measured.environment) {
        let mut expected: Vec<Expected> = Vec::new();
        for Measured { name, digest, size } in components {
            let Some(digest) = digest else { continue };
            let one = Expected { name, digest, size, required: true, version: None };
            let agrees = measured.get(one.name.as_str()).is_some_and(|found| found.digest == Some(digest));
            match expected.iter_mut().find(|other| other.name == one.name) {
                Some(other) if agrees => *other = one,
                Some(_) => {}
                None => expected.push(one),
            }
        }
        let origin = beliefs.endorsements.origin(id).copied();
        all.extend(origin.map(|manifest| Expecting { manifest, name, expected }));
    }
    all
}
