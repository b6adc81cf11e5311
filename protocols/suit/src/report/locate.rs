use super::{
    Record,
    known::{Known, command_at},
};
use crate::{ComponentId, Verified};

/// What a record points at, as far as the manifests have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// Name of the command at the offset.
    pub command: Option<&'static str>,
    /// The component that the index means on the device.
    pub component: Option<ComponentId>,
}

/// Finds what a record points at. It says nothing about whether the record holds.
pub fn locate(record: &Record, root: &Verified<'_>, dependencies: &[&Verified<'_>]) -> Located {
    let known = Known::new(root, dependencies);
    let Some(node) = known.node(&record.manifest_id) else { return Located::default() };
    let sequence = node.sequence(record.section);
    let found = sequence.and_then(|sequence| command_at(sequence, record.offset));
    Located { command: found.map(|found| found.command.name()), component: node.component(record.component) }
}
