use core::fmt;

use crate::{
    ComponentIndex, Condition, Directive, Manifest, Operation, Section, Sequence,
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

/// What the components of a distributor's manifest are, each a set of component indices.
struct Kinds {
    /// Manifests of authors: fetched, checked and processed.
    dependencies: u32,
    /// Images that are encrypted: it says how to decrypt them, and not what they are.
    images: u32,
    /// What is fetched in place of images: where it is, and its digest and size.
    ciphertexts: u32,
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
    let mut kinds = Kinds { dependencies: 0, images: 0, ciphertexts: 0 };
    for dependency in common.dependencies() {
        // It would have the author's images elsewhere than the author says.
        if common.prefix(dependency.index).is_some() {
            return Some(Beyond::Prefix);
        }
        kinds.dependencies |= bit(dependency.index);
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

fn walk(manifest: &Manifest<'_>, sequence: &Sequence<'_>, kinds: &mut Kinds) -> Option<Beyond> {
    let all = || manifest.common().all_indices();
    let mut selected = all().next().map_or(0, bit);
    for command in sequence.commands() {
        let operation = &command.operation;
        let allowed = match operation {
            Operation::SetComponentIndex(index) => {
                selected = match index {
                    ComponentIndex::One(index) => bit(*index),
                    ComponentIndex::All => all().fold(0, |set, index| set | bit(index)),
                    ComponentIndex::List(list) => list.iter().fold(0, |set, index| set | bit(*index)),
                };
                true
            }
            Operation::SetParameters(parameters) | Operation::OverrideParameters(parameters) => {
                for parameter in parameters {
                    if !kinds.may_set(selected, parameter.label()) {
                        return Some(Beyond::Parameter(parameter.label()));
                    }
                }
                true
            }
            Operation::Condition(
                Condition::VendorIdentifier
                | Condition::ClassIdentifier
                | Condition::DeviceIdentifier
                | Condition::ImageMatch
                | Condition::DependencyIntegrity,
                _,
            ) => true,
            Operation::Directive(Directive::Fetch | Directive::ProcessDependency, _) => {
                selected & !kinds.dependencies == 0
            }
            _ => false,
        };
        if !allowed {
            return Some(Beyond::Command(operation.code()));
        }
    }
    None
}

/// A component as a set. One beyond all that there may be counts as every one, which is never allowed more.
fn bit(index: u32) -> u32 {
    1_u32.checked_shl(index).unwrap_or(u32::MAX)
}

impl Kinds {
    /// Whether a parameter is one for these components, which are then of its kind for good. Only what is declared as one
    /// is a dependency.
    fn may_set(&mut self, components: u32, label: i64) -> bool {
        match label {
            parameter::ENCRYPTION_INFO => {
                self.images |= components;
                components & (self.dependencies | self.ciphertexts) == 0
            }
            parameter::VENDOR_IDENTIFIER | parameter::CLASS_IDENTIFIER | parameter::DEVICE_IDENTIFIER => {
                components & !self.dependencies == 0
            }
            parameter::URI | parameter::IMAGE_DIGEST | parameter::IMAGE_SIZE | parameter::FETCH_ARGUMENTS => {
                self.ciphertexts |= components & !self.dependencies;
                components & self.images == 0
            }
            _ => false,
        }
    }
}
