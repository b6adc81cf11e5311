//! The Linux device agent: the shell around `device-core`. It attests, lets the gateway know whose address it has,
//! installs releases as they come from the server, boots into them, runs their program, and reports.
//!
//! It holds no decision about trust or order: what to do when is the machine's, what to believe is the device's. Files,
//! HTTPS, a child process and a clock are what is here.

#![forbid(unsafe_code)]

mod download;
mod error;
mod file_source;
mod files;
mod gateway;
mod http;
mod keys;
mod onboarding;
mod options;
mod outbox;
mod parse;
mod payload;
mod place;
mod run;
mod setup;
mod status;

// Public interface
pub use error::Error;
pub use files::FileStorage;
pub use onboarding::{MadeDevice, Onboarded, make, onboard};
pub use options::{
    Command, InitOptions, InstallOptions, MakeOptions, ModuleOptions, OnboardOptions, RunOptions,
    TargetOptions, USAGE, UninstallOptions,
};
pub use parse::parse;
pub use payload::exec;
pub use run::run;
pub use setup::{Identification, init, install, uninstall};
pub use status::{AttestationStatus, OnboardingStatus, ReleaseStatus, Status};
