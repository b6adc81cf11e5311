use std::{path::Path, time::Duration};

use sqlx::{
    Connection, Row, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{broadcast, watch};

use crate::{
    Error,
    writer::{Change, Writer},
};

/// The database. Cheap to clone; all clones share one writer.
#[derive(Clone)]
pub struct Store {
    pub(crate) readers: SqlitePool,
    pub(crate) writer: Writer,
}

/// Connections that read beside the one that writes.
const READERS: u32 = 4;
/// How long a reader waits for a lock; only recovery after a crash holds one for long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Each file brings the database from one version to the next; they are never edited once released.
const MIGRATIONS: [&str; 19] = [
    include_str!("../migrations/0001_initial.sql"),
    include_str!("../migrations/0002_restrictions.sql"),
    include_str!("../migrations/0003_authority_updates.sql"),
    include_str!("../migrations/0004_reports.sql"),
    include_str!("../migrations/0005_endorsements.sql"),
    include_str!("../migrations/0006_advisories.sql"),
    include_str!("../migrations/0007_scans.sql"),
    include_str!("../migrations/0008_criteria.sql"),
    include_str!("../migrations/0009_foreign_results.sql"),
    include_str!("../migrations/0010_vouchers.sql"),
    include_str!("../migrations/0011_flow_uses.sql"),
    include_str!("../migrations/0012_device_flows.sql"),
    include_str!("../migrations/0013_violation_class.sql"),
    include_str!("../migrations/0014_dns_uses.sql"),
    include_str!("../migrations/0015_alarms.sql"),
    include_str!("../migrations/0016_handshakes.sql"),
    include_str!("../migrations/0017_network.sql"),
    include_str!("../migrations/0018_onboarding.sql"),
    include_str!("../migrations/0019_onboarding_lists.sql"),
];

impl Store {
    /// Opens the database at a path, makes it if it is absent and brings it to the present version.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What a call acknowledged must survive the power cut after it.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        migrate(&mut connection).await?;
        let readers =
            SqlitePoolOptions::new().max_connections(READERS).connect_with(options.read_only(true)).await?;
        let writer = Writer::start(connection).await?;
        Ok(Self { readers, writer })
    }

    /// Number of the last change that enforcement points must know of; it wakes whoever waits.
    pub fn revision(&self) -> watch::Receiver<u64> {
        self.writer.revision()
    }

    /// What changed, after each commit. A slow listener is told that it missed some, and reads all again.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.writer.changes()
    }

    /// Finishes what was begun and closes the database.
    pub async fn close(&self) {
        // The last connection to close moves the log into the database, which a reading one could not.
        self.readers.close().await;
        self.writer.close().await;
    }
}

async fn migrate(connection: &mut SqliteConnection) -> Result<(), Error> {
    let known = MIGRATIONS.len() as i64;
    let found: i64 = sqlx::query("PRAGMA user_version").fetch_one(&mut *connection).await?.try_get(0)?;
    let done = usize::try_from(found).ok().filter(|done| *done <= MIGRATIONS.len());
    let Some(done) = done else { return Err(Error::TooNew { found, known }) };
    for migration in MIGRATIONS.iter().skip(done) {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
        // Counted up by the engine, so that the text stays constant.
        let next: i64 = sqlx::query("PRAGMA user_version").fetch_one(&mut *transaction).await?.try_get(0)?;
        let version = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", next + 1));
        sqlx::query(version).execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    Ok(())
}
