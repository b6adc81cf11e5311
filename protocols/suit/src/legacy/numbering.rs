use core::fmt;
use core::str::FromStr;

use super::labels::{self as old, command as old_command, parameter as old_parameter};
use crate::{
    Condition, Directive, Section, Severable,
    labels::{command, manifest, parameter},
};

/// A table of labels. The same numbers mean other things in another one, so a whole manifest is read with one.
///
/// ```
/// # use sextant_suit::legacy::Numbering;
/// assert_eq!("14".parse(), Ok(Numbering::Draft14));
/// assert_eq!(Numbering::Draft14.to_string(), "drafts 14 to 16");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Numbering {
    /// Drafts up to 13, as RIOT implements 09: own hash numbers, and until 11 the digest attached to each signature.
    Draft09,
    /// Drafts 14 to 16: the sections of before with hash numbers of COSE and text keys for payloads.
    Draft14,
    /// Drafts 17 to 26, and nRF Connect SDK where it writes install as 17: sections of today but for install.
    Draft19,
    /// Drafts 27 and later, as libcsuit and nRF Connect SDK write them.
    Current,
}

/// What stands at a label of the manifest's map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ManifestMember {
    Version,
    SequenceNumber,
    Common,
    ReferenceUri,
    ComponentId,
    SetVersion,
    Section(Section),
    Coswid,
    Text,
    Mud,
}

/// What a command code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Condition(Condition),
    ComponentOffset,
    Directive(Directive),
    FetchUriList,
    SetComponentIndex,
    SetDependencyIndex,
    TryEach,
    RunSequence,
    SetParameters,
    OverrideParameters,
    OverrideMultiple,
    CopyParameters,
    Custom,
}

/// What a parameter label stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// The parameter that has this label today.
    Current(i64),
    ComponentOffset,
    CompressionInfo,
    UnpackInfo,
    UriList,
    Custom,
}

impl Numbering {
    /// Every numbering.
    pub const ALL: [Self; 4] = [Self::Draft09, Self::Draft14, Self::Draft19, Self::Current];

    /// A draft of the numbering by its number, or `current`: what [`Numbering::from_str`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft09 => "09",
            Self::Draft14 => "14",
            Self::Draft19 => "19",
            Self::Current => "current",
        }
    }

    /// Whether sections have the labels they had up to draft 16, and dependencies a list and an index of their own.
    pub(super) fn is_before_17(self) -> bool {
        matches!(self, Self::Draft09 | Self::Draft14)
    }

    pub(super) fn manifest_member(self, label: i64) -> Option<ManifestMember> {
        let found = match label {
            manifest::VERSION => ManifestMember::Version,
            manifest::SEQUENCE_NUMBER => ManifestMember::SequenceNumber,
            manifest::COMMON => ManifestMember::Common,
            manifest::REFERENCE_URI => ManifestMember::ReferenceUri,
            manifest::COSWID => ManifestMember::Coswid,
            _ => return self.moved_member(label),
        };
        Some(found)
    }

    fn moved_member(self, label: i64) -> Option<ManifestMember> {
        let section = match (self, label) {
            (Self::Draft09 | Self::Draft14, _) => match label {
                old::manifest::DEPENDENCY_RESOLUTION => Section::DependencyResolution,
                old::manifest::PAYLOAD_FETCH => Section::PayloadFetch,
                old::manifest::INSTALL => Section::Install,
                old::manifest::VALIDATE => Section::Validate,
                old::manifest::LOAD => Section::Load,
                old::manifest::RUN => Section::Invoke,
                old::manifest::TEXT => return Some(ManifestMember::Text),
                _ => return None,
            },
            (Self::Draft19 | Self::Current, manifest::COMPONENT_ID) => {
                return Some(ManifestMember::ComponentId);
            }
            (Self::Draft19 | Self::Current, manifest::SET_VERSION) => {
                return Some(ManifestMember::SetVersion);
            }
            (Self::Draft19 | Self::Current, manifest::TEXT) => return Some(ManifestMember::Text),
            (Self::Current, manifest::MUD) => return Some(ManifestMember::Mud),
            (Self::Draft19, old::manifest::INSTALL_17) => Section::Install,
            (Self::Draft19, manifest::INSTALL) => return None,
            (Self::Draft19 | Self::Current, _) => {
                Section::ALL.into_iter().find(|section| section.label() == label)?
            }
        };
        Some(ManifestMember::Section(section))
    }

    /// The severable member with a label, in manifest and envelope.
    pub(super) fn severable(self, label: i64) -> Option<Severable> {
        match self.manifest_member(label)? {
            ManifestMember::Coswid => Some(Severable::Coswid),
            ManifestMember::Text => Some(Severable::Text),
            ManifestMember::Section(section) => section.severable(),
            _ => None,
        }
    }

    pub(super) fn verb(self, code: i64) -> Option<Verb> {
        let shared = match code {
            ..0 => Verb::Custom,
            command::SET_COMPONENT_INDEX => Verb::SetComponentIndex,
            command::TRY_EACH => Verb::TryEach,
            command::RUN_SEQUENCE => Verb::RunSequence,
            command::SET_PARAMETERS => Verb::SetParameters,
            command::OVERRIDE_PARAMETERS => Verb::OverrideParameters,
            _ if self.is_before_17() => return self.old_verb(code),
            command::OVERRIDE_MULTIPLE if self == Self::Current => Verb::OverrideMultiple,
            command::COPY_PARAMS if self == Self::Current => Verb::CopyParameters,
            _ => return today(code),
        };
        Some(shared)
    }

    fn old_verb(self, code: i64) -> Option<Verb> {
        match code {
            old_command::COMPONENT_OFFSET if self == Self::Draft09 => Some(Verb::ComponentOffset),
            old_command::FETCH_URI_LIST if self == Self::Draft09 => Some(Verb::FetchUriList),
            old_command::SET_DEPENDENCY_INDEX => Some(Verb::SetDependencyIndex),
            old_command::PROCESS_DEPENDENCY => Some(Verb::Directive(Directive::ProcessDependency)),
            // Came with trust domains of their own, after the drafts of this numbering.
            command::CHECK_CONTENT
            | command::DEPENDENCY_INTEGRITY
            | command::IS_DEPENDENCY
            | command::PROCESS_DEPENDENCY => None,
            command::UNLINK if self == Self::Draft09 => None,
            _ => today(code),
        }
    }

    pub(super) fn setting(self, label: i64) -> Option<Setting> {
        match label {
            ..0 => Some(Setting::Custom),
            _ if self == Self::Draft09 => match label {
                old_parameter::COMPONENT_OFFSET => Some(Setting::ComponentOffset),
                old_parameter::ENCRYPTION_INFO => Some(Setting::Current(parameter::ENCRYPTION_INFO)),
                old_parameter::COMPRESSION_INFO => Some(Setting::CompressionInfo),
                old_parameter::UNPACK_INFO => Some(Setting::UnpackInfo),
                old_parameter::URI_LIST => Some(Setting::UriList),
                parameter::FETCH_ARGUMENTS => None,
                _ => Some(Setting::Current(label)),
            },
            // Between their old numbers and their new ones, the drafts had neither.
            parameter::CONTENT | parameter::ENCRYPTION_INFO | parameter::COMPONENT_METADATA
                if self == Self::Draft14 =>
            {
                None
            }
            parameter::FETCH_ARGUMENTS if self != Self::Current => None,
            _ => Some(Setting::Current(label)),
        }
    }
}

/// Conditions and directives that have their number of today.
fn today(code: i64) -> Option<Verb> {
    let condition = Condition::from_code(code).map(Verb::Condition);
    condition.or_else(|| Directive::from_code(code).map(Verb::Directive))
}

impl fmt::Display for Numbering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draft09 => "drafts up to 13",
            Self::Draft14 => "drafts 14 to 16",
            Self::Draft19 => "drafts 17 to 26",
            Self::Current => "drafts 27 and later",
        })
    }
}

impl FromStr for Numbering {
    type Err = NotANumbering;

    /// Reads what [`Numbering::name`] gives.
    fn from_str(text: &str) -> Result<Self, NotANumbering> {
        Self::ALL.into_iter().find(|numbering| numbering.name() == text).ok_or(NotANumbering)
    }
}

/// The text names no numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANumbering;

impl fmt::Display for NotANumbering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected one of 09, 14, 19, current")
    }
}

impl core::error::Error for NotANumbering {}
