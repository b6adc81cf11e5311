use thiserror::Error as ThisError;

/// Why the store did not do it.
#[non_exhaustive]
#[derive(Debug, ThisError)]
pub enum Error {
    /// Another row holds the same identity, or the row is no longer in the state the change starts from.
    #[error("{0} conflicts with what is stored")]
    Conflict(&'static str),
    /// No such row.
    #[error("no such {0}")]
    Absent(&'static str),
    /// A stored value is not what this program stores there.
    #[error("stored {0} cannot be read")]
    Corrupt(&'static str),
    /// The disk is full, read-only or failing, or the store is shutting down: nothing was changed, try later.
    #[error("the store takes no changes now")]
    Unavailable(#[source] Option<sqlx::Error>),
    /// The database was made by a newer program.
    #[error("database version {found} is newer than {known}")]
    TooNew {
        /// Version of the database.
        found: i64,
        /// Newest version this program knows.
        known: i64,
    },
    /// Anything else the engine says.
    #[error("the database refused")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(source) => source.code().and_then(|code| code.parse::<u32>().ok()),
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                return Self::Unavailable(Some(error));
            }
            _ => None,
        };
        // Extended result codes carry the primary one in their low byte (sqlite.org/rescode.html).
        match code.map(|code| code & 0xff) {
            Some(BUSY | READONLY | IOERR | FULL | CANTOPEN) => Self::Unavailable(Some(error)),
            Some(CONSTRAINT) => Self::Conflict("the row"),
            _ => Self::Database(error),
        }
    }
}

const BUSY: u32 = 5;
const READONLY: u32 = 8;
const IOERR: u32 = 10;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;
const CONSTRAINT: u32 = 19;
