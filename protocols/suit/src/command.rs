use alloc::vec::Vec;

use crate::{Parameter, labels::command};

/// SUIT_Command_Sequence (MAN, section 8.4.6), decoded as a whole before anything of it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence<'b> {
    pub(crate) commands: Vec<Command<'b>>,
}

impl<'b> Sequence<'b> {
    /// The commands in order.
    pub fn commands(&self) -> &[Command<'b>] {
        &self.commands
    }
}

/// A command and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command<'b> {
    /// Byte offset inside the sequence of the section, also for commands of nested sequences (REP, section 4).
    pub offset: u32,
    /// What to do.
    pub operation: Operation<'b>,
}

/// What a command does, with its argument (MAN, sections 8.4.9 and 8.4.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'b> {
    /// A test without side effects.
    Condition(Condition, ReportingPolicy),
    /// An action that takes its input from parameters.
    Directive(Directive, ReportingPolicy),
    /// Selects what the following commands apply to.
    SetComponentIndex(ComponentIndex),
    /// Runs one alternative after another until one succeeds.
    TryEach {
        /// The alternatives in order, two at least.
        alternatives: Vec<Sequence<'b>>,
        /// Whether to succeed when none did: a `nil` after the alternatives.
        or_nothing: bool,
    },
    /// Runs a nested sequence.
    RunSequence(Sequence<'b>),
    /// Sets those parameters that are not set yet (TD).
    SetParameters(Vec<Parameter<'b>>),
    /// Sets parameters.
    OverrideParameters(Vec<Parameter<'b>>),
    /// Selects components one after another and sets parameters of each (UM).
    OverrideMultiple(Vec<(u32, Vec<Parameter<'b>>)>),
    /// Copies the parameters with these labels from other components (UM).
    CopyParameters(Vec<(u32, Vec<i64>)>),
}

impl<'b> Operation<'b> {
    /// Code in the registry.
    pub fn code(&self) -> i64 {
        match self {
            Self::Condition(condition, _) => condition.code(),
            Self::Directive(directive, _) => directive.code(),
            Self::SetComponentIndex(_) => Control::SetComponentIndex.code(),
            Self::TryEach { .. } => Control::TryEach.code(),
            Self::RunSequence(_) => Control::RunSequence.code(),
            Self::SetParameters(_) => Control::SetParameters.code(),
            Self::OverrideParameters(_) => Control::OverrideParameters.code(),
            Self::OverrideMultiple(_) => Control::OverrideMultiple.code(),
            Self::CopyParameters(_) => Control::CopyParameters.code(),
        }
    }

    /// The parameters that the command sets.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter<'_>> {
        let (one, several): (&[Parameter<'_>], &[(u32, Vec<Parameter<'_>>)]) = match self {
            Self::SetParameters(parameters) | Self::OverrideParameters(parameters) => (parameters, &[]),
            Self::OverrideMultiple(entries) => (&[], entries),
            _ => (&[], &[]),
        };
        one.iter().chain(several.iter().flat_map(|(_, parameters)| parameters))
    }

    /// Calls a function with each parameter that the command sets, without an iterator, which costs devices code.
    pub(crate) fn each_parameter<'m>(&'m self, see: &mut dyn FnMut(&'m Parameter<'b>)) {
        match self {
            Self::SetParameters(parameters) | Self::OverrideParameters(parameters) => {
                parameters.iter().for_each(see);
            }
            Self::OverrideMultiple(entries) => {
                for (_, parameters) in entries {
                    parameters.iter().for_each(&mut *see);
                }
            }
            _ => {}
        }
    }

    /// What to report about the command; nothing for commands without a policy.
    pub fn policy(&self) -> ReportingPolicy {
        match self {
            Self::Condition(_, policy) | Self::Directive(_, policy) => *policy,
            _ => ReportingPolicy::default(),
        }
    }
}

/// A condition (MAN, section 8.4.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The component belongs to the vendor.
    VendorIdentifier,
    /// The component belongs to the class.
    ClassIdentifier,
    /// The component holds the image.
    ImageMatch,
    /// It is before a point in time (UM).
    UseBefore,
    /// The component has the slot.
    ComponentSlot,
    /// The component holds the content.
    CheckContent,
    /// The dependency is authentic and has the digest (TD).
    DependencyIntegrity,
    /// The component is a dependency (TD).
    IsDependency,
    /// Never met.
    Abort,
    /// The device is this one.
    DeviceIdentifier,
    /// The component holds another image (UM).
    ImageNotMatch,
    /// The battery holds this much (UM).
    MinimumBattery,
    /// The application allows an update of the priority (UM).
    UpdateAuthorized,
    /// The installed version meets a demand (UM).
    Version,
}

impl Condition {
    /// Every condition.
    pub const ALL: [Self; 14] = [
        Self::VendorIdentifier,
        Self::ClassIdentifier,
        Self::ImageMatch,
        Self::UseBefore,
        Self::ComponentSlot,
        Self::CheckContent,
        Self::DependencyIntegrity,
        Self::IsDependency,
        Self::Abort,
        Self::DeviceIdentifier,
        Self::ImageNotMatch,
        Self::MinimumBattery,
        Self::UpdateAuthorized,
        Self::Version,
    ];

    /// Code in the registry.
    pub fn code(self) -> i64 {
        match self {
            Self::VendorIdentifier => command::VENDOR_IDENTIFIER,
            Self::ClassIdentifier => command::CLASS_IDENTIFIER,
            Self::ImageMatch => command::IMAGE_MATCH,
            Self::UseBefore => command::USE_BEFORE,
            Self::ComponentSlot => command::COMPONENT_SLOT,
            Self::CheckContent => command::CHECK_CONTENT,
            Self::DependencyIntegrity => command::DEPENDENCY_INTEGRITY,
            Self::IsDependency => command::IS_DEPENDENCY,
            Self::Abort => command::ABORT,
            Self::DeviceIdentifier => command::DEVICE_IDENTIFIER,
            Self::ImageNotMatch => command::IMAGE_NOT_MATCH,
            Self::MinimumBattery => command::MINIMUM_BATTERY,
            Self::UpdateAuthorized => command::UPDATE_AUTHORIZED,
            Self::Version => command::VERSION,
        }
    }

    /// The condition with a code.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|condition| condition.code() == code)
    }
}

/// A directive whose only argument is a reporting policy (MAN, section 8.4.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Runs the same section of a dependency (TD).
    ProcessDependency,
    /// Writes the content parameter into the component.
    Write,
    /// Fetches into the component.
    Fetch,
    /// Copies another component into the component.
    Copy,
    /// Starts the component.
    Invoke,
    /// Waits for events (UM).
    Wait,
    /// Exchanges the component with another.
    Swap,
    /// Gives up a reference to the component (TD).
    Unlink,
}

impl Directive {
    /// Every directive of this kind.
    pub const ALL: [Self; 8] = [
        Self::ProcessDependency,
        Self::Write,
        Self::Fetch,
        Self::Copy,
        Self::Invoke,
        Self::Wait,
        Self::Swap,
        Self::Unlink,
    ];

    /// Code in the registry.
    pub fn code(self) -> i64 {
        match self {
            Self::ProcessDependency => command::PROCESS_DEPENDENCY,
            Self::Write => command::WRITE,
            Self::Fetch => command::FETCH,
            Self::Copy => command::COPY,
            Self::Invoke => command::INVOKE,
            Self::Wait => command::WAIT,
            Self::Swap => command::SWAP,
            Self::Unlink => command::UNLINK,
        }
    }

    /// The directive with a code.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|directive| directive.code() == code)
    }
}

/// A command that steers what others do, with an argument of its own (MAN, section 8.4.10; TD; UM).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Selects components.
    SetComponentIndex,
    /// Runs alternatives.
    TryEach,
    /// Sets parameters that are not set yet (TD).
    SetParameters,
    /// Sets parameters.
    OverrideParameters,
    /// Runs a nested sequence.
    RunSequence,
    /// Sets parameters of several components (UM).
    OverrideMultiple,
    /// Copies parameters of other components (UM).
    CopyParameters,
}

impl Control {
    /// Every command of this kind.
    pub const ALL: [Self; 7] = [
        Self::SetComponentIndex,
        Self::TryEach,
        Self::SetParameters,
        Self::OverrideParameters,
        Self::RunSequence,
        Self::OverrideMultiple,
        Self::CopyParameters,
    ];

    /// Code in the registry.
    pub fn code(self) -> i64 {
        match self {
            Self::SetComponentIndex => command::SET_COMPONENT_INDEX,
            Self::TryEach => command::TRY_EACH,
            Self::SetParameters => command::SET_PARAMETERS,
            Self::OverrideParameters => command::OVERRIDE_PARAMETERS,
            Self::RunSequence => command::RUN_SEQUENCE,
            Self::OverrideMultiple => command::OVERRIDE_MULTIPLE,
            Self::CopyParameters => command::COPY_PARAMS,
        }
    }

    /// The command with a code.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|control| control.code() == code)
    }
}

/// What the following commands apply to (MAN, section 6.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComponentIndex {
    /// One component.
    One(u32),
    /// Every component and dependency, in the order of their indices.
    All,
    /// These components, in this order.
    List(Vec<u32>),
}

/// What to report about a command (MAN, section 8.4.7). Bits without a meaning are kept and ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportingPolicy(pub u64);

impl ReportingPolicy {
    /// Record and system information in either case: what examples use for conditions.
    pub const ALWAYS: Self = Self(0b1111);
    /// A record on failure: what examples use for directives.
    pub const ON_FAILURE: Self = Self(0b0010);

    /// Whether to record how the command ended.
    pub fn wants_record(self, success: bool) -> bool {
        self.0 & if success { 0b0001 } else { 0b0010 } != 0
    }

    /// Whether to give measured properties of the component.
    pub fn wants_claims(self, success: bool) -> bool {
        self.0 & if success { 0b0100 } else { 0b1000 } != 0
    }
}
