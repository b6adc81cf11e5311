use core::fmt;

use crate::Section;

/// What to do with a manifest: sections in their order, each after the shared sequence (MAN, section 4.1; TD).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Procedure {
    /// Obtain and install, then validate.
    Update,
    /// Obtain only.
    Staging,
    /// Install what was obtained, then validate.
    Installation,
    /// Check what is installed.
    Validation,
    /// Check, load and start what is installed.
    Invocation,
    /// Remove what is installed.
    Uninstallation,
}

impl Procedure {
    /// The sections, in the order they run. A section that the manifest does not have is passed over.
    pub fn sections(self) -> &'static [Section] {
        match self {
            Self::Update => &[
                Section::DependencyResolution,
                Section::PayloadFetch,
                Section::CandidateVerification,
                Section::Install,
                Section::Validate,
            ],
            Self::Staging => &[Section::DependencyResolution, Section::PayloadFetch],
            Self::Installation => &[Section::CandidateVerification, Section::Install, Section::Validate],
            Self::Validation => &[Section::Validate],
            Self::Invocation => &[Section::Validate, Section::Load, Section::Invoke],
            Self::Uninstallation => &[Section::Uninstall],
        }
    }
}

impl Procedure {
    /// Whether what it ends with is used, so that every manifest of the set must have been checked.
    pub(super) fn needs_whole_set(self) -> bool {
        matches!(self, Self::Update | Self::Installation | Self::Validation | Self::Invocation)
    }

    /// Whether something is installed afterwards.
    pub(super) fn installs(self) -> bool {
        matches!(self, Self::Update | Self::Installation)
    }
}

impl fmt::Display for Procedure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Update => "update",
            Self::Staging => "staging",
            Self::Installation => "installation",
            Self::Validation => "validation",
            Self::Invocation => "invocation",
            Self::Uninstallation => "uninstallation",
        })
    }
}
