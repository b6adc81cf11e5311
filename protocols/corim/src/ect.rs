use alloc::vec::Vec;

use crate::{CryptoKey, Environment, KnownProfile, MeasuredElement, Measurement, MeasurementValues};

/// Environment-claim tuple: what somebody says of an environment (draft, section "ECT").
///
/// Whoever reads a form of evidence puts it into one of these for each environment: the environment with all that is known
/// of it (class and instance), one element for everything measured, and as authority the key that attested it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ect {
    /// What the claims are about.
    pub environment: Environment,
    /// The claims.
    pub elements: Vec<Element>,
    /// Who makes them: each key in as many forms as conditions may name it in.
    pub authority: Vec<CryptoKey>,
    /// What kind of message they came in.
    pub kind: ClaimKind,
}

/// element-map: a measured element and its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The element; none where the measurement is anonymous.
    pub key: Option<MeasuredElement>,
    /// What is measured.
    pub values: MeasurementValues,
}

/// Where a claim comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClaimKind {
    /// Evidence that reference values corroborate.
    ReferenceValues,
    /// An endorsement.
    Endorsements,
    /// Evidence.
    Evidence,
}

impl Ect {
    /// What an attester says of an environment.
    pub fn evidence(environment: Environment, elements: Vec<Element>, authority: Vec<CryptoKey>) -> Self {
        Self { environment, elements, authority, kind: ClaimKind::Evidence }
    }
}

impl Ect {
    /// Whether none of these says of an element of this tuple what it is not.
    pub(crate) fn agrees(&self, elements: &[Element]) -> bool {
        elements.iter().all(|new| {
            self.elements.iter().all(|known| known.key != new.key || !known.values.contradicts(&new.values))
        })
    }
}

impl From<&Measurement> for Element {
    fn from(measurement: &Measurement) -> Self {
        Self { key: measurement.key.clone(), values: measurement.values.clone() }
    }
}

/// What must hold of one tuple.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition<'a> {
    pub(crate) environment: &'a Environment,
    /// Several lists, all of which count.
    pub(crate) measurements: [&'a [Measurement]; 2],
    /// Who must say so, in place of whom the measurements name; none where it is not said.
    pub(crate) authorized_by: &'a [CryptoKey],
    pub(crate) profile: Option<KnownProfile>,
}

impl<'a> Condition<'a> {
    pub(crate) fn new(
        environment: &'a Environment,
        measurements: &'a [Measurement],
        profile: Option<KnownProfile>,
    ) -> Self {
        Self { environment, measurements: [measurements, &[]], authorized_by: &[], profile }
    }

    /// How many comparisons [`Condition::holds`] makes at most.
    pub(crate) fn cost(&self, ect: &Ect) -> usize {
        let measurements: usize = self.measurements.iter().map(|list| list.len()).sum();
        measurements.saturating_mul(ect.elements.len()).saturating_add(1)
    }

    /// Whether a tuple satisfies the condition: environment, authority, and every measurement by some element.
    pub(crate) fn holds(&self, ect: &Ect) -> bool {
        self.environment.is_satisfied_by(&ect.environment)
            && contains_all(&ect.authority, self.authorized_by)
            && self.measurements.iter().copied().flatten().all(|measurement| {
                (!self.authorized_by.is_empty() || contains_all(&ect.authority, &measurement.authorized_by))
                    && ect.elements.iter().any(|element| measurement.is_satisfied_by(element, self.profile))
            })
    }
}

/// Every key that must be there is.
pub(crate) fn contains_all(present: &[CryptoKey], wanted: &[CryptoKey]) -> bool {
    wanted.iter().all(|key| present.contains(key))
}
