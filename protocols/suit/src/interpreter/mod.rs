//! The command interpreter (MAN, section 6): runs a verified manifest against a platform.

mod conditions;
mod directives;
mod failure;
mod platform;
mod procedure;
mod processor;
mod table;

pub use failure::{Failure, FailureKind};
pub use platform::{Installed, Platform, PlatformError, Progress};
pub use procedure::Procedure;
pub use processor::Processor;
