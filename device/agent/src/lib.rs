//! The Linux device agent: the shell around `device-core`. It attests, lets the gateway know whose address it has,
//! downloads and installs releases, boots into them, and runs their program.
//!
//! It holds no decision about trust or order: what to do when is the machine's, what to believe is the device's. Files,
//! HTTPS, a child process and a clock are what is here.

#![forbid(unsafe_code)]

mod error;
mod files;
mod gateway;
mod http;
mod options;
mod payload;
mod run;
mod setup;
mod status;

// Public interface
pub use error::Error;
pub use files::FileStorage;
pub use options::{Command, InitOptions, InstallOptions, RunOptions, TargetOptions, USAGE, parse};
pub use payload::exec;
pub use run::run;
pub use setup::{Identification, init, install};
pub use status::{AttestationStatus, ReleaseStatus, Status};
