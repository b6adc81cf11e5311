use alloc::vec::Vec;

use crypto::Digest;

use crate::{ComponentId, ComponentMetadata, Parameter, labels::parameter, limits::MAX_SET_COMPONENTS};

/// A component of the set: of the root manifest or of a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u8);

// A number must tell every row.
const _: () = assert!(MAX_SET_COMPONENTS <= u8::MAX as usize);

impl Slot {
    fn new(number: usize) -> Option<Self> {
        u8::try_from(number).ok().map(Self)
    }

    fn number(self) -> usize {
        self.0.into()
    }
}

/// The parameters of every component of all manifests in process. Values stay in the decoded manifests; the table only
/// points at them.
///
/// A component has one row whichever manifest names it: that is how a dependent sets parameters for its dependency, and
/// sees those the dependency set (TD, section 5.4).
pub(super) struct ParameterTable<'a> {
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    /// None for a dependency without a component of its own.
    component: Option<&'a ComponentId>,
    values: Vec<Value<'a>>,
}

/// A parameter and the number of the manifest that set it: indices and references in it are that manifest's.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) parameter: &'a Parameter<'a>,
    pub(super) origin: usize,
}

impl<'a> ParameterTable<'a> {
    /// An empty table with room for this many components.
    pub(super) fn new(count: usize) -> Self {
        Self { rows: Vec::with_capacity(count) }
    }

    /// The row of a component, which is made if there is none. None when the set has too many components.
    pub(super) fn slot(&mut self, component: Option<&'a ComponentId>) -> Option<Slot> {
        let known = component.and_then(|id| self.rows.iter().position(|row| row.component == Some(id)));
        if let Some(known) = known {
            return Slot::new(known);
        }
        if self.rows.len() == MAX_SET_COMPONENTS {
            return None;
        }
        self.rows.push(Row { component, values: Vec::new() });
        Slot::new(self.rows.len() - 1)
    }

    pub(super) fn component(&self, slot: Slot) -> Option<&'a ComponentId> {
        self.rows.get(slot.number())?.component
    }

    /// Sets a parameter, if `replace` even over another value.
    pub(super) fn set(&mut self, slot: Slot, new: Value<'a>, replace: bool) {
        let Some(row) = self.rows.get_mut(slot.number()) else { return };
        match row.values.iter_mut().find(|value| value.parameter.label() == new.parameter.label()) {
            Some(value) if replace => *value = new,
            Some(_) => {}
            None => row.values.push(new),
        }
    }

    /// The parameter with a label, and who set it.
    pub(super) fn value(&self, slot: Slot, label: i64) -> Option<Value<'a>> {
        let row = self.rows.get(slot.number())?;
        row.values.iter().copied().find(|value| value.parameter.label() == label)
    }

    /// The parameter with a label.
    pub(super) fn find(&self, slot: Slot, label: i64) -> Option<&'a Parameter<'a>> {
        self.value(slot, label).map(|value| value.parameter)
    }

    pub(super) fn image_digest(&self, slot: Slot) -> Option<&'a Digest> {
        match self.find(slot, parameter::IMAGE_DIGEST)? {
            Parameter::ImageDigest(digest) => Some(digest),
            _ => None,
        }
    }

    pub(super) fn image_size(&self, slot: Slot) -> Option<u64> {
        match self.find(slot, parameter::IMAGE_SIZE)? {
            Parameter::ImageSize(size) => Some(*size),
            _ => None,
        }
    }

    pub(super) fn content(&self, slot: Slot) -> Option<&'a [u8]> {
        match self.find(slot, parameter::CONTENT)? {
            Parameter::Content(content) => Some(content),
            _ => None,
        }
    }

    pub(super) fn encryption_info(&self, slot: Slot) -> Option<&'a [u8]> {
        match self.find(slot, parameter::ENCRYPTION_INFO)? {
            Parameter::EncryptionInfo(info) => Some(info),
            _ => None,
        }
    }

    /// The URI and the number of the manifest that set it.
    pub(super) fn uri(&self, slot: Slot) -> Option<(&'a str, usize)> {
        let value = self.value(slot, parameter::URI)?;
        match value.parameter {
            Parameter::Uri(uri) => Some((uri, value.origin)),
            _ => None,
        }
    }

    /// The index of the source component in the manifest with this number.
    pub(super) fn source_component(&self, slot: Slot) -> Option<(u32, usize)> {
        let value = self.value(slot, parameter::SOURCE_COMPONENT)?;
        match value.parameter {
            Parameter::SourceComponent(index) => Some((*index, value.origin)),
            _ => None,
        }
    }

    pub(super) fn invoke_args(&self, slot: Slot) -> Option<&'a [u8]> {
        match self.find(slot, parameter::INVOKE_ARGS)? {
            Parameter::InvokeArgs(arguments) => Some(arguments),
            _ => None,
        }
    }

    pub(super) fn fetch_arguments(&self, slot: Slot) -> Option<&'a [u8]> {
        match self.find(slot, parameter::FETCH_ARGUMENTS)? {
            Parameter::FetchArguments(arguments) => Some(arguments),
            _ => None,
        }
    }

    pub(super) fn metadata(&self, slot: Slot) -> Option<&'a ComponentMetadata<'a>> {
        match self.find(slot, parameter::COMPONENT_METADATA)? {
            Parameter::ComponentMetadata(metadata) => Some(metadata),
            _ => None,
        }
    }
}
