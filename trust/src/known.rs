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
    /// By component name and digest, the releases that expect it.
    values: BTreeMap<String, BTreeMap<Vec<u8>, Vec<usize>>>,
}

/// Releases that are looked at to explain why none matches.
const MAX_EXPLAINED: usize = 64;

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
        let of_class = self.classes.entry((vendor, class)).or_default();
        let index = of_class.releases.len();
        for expected in release.expected() {
            let values = of_class.values.entry(expected.name.clone()).or_default();
            let digest = expected.digest.as_bytes();
            match values.get_mut(digest) {
                Some(holders) => holders.push(index),
                None => {
                    values.insert(digest.to_vec(), [index].into());
                }
            }
        }
        of_class.releases.push(release);
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
        let holders: Vec<&[usize]> = measured.iter().map(|one| of_class.holders(one)).collect();
        // A release that covers everything holds each component that was measured; where others may be measured too,
        // some of them.
        let narrow: BTreeSet<usize> = match allow_extra {
            true => holders.iter().copied().flatten().copied().collect(),
            false => holders
                .iter()
                .min_by_key(|list| list.len())
                .copied()
                .unwrap_or_default()
                .iter()
                .copied()
                .collect(),
        };
        of_class.candidates(narrow, without).find(|candidate| candidate.covers(by_name, allow_extra))
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
        let holders: Vec<&[usize]> = measured.iter().map(|one| of_class.holders(one)).collect();
        let mut near: BTreeSet<usize> = holders.iter().filter_map(|list| list.last().copied()).collect();
        let named_one = of_class.releases.iter().position(|release| Some(release.manifest_digest()) == named);
        near.extend(named_one);
        let others = holders.iter().flat_map(|list| list.iter().rev().copied());
        for index in others.chain((0..of_class.releases.len()).rev()) {
            if near.len() >= MAX_EXPLAINED {
                break;
            }
            near.insert(index);
        }
        of_class.candidates(near, without).collect()
    }
}

impl OfClass {
    /// The releases that expect what was measured of a component.
    fn holders(&self, measured: &Measured) -> &[usize] {
        let digest = measured.digest.as_ref().map(Digest::as_bytes);
        let values = self.values.get(measured.name.as_str()).zip(digest);
        values.and_then(|(values, digest)| values.get(digest)).map_or(&[], Vec::as_slice)
    }

    fn candidates(
        &self,
        indices: BTreeSet<usize>,
        without: &[Digest],
    ) -> impl Iterator<Item = Candidate<'_>> {
        let releases = indices.into_iter().filter_map(|index| self.releases.get(index));
        let counts = |release: &&Arc<Release>| !without.contains(&release.manifest_digest());
        releases.filter(counts).map(|release| release.candidate())
    }
}
