//! What the author of a set of manifests let a processor do: the side of a report that is signed beforehand.

use alloc::vec::Vec;

use crypto::Digest;

use crate::{
    Command, ComponentId, ComponentIndex, Condition, Operation, Parameter, Section, Sequence, Verified,
    limits::MAX_MANIFESTS,
};

/// A manifest at its place in the tree.
pub(super) struct Node<'r, 'b> {
    /// Indices that lead to it from the root.
    pub(super) path: Vec<u32>,
    pub(super) verified: &'r Verified<'b>,
    prefix: Option<ComponentId>,
}

/// A value that some command gives a parameter of some component.
struct Demand<'r, 'b> {
    component: ComponentId,
    parameter: &'r Parameter<'b>,
}

/// A set of manifests.
pub(super) struct Known<'r, 'b> {
    nodes: Vec<Node<'r, 'b>>,
    demands: Vec<Demand<'r, 'b>>,
}

/// A command that a record points at.
pub(super) struct Found<'r, 'b> {
    pub(super) command: &'r Command<'b>,
    /// Whether it stands in a nested sequence, which may fail softly.
    pub(super) nested: bool,
}

impl<'r, 'b> Known<'r, 'b> {
    /// The manifests below the first one, as far as they are given and the digests in them tell which is which.
    pub(super) fn new(root: &'r Verified<'b>, others: &[&'r Verified<'b>]) -> Self {
        let mut this = Self { nodes: Vec::new(), demands: Vec::new() };
        this.nodes.push(Node { path: Vec::new(), verified: root, prefix: None });
        let mut at = 0;
        while let Some(node) = this.nodes.get(at) {
            let (path, verified, prefix) = (node.path.clone(), node.verified, node.prefix.clone());
            this.collect(verified, prefix.as_ref());
            for dependency in verified.manifest().common().dependencies() {
                let place = component(verified, dependency.index, prefix.as_ref());
                let is_meant = |other: &&&Verified<'b>| {
                    place.as_ref().is_some_and(|place| this.demands_digest(place, &other.manifest_digest()))
                };
                if this.nodes.len() == MAX_MANIFESTS {
                    break;
                }
                if let Some(found) = others.iter().find(is_meant) {
                    let outer = verified.manifest().common().prefix(dependency.index);
                    let prefix = match (outer, prefix.as_ref()) {
                        (Some(inner), Some(outer)) => inner.prefixed(outer),
                        (one, other) => one.or(other).cloned(),
                    };
                    let mut path = path.clone();
                    path.push(dependency.index);
                    this.nodes.push(Node { path, verified: found, prefix });
                }
            }
            at += 1;
        }
        this
    }

    pub(super) fn node(&self, path: &[u32]) -> Option<&Node<'r, 'b>> {
        self.nodes.iter().find(|node| node.path == path)
    }

    /// Whether some manifest names the component.
    pub(super) fn names(&self, component: &ComponentId) -> bool {
        self.nodes.iter().any(|node| {
            let indices = node.verified.manifest().common().all_indices();
            indices.filter_map(|index| node.component(index)).any(|own| own == *component)
        })
    }

    /// The values that commands give a parameter of a component.
    pub(super) fn demands(
        &self,
        component: &ComponentId,
        label: i64,
    ) -> impl Iterator<Item = &'r Parameter<'b>> {
        let of = self.demands.iter().filter(move |demand| demand.component == *component);
        of.map(|demand| demand.parameter).filter(move |parameter| parameter.label() == label)
    }

    /// Whether any manifest asks for an image to be another than the digest says.
    pub(super) fn tests(&self, condition: Condition) -> bool {
        let mut found = false;
        for node in &self.nodes {
            crate::evaluate::each_operation(node.verified.manifest(), &mut |operation| {
                found |= matches!(operation, Operation::Condition(other, _) if *other == condition);
            });
        }
        found
    }

    fn demands_digest(&self, place: &ComponentId, digest: &Digest) -> bool {
        self.demands.iter().any(|demand| {
            demand.component == *place
                && matches!(demand.parameter, Parameter::ImageDigest(wanted) if wanted == digest)
        })
    }

    /// Notes every value that a manifest gives a parameter. Values that are copied count for where they are copied to.
    fn collect(&mut self, verified: &'r Verified<'b>, prefix: Option<&ComponentId>) {
        let manifest = verified.manifest();
        let all: Vec<u32> = manifest.common().all_indices().collect();
        let mut walk = Walk { all: &all, set: Vec::new(), copied: Vec::new() };
        let sections = manifest.sections().filter_map(|(_, held)| held.value());
        for sequence in manifest.common().shared().into_iter().chain(sections) {
            walk.sequence(sequence, all.get(..1).unwrap_or_default());
        }
        let Walk { set, copied, .. } = walk;
        let copies = copied.iter().flat_map(|(to, from, label)| {
            let from =
                set.iter().filter(move |(index, parameter)| index == from && parameter.label() == *label);
            from.map(move |(_, parameter)| (*to, *parameter))
        });
        let copies: Vec<_> = copies.collect();
        for (index, parameter) in set.into_iter().chain(copies) {
            if let Some(component) = component(verified, index, prefix) {
                self.demands.push(Demand { component, parameter });
            }
        }
    }
}

impl<'r, 'b> Node<'r, 'b> {
    /// The component that an index of the manifest means on the device.
    pub(super) fn component(&self, index: u32) -> Option<ComponentId> {
        component(self.verified, index, self.prefix.as_ref())
    }

    /// The sequence of a section, or the shared one.
    pub(super) fn sequence(&self, section: Option<Section>) -> Option<&'r Sequence<'b>> {
        match section {
            None => self.verified.manifest().common().shared(),
            Some(section) => self.verified.manifest().section(section)?.value(),
        }
    }
}

fn component(verified: &Verified<'_>, index: u32, prefix: Option<&ComponentId>) -> Option<ComponentId> {
    let place = verified.manifest().common().place(index)?;
    match prefix {
        None => Some(place.clone()),
        Some(prefix) => place.prefixed(prefix),
    }
}

/// The command at an offset. Nesting is bounded by the decoder, and so is this recursion.
pub(super) fn command_at<'r, 'b>(sequence: &'r Sequence<'b>, offset: u32) -> Option<Found<'r, 'b>> {
    let commands = sequence.commands();
    if let Some(command) = commands.iter().find(|command| command.offset == offset) {
        return Some(Found { command, nested: false });
    }
    // Commands stand in ascending order, so a nested one is in the last that begins before it.
    let around = commands.iter().rev().find(|command| command.offset < offset)?;
    let found = match &around.operation {
        Operation::RunSequence(sequence) => command_at(sequence, offset),
        Operation::TryEach { alternatives, .. } => {
            alternatives.iter().find_map(|alternative| command_at(alternative, offset))
        }
        _ => None,
    };
    found.map(|found| Found { nested: true, ..found })
}

/// A walk over all commands of a manifest, whether they would run or not.
struct Walk<'r, 'b, 'a> {
    all: &'a [u32],
    set: Vec<(u32, &'r Parameter<'b>)>,
    /// To where, from where, what.
    copied: Vec<(u32, u32, i64)>,
}

impl<'r, 'b> Walk<'r, 'b, '_> {
    /// Nesting is bounded by the decoder, and so is this recursion.
    fn sequence(&mut self, sequence: &'r Sequence<'b>, selected: &[u32]) {
        let mut selected = selected.to_vec();
        for command in sequence.commands() {
            match &command.operation {
                Operation::SetComponentIndex(ComponentIndex::One(index)) => selected = alloc::vec![*index],
                Operation::SetComponentIndex(ComponentIndex::All) => selected = self.all.to_vec(),
                Operation::SetComponentIndex(ComponentIndex::List(list)) => selected.clone_from(list),
                Operation::SetParameters(parameters) | Operation::OverrideParameters(parameters) => {
                    for index in &selected {
                        self.set.extend(parameters.iter().map(|parameter| (*index, parameter)));
                    }
                }
                Operation::OverrideMultiple(entries) => {
                    for (index, parameters) in entries {
                        self.set.extend(parameters.iter().map(|parameter| (*index, parameter)));
                        selected = alloc::vec![*index];
                    }
                }
                Operation::CopyParameters(entries) => {
                    for (from, labels) in entries {
                        for to in &selected {
                            self.copied.extend(labels.iter().map(|label| (*to, *from, *label)));
                        }
                    }
                }
                Operation::TryEach { alternatives, .. } => {
                    alternatives.iter().for_each(|one| self.sequence(one, &selected));
                }
                Operation::RunSequence(sequence) => self.sequence(sequence, &selected),
                Operation::Condition(..) | Operation::Directive(..) => {}
            }
        }
    }
}
