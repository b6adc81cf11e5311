use std::{io, path::PathBuf};

use device_core::StateError;

/// Why the agent gives up.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line is not understood.
    #[error("{0}; try --help")]
    Usage(String),
    /// A file of the set-up is missing or wrong.
    #[error("{path}: {what}")]
    Setup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file cannot be read or written.
    #[error("{path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another agent works on the same folder.
    #[error("{0} is in use by another agent")]
    InUse(PathBuf),
    /// The release will not be installed.
    #[error("refused: {what} ({code})")]
    Refused {
        /// The reason code.
        code: &'static str,
        /// The same for people.
        what: String,
    },
    /// A payload of the release could not be read.
    #[error("the release could not be read: {0}")]
    Interrupted(&'static str),
    /// The device's storage failed.
    #[error("storage failed")]
    Storage(#[source] io::Error),
    /// The boot record cannot be used.
    #[error("the boot record cannot be used: {0}")]
    State(&'static str),
    /// The operating system gave no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
    /// A key could not be made.
    #[error("no key: {0}")]
    Key(String),
    /// The TPM did not do its part.
    #[error("no key in the TPM ({})", .0.code())]
    Tpm(#[source] tpm::Error),
    /// A manufacturer did not make a device of this.
    #[error("the manufacturer made no device ({})", .0.code())]
    Manufacturer(#[source] Box<fdo_http::Error>),
    /// No owner took the device over.
    #[error("no owner took this device over: {0}")]
    NotOnboarded(String),
    /// The program of a release could not be started.
    #[error("starting {program}")]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A server cannot be talked to with these settings.
    #[error("{0}")]
    Server(String),
    /// Standard output is gone.
    #[error("writing the answer")]
    Output(#[source] io::Error),
}

impl From<StateError<io::Error>> for Error {
    fn from(error: StateError<io::Error>) -> Self {
        match error {
            StateError::Storage(source) => Self::Storage(source),
            StateError::Lost => Self::State("neither copy is whole"),
            StateError::AuthoritiesLost => Self::State("the list of authorities that was in force is gone"),
            StateError::SequenceFalls => Self::State("its sequence number would fall"),
            StateError::TooLong => Self::State("it would be too long"),
        }
    }
}
