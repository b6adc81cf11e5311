use std::{io, path::PathBuf};

use thiserror::Error as ThisError;

/// Why a server does not start, or stopped.
#[non_exhaustive]
#[derive(Debug, ThisError)]
pub enum Error {
    /// A file or folder of its data cannot be used.
    #[error("{path} cannot be used")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A secret of its own cannot be used.
    #[error("{0}")]
    Secret(&'static str),
    /// Its certificate cannot be made or used.
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
    /// Its address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: std::net::SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its database does not do its part.
    #[error("the database cannot be used")]
    Store(#[from] store::Error),
}
