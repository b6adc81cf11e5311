use core::fmt;

use crate::{
    ComponentIndex, Condition, Directive, Manifest, Operation, Parameter, Section, Sequence,
    labels::{manifest as label, parameter},
};

/// What a manifest says that a distributor may not: beyond where encrypted images are and who can decrypt them (ENC,
/// section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// It depends on no manifest of an author's.
    NoDependency,
    /// It puts something before the identifiers of its dependency.
    Prefix,
    /// It has the member with this label, or lacks it though it has its digest.
    Member(i64),
    /// It has the command with this code, or has it for a component that it is not for.
    Command(i64),
    /// It sets the parameter with this label, or for a component that it is not for.
    Parameter(i64),
}

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDependency => f.write_str("no manifest of an author's that it depends on"),
            Self::Prefix => f.write_str("a prefix for a dependency"),
            Self::Member(label) => write!(f, "member {label}"),
            Self::Command(code) => write!(f, "command {code}"),
            Self::Parameter(label) => write!(f, "parameter {label}"),
        }
    }
}

/// What a component of a distributor's manifest is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An author's manifest: fetched, checked and processed.
    Dependency,
    /// An image that is encrypted: it says how to decrypt it, and not what it is.
    Image,
    /// What is fetched in place of one: where it is, and its digest and size.
    Ciphertext,
}

/// What is beyond the right to encrypt, if anything is.
///
/// Parameters that a dependent sets are seen by what it depends on, so each counts for what it could change there: digests and
/// sizes are of ciphertexts and of manifests, vendor and class are asked of the dependency alone, and a component is
/// either decrypted or fetched. Everything that runs is by name: nothing nested, nothing copied.
pub fn beyond_distribution(manifest: &Manifest<'_>) -> Option<Beyond> {
    let common = manifest.common();
    if common.dependencies().is_empty() {
        return Some(Beyond::NoDependency);
    }
    let members = [
        (label::COSWID, manifest.coswid().is_some()),
        (label::MUD, manifest.mud().is_some()),
        (label::SET_VERSION, manifest.set_version().is_some()),
        (label::COMPONENT_ID, manifest.component_id().is_some()),
    ];
    if let Some((member, _)) = members.into_iter().find(|(_, present)| *present) {
        return Some(Beyond::Member(member));
    }
    let mut kinds = [None; u32::BITS as usize];
    for dependency in common.dependencies() {
        // It would have the author's images elsewhere than the author says.
        if common.prefix(dependency.index).is_some() {
            return Some(Beyond::Prefix);
        }
        if let Some(kind) = kinds.get_mut(dependency.index as usize) {
            *kind = Some(Kind::Dependency);
        }
    }
    let severed = |section: Section| Some(Beyond::Member(section.label()));
    let mut found = common.shared().and_then(|shared| walk(manifest, shared, &mut kinds));
    for (section, held) in manifest.sections() {
        found = found.or_else(|| match held.value() {
            Some(sequence) => walk(manifest, sequence, &mut kinds),
            None => severed(section),
        });
    }
    found
}

type Kinds = [Option<Kind>; u32::BITS as usize];

fn walk(manifest: &Manifest<'_>, sequence: &Sequence<'_>, kinds: &mut Kinds) -> Option<Beyond> {
    let common = manifest.common();
    let first = common.all_indices().next().unwrap_or_default();
    let mut selected = alloc::vec![first];
    for command in sequence.commands() {
        let operation = &command.operation;
        let beyond = Some(Beyond::Command(operation.code()));
        match operation {
            Operation::SetComponentIndex(index) => {
                selected = match index {
                    ComponentIndex::One(index) => alloc::vec![*index],
                    ComponentIndex::All => common.all_indices().collect(),
                    ComponentIndex::List(list) => list.clone(),
                };
            }
            Operation::SetParameters(parameters) | Operation::OverrideParameters(parameters) => {
                for (index, parameter) in
                    selected.iter().flat_map(|index| parameters.iter().map(move |one| (*index, one)))
                {
                    if !may_set(kinds, index, parameter) {
                        return Some(Beyond::Parameter(parameter.label()));
                    }
                }
            }
            Operation::Condition(
                Condition::VendorIdentifier
                | Condition::ClassIdentifier
                | Condition::DeviceIdentifier
                | Condition::ImageMatch
                | Condition::DependencyIntegrity,
                _,
            ) => {}
            Operation::Directive(Directive::Fetch | Directive::ProcessDependency, _)
                if selected.iter().all(|index| common.is_dependency(*index)) => {}
            _ => return beyond,
        }
    }
    None
}

/// Whether a parameter is one for the component, which is then of its kind for good.
fn may_set(kinds: &mut Kinds, index: u32, parameter: &Parameter<'_>) -> bool {
    let Some(kind) = kinds.get_mut(index as usize) else { return false };
    let label = parameter.label();
    let fetched =
        [parameter::URI, parameter::IMAGE_DIGEST, parameter::IMAGE_SIZE, parameter::FETCH_ARGUMENTS];
    let identifies =
        [parameter::VENDOR_IDENTIFIER, parameter::CLASS_IDENTIFIER, parameter::DEVICE_IDENTIFIER];
    let wanted = match label {
        parameter::ENCRYPTION_INFO => Kind::Image,
        _ if identifies.contains(&label) => Kind::Dependency,
        _ if fetched.contains(&label) && *kind == Some(Kind::Dependency) => Kind::Dependency,
        _ if fetched.contains(&label) => Kind::Ciphertext,
        _ => return false,
    };
    // Only what is declared as one is a dependency.
    if kind.is_none() && wanted != Kind::Dependency {
        *kind = Some(wanted);
    }
    *kind == Some(wanted)
}
