use std::{error::Error as StdError, io, time::Duration};

use api::Problem;

/// Why a lab or a story cannot go on.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A person ended it.
    #[error("ended by a person")]
    Interrupted,
    /// The operating system refused something.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A program of the system failed.
    #[error("{command}: {output}")]
    Program {
        /// What was run.
        command: String,
        /// What it said.
        output: String,
    },
    /// A process of ours ended, and should not have.
    #[error("{name} ended; its last lines:\n{log}")]
    Ended {
        /// Which.
        name: String,
        /// The end of its log.
        log: String,
    },
    /// Something did not come true in time.
    #[error("{what} did not come true within {} s; last seen: {last}", .within.as_secs())]
    TooLate {
        /// What was waited for.
        what: String,
        /// For how long.
        within: Duration,
        /// What there was instead.
        last: String,
    },
    /// The server answered with a problem.
    #[error("{request}: {} {} {}", .problem.status, .problem.code, .problem.detail)]
    Refused {
        /// What was asked.
        request: String,
        /// Its answer.
        problem: Box<Problem>,
    },
    /// The server could not be spoken to.
    #[error("{request}")]
    Http {
        /// What was asked.
        request: String,
        /// Why there is no answer.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// An object cannot be made or is not what it should be.
    #[error("{what}")]
    Object {
        /// Which.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Error {
    /// The operating system refused to do this.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// This object is not what it should be.
    pub(crate) fn object<E: Into<Box<dyn StdError + Send + Sync>>>(
        what: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self::Object { what, source: source.into() }
    }

    /// The error and all its sources in one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = self.source();
        while let Some(error) = next {
            text.push_str(": ");
            text.push_str(&error.to_string());
            next = error.source();
        }
        text
    }
}
