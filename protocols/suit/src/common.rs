use alloc::vec::Vec;

use cbor::{Reason, lean::Reader};

use crate::{
    ComponentId, Feature, Sequence,
    error::Fault,
    labels::common,
    limits::{MAX_COMPONENTS, MAX_DEPENDENCIES},
    sequence::{Place, decode_section},
};

/// SUIT_Common (MAN, section 8.4.5): what the manifest is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Common<'b> {
    components: Vec<ComponentId>,
    dependencies: Vec<Dependency>,
    shared: Option<Sequence<'b>>,
}

/// A dependency (TD, section 5.1): the component at an index holds another envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Component index of the dependency.
    pub index: u32,
    /// What to put before the component identifiers of the dependency. Where the index is beyond the components, it
    /// is the component that holds the envelope instead, as in all published examples.
    pub prefix: Option<ComponentId>,
}

impl<'b> Common<'b> {
    /// The components; a component index counts into them.
    pub fn components(&self) -> &[ComponentId] {
        &self.components
    }

    /// The component with an index. A dependency may have an index beyond the components, and then has none.
    pub fn component(&self, index: u32) -> Option<&ComponentId> {
        self.components.get(usize::try_from(index).ok()?)
    }

    /// The dependencies, ascending by index.
    pub fn dependencies(&self) -> &[Dependency] {
        &self.dependencies
    }

    /// The dependency with an index.
    pub fn dependency(&self, index: u32) -> Option<&Dependency> {
        self.dependencies.iter().find(|dependency| dependency.index == index)
    }

    /// The component that holds what an index stands for: a component, or the envelope of a dependency.
    pub fn place(&self, index: u32) -> Option<&ComponentId> {
        self.component(index).or_else(|| self.dependency(index)?.prefix.as_ref())
    }

    /// What to put before the component identifiers of the dependency with an index.
    pub fn prefix(&self, index: u32) -> Option<&ComponentId> {
        self.component(index).and_then(|_| self.dependency(index)?.prefix.as_ref())
    }

    /// Every index, ascending.
    pub fn all_indices(&self) -> impl Iterator<Item = u32> {
        let indices = self.indices();
        (0..indices.end()).filter(move |index| indices.contains(*index))
    }

    /// Whether the component with this index is a dependency.
    pub fn is_dependency(&self, index: u32) -> bool {
        self.dependencies.iter().any(|dependency| dependency.index == index)
    }

    /// The sequence that runs before every other.
    pub fn shared(&self) -> Option<&Sequence<'b>> {
        self.shared.as_ref()
    }

    /// Which component indices commands may name.
    pub(crate) fn indices(&self) -> Indices {
        Indices::of(&self.components, &self.dependencies)
    }

    /// Reads the members into a value that has none yet.
    pub(crate) fn read(&mut self, reader: &mut Reader<'b>) -> Result<(), Fault> {
        let start = reader.position();
        let mut map = reader.map()?;
        loop {
            let at = reader.position();
            let Some(label) = map.next_int(reader)? else { break };
            match label {
                common::DEPENDENCIES => self.dependencies = decode_dependencies(reader)?,
                common::COMPONENTS => self.components = decode_components(reader)?,
                // Labels ascend, so the indices it may name are known by now.
                common::SHARED_SEQUENCE => {
                    let indices = self.indices();
                    self.shared = Some(decode_section(reader.wrapped()?, Place::Shared, indices)?);
                }
                other => return Err(Fault::unsupported(at, Feature::CommonMember(other))),
            }
        }
        if self.components.is_empty() && self.dependencies.is_empty() {
            return Err(Fault::missing(start, common::COMPONENTS));
        }
        Ok(())
    }
}

/// The component indices a manifest declares, as a set of bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Indices(u32);

impl Indices {
    fn of(components: &[ComponentId], dependencies: &[Dependency]) -> Self {
        let components = (0..components.len()).fold(0, |bits, index| bits | 1 << index);
        Self(dependencies.iter().fold(components, |bits, dependency| bits | 1 << dependency.index))
    }

    pub(crate) fn contains(self, index: u32) -> bool {
        1u32.checked_shl(index).is_some_and(|bit| self.0 & bit != 0)
    }

    pub(crate) fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// One more than the highest index.
    pub(crate) fn end(self) -> u32 {
        u32::BITS - self.0.leading_zeros()
    }
}

// A set of bits must have room for every index.
const _: () = assert!(MAX_COMPONENTS + MAX_DEPENDENCIES <= u32::BITS as usize);

fn decode_components(reader: &mut Reader<'_>) -> Result<Vec<ComponentId>, Fault> {
    let at = reader.position();
    let count = reader.array()?;
    if count == 0 {
        return Err(Fault::rule(at, "list of components is empty"));
    }
    if count > MAX_COMPONENTS {
        return Err(Fault::too_long(at, MAX_COMPONENTS));
    }
    let mut components: Vec<ComponentId> = Vec::with_capacity(count);
    for _ in 0..count {
        let at = reader.position();
        let component = ComponentId::decode(reader)?;
        // Twice the same place under two indices would have two parameter tables.
        if components.contains(&component) {
            return Err(Fault::rule(at, "component is listed twice"));
        }
        components.push(component);
    }
    Ok(components)
}

pub(crate) fn decode_dependencies(reader: &mut Reader<'_>) -> Result<Vec<Dependency>, Fault> {
    let at = reader.position();
    let mut map = reader.map()?;
    if map.remaining() == 0 {
        return Err(Fault::rule(at, "map of dependencies is empty"));
    }
    if map.remaining() > MAX_DEPENDENCIES {
        return Err(Fault::too_long(at, MAX_DEPENDENCIES));
    }
    let mut dependencies = Vec::with_capacity(map.remaining());
    loop {
        let at = reader.position();
        let Some(key) = map.next_int(reader)? else { return Ok(dependencies) };
        let index = u32::try_from(key)
            .ok()
            .filter(|index| (*index as usize) < MAX_COMPONENTS + MAX_DEPENDENCIES)
            .ok_or_else(|| Fault::new(at, Reason::OutOfRange))?;
        let mut prefix = None;
        let mut metadata = reader.map()?;
        loop {
            let at = reader.position();
            match metadata.next_int(reader)? {
                None => break,
                Some(common::DEPENDENCY_PREFIX) => prefix = Some(ComponentId::decode(reader)?),
                Some(other) => {
                    return Err(Fault::unsupported(at, Feature::CommonMember(other)));
                }
            }
        }
        dependencies.push(Dependency { index, prefix });
    }
}
