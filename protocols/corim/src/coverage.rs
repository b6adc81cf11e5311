//! Whether one release covers everything that was measured.

use alloc::{collections::BTreeSet, vec::Vec};
use core::ops::RangeInclusive;

use crate::{
    ClaimKind, Ect, Element, MAX_CANDIDATES, MAX_COMPARISONS, Measurement, References, Release, ReleaseId,
    ValuesTriple,
    ect::{Condition, contains_all},
    references::{Fact, FactValue, Indexed, Name, Place, Posting},
};

/// What reference values say of evidence as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// One release covers everything measured and names nothing else: the last added of those that name most.
    Match(ReleaseId),
    /// Nothing is expected of any of these environments.
    NoReference,
    /// One release covers everything measured, and the caller does not let its authority speak.
    WrongAuthority(ReleaseId),
    /// What was measured is expected, and signed by another key than the one that signed what is there.
    WrongSigner(Subject),
    /// A release names the element, and no release expects what was measured of it.
    Mismatch(Subject),
    /// No release names the element: it covers a subset of the evidence at most.
    ComponentUnknown(Subject),
    /// A release covers everything measured and names what was not: the evidence is a subset.
    ComponentMissing(ReleaseId),
    /// Everything measured is expected, by different releases, of which no one covers all of it.
    MixedReleases,
    /// More releases fit, or take more comparisons, than are looked at, and none of those looked at matches.
    TooManyCandidates,
    /// There is nothing to judge.
    NothingMeasured,
}

/// An element of the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Which tuple, counted from zero.
    pub ect: usize,
    /// Which of its elements, counted from zero.
    pub element: usize,
}

/// An outcome, and what it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appraisal {
    /// What came out.
    pub outcome: Outcome,
    /// How many entries of the index were looked at, and how many times a reference measurement was held against an element.
    pub comparisons: usize,
}

/// An element of the evidence and the measurements that may expect it.
struct Measured<'a> {
    subject: Subject,
    ect: &'a Ect,
    element: &'a Element,
    postings: Vec<&'a BTreeSet<Posting>>,
}

impl Measured<'_> {
    fn count(&self) -> usize {
        self.postings.iter().map(|postings| postings.len()).sum()
    }
}

/// What one release describes of the evidence.
#[derive(Default)]
struct Cover {
    visited: BTreeSet<u32>,
    described: BTreeSet<Subject>,
    names: BTreeSet<(Place, Name)>,
}

/// One run over the index, counting.
struct Run<'a> {
    references: &'a References,
    evidence: &'a [Ect],
    comparisons: usize,
}

impl References {
    /// Judges evidence as a whole: one release must cover everything measured and must have nothing missing, so that
    /// components of different releases never add up. Evidence that belongs to different makers is judged apart, a call
    /// each. `may_speak` says whether the authority of a release is one to be heard about this device.
    ///
    /// Releases are reached from what was measured; how many there are otherwise does not matter.
    pub fn appraise(&self, evidence: &[Ect], may_speak: impl Fn(&Release) -> bool) -> Appraisal {
        let mut run = Run { references: self, evidence, comparisons: 0 };
        let outcome = run.outcome(may_speak);
        Appraisal { outcome, comparisons: run.comparisons }
    }
}

impl<'a> Run<'a> {
    fn outcome(&mut self, may_speak: impl Fn(&Release) -> bool) -> Outcome {
        let measured = self.measured();
        let Some(rarest) = measured.iter().min_by_key(|measured| measured.count()) else {
            return Outcome::NothingMeasured;
        };
        let mut places = self.evidence.iter().flat_map(|ect| Place::all(&ect.environment));
        if !places.any(|place| self.references.places.contains_key(&place)) {
            return Outcome::NoReference;
        }
        // Whatever covers everything covers the element that fewest expect, and names no more than was measured.
        let most = u32::try_from(measured.len()).unwrap_or(u32::MAX);
        let mut unheard = None;
        let (found, all) = self.search(rarest, most, |run, indexed, number| {
            if !run.covers(indexed, number, &measured) {
                return None;
            }
            let id = indexed.release.id.clone();
            if may_speak(&indexed.release) {
                return Some(Outcome::Match(id));
            }
            unheard.get_or_insert(Outcome::WrongAuthority(id));
            None
        });
        if let Some(outcome) = found.or(unheard) {
            return outcome;
        }
        if !all {
            return Outcome::TooManyCandidates;
        }
        if let Some(outcome) = measured.iter().find_map(|measured| self.unexpected(measured)) {
            return outcome;
        }
        // Every element is expected by some release: by one that expects more, or by different ones.
        let (found, all) = self.search(rarest, u32::MAX, |run, indexed, number| {
            let expects = run.expects_all(indexed, number, &measured);
            expects.then(|| Outcome::ComponentMissing(indexed.release.id.clone()))
        });
        found.unwrap_or(if all { Outcome::MixedReleases } else { Outcome::TooManyCandidates })
    }

    /// Every element of the evidence with what may expect it.
    fn measured(&self) -> Vec<Measured<'a>> {
        let mut all = Vec::new();
        for (index, ect) in
            self.evidence.iter().enumerate().filter(|(_, ect)| ect.kind == ClaimKind::Evidence)
        {
            let places = Place::all(&ect.environment);
            for (element_index, element) in ect.elements.iter().enumerate() {
                let values = FactValue::found(&element.values);
                let facts = places.iter().flat_map(|place| {
                    values.iter().map(|value| Fact {
                        place: place.clone(),
                        key: element.key.clone(),
                        value: value.clone(),
                    })
                });
                let postings = facts.filter_map(|fact| self.references.postings.get(&fact)).collect();
                let subject = Subject { ect: index, element: element_index };
                all.push(Measured { subject, ect, element, postings });
            }
        }
        all
    }

    /// Goes through the releases that may expect an element and name at most so many, those that name most and were
    /// added last first, until one is judged; and says whether none is left that could be.
    fn search(
        &mut self,
        measured: &Measured<'a>,
        most: u32,
        mut judge: impl FnMut(&mut Self, &'a Indexed, u64) -> Option<Outcome>,
    ) -> (Option<Outcome>, bool) {
        let last = *Posting::range(most, None).end();
        let mut seen = BTreeSet::new();
        for posting in measured.postings.iter().flat_map(|postings| postings.range(..=last).rev()) {
            self.comparisons += 1;
            if seen.contains(&posting.release) {
                continue;
            }
            if seen.len() == MAX_CANDIDATES || self.comparisons > MAX_COMPARISONS {
                return (None, false);
            }
            seen.insert(posting.release);
            let Some(indexed) = self.references.releases.get(&posting.release) else { continue };
            if let Some(outcome) = judge(self, indexed, posting.release) {
                return (Some(outcome), true);
            }
        }
        (None, self.comparisons <= MAX_COMPARISONS)
    }

    /// Whether every element is described by a triple that holds, and every element that the release names is in one.
    /// A triple that does not hold is another state of the elements of one that does, or something is missing.
    fn covers(&mut self, indexed: &'a Indexed, number: u64, measured: &[Measured<'a>]) -> bool {
        let range = Posting::range(indexed.count(), Some(number));
        let mut cover = Cover::default();
        // A triple that holds is found by every one of its measurements: those that fewest triples have find it first,
        // and what is described already need not be looked for.
        let mut by_rarity: Vec<(usize, &Measured<'a>)> = Vec::with_capacity(measured.len());
        for measured in measured {
            let found = measured.postings.iter().flat_map(|postings| postings.range(range.clone()));
            let count = found.take(MAX_CANDIDATES).count();
            self.comparisons += count;
            by_rarity.push((count, measured));
        }
        by_rarity.sort_by_key(|(count, _)| *count);
        for (_, measured) in &by_rarity {
            if !cover.described.contains(&measured.subject) {
                self.visit(&mut cover, indexed, measured, &range);
            }
            if !cover.described.contains(&measured.subject) {
                return false;
            }
        }
        // Rarely, an element has a name in one triple and none in another: then the others count too.
        if !indexed.names.is_subset(&cover.names) {
            by_rarity.iter().for_each(|(_, measured)| self.visit(&mut cover, indexed, measured, &range));
        }
        indexed.names.is_subset(&cover.names)
    }

    /// Judges the triples of a release that may describe an element.
    fn visit(
        &mut self,
        cover: &mut Cover,
        indexed: &Indexed,
        measured: &Measured<'a>,
        range: &RangeInclusive<Posting>,
    ) {
        let release = &indexed.release;
        let postings = measured.postings.iter().flat_map(|postings| postings.range(range.clone()));
        for posting in postings.take(MAX_CANDIDATES) {
            self.comparisons += 1;
            let triple = usize::try_from(posting.triple).ok().and_then(|index| release.triples.get(index));
            let Some(triple) = triple.filter(|_| cover.visited.insert(posting.triple)) else { continue };
            let condition = Condition::new(&triple.environment, &triple.measurements, release.profile);
            let mut holds = false;
            for (index, ect) in
                self.evidence.iter().enumerate().filter(|(_, ect)| ect.kind == ClaimKind::Evidence)
            {
                self.comparisons = self.comparisons.saturating_add(condition.cost(ect));
                if self.comparisons > MAX_COMPARISONS || !condition.holds(ect) {
                    continue;
                }
                holds = true;
                for (element_index, element) in ect.elements.iter().enumerate() {
                    if triple.measurements.iter().any(|m| m.is_satisfied_by(element, release.profile)) {
                        cover.described.insert(Subject { ect: index, element: element_index });
                    }
                }
            }
            if holds {
                let place = Place::of(&triple.environment);
                cover.names.extend(triple.measurements.iter().map(|m| (place.clone(), name(m))));
            }
        }
    }

    /// Why no release expects an element, if none does.
    fn unexpected(&mut self, measured: &Measured<'a>) -> Option<Outcome> {
        let mut signed_otherwise = false;
        let mut all = true;
        for postings in &measured.postings {
            all &= postings.len() <= MAX_CANDIDATES;
            for posting in postings.iter().rev().take(MAX_CANDIDATES) {
                let Some((release, triple, expected)) = self.look_up(posting) else { continue };
                self.comparisons += 1;
                if expects(release, triple, expected, measured) {
                    return None;
                }
                signed_otherwise |= triple.environment.is_satisfied_by(&measured.ect.environment)
                    && expected.key == measured.element.key
                    && expected.values.fails_by_keys_alone(&measured.element.values, release.profile);
            }
        }
        if signed_otherwise {
            return Some(Outcome::WrongSigner(measured.subject));
        }
        if !all {
            return Some(Outcome::TooManyCandidates);
        }
        let key = &measured.element.key;
        let called = [(key.clone(), measured.element.values.name.clone()), (key.clone(), None)];
        let is_named = Place::all(&measured.ect.environment).iter().any(|place| {
            called.iter().any(|name| self.references.names.contains_key(&(place.clone(), name.clone())))
        });
        Some(if is_named {
            Outcome::Mismatch(measured.subject)
        } else {
            Outcome::ComponentUnknown(measured.subject)
        })
    }

    /// Whether a release expects every element, each by some measurement.
    fn expects_all(&mut self, indexed: &'a Indexed, number: u64, measured: &[Measured<'a>]) -> bool {
        let range = Posting::range(indexed.count(), Some(number));
        measured.iter().all(|measured| {
            let mut postings = measured.postings.iter().flat_map(|postings| postings.range(range.clone()));
            postings.any(|posting| {
                self.comparisons += 1;
                self.look_up(posting)
                    .is_some_and(|(release, triple, expected)| expects(release, triple, expected, measured))
            })
        })
    }

    fn look_up(&self, posting: &Posting) -> Option<(&'a Release, &'a ValuesTriple, &'a Measurement)> {
        let release = &self.references.releases.get(&posting.release)?.release;
        let triple = release.triples.get(usize::try_from(posting.triple).ok()?)?;
        Some((release, triple, triple.measurements.get(usize::try_from(posting.measurement).ok()?)?))
    }
}

fn expects(
    release: &Release,
    triple: &ValuesTriple,
    expected: &Measurement,
    measured: &Measured<'_>,
) -> bool {
    triple.environment.is_satisfied_by(&measured.ect.environment)
        && contains_all(&measured.ect.authority, &expected.authorized_by)
        && expected.is_satisfied_by(measured.element, release.profile)
}

fn name(measurement: &Measurement) -> Name {
    (measurement.key.clone(), measurement.values.name.clone())
}
