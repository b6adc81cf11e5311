//! The command interpreter (MAN, section 6): runs a verified manifest against a platform.

mod arena;
mod conditions;
mod context;
mod dependencies;
mod directives;
mod failure;
mod machine;
mod platform;
mod procedure;
mod processor;
mod resuming;
mod storing;
mod table;
mod waiting;

pub use failure::{DependencyFault, Failure, FailureKind};
pub use platform::{Installed, Platform, PlatformError, Progress, References};
pub use procedure::Procedure;
pub use processor::Processor;
