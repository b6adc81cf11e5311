//! The manifests of a release: the root, and those that it depends on.

use alloc::vec::Vec;

use crypto::Digest;
use suit::{ComponentId, Verified};

use crate::{Dependency, identity::Place};

/// What the processor found while it went through the manifests of a release.
#[derive(Debug, Default)]
pub(crate) struct Set {
    /// Every component that a manifest names.
    names: Vec<ComponentId>,
    /// Every image that a manifest promises.
    promises: Vec<(Place, Digest)>,
    /// The dependencies with the bytes of their envelopes; one for each place.
    dependencies: Vec<(Dependency, u64)>,
    /// Which manifest refers to which places of others, as bits.
    refers: Vec<(Digest, u8)>,
}

impl Set {
    pub(crate) fn name(&mut self, component: ComponentId) {
        if !self.names.contains(&component) {
            self.names.push(component);
        }
    }

    pub(crate) fn names(&self) -> &[ComponentId] {
        &self.names
    }

    pub(crate) fn promise(&mut self, place: Place, digest: Digest) {
        if !self.promises(place, &digest) {
            self.promises.push((place, digest));
        }
    }

    pub(crate) fn promises(&self, place: Place, digest: &Digest) -> bool {
        self.promises.contains(&(place, *digest))
    }

    /// Takes a dependency in, for whatever had its place before; gives the bytes of all of them.
    pub(crate) fn depend(&mut self, component: u8, dependency: &Verified<'_>, len: u64) -> u64 {
        let (manifest, sequence) = (dependency.manifest_digest(), dependency.sequence_number());
        self.dependencies.retain(|(known, _)| known.component != component);
        self.dependencies.push((Dependency { component, manifest, sequence, refers: 0 }, len));
        self.dependencies.iter().fold(0, |sum, (_, len)| sum.saturating_add(*len))
    }

    /// Notes that a manifest refers to places of others.
    pub(crate) fn refer(&mut self, manifest: Digest, places: u8) {
        match self.refers.iter_mut().find(|(known, _)| *known == manifest) {
            Some((_, known)) => *known |= places,
            None => self.refers.push((manifest, places)),
        }
    }

    /// Which places of others a manifest refers to.
    pub(crate) fn referred(&self, manifest: &Digest) -> u8 {
        self.refers.iter().find(|(known, _)| known == manifest).map_or(0, |(_, places)| *places)
    }

    /// The dependencies, each with what it refers to itself.
    pub(crate) fn dependencies(&self) -> impl Iterator<Item = Dependency> {
        self.dependencies
            .iter()
            .map(|(known, _)| Dependency { refers: self.referred(&known.manifest), ..known.clone() })
    }
}
