use core::fmt;

use cbor::Reason;

/// Why ServiceInfo ends early.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceFault {
    /// Bytes of the peer are not well-formed; the offset is that within the list or the value.
    Malformed(cbor::Error),
    /// The peer goes beyond a limit.
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// A key is not `module:message`, both of 1 to 64 bytes without control characters.
    Key,
    /// A value that was cut did not go on.
    Interrupted,
    /// A message that was not due, or has what it may not have at that point.
    OutOfTurn,
    /// Rounds beyond [`super::MAX_ROUNDS`].
    TooManyRounds,
    /// Data for a module that the device does not have.
    ModuleUnknown,
    /// Data for, or of, a module that is not in use.
    ModuleNotActive,
    /// The device began with something else than what it is, or left out what it has to tell.
    DevmodMissing,
    /// A module or a step refuses or fails.
    Module(ModuleFault),
    /// A step that is required needs a module that the device does not have.
    ModuleMissing,
    /// A step that is required did not succeed.
    StepFailed,
    /// What the owner has to work with could not do it.
    Backend,
    /// The receiver's limit for lists is outside of what can be served.
    Budget,
    /// Bytes of a state are not of this program, or no state.
    State,
    /// A program or a set of modules breaks a limit: the caller's mistake.
    Misuse(&'static str),
}

/// Why a module refuses a message or fails.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleFault {
    /// The module has no such message.
    MessageUnknown,
    /// The value is of another form than the message has.
    Malformed,
    /// The message does not belong there.
    OutOfOrder,
    /// More than the module takes.
    TooLarge,
    /// Not allowed: a name, a program, an address.
    Refused,
    /// What the module is about did not succeed.
    Failed,
    /// More is to be sent than the queue holds.
    QueueFull,
}

impl ServiceFault {
    /// Stable code of the refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "service-info-malformed",
            Self::TooLarge { .. } => "service-info-too-large",
            Self::Key => "service-info-key",
            Self::Interrupted => "service-info-interrupted",
            Self::OutOfTurn => "service-info-out-of-turn",
            Self::TooManyRounds => "service-info-too-many-rounds",
            Self::ModuleUnknown => "module-unknown",
            Self::ModuleNotActive => "module-not-active",
            Self::DevmodMissing => "devmod-missing",
            Self::Module(fault) => fault.code(),
            Self::ModuleMissing => "module-missing",
            Self::StepFailed => "step-failed",
            Self::Backend => "service-info-backend",
            Self::Budget => "service-info-budget",
            Self::State => "service-info-state",
            Self::Misuse(_) => "service-info-misuse",
        }
    }
}

impl ModuleFault {
    /// Stable code of the refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MessageUnknown => "module-message-unknown",
            Self::Malformed => "module-value-malformed",
            Self::OutOfOrder => "module-out-of-order",
            Self::TooLarge => "module-too-large",
            Self::Refused => "module-refused",
            Self::Failed => "module-failed",
            Self::QueueFull => "module-queue-full",
        }
    }
}

impl fmt::Display for ServiceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(_) => f.write_str("malformed ServiceInfo"),
            Self::TooLarge { limit } => write!(f, "ServiceInfo goes beyond the {limit} allowed"),
            Self::Key => f.write_str("key is not module:message"),
            Self::Interrupted => f.write_str("value that was cut does not go on"),
            Self::OutOfTurn => f.write_str("message is not due"),
            Self::TooManyRounds => write!(f, "more than {} rounds", super::MAX_ROUNDS),
            Self::ModuleUnknown => f.write_str("data for a module that is not there"),
            Self::ModuleNotActive => f.write_str("data for a module that is not in use"),
            Self::DevmodMissing => f.write_str("device did not say first what it is"),
            Self::Module(fault) => fault.fmt(f),
            Self::ModuleMissing => f.write_str("device lacks a module that is required"),
            Self::StepFailed => f.write_str("step that is required did not succeed"),
            Self::Backend => f.write_str("owner could not read, keep or do what a step is about"),
            Self::Budget => write!(
                f,
                "receiver's limit for lists is not between {} and {} bytes",
                super::MIN_BUDGET,
                super::MAX_BUDGET
            ),
            Self::State => f.write_str("state is not one of this program"),
            Self::Misuse(what) => f.write_str(what),
        }
    }
}

impl fmt::Display for ModuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MessageUnknown => "module has no such message",
            Self::Malformed => "value is of another form than the message has",
            Self::OutOfOrder => "message does not belong there",
            Self::TooLarge => "more than the module takes",
            Self::Refused => "not allowed",
            Self::Failed => "module did not succeed",
            Self::QueueFull => "more to be sent than the queue holds",
        })
    }
}

impl core::error::Error for ServiceFault {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(source) => Some(source),
            _ => None,
        }
    }
}

impl core::error::Error for ModuleFault {}

impl From<cbor::Error> for ServiceFault {
    fn from(error: cbor::Error) -> Self {
        match error.reason {
            Reason::TooLong { limit } => Self::TooLarge { limit },
            _ => Self::Malformed(error),
        }
    }
}

impl From<ModuleFault> for ServiceFault {
    fn from(fault: ModuleFault) -> Self {
        Self::Module(fault)
    }
}

impl From<cbor::Error> for ModuleFault {
    fn from(_: cbor::Error) -> Self {
        Self::Malformed
    }
}
