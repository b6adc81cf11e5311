//! What is true of an attester, as far as anybody says so (draft, section "ACS Augmentation").

use alloc::vec::Vec;
use core::{cell::Cell, fmt};

use crate::{
    ClaimKind, CryptoKey, DomainTriple, Ect, Element, Environment, KeyTriple, KnownProfile, Measurement,
    SeriesTriple, VerifiedCorim, domain,
    ect::{Condition, contains_all},
};

/// How many tuples one attester's state may have.
pub const MAX_STATE: usize = 10_000;

/// How many times a measurement of a condition is held against an element for one attester.
pub const MAX_COMPARISONS: usize = 1_000_000;

/// The state of one attester: evidence first, then what reference values and endorsements add to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateSet {
    ects: Vec<Ect>,
    memberships: Vec<DomainTriple>,
    dependencies: Vec<DomainTriple>,
    comparisons: usize,
}

/// The manifests ask for more work than one attester is worth: nothing is to be concluded from the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("manifests ask for more comparisons or claims than one attester may have")
    }
}

impl core::error::Error for Exhausted {}

/// Conditions, all of which must hold, and what is then claimed.
struct Relation<'a> {
    conditions: Vec<Condition<'a>>,
    additions: Vec<(&'a Environment, &'a [Measurement])>,
    authority: &'a [CryptoKey],
}

/// A series that nothing came of yet.
struct Series<'a> {
    triple: &'a SeriesTriple,
    authority: &'a [CryptoKey],
    profile: Option<KnownProfile>,
}

impl StateSet {
    /// What the attester says of itself: verified evidence, and nothing else is to be put in.
    pub fn new(evidence: Vec<Ect>) -> Self {
        Self { ects: evidence, ..Self::default() }
    }

    /// Every claim.
    pub fn ects(&self) -> &[Ect] {
        &self.ects
    }

    /// Domains whose members are all there.
    pub fn memberships(&self) -> &[DomainTriple] {
        &self.memberships
    }

    /// Dependencies among members of those domains.
    pub fn dependencies(&self) -> &[DomainTriple] {
        &self.dependencies
    }

    /// How many times a measurement of a condition was held against an element, at most.
    pub fn comparisons(&self) -> usize {
        self.comparisons
    }

    /// Adds what manifests have to say: corroborated evidence, endorsements until no further condition holds, and domains.
    ///
    /// On an error the state is as it was. That evidence is corroborated does not mean that all of it is by one
    /// release: that is for [`crate::References::appraise`].
    pub fn augment(&mut self, manifests: &[&VerifiedCorim]) -> Result<(), Exhausted> {
        let mut state = self.clone();
        for manifest in manifests {
            state.corroborate(manifest)?;
        }
        state.endorse(manifests)?;
        state.arrange(manifests)?;
        *self = state;
        Ok(())
    }

    /// Whether any claim of a kind about an environment satisfies a measurement.
    pub fn satisfies(&self, environment: &Environment, measurement: &Measurement, kind: ClaimKind) -> bool {
        let condition = Condition::new(environment, core::slice::from_ref(measurement), None);
        self.ects.iter().any(|ect| ect.kind == kind && condition.holds(ect))
    }

    /// Claims again, under the authority of the manifest, the evidence that a reference triple describes; no more of it
    /// than the triple does.
    fn corroborate(&mut self, manifest: &VerifiedCorim) -> Result<(), Exhausted> {
        let profile = manifest.profile();
        for triple in manifest.comids().flat_map(|comid| &comid.triples.reference) {
            let condition = Condition::new(&triple.environment, &triple.measurements, profile);
            let mut found = Vec::new();
            for index in 0..self.ects.len() {
                let Some(ect) = self.ects.get(index).filter(|ect| ect.kind == ClaimKind::Evidence) else {
                    continue;
                };
                self.comparisons = self.comparisons.saturating_add(condition.cost(ect));
                if condition.holds(ect) {
                    let described = |element: &&Element| {
                        triple
                            .measurements
                            .iter()
                            .any(|measurement| measurement.is_satisfied_by(element, profile))
                    };
                    found.push(ect.elements.iter().filter(described).cloned().collect());
                }
            }
            for elements in found {
                self.add(Ect {
                    environment: triple.environment.clone(),
                    elements,
                    authority: manifest.authority_keys().to_vec(),
                    kind: ClaimKind::ReferenceValues,
                })?;
            }
            self.check()?;
        }
        Ok(())
    }

    /// Endorsements without order: each adds at most once, and a round that adds nothing is the last. Series have an
    /// order in themselves, so that they are judged when everything else is said, and all by the same state.
    fn endorse(&mut self, manifests: &[&VerifiedCorim]) -> Result<(), Exhausted> {
        let mut relations: Vec<Relation<'_>> =
            manifests.iter().flat_map(|manifest| relations(manifest)).collect();
        let mut waiting: Vec<Series<'_>> = manifests.iter().flat_map(|manifest| series(manifest)).collect();
        loop {
            while self.endorse_once(&mut relations)? {}
            if !self.endorse_series(&mut waiting)? {
                return Ok(());
            }
        }
    }

    fn endorse_once(&mut self, relations: &mut Vec<Relation<'_>>) -> Result<bool, Exhausted> {
        let mut any = false;
        let mut later = Vec::new();
        for relation in relations.drain(..) {
            let mut holds = true;
            for condition in &relation.conditions {
                holds = holds && self.holds(condition)?;
            }
            if !holds {
                later.push(relation);
                continue;
            }
            any = true;
            for (environment, measurements) in &relation.additions {
                self.add(endorsement(environment, measurements, relation.authority))?;
            }
        }
        *relations = later;
        Ok(any)
    }

    fn endorse_series(&mut self, waiting: &mut Vec<Series<'_>>) -> Result<bool, Exhausted> {
        let mut additions = Vec::new();
        let mut later = Vec::new();
        for series in waiting.drain(..) {
            let triple = series.triple;
            let mut first = None;
            for item in &triple.series {
                let condition = Condition {
                    environment: &triple.environment,
                    measurements: [&triple.measurements, &item.condition],
                    authorized_by: &triple.authorized_by,
                    profile: series.profile,
                };
                if self.holds(&condition)? {
                    first = Some(item);
                    break;
                }
            }
            match first {
                Some(item) => {
                    additions.push(endorsement(&triple.environment, &item.addition, series.authority));
                }
                None => later.push(series),
            }
        }
        *waiting = later;
        let any = !additions.is_empty();
        additions.into_iter().try_for_each(|addition| self.add(addition))?;
        Ok(any)
    }

    /// Domains of one manifest at a time: a cycle refuses those of its own authority only.
    fn arrange(&mut self, manifests: &[&VerifiedCorim]) -> Result<(), Exhausted> {
        for manifest in manifests {
            let comids = || manifest.comids().map(|comid| &comid.triples);
            let members: Vec<_> = comids().flat_map(|triples| &triples.membership).collect();
            let depending: Vec<_> = comids().flat_map(|triples| &triples.dependency).collect();
            let comparisons = Cell::new(self.comparisons);
            let count = |more: usize| {
                comparisons.set(comparisons.get().saturating_add(more));
                if comparisons.get() > MAX_COMPARISONS { Err(Exhausted) } else { Ok(()) }
            };
            let held = domain::held(
                &members,
                |environment| {
                    count(self.ects.len())?;
                    let mut evidence = self.ects.iter().filter(|ect| ect.kind == ClaimKind::Evidence);
                    Ok(evidence.any(|ect| environment.is_satisfied_by(&ect.environment)))
                },
                || count(1),
            )?;
            self.comparisons = comparisons.get();
            let depended = domain::depended(&depending, &held);
            self.memberships.extend(held.into_iter().cloned());
            self.dependencies.extend(depended.into_iter().cloned());
        }
        Ok(())
    }

    fn holds(&mut self, condition: &Condition<'_>) -> Result<bool, Exhausted> {
        for index in 0..self.ects.len() {
            let Some(ect) = self.ects.get(index) else { break };
            self.comparisons = self.comparisons.saturating_add(condition.cost(ect));
            if condition.holds(ect) {
                return Ok(true);
            }
            self.check()?;
        }
        Ok(false)
    }

    /// Adds a claim. Claims of one kind and authority about one environment are one tuple, unless they contradict each
    /// other: then they are different states (draft, section "Element ECT").
    fn add(&mut self, ect: Ect) -> Result<(), Exhausted> {
        let elements: usize = self.ects.iter().map(|known| known.elements.len() + 1).sum();
        self.comparisons = self.comparisons.saturating_add(elements.saturating_mul(ect.elements.len()));
        self.check()?;
        let same = self.ects.iter_mut().find(|known| {
            known.kind == ect.kind
                && known.environment == ect.environment
                && known.authority == ect.authority
                && known.agrees(&ect.elements)
        });
        if let Some(known) = same {
            for element in ect.elements {
                if !known.elements.contains(&element) {
                    known.elements.push(element);
                }
            }
            return Ok(());
        }
        if self.ects.len() >= MAX_STATE {
            return Err(Exhausted);
        }
        self.ects.push(ect);
        Ok(())
    }

    fn check(&self) -> Result<(), Exhausted> {
        if self.comparisons > MAX_COMPARISONS { Err(Exhausted) } else { Ok(()) }
    }
}

impl VerifiedCorim {
    /// Keys with which an environment attests, according to this manifest and to whoever says so in `authority`.
    pub fn attest_keys<'a>(
        &'a self,
        environment: &'a Environment,
        authority: &'a [CryptoKey],
    ) -> impl Iterator<Item = &'a KeyTriple> {
        keys(self.comids().flat_map(|comid| &comid.triples.attest_key), environment, authority)
    }

    /// Keys that identify an environment, in the same way.
    pub fn identity_keys<'a>(
        &'a self,
        environment: &'a Environment,
        authority: &'a [CryptoKey],
    ) -> impl Iterator<Item = &'a KeyTriple> {
        keys(self.comids().flat_map(|comid| &comid.triples.identity), environment, authority)
    }
}

fn keys<'a>(
    triples: impl Iterator<Item = &'a KeyTriple>,
    environment: &'a Environment,
    authority: &'a [CryptoKey],
) -> impl Iterator<Item = &'a KeyTriple> {
    triples.filter(move |triple| {
        triple.environment.is_satisfied_by(environment) && contains_all(authority, &triple.authorized_by)
    })
}

fn relations<'a>(manifest: &'a VerifiedCorim) -> Vec<Relation<'a>> {
    let (authority, profile) = (manifest.authority_keys(), manifest.profile());
    let mut relations = Vec::new();
    for triples in manifest.comids().map(|comid| &comid.triples) {
        relations.extend(triples.endorsed.iter().map(|triple| Relation {
            conditions: Vec::from([Condition::new(&triple.environment, &[], profile)]),
            additions: Vec::from([(&triple.environment, triple.measurements.as_slice())]),
            authority,
        }));
        relations.extend(triples.conditional.iter().map(|triple| {
            let condition = |part: &'a crate::ValuesTriple| {
                Condition::new(&part.environment, &part.measurements, profile)
            };
            let addition = |part: &'a crate::ValuesTriple| (&part.environment, part.measurements.as_slice());
            Relation {
                conditions: triple.conditions.iter().map(condition).collect(),
                additions: triple.endorsements.iter().map(addition).collect(),
                authority,
            }
        }));
    }
    relations
}

fn series<'a>(manifest: &'a VerifiedCorim) -> Vec<Series<'a>> {
    let (authority, profile) = (manifest.authority_keys(), manifest.profile());
    let triples = manifest.comids().flat_map(|comid| &comid.triples.conditional_series);
    triples.map(|triple| Series { triple, authority, profile }).collect()
}

fn endorsement(environment: &Environment, measurements: &[Measurement], authority: &[CryptoKey]) -> Ect {
    Ect {
        environment: environment.clone(),
        elements: measurements.iter().map(Element::from).collect(),
        authority: authority.to_vec(),
        kind: ClaimKind::Endorsements,
    }
}
