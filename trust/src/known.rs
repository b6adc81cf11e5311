use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    sync::Arc,
    vec::Vec,
};

use crypto::Digest;

use crate::{Candidate, Measured, Reason, Release, find_release, matching::by_name};

/// Releases to hold evidence against, found by the device class and by what was measured, so that it does not matter how
/// many there are.
#[derive(Clone, Debug, Default)]
pub struct Releases {
    classes: BTreeMap<Target, OfClass>,
}

/// Vendor and class.
type Target = ([u8; 16], [u8; 16]);

#[derive(Clone, Debug, Default)]
struct OfClass {
    releases: Vec<Arc<Release>>,
    /// The first release of a manifest digest.
    by_manifest: BTreeMap<Digest, usize>,
    /// By component name and digest, the releases that expect it.
    values: BTreeMap<String, BTreeMap<Digest, Holders>>,
}

/// The releases that expect one measured value, in the order they were added.
#[derive(Clone, Debug, Default)]
struct Holders {
    all: Vec<usize>,
    /// Those that are looked for here. Each release is filed under one component that it requires, so that a loader which
    /// a hundred thousand releases share is not a hundred thousand releases to try.
    filed: Vec<usize>,
}

/// Releases that are looked at to explain why none matches.
const MAX_EXPLAINED: usize = 8;

impl Releases {
    /// Knows these; those that name no vendor or no class match nothing and are left out.
    pub fn of<R: Into<Arc<Release>>>(releases: impl IntoIterator<Item = R>) -> Self {
        let mut known = Self::default();
        for release in releases {
            known.add(release.into());
        }
        known
    }

    fn add(&mut self, release: Arc<Release>) {
        let (Some(vendor), Some(class)) = (release.vendor().copied(), release.class().copied()) else {
            return;
        };
        self.classes.entry((vendor, class)).or_default().add(release);
    }

    /// The releases for devices of a vendor and class.
    pub fn of_class(&self, vendor: &[u8; 16], class: &[u8; 16]) -> &[Arc<Release>] {
        self.classes.get(&(*vendor, *class)).map_or(&[], |of_class| &of_class.releases)
    }

    /// The one release of a class that covers everything that was measured ([`find_release`]), but for some that do not
    /// count.
    pub(crate) fn find(
        &self,
        target: (&[u8; 16], &[u8; 16]),
        measured: &[Measured],
        named: Option<Digest>,
        allow_extra: bool,
        without: &[Digest],
    ) -> Result<Digest, Vec<Reason>> {
        let by_name = by_name(measured)?;
        match self.covering(target, measured, &by_name, allow_extra, without) {
            Some(found) => Ok(found.release),
            None => find_release(measured, &self.near(target, measured, named, without), named, allow_extra),
        }
    }

    /// The release that covers everything that was measured.
    pub(crate) fn covering(
        &self,
        target: (&[u8; 16], &[u8; 16]),
        measured: &[Measured],
        by_name: &BTreeMap<&str, &Measured>,
        allow_extra: bool,
        without: &[Digest],
    ) -> Option<Candidate<'_>> {
        let of_class = self.classes.get(&(*target.0, *target.1))?;
        let holders = measured.iter().filter_map(|one| of_class.holders(one));
        // One that covers everything has each component that it requires among the measured ones, and so the one that it is
        // filed under.
        let covers = |index: &usize| {
            let candidate = of_class.candidate(*index, without);
            candidate.is_some_and(|candidate| candidate.covers(by_name, allow_extra))
        };
        let covering = holders.filter_map(|holders| holders.filed.iter().copied().find(covers)).min();
        of_class.candidate(covering?, without)
    }

    /// Where no release covers what was measured, those that are looked at to say why: they come nearest, one for each
    /// component at least, the one that the evidence names, and the newest.
    pub(crate) fn near(
        &self,
        (vendor, class): (&[u8; 16], &[u8; 16]),
        measured: &[Measured],
        named: Option<Digest>,
        without: &[Digest],
    ) -> Vec<Candidate<'_>> {
        let Some(of_class) = self.classes.get(&(*vendor, *class)) else { return Vec::new() };
        let holders: Vec<&Holders> = measured.iter().filter_map(|one| of_class.holders(one)).collect();
        let mut near: BTreeSet<usize> =
            holders.iter().filter_map(|holders| holders.all.last().copied()).collect();
        near.extend(named.and_then(|named| of_class.by_manifest.get(&named)));
        let others = holders.iter().flat_map(|holders| holders.all.iter().rev().copied());
        for index in others.chain((0..of_class.releases.len()).rev()) {
            if near.len() >= MAX_EXPLAINED {
                break;
            }
            near.insert(index);
        }
        near.into_iter().filter_map(|index| of_class.candidate(index, without)).collect()
    }
}

impl OfClass {
    fn add(&mut self, release: Arc<Release>) {
        let index = self.releases.len();
        self.by_manifest.entry(release.manifest_digest()).or_insert(index);
        for expected in release.expected() {
            let values = self.values.entry(expected.name.clone()).or_default();
            values.entry(expected.digest).or_default().all.push(index);
        }
        // Under what the fewest are filed under.
        let required = release.expected().iter().filter(|expected| expected.required);
        let rarest = required.min_by_key(|expected| {
            self.holders_of(&expected.name, &expected.digest).map_or(0, |holders| holders.filed.len())
        });
        let values = rarest.and_then(|rarest| Some((self.values.get_mut(&rarest.name)?, rarest.digest)));
        if let Some(holders) = values.and_then(|(values, digest)| values.get_mut(&digest)) {
            holders.filed.push(index);
        }
        self.releases.push(release);
    }

    /// The releases that expect what was measured of a component.
    fn holders(&self, measured: &Measured) -> Option<&Holders> {
        self.holders_of(&measured.name, measured.digest.as_ref()?)
    }

    fn holders_of(&self, name: &str, digest: &Digest) -> Option<&Holders> {
        self.values.get(name)?.get(digest)
    }

    fn candidate(&self, index: usize, without: &[Digest]) -> Option<Candidate<'_>> {
        let release = self.releases.get(index)?;
        (!without.contains(&release.manifest_digest())).then(|| release.candidate())
    }
}
