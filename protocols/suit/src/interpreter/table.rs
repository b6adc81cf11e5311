use alloc::vec::Vec;

use crypto::Digest;

use crate::{Parameter, labels::parameter};

/// The parameters of every component. Values stay in the decoded manifest; the table only points at them.
pub(super) struct ParameterTable<'m, 'b> {
    components: Vec<Vec<&'m Parameter<'b>>>,
}

impl<'m, 'b> ParameterTable<'m, 'b> {
    /// An empty table for this many components.
    pub(super) fn new(count: usize) -> Self {
        Self { components: (0..count).map(|_| Vec::new()).collect() }
    }

    /// Forgets all values.
    pub(super) fn clear(&mut self) {
        self.components.iter_mut().for_each(Vec::clear);
    }

    /// Sets a parameter, if `replace` even over another value.
    pub(super) fn set(&mut self, component: u32, parameter: &'m Parameter<'b>, replace: bool) {
        let Some(values) = self.components.get_mut(component as usize) else { return };
        match values.iter_mut().find(|value| value.label() == parameter.label()) {
            Some(value) if replace => *value = parameter,
            Some(_) => {}
            None => values.push(parameter),
        }
    }

    /// The parameter with a label.
    pub(super) fn find(&self, component: u32, label: i64) -> Option<&'m Parameter<'b>> {
        let values = self.components.get(component as usize)?;
        values.iter().copied().find(|value| value.label() == label)
    }

    pub(super) fn image_digest(&self, component: u32) -> Option<&'m Digest> {
        match self.find(component, parameter::IMAGE_DIGEST)? {
            Parameter::ImageDigest(digest) => Some(digest),
            _ => None,
        }
    }

    pub(super) fn image_size(&self, component: u32) -> Option<u64> {
        match self.find(component, parameter::IMAGE_SIZE)? {
            Parameter::ImageSize(size) => Some(*size),
            _ => None,
        }
    }

    pub(super) fn content(&self, component: u32) -> Option<&'b [u8]> {
        match self.find(component, parameter::CONTENT)? {
            Parameter::Content(content) => Some(content),
            _ => None,
        }
    }

    pub(super) fn encryption_info(&self, component: u32) -> Option<&'b [u8]> {
        match self.find(component, parameter::ENCRYPTION_INFO)? {
            Parameter::EncryptionInfo(info) => Some(info),
            _ => None,
        }
    }

    pub(super) fn uri(&self, component: u32) -> Option<&'b str> {
        match self.find(component, parameter::URI)? {
            Parameter::Uri(uri) => Some(uri),
            _ => None,
        }
    }

    pub(super) fn source_component(&self, component: u32) -> Option<u32> {
        match self.find(component, parameter::SOURCE_COMPONENT)? {
            Parameter::SourceComponent(index) => Some(*index),
            _ => None,
        }
    }

    pub(super) fn invoke_args(&self, component: u32) -> Option<&'b [u8]> {
        match self.find(component, parameter::INVOKE_ARGS)? {
            Parameter::InvokeArgs(arguments) => Some(arguments),
            _ => None,
        }
    }

    pub(super) fn fetch_arguments(&self, component: u32) -> Option<&'b [u8]> {
        match self.find(component, parameter::FETCH_ARGUMENTS)? {
            Parameter::FetchArguments(arguments) => Some(arguments),
            _ => None,
        }
    }
}
