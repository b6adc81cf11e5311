//! What one manifest says and another does not.
//!
//! Manifests are compared by their statements: one for each measurement, key, tag or environment that a triple names, whatever
//! triple or CoMID it stands in. Order, grouping and the several forms of the same value make no difference, other than
//! [`Difference::regrouped`]. Nothing is believed by it: it compares what was decoded, signed or not.

use alloc::{borrow::Cow, collections::BTreeMap, vec::Vec};

use cbor::Writer;

use crate::{
    Comid, Corim, Entity, Environment, Extensions, Locator, MeasuredElement, Profile, Tag, TagId, Triples,
    Validity, profile,
};

mod statement;

pub use statement::{Statement, StatementKind};

/// Something that two manifests do not both say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<T> {
    /// Only the second says it.
    Gained(T),
    /// Only the first says it.
    Lost(T),
    /// They say different things of the same.
    Changed {
        /// What the first says.
        old: T,
        /// What the second says.
        new: T,
    },
}

/// What two manifests do not both say: see [`Difference::between`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Identifier of the manifest.
    pub id: Option<Change<TagId>>,
    /// What defines extensions and restrictions.
    pub profile: Option<Change<Profile>>,
    /// When it counts.
    pub validity: Option<Change<Validity>>,
    /// Who made it, paired by name.
    pub entities: Vec<Change<Entity>>,
    /// Where more manifests are, paired by their first address.
    pub dependent_rims: Vec<Change<Locator>>,
    /// Entries of the manifest that this crate does not know: key and value of each, as encoded items.
    pub extensions: Vec<Change<(Vec<u8>, Vec<u8>)>>,
    /// The tags, CoMIDs without the triples that this crate knows. CoMIDs and lists of active tags are paired by their
    /// identifiers; others are the same bytes or not.
    pub tags: Vec<Change<Tag>>,
    /// What triples say, in the order of kinds, environments and elements.
    pub statements: Vec<StatementChange>,
    /// The statements are the same, and stand in other triples or tags together: that alone can make other releases of them
    /// ([`crate::ReleaseUnit`]).
    pub regrouped: bool,
}

/// A difference between statements about the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementChange {
    /// Of which kind of triple.
    pub kind: StatementKind,
    /// What they are about.
    pub environment: Environment,
    /// The element that they are about; none where they are about all of the environment, or the element has no name.
    pub element: Option<MeasuredElement>,
    /// What they say.
    pub change: Change<Statement>,
}

impl Difference {
    /// Compares two manifests. What profiles before 2025 wrote is brought into the terms of today first, where both keep
    /// the rules of their profiles.
    ///
    /// Statements of one kind about one element (of one name, where they have names) that are not the same are paired in
    /// the order in which they stand, and what is left over is gained or lost.
    pub fn between(old: &Corim, new: &Corim) -> Self {
        let admitted = |corim: &Corim| {
            let mut corim = corim.clone();
            profile::admit(&mut corim).is_ok().then_some(corim)
        };
        let (old, new) = match (admitted(old), admitted(new)) {
            (Some(old), Some(new)) => (Cow::Owned(old), Cow::Owned(new)),
            _ => (Cow::Borrowed(old), Cow::Borrowed(new)),
        };
        let statements = statements(&old, &new);
        let regrouped = statements.is_empty() && groups(&old) != groups(&new);
        Self {
            id: one(Some(&old.id), Some(&new.id)),
            profile: one(old.profile.as_ref(), new.profile.as_ref()),
            validity: one(old.validity.as_ref(), new.validity.as_ref()),
            entities: several(&old.entities, &new.entities, |entity| {
                (entity.name.clone(), Writer::encode(|w| entity.encode(w)))
            }),
            dependent_rims: several(&old.dependent_rims, &new.dependent_rims, |locator| {
                (locator.hrefs.first().cloned(), Writer::encode(|w| locator.encode(w)))
            }),
            extensions: several(&entries(&old.extensions), &entries(&new.extensions), |(key, value)| {
                (key.clone(), value.clone())
            }),
            tags: several(&described(&old), &described(&new), tag_sense),
            statements,
            regrouped,
        }
    }

    /// Whether both manifests say the same.
    pub fn is_empty(&self) -> bool {
        let Self { id, profile, validity, entities, dependent_rims, extensions, tags, statements, regrouped } =
            self;
        id.is_none()
            && profile.is_none()
            && validity.is_none()
            && entities.is_empty()
            && dependent_rims.is_empty()
            && extensions.is_empty()
            && tags.is_empty()
            && statements.is_empty()
            && !regrouped
    }
}

impl<T> Change<T> {
    /// The same of something that is made of each side.
    pub fn map<U>(&self, mut make: impl FnMut(&T) -> U) -> Change<U> {
        match self {
            Self::Gained(new) => Change::Gained(make(new)),
            Self::Lost(old) => Change::Lost(make(old)),
            Self::Changed { old, new } => Change::Changed { old: make(old), new: make(new) },
        }
    }
}

/// Compares what each has at most one of.
fn one<T: Clone + PartialEq>(old: Option<&T>, new: Option<&T>) -> Option<Change<T>> {
    match (old, new) {
        (Some(old), Some(new)) => {
            (old != new).then(|| Change::Changed { old: old.clone(), new: new.clone() })
        }
        (Some(old), None) => Some(Change::Lost(old.clone())),
        (None, Some(new)) => Some(Change::Gained(new.clone())),
        (None, None) => None,
    }
}

/// Compares lists whose order says nothing. `sense` gives what pairs two items, and what makes them the same.
fn several<T: Clone, K: Ord>(old: &[T], new: &[T], sense: impl Fn(&T) -> (K, Vec<u8>)) -> Vec<Change<T>> {
    let item = |value: &T| {
        let (key, sense) = sense(value);
        Item { key, sense, value: value.clone() }
    };
    let changes = paired(old.iter().map(item), new.iter().map(item));
    changes.into_values().flatten().collect()
}

/// Something to be compared.
struct Item<K, T> {
    /// Items with the same are about the same.
    key: K,
    /// Items with the same say the same.
    sense: Vec<u8>,
    value: T,
}

/// What two manifests have of one key, each with its sense.
struct Sides<T> {
    old: Vec<(Vec<u8>, T)>,
    new: Vec<(Vec<u8>, T)>,
}

impl<T> Default for Sides<T> {
    fn default() -> Self {
        Self { old: Vec::new(), new: Vec::new() }
    }
}

/// What is not in both of two multisets, in the order of keys.
fn paired<K: Ord, T>(
    old: impl Iterator<Item = Item<K, T>>,
    new: impl Iterator<Item = Item<K, T>>,
) -> BTreeMap<K, Vec<Change<T>>> {
    let mut by_key: BTreeMap<K, Sides<T>> = BTreeMap::new();
    for item in old {
        by_key.entry(item.key).or_default().old.push((item.sense, item.value));
    }
    for item in new {
        by_key.entry(item.key).or_default().new.push((item.sense, item.value));
    }
    by_key.into_iter().map(|(key, Sides { old, new })| (key, unlike(old, new))).collect()
}

/// What is not in both of two multisets of items about the same.
fn unlike<T>(old: Vec<(Vec<u8>, T)>, new: Vec<(Vec<u8>, T)>) -> Vec<Change<T>> {
    let mut in_new: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    new.iter().for_each(|(sense, _)| *in_new.entry(sense.clone()).or_default() += 1);
    // Takes one of what is there, if there is one.
    let mut take = |sense: &[u8]| match in_new.get_mut(sense) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    };
    let lost: Vec<T> = old.into_iter().filter(|(sense, _)| !take(sense)).map(|(_, value)| value).collect();
    let gained: Vec<T> = new.into_iter().filter(|(sense, _)| take(sense)).map(|(_, value)| value).collect();
    let (mut lost, mut gained) = (lost.into_iter(), gained.into_iter());
    core::iter::from_fn(|| match (lost.next(), gained.next()) {
        (Some(old), Some(new)) => Some(Change::Changed { old, new }),
        (Some(old), None) => Some(Change::Lost(old)),
        (None, Some(new)) => Some(Change::Gained(new)),
        (None, None) => None,
    })
    .collect()
}

fn statements(old: &Corim, new: &Corim) -> Vec<StatementChange> {
    let item =
        |told: statement::Told| Item { sense: told.statement.sense(), key: told.key, value: told.statement };
    let all =
        |corim: &Corim| corim.comids().flat_map(|comid| statement::of(&comid.triples)).collect::<Vec<_>>();
    let changes = paired(all(old).into_iter().map(item), all(new).into_iter().map(item));
    let about = |((kind, environment, element, _), changes): (statement::Key, Vec<Change<Statement>>)| {
        changes.into_iter().map(move |change| StatementChange {
            kind,
            environment: environment.clone(),
            element: element.clone(),
            change,
        })
    };
    changes.into_iter().flat_map(about).collect()
}

/// What stands together in triples, and these in CoMIDs, without any order.
fn groups(corim: &Corim) -> Vec<Vec<Vec<Vec<u8>>>> {
    let mut comids: Vec<_> = corim.comids().map(|comid| statement::groups(&comid.triples)).collect();
    comids.sort();
    comids
}

/// The tags without what is compared as statements.
fn described(corim: &Corim) -> Vec<Tag> {
    let described = |tag: &Tag| match tag {
        Tag::Comid(comid) => {
            let extensions = comid.triples.extensions.clone();
            Tag::Comid(Comid { triples: Triples { extensions, ..Triples::default() }, ..comid.clone() })
        }
        tag => tag.clone(),
    };
    corim.tags.iter().map(described).collect()
}

/// What tags are paired by. Bytes that nothing is known of here are paired with nothing but the same.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum TagPlace {
    Comid(TagId),
    Cotl(TagId),
    Bytes(Option<u64>, Vec<u8>),
}

/// What pairs a tag, and what makes two the same.
fn tag_sense(tag: &Tag) -> (TagPlace, Vec<u8>) {
    match tag {
        Tag::Comid(comid) => (TagPlace::Comid(comid.identity.id.clone()), comid.encode()),
        Tag::Cotl(list) => {
            let mut sorted = list.clone();
            sorted.tags.sort();
            (TagPlace::Cotl(list.identity.id.clone()), sorted.encode())
        }
        Tag::Coswid(bytes) => (TagPlace::Bytes(None, bytes.clone()), Vec::new()),
        Tag::Other(number, bytes) => (TagPlace::Bytes(Some(*number), bytes.clone()), Vec::new()),
    }
}

fn entries(extensions: &Extensions) -> Vec<(Vec<u8>, Vec<u8>)> {
    extensions.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}
