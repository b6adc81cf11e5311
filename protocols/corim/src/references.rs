//! Reference values of many releases, found by what was measured.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::ops::RangeInclusive;

use crate::{
    ClassId, CoswidTriple, CryptoKey, Digest, DigestAlgorithm, Environment, Group, Instance, KnownProfile,
    MeasuredElement, Measurement, MeasurementValues, RawValue, RegisterId, Svn, TagId, TagIdentity,
    ValuesTriple, VerifiedCorim, Version,
};

/// How many releases are looked at for one attester, the last added first.
pub const MAX_CANDIDATES: usize = 256;

/// What is one release: reference values that must match together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseUnit {
    /// All of a manifest.
    Corim,
    /// All of a CoMID.
    Comid,
    /// All that a CoMID says of one environment, where it describes several products.
    Environment,
}

/// Names a release among those of all signers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseId {
    /// Identifier of the manifest.
    pub corim: TagId,
    /// Identity of the CoMID, where it is the release.
    pub comid: Option<TagIdentity>,
    /// The environment, where it is the release.
    pub environment: Option<Environment>,
    /// Who answers for it: the first form of the key, or the operator by name.
    pub authority: ReleaseAuthority,
}

/// Who answers for a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReleaseAuthority {
    /// Whoever has this key.
    Key(CryptoKey),
    /// An operator, by name.
    Operator(String),
}

/// Reference values that must match together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its name.
    pub id: ReleaseId,
    /// By what conditions know its authority.
    pub authority_keys: Vec<CryptoKey>,
    /// Its profile.
    pub profile: Option<KnownProfile>,
    /// The reference values.
    pub triples: Vec<ValuesTriple>,
}

/// An index of releases: what is measured leads to those that expect it, and nothing else is looked at.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// By number, which grows with every release added; those removed are gone.
    pub(crate) releases: BTreeMap<u64, Indexed>,
    numbers: BTreeMap<ReleaseId, u64>,
    next: u64,
    /// Which measurements of which releases expect a fact.
    pub(crate) postings: BTreeMap<Fact, BTreeSet<Posting>>,
    /// Which elements any release names: how many do.
    pub(crate) names: BTreeMap<(Place, Name), usize>,
    /// Places, and the releases that say something of them.
    pub(crate) places: BTreeMap<Place, BTreeSet<u64>>,
}

/// A release and what is asked of it often.
#[derive(Clone, Debug)]
pub(crate) struct Indexed {
    pub(crate) release: Release,
    /// The elements it names, each once.
    pub(crate) names: BTreeSet<(Place, Name)>,
}

/// A measurement of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Posting {
    /// How many different elements the release names: one that names more than were measured covers nothing.
    pub(crate) names: u32,
    pub(crate) release: u64,
    pub(crate) triple: u32,
    pub(crate) measurement: u32,
}

/// The one attribute of an environment by which it is found: the first that it has in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Class(ClassId),
    Model(String, Option<String>),
    Instance(Instance),
    Group(Group),
    /// Only a layer or an index.
    Unnamed,
}

/// What an element is called: the measurement key and, since profiles have one key for all, the name.
pub(crate) type Name = (Option<MeasuredElement>, Option<String>);

/// Something in a measurement that evidence has in the same form, if it matches at all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fact {
    pub(crate) place: Place,
    pub(crate) key: Option<MeasuredElement>,
    pub(crate) value: FactValue,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FactValue {
    Digest(DigestAlgorithm, Vec<u8>),
    Register(RegisterId, DigestAlgorithm, Vec<u8>),
    Raw(Vec<u8>),
    Svn(u64),
    Version(Version),
    Named(String),
    /// Nothing of that kind.
    Any,
}

impl References {
    /// No reference values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the reference values of a manifest, and gives the names of its releases. A release of the same name and
    /// authority is replaced. CoMIDs that another of the manifest replaces are passed over.
    ///
    /// CoSWID tags that a CoMID refers to are passed over: see [`References::add_with`].
    pub fn add(&mut self, manifest: &VerifiedCorim, unit: ReleaseUnit) -> Vec<ReleaseId> {
        self.add_with(manifest, unit, &|_| Some(Vec::new()))
    }

    /// The same with what CoSWID tags expect, which whoever reads them says (draft, section "CoSWID triple"): the
    /// measurements are part of the release. Nothing where a tag cannot be read: then its release is left out, for what
    /// is left of it would be a part.
    pub fn add_with(
        &mut self,
        manifest: &VerifiedCorim,
        unit: ReleaseUnit,
        tags: &dyn Fn(&CoswidTriple) -> Option<Vec<Measurement>>,
    ) -> Vec<ReleaseId> {
        let releases = releases(manifest, unit, tags);
        let ids = releases.iter().map(|release| release.id.clone()).collect();
        releases.into_iter().for_each(|release| self.insert(release));
        ids
    }

    /// Forgets a release, and says whether it was known.
    pub fn remove(&mut self, id: &ReleaseId) -> bool {
        let Some(number) = self.numbers.remove(id) else { return false };
        let Some(indexed) = self.releases.remove(&number) else { return false };
        for (fact, posting) in facts(&indexed, number) {
            if let Some(postings) = self.postings.get_mut(&fact) {
                postings.remove(&posting);
                if postings.is_empty() {
                    self.postings.remove(&fact);
                }
            }
        }
        indexed.names.iter().for_each(|name| lower(&mut self.names, name));
        for place in places(&indexed.release) {
            if let Some(releases) = self.places.get_mut(&place) {
                releases.remove(&number);
                if releases.is_empty() {
                    self.places.remove(&place);
                }
            }
        }
        true
    }

    /// The releases that may say something of an environment, the last added first; at most [`MAX_CANDIDATES`], and
    /// whether those are all. Evidence without a value of its own, such as a digest over several, is compared with what
    /// they name.
    pub fn about(&self, environment: &Environment) -> (Vec<&Release>, bool) {
        let places = Place::all(environment);
        let numbers = places.iter().filter_map(|place| self.places.get(place));
        // Of each place the last ones suffice: no more are looked at of all together.
        let numbers: BTreeSet<u64> =
            numbers.flat_map(|releases| releases.iter().rev().take(MAX_CANDIDATES + 1)).copied().collect();
        let all = numbers.len() <= MAX_CANDIDATES;
        let releases = numbers.iter().rev().take(MAX_CANDIDATES);
        (
            releases.filter_map(|number| self.releases.get(number)).map(|indexed| &indexed.release).collect(),
            all,
        )
    }

    /// A release by its name.
    pub fn get(&self, id: &ReleaseId) -> Option<&Release> {
        self.releases.get(self.numbers.get(id)?).map(|indexed| &indexed.release)
    }

    /// Every release, the first added first.
    pub fn iter(&self) -> impl Iterator<Item = &Release> {
        self.releases.values().map(|indexed| &indexed.release)
    }

    /// How many releases there are.
    pub fn len(&self) -> usize {
        self.releases.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.releases.is_empty()
    }

    fn insert(&mut self, release: Release) {
        self.remove(&release.id);
        let number = self.next;
        self.next = self.next.saturating_add(1);
        let indexed = Indexed { names: names(&release), release };
        for (fact, posting) in facts(&indexed, number) {
            self.postings.entry(fact).or_default().insert(posting);
        }
        indexed.names.iter().for_each(|name| *self.names.entry(name.clone()).or_default() += 1);
        for place in places(&indexed.release) {
            self.places.entry(place).or_default().insert(number);
        }
        self.numbers.insert(indexed.release.id.clone(), number);
        self.releases.insert(number, indexed);
    }
}

fn lower<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn releases(
    manifest: &VerifiedCorim,
    unit: ReleaseUnit,
    tags: &dyn Fn(&CoswidTriple) -> Option<Vec<Measurement>>,
) -> Vec<Release> {
    let corim = manifest.corim();
    let authority = match (manifest.authority(), manifest.authority_keys().first()) {
        (crate::Authority::Operator(name), _) => ReleaseAuthority::Operator(name.clone()),
        (_, Some(key)) => ReleaseAuthority::Key(key.clone()),
        (_, None) => ReleaseAuthority::Operator(String::new()),
    };
    let mut found: BTreeMap<ReleaseId, Vec<ValuesTriple>> = BTreeMap::new();
    let mut unread = BTreeSet::new();
    for comid in manifest.comids() {
        let id = |environment: &Environment| ReleaseId {
            corim: corim.id.clone(),
            comid: (unit != ReleaseUnit::Corim).then(|| comid.identity.clone()),
            environment: (unit == ReleaseUnit::Environment).then(|| environment.clone()),
            authority: authority.clone(),
        };
        for triple in &comid.triples.reference {
            found.entry(id(&triple.environment)).or_default().push(triple.clone());
        }
        for triple in &comid.triples.coswid {
            let (id, environment) = (id(&triple.environment), triple.environment.clone());
            match tags(triple) {
                Some(measurements) if measurements.is_empty() => {}
                Some(measurements) => {
                    found.entry(id).or_default().push(ValuesTriple { environment, measurements });
                }
                None => _ = unread.insert(id),
            }
        }
    }
    found.retain(|id, triples| !triples.is_empty() && !unread.contains(id));
    let release = |(id, triples)| Release {
        id,
        authority_keys: manifest.authority_keys().to_vec(),
        profile: manifest.profile(),
        triples,
    };
    found.into_iter().map(release).collect()
}

/// All facts of a release: of each measurement one, or one for each digest.
fn facts(indexed: &Indexed, number: u64) -> Vec<(Fact, Posting)> {
    let count = indexed.count();
    let mut all = Vec::new();
    for (triple, values) in (0u32..).zip(&indexed.release.triples) {
        for (index, measurement) in (0u32..).zip(&values.measurements) {
            let posting = Posting { names: count, release: number, triple, measurement: index };
            for value in FactValue::expected(&measurement.values) {
                let place = Place::of(&values.environment);
                all.push((Fact { place, key: measurement.key.clone(), value }, posting));
            }
        }
    }
    all
}

/// The elements a release names, each once.
fn names(release: &Release) -> BTreeSet<(Place, Name)> {
    let triples = release.triples.iter();
    triples
        .flat_map(|triple| {
            let place = Place::of(&triple.environment);
            triple.measurements.iter().map(move |measurement| {
                (place.clone(), (measurement.key.clone(), measurement.values.name.clone()))
            })
        })
        .collect()
}

fn places(release: &Release) -> BTreeSet<Place> {
    release.triples.iter().map(|triple| Place::of(&triple.environment)).collect()
}

impl Indexed {
    /// How many elements it names.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.names.len()).unwrap_or(u32::MAX)
    }
}

impl Posting {
    /// Those of releases that name so many elements: all of them, or of one release.
    pub(crate) fn range(names: u32, release: Option<u64>) -> RangeInclusive<Self> {
        let (from, to) = release.map_or((0, u64::MAX), |release| (release, release));
        let end = |release, last| Self { names, release, triple: last, measurement: last };
        end(from, 0)..=end(to, u32::MAX)
    }
}

impl Place {
    /// Where a reference environment is found.
    pub(crate) fn of(environment: &Environment) -> Self {
        Self::all(environment).into_iter().next().unwrap_or(Self::Unnamed)
    }

    /// Where any reference environment that an environment satisfies may be found.
    pub(crate) fn all(environment: &Environment) -> Vec<Self> {
        let mut places = Vec::new();
        if let Some(class) = &environment.class {
            places.extend(class.id.clone().map(Self::Class));
            if let Some(vendor) = &class.vendor {
                if class.model.is_some() {
                    places.push(Self::Model(vendor.clone(), class.model.clone()));
                }
                places.push(Self::Model(vendor.clone(), None));
            }
        }
        places.extend(environment.instance.clone().map(Self::Instance));
        places.extend(environment.group.clone().map(Self::Group));
        places.push(Self::Unnamed);
        places
    }
}

impl FactValue {
    /// By what a measurement is found: the first of these that it has exactly, by every algorithm it has it.
    fn expected(values: &MeasurementValues) -> Vec<Self> {
        let digests = |digests: &[Digest], fact: &dyn Fn(&Digest) -> Self| digests.iter().map(fact).collect();
        if !values.digests.is_empty() {
            return digests(&values.digests, &Self::digest);
        }
        if let Some((id, register)) = values.integrity_registers.first_key_value() {
            return digests(register, &|digest| Self::register(id, digest));
        }
        let one = match (&values.raw_value, values.svn, &values.version, &values.name) {
            (Some(RawValue::Plain(value)), ..) => Self::Raw(value.clone()),
            (_, Some(Svn::Bare(svn) | Svn::Exact(svn)), ..) => Self::Svn(svn),
            (_, _, Some(version), _) => Self::Version(version.clone()),
            (_, _, _, Some(name)) => Self::Named(name.clone()),
            _ => Self::Any,
        };
        Vec::from([one])
    }

    /// By what any measurement that these values satisfy may be found.
    pub(crate) fn found(values: &MeasurementValues) -> Vec<Self> {
        let mut all: Vec<Self> = values.digests.iter().map(Self::digest).collect();
        for (id, register) in &values.integrity_registers {
            all.extend(register.iter().map(|digest| Self::register(id, digest)));
        }
        if let Some(RawValue::Plain(value)) = &values.raw_value {
            all.push(Self::Raw(value.clone()));
        }
        if let Some(Svn::Bare(svn) | Svn::Exact(svn)) = values.svn {
            all.push(Self::Svn(svn));
        }
        all.extend(values.version.clone().map(Self::Version));
        all.extend(values.name.clone().map(Self::Named));
        all.push(Self::Any);
        all
    }

    fn digest(digest: &Digest) -> Self {
        Self::Digest(digest.algorithm().canonical(), digest.value().into())
    }

    fn register(id: &RegisterId, digest: &Digest) -> Self {
        Self::Register(id.clone(), digest.algorithm().canonical(), digest.value().into())
    }
}
