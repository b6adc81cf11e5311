use alloc::vec::Vec;

use super::{DependencyFault, arena::Arena, machine::Stop, table::ParameterTable, table::Slot};
use crate::{
    ComponentId, Manifest, Section, Verified,
    limits::{MAX_COMPONENTS, MAX_DEPENDENCIES, MAX_DEPENDENCY_DEPTH},
};

/// How many component indices a manifest may have.
const MAX_INDICES: usize = MAX_COMPONENTS + MAX_DEPENDENCIES;

/// A manifest in process: the root, or a dependency whose integrity was checked.
pub(super) struct Context<'a> {
    pub(super) verified: &'a Verified<'a>,
    /// The manifest that depends on this one, and its index there.
    pub(super) parent: Option<(usize, u32)>,
    /// How many manifests are above it.
    pub(super) depth: usize,
    /// The row of each component index; none for indices that are not declared.
    slots: [Option<Slot>; MAX_INDICES],
    pub(super) dependencies: Vec<Dependency>,
    /// Sections that have come to their end.
    pub(super) passed: Sections,
}

/// What is known of a dependency, within its dependent only (TD, section 6.4).
pub(super) struct Dependency {
    pub(super) index: u32,
    pub(super) slot: Slot,
    /// Its manifest, once its integrity was checked and until something is written over it.
    pub(super) checked: Option<usize>,
    /// Sections of it that were processed.
    pub(super) processed: Sections,
}

/// A set of sections.
#[derive(Clone, Copy, Default)]
pub(super) struct Sections(u8);

impl Sections {
    pub(super) fn insert(&mut self, section: Section) {
        self.0 |= Self::bit(section);
    }

    pub(super) fn contains(self, section: Section) -> bool {
        self.0 & Self::bit(section) != 0
    }

    fn bit(section: Section) -> u8 {
        1 << (section as u8)
    }
}

const _: () = assert!(Section::ALL.len() <= u8::BITS as usize);

impl<'a> Context<'a> {
    /// A context for a manifest. Its components get their rows of the table; `prefix` goes before their identifiers.
    pub(super) fn new(
        verified: &'a Verified<'a>,
        parent: Option<(usize, u32)>,
        depth: usize,
        prefix: Option<&ComponentId>,
        table: &mut ParameterTable<'a>,
        names: &'a Arena<ComponentId>,
    ) -> Result<Self, Stop> {
        if depth > MAX_DEPENDENCY_DEPTH {
            return Err(DependencyFault::TooDeep.into());
        }
        let too_many = || Stop::from(DependencyFault::TooManyComponents);
        let common = verified.manifest().common();
        let indices = common.indices();
        let mut slots = [None; MAX_INDICES];
        for (index, slot) in (0..).zip(&mut slots) {
            if !indices.contains(index) {
                continue;
            }
            let component = match (common.place(index), prefix) {
                (Some(place), Some(prefix)) => {
                    let inner = place.prefixed(prefix).ok_or_else(too_many)?;
                    Some(names.keep(inner))
                }
                (place, _) => place,
            };
            *slot = Some(table.slot(component).ok_or_else(too_many)?);
        }
        let mut dependencies = Vec::with_capacity(common.dependencies().len());
        for dependency in common.dependencies() {
            if let Some(slot) = slots.get(dependency.index as usize).copied().flatten() {
                let (index, checked, processed) = (dependency.index, None, Sections::default());
                dependencies.push(Dependency { index, slot, checked, processed });
            }
        }
        Ok(Self { verified, parent, depth, slots, dependencies, passed: Sections::default() })
    }

    pub(super) fn manifest(&self) -> &'a Manifest<'a> {
        self.verified.manifest()
    }

    /// The row of the component with an index.
    pub(super) fn slot(&self, index: u32) -> Option<Slot> {
        self.slots.get(usize::try_from(index).ok()?).copied().flatten()
    }

    /// The rows of all components, those of dependencies among them.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.slots.iter().filter_map(|slot| *slot)
    }

    pub(super) fn dependency(&self, index: u32) -> Option<&Dependency> {
        self.dependencies.iter().find(|dependency| dependency.index == index)
    }

    pub(super) fn dependency_mut(&mut self, index: u32) -> Option<&mut Dependency> {
        self.dependencies.iter_mut().find(|dependency| dependency.index == index)
    }

    /// The index that is selected where a sequence does not say: the only one there is.
    pub(super) fn first_index(&self) -> u32 {
        self.manifest().common().all_indices().next().unwrap_or_default()
    }
}
