use alloc::{string::String, vec::Vec};

use cbor::Writer;

use crate::{
    ConditionalTriple, CryptoKey, Digest, Environment, KeyTriple, MeasuredElement, Measurement,
    MeasurementValues, RawValue, SeriesTriple, Svn, TagId, Triples, ValuesTriple,
};

/// Kinds of triples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatementKind {
    /// What an environment is expected to report.
    Reference,
    /// What is true of an environment.
    Endorsed,
    /// Endorsements by conditions that all hold.
    Conditional,
    /// Endorsements by the first of several conditions that holds.
    ConditionalSeries,
    /// Keys with which an environment attests.
    AttestKey,
    /// Keys that identify an environment.
    Identity,
    /// CoSWID tags with expected values of an environment.
    Coswid,
    /// Environments that must be trusted before another can be.
    Dependency,
    /// Environments that make up another.
    Membership,
}

/// The least that a triple says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "most statements are of the largest variant")]
pub enum Statement {
    /// Values of an element.
    Measurement(Measurement),
    /// A key.
    Key {
        /// The key.
        key: CryptoKey,
        /// Who must have said so; none where it is not said.
        authorized_by: Vec<CryptoKey>,
    },
    /// A CoSWID tag.
    Tag(TagId),
    /// A member or trustee.
    Environment(Environment),
    /// Endorsements under conditions, which are one whole.
    Conditional(ConditionalTriple),
    /// A series of endorsements under conditions, which is one whole.
    Series(SeriesTriple),
}

/// A statement and what it is about.
pub(super) struct Told {
    pub(super) key: Key,
    pub(super) statement: Statement,
}

/// What statements are paired by: kind, environment, element, and name where profiles have one element for all.
pub(super) type Key = (StatementKind, Environment, Option<MeasuredElement>, Option<String>);

/// Every statement of a CoMID, in the order of kinds.
pub(super) fn of(triples: &Triples) -> Vec<Told> {
    by_triple(triples).into_iter().flatten().collect()
}

/// What each triple says, as what makes statements the same, without any order. One environment that several triples of a
/// kind describe is in several groups: those are alternatives.
pub(super) fn groups(triples: &Triples) -> Vec<Vec<Vec<u8>>> {
    let sense = |told: Told| {
        let (kind, environment, element, _) = &told.key;
        Writer::encode(|w| {
            w.array(4).uint(*kind as u64);
            environment.encode(w);
            match element {
                Some(element) => element.encode(w),
                None => {
                    w.null();
                }
            }
            w.bytes(&told.statement.sense());
        })
    };
    let mut groups: Vec<Vec<Vec<u8>>> = by_triple(triples)
        .into_iter()
        .map(|group| {
            let mut group: Vec<_> = group.into_iter().map(sense).collect();
            group.sort();
            group
        })
        .collect();
    groups.sort();
    groups
}

fn by_triple(triples: &Triples) -> Vec<Vec<Told>> {
    use StatementKind::{
        AttestKey, Conditional, ConditionalSeries, Coswid, Dependency, Endorsed, Identity, Membership,
        Reference,
    };
    let mut all: Vec<Vec<Told>> = Vec::new();
    for (kind, list) in [(Reference, &triples.reference), (Endorsed, &triples.endorsed)] {
        all.extend(list.iter().map(|triple| measurements(kind, triple)));
    }
    all.extend(triples.conditional.iter().map(|triple| {
        // Decoders refuse one without.
        let environment = triple.endorsements.first().map(|one| one.environment.clone()).unwrap_or_default();
        Vec::from([Told::new(Conditional, &environment, Statement::Conditional(triple.clone()))])
    }));
    all.extend(triples.conditional_series.iter().map(|triple| {
        let statement = Statement::Series(triple.clone());
        Vec::from([Told::new(ConditionalSeries, &triple.environment, statement)])
    }));
    for (kind, list) in [(AttestKey, &triples.attest_key), (Identity, &triples.identity)] {
        all.extend(list.iter().map(|triple| keys(kind, triple)));
    }
    all.extend(triples.coswid.iter().map(|triple| {
        let told = |tag: &TagId| Told::new(Coswid, &triple.environment, Statement::Tag(tag.clone()));
        triple.tags.iter().map(told).collect()
    }));
    for (kind, list) in [(Dependency, &triples.dependency), (Membership, &triples.membership)] {
        all.extend(list.iter().map(|triple| {
            let told =
                |other: &Environment| Told::new(kind, &triple.domain, Statement::Environment(other.clone()));
            triple.others.iter().map(told).collect()
        }));
    }
    all
}

fn measurements(kind: StatementKind, triple: &ValuesTriple) -> Vec<Told> {
    let told = |measurement: &Measurement| {
        let name = measurement.values.name.clone();
        Told {
            key: (kind, triple.environment.clone(), measurement.key.clone(), name),
            statement: Statement::Measurement(measurement.clone()),
        }
    };
    triple.measurements.iter().map(told).collect()
}

fn keys(kind: StatementKind, triple: &KeyTriple) -> Vec<Told> {
    let told = |key: &CryptoKey| Told {
        key: (kind, triple.environment.clone(), triple.element.clone(), None),
        statement: Statement::Key { key: key.clone(), authorized_by: triple.authorized_by.clone() },
    };
    triple.keys.iter().map(told).collect()
}

impl Told {
    fn new(kind: StatementKind, environment: &Environment, statement: Statement) -> Self {
        Self { key: (kind, environment.clone(), None, None), statement }
    }
}

impl Statement {
    /// Bytes that are the same for statements that say the same.
    pub(super) fn sense(&self) -> Vec<u8> {
        Writer::encode(|w| match self {
            Self::Measurement(measurement) => plain_measurement(measurement).encode(w),
            Self::Key { key, authorized_by } => {
                w.array(authorized_by.len().saturating_add(1));
                key.encode(w);
                sorted(authorized_by).iter().for_each(|key| key.encode(w));
            }
            Self::Tag(tag) => tag.encode(w),
            Self::Environment(environment) => environment.encode(w),
            Self::Conditional(triple) => ConditionalTriple {
                conditions: plain_triples(&triple.conditions),
                endorsements: plain_triples(&triple.endorsements),
            }
            .encode(w),
            Self::Series(triple) => {
                let mut plain = triple.clone();
                plain.measurements = plain_measurements(&triple.measurements);
                plain.authorized_by = sorted(&triple.authorized_by);
                for item in &mut plain.series {
                    item.condition = plain_measurements(&item.condition);
                    item.addition = plain_measurements(&item.addition);
                }
                plain.encode(w);
            }
        })
    }
}

/// Triples that all count together, in one order and form.
fn plain_triples(triples: &[ValuesTriple]) -> Vec<ValuesTriple> {
    let plain = |triple: &ValuesTriple| ValuesTriple {
        environment: triple.environment.clone(),
        measurements: plain_measurements(&triple.measurements),
    };
    let mut plain: Vec<_> = triples.iter().map(plain).collect();
    plain.sort_by_cached_key(|triple| Writer::encode(|w| triple.encode(w)));
    plain
}

/// Measurements that all count together, in one order and form.
fn plain_measurements(measurements: &[Measurement]) -> Vec<Measurement> {
    let mut plain: Vec<_> = measurements.iter().map(plain_measurement).collect();
    plain.sort_by_cached_key(|measurement| Writer::encode(|w| measurement.encode(w)));
    plain
}

/// A measurement in one of the forms that say the same: digests in one order with algorithms by number, a security version
/// bare, a mask beside its value.
fn plain_measurement(measurement: &Measurement) -> Measurement {
    let values = &measurement.values;
    let svn = values.svn.map(|svn| match svn {
        Svn::Exact(number) => Svn::Bare(number),
        svn => svn,
    });
    let raw_value = values.raw_value.clone().map(|raw| match raw {
        RawValue::OlderMasked { value, mask } => RawValue::Masked { value, mask },
        raw => raw,
    });
    let registers =
        values.integrity_registers.iter().map(|(id, digests)| (id.clone(), plain_digests(digests)));
    Measurement {
        key: measurement.key.clone(),
        values: MeasurementValues {
            svn,
            raw_value,
            digests: plain_digests(&values.digests),
            integrity_registers: registers.collect(),
            ..values.clone()
        },
        authorized_by: sorted(&measurement.authorized_by),
    }
}

fn plain_digests(digests: &[Digest]) -> Vec<Digest> {
    // The length fits whichever way the algorithm is named.
    let plain = |digest: &Digest| {
        Digest::new(digest.algorithm().canonical(), digest.value()).unwrap_or_else(|| digest.clone())
    };
    sorted(&digests.iter().map(plain).collect::<Vec<_>>())
}

fn sorted<T: Clone + Ord>(items: &[T]) -> Vec<T> {
    let mut items = items.to_vec();
    items.sort();
    items
}
