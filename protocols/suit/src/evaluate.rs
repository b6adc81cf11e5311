//! What a manifest says without a device: which images, from where, for whom.

use alloc::vec::Vec;

use crypto::Digest;

use crate::{
    Command, ComponentId, ComponentIndex, Condition, Manifest, Operation, Parameter, Section, Sequence, Uuid,
    VendorId, labels::parameter,
};

/// An image that a component may hold after an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image<'b> {
    /// Index of the component.
    pub index: u32,
    /// The component.
    pub component: ComponentId,
    /// Digest of the image.
    pub digest: Digest,
    /// Size of the image in bytes, when the manifest tells.
    pub size: Option<u64>,
    /// Where it is fetched from, when the manifest tells.
    pub uri: Option<&'b str>,
    /// The slot it is for, when there are several.
    pub slot: Option<u64>,
}

/// The vendors and classes a manifest is for: values of the parameters, anywhere in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets<'b> {
    /// The vendors.
    pub vendors: Vec<VendorId<'b>>,
    /// The classes.
    pub classes: Vec<Uuid>,
    /// Whether the shared sequence checks the vendor in any case.
    pub vendor_checked: bool,
    /// Whether the shared sequence checks the class in any case.
    pub class_checked: bool,
}

impl<'b> Targets<'b> {
    pub(crate) fn of(manifest: &Manifest<'b>) -> Self {
        let mut targets = Self::default();
        each_parameter(manifest, &mut |parameter| match parameter {
            Parameter::VendorId(vendor) if !targets.vendors.contains(vendor) => targets.vendors.push(*vendor),
            Parameter::ClassId(class) if !targets.classes.contains(class) => targets.classes.push(*class),
            _ => {}
        });
        // A check inside an alternative may be passed over.
        let checks = |condition| {
            let is_check = |command: &Command<'_>| match command.operation {
                Operation::Condition(other, _) => other == condition,
                _ => false,
            };
            manifest.common().shared().is_some_and(|shared| shared.commands().iter().any(is_check))
        };
        targets.vendor_checked = checks(Condition::VendorIdentifier);
        targets.class_checked = checks(Condition::ClassIdentifier);
        targets
    }

    /// Whether the manifest is for this vendor and class and surely no other.
    pub(crate) fn fit(&self, vendor: Option<&Uuid>, class: Option<&Uuid>) -> bool {
        let vendor_fits = |vendor: &Uuid| {
            let only = |other: &VendorId<'_>| *other == VendorId::Uuid(*vendor);
            self.vendor_checked && !self.vendors.is_empty() && self.vendors.iter().all(only)
        };
        let class_fits = |class: &Uuid| {
            self.class_checked && !self.classes.is_empty() && self.classes.iter().all(|other| other == class)
        };
        vendor.is_none_or(vendor_fits) && class.is_none_or(class_fits)
    }
}

/// Every URI the manifest fetches from.
pub(crate) fn uris<'b>(manifest: &Manifest<'b>) -> Vec<&'b str> {
    let mut uris = Vec::new();
    each_parameter(manifest, &mut |parameter| {
        if let Parameter::Uri(uri) = parameter
            && !uris.contains(uri)
        {
            uris.push(*uri);
        }
    });
    uris
}

/// Calls a function with every parameter that any command sets.
fn each_parameter<'m, 'b>(manifest: &'m Manifest<'b>, see: &mut dyn FnMut(&'m Parameter<'b>)) {
    each_operation(manifest, &mut |operation| operation.each_parameter(see));
}

/// Calls a function with every command that is here, nested ones after those around them.
pub(crate) fn each_operation<'m, 'b>(manifest: &'m Manifest<'b>, see: &mut dyn FnMut(&'m Operation<'b>)) {
    if let Some(sequence) = manifest.common().shared() {
        each_in(sequence, see);
    }
    for (_, held) in manifest.sections() {
        if let Some(sequence) = held.value() {
            each_in(sequence, see);
        }
    }
}

/// Nesting is bounded by the decoder, and so is this recursion.
fn each_in<'m, 'b>(sequence: &'m Sequence<'b>, see: &mut dyn FnMut(&'m Operation<'b>)) {
    for command in sequence.commands() {
        see(&command.operation);
        match &command.operation {
            Operation::TryEach { alternatives, .. } => {
                alternatives.iter().for_each(|alternative| each_in(alternative, see));
            }
            Operation::RunSequence(sequence) => each_in(sequence, see),
            _ => {}
        }
    }
}

/// Ways through a manifest that are followed; further alternatives are left out.
const MAX_WAYS: usize = 64;

/// The images of an update: every way through its try-each commands is followed, except where two commands would
/// need the component in different slots.
pub(crate) fn images<'b>(manifest: &Manifest<'b>) -> Vec<Image<'b>> {
    let count = manifest.common().indices().end();
    let all: Vec<u32> = manifest.common().all_indices().collect();
    let table = (0..count).map(|_| Known::default()).collect();
    let mut ways = alloc::vec![Way { table, selection: alloc::vec![0] }];
    let sections = [
        Section::DependencyResolution,
        Section::PayloadFetch,
        Section::CandidateVerification,
        Section::Install,
        Section::Validate,
    ];
    for section in sections {
        let Some(sequence) = manifest.section(section).and_then(|held| held.value()) else { continue };
        for sequence in manifest.common().shared().into_iter().chain([sequence]) {
            for way in &mut ways {
                way.selection = alloc::vec![0];
            }
            ways = follow(sequence, ways, &all);
        }
    }
    let mut images: Vec<Image<'b>> = Vec::new();
    for way in &ways {
        for (index, known) in (0..).zip(&way.table) {
            // The digest of a dependency is that of its manifest, and no image's.
            let component = manifest.common().component(index);
            let component = component.filter(|_| !manifest.common().is_dependency(index));
            let (Some(digest), Some(component)) = (known.digest, component) else { continue };
            let Known { size, uri, in_slot, .. } = *known;
            let image = Image { index, component: component.clone(), digest, size, uri, slot: in_slot };
            if !images.contains(&image) {
                images.push(image);
            }
        }
    }
    images.sort_by_key(|image| image.index);
    images
}

/// One way through a manifest.
#[derive(Clone)]
struct Way<'b> {
    table: Vec<Known<'b>>,
    selection: Vec<u32>,
}

/// What is known of a component on a way.
#[derive(Clone, Copy, Default)]
struct Known<'b> {
    digest: Option<Digest>,
    size: Option<u64>,
    uri: Option<&'b str>,
    /// The slot parameter.
    slot: Option<u64>,
    /// The slot a condition on this way has demanded.
    in_slot: Option<u64>,
}

impl<'b> Known<'b> {
    fn set(&mut self, parameter: &Parameter<'b>, replace: bool) {
        fn put<T>(place: &mut Option<T>, value: T, replace: bool) {
            if replace || place.is_none() {
                *place = Some(value);
            }
        }
        match parameter {
            Parameter::ImageDigest(digest) => put(&mut self.digest, *digest, replace),
            Parameter::ImageSize(size) => put(&mut self.size, *size, replace),
            Parameter::Uri(uri) => put(&mut self.uri, *uri, replace),
            Parameter::ComponentSlot(slot) => put(&mut self.slot, *slot, replace),
            _ => {}
        }
    }

    fn copy(&mut self, from: &Self, label: i64) {
        match label {
            parameter::IMAGE_DIGEST => self.digest = from.digest,
            parameter::IMAGE_SIZE => self.size = from.size,
            parameter::URI => self.uri = from.uri,
            parameter::COMPONENT_SLOT => self.slot = from.slot,
            _ => {}
        }
    }
}

impl<'b> Way<'b> {
    fn at(&mut self, index: u32) -> Option<&mut Known<'b>> {
        self.table.get_mut(usize::try_from(index).ok()?)
    }

    fn set(&mut self, index: u32, parameters: &[Parameter<'b>], replace: bool) {
        if let Some(known) = self.at(index) {
            parameters.iter().for_each(|parameter| known.set(parameter, replace));
        }
    }

    /// Whether the way goes on after a condition.
    fn passes(&mut self, condition: Condition) -> bool {
        match condition {
            Condition::Abort => false,
            Condition::ComponentSlot => self.selection.clone().into_iter().all(|index| {
                self.at(index).is_none_or(|known| match (known.slot, known.in_slot) {
                    (Some(wanted), Some(demanded)) => wanted == demanded,
                    (wanted, _) => {
                        known.in_slot = wanted;
                        wanted.is_some()
                    }
                })
            }),
            _ => true,
        }
    }
}

fn follow<'b>(sequence: &Sequence<'b>, mut ways: Vec<Way<'b>>, all: &[u32]) -> Vec<Way<'b>> {
    for command in sequence.commands() {
        match &command.operation {
            Operation::Condition(condition, _) => ways.retain_mut(|way| way.passes(*condition)),
            Operation::SetComponentIndex(index) => {
                let selection: Vec<u32> = match index {
                    ComponentIndex::One(index) => alloc::vec![*index],
                    ComponentIndex::All => all.to_vec(),
                    ComponentIndex::List(list) => list.clone(),
                };
                ways.iter_mut().for_each(|way| way.selection.clone_from(&selection));
            }
            Operation::SetParameters(parameters) => set_all(&mut ways, parameters, false),
            Operation::OverrideParameters(parameters) => set_all(&mut ways, parameters, true),
            Operation::OverrideMultiple(entries) => {
                for way in &mut ways {
                    for (index, parameters) in entries {
                        way.selection = alloc::vec![*index];
                        way.set(*index, parameters, true);
                    }
                }
            }
            Operation::CopyParameters(entries) => ways.iter_mut().for_each(|way| copy(way, entries)),
            Operation::TryEach { alternatives, or_nothing } => {
                ways = for_each_selected(ways, |ways| {
                    let nothing = if *or_nothing { ways.clone() } else { Vec::new() };
                    let taken = alternatives.iter().flat_map(|one| follow(one, ways.clone(), all));
                    taken.chain(nothing).take(MAX_WAYS).collect()
                });
            }
            Operation::RunSequence(sequence) => {
                ways = for_each_selected(ways, |ways| follow(sequence, ways, all));
            }
            Operation::Directive(..) => {}
        }
    }
    ways
}

fn set_all<'b>(ways: &mut [Way<'b>], parameters: &[Parameter<'b>], replace: bool) {
    for way in ways {
        for index in way.selection.clone() {
            way.set(index, parameters, replace);
        }
    }
}

fn copy(way: &mut Way<'_>, entries: &[(u32, Vec<i64>)]) {
    for (source, labels) in entries {
        let Some(from) = way.at(*source).copied() else { continue };
        for index in way.selection.clone() {
            if let Some(known) = way.at(index) {
                labels.iter().for_each(|label| known.copy(&from, *label));
            }
        }
    }
}

/// Follows nested sequences with one component at a time, as the processor runs them.
fn for_each_selected<'b>(
    ways: Vec<Way<'b>>,
    mut nested: impl FnMut(Vec<Way<'b>>) -> Vec<Way<'b>>,
) -> Vec<Way<'b>> {
    let mut done = Vec::new();
    for way in ways {
        let selection = way.selection.clone();
        let mut now = alloc::vec![way];
        for index in &selection {
            now.iter_mut().for_each(|way| way.selection = alloc::vec![*index]);
            now = nested(now);
        }
        now.iter_mut().for_each(|way| way.selection.clone_from(&selection));
        done.append(&mut now);
    }
    done.truncate(MAX_WAYS);
    done
}
