//! The one writing connection: concurrent mutations gather into one transaction, and so into one flush of the disk.

use std::{future::Future, pin::Pin};

use sqlx::{Connection, Row, SqliteConnection};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{
    CampaignId, DeviceId, Error, ReleaseId, SessionId,
    audit::{self, AuditEntry, AuditHead},
};

/// What a commit changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A device, its posture, or what is known of it.
    Device(DeviceId),
    /// A release.
    Release(ReleaseId),
    /// A campaign, or a device's part in it.
    Campaign(CampaignId),
    /// A gateway was heard of. It does not move the revision, which gateways wait for.
    Gateway(String),
    /// What a gateway reported about a device. It does not move the revision.
    Network(DeviceId),
    /// What a device reported of an update. It does not move the revision.
    Report(DeviceId),
    /// What evidence of a device is worth that is not enrolled, which answered this session. It does not move the revision.
    Foreign(SessionId),
    /// An override.
    Override,
    /// A MUD URL that gateways are to check.
    Check,
    /// The list of authorities.
    Authorities,
    /// What evidence is judged by besides releases. It does not move the revision: what follows from it does.
    Criteria,
    /// Security advisories. What follows for devices moves the revision when it is decided.
    Advisories,
}

/// Mutations waiting for the writer; beyond that callers wait.
const QUEUE: usize = 1024;
/// Mutations sharing one transaction.
const MAX_BATCH: usize = 128;
/// Changes kept for slow listeners.
const CHANGES: usize = 4096;

/// A future on the heap that borrows the transaction.
pub(crate) type Pending<'t, T> = Pin<Box<dyn Future<Output = T> + Send + 't>>;
/// Runs a mutation; says whether it holds, and how to tell the caller.
type Job = Box<dyn for<'t> FnOnce(&'t mut Transaction) -> Pending<'t, (bool, Acknowledge)> + Send>;
/// Tells the caller, once it is known whether the transaction is on the disk.
type Acknowledge = Box<dyn FnOnce(bool) + Send>;

/// A handle on the writing connection.
#[derive(Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Option<Job>>,
    revision: watch::Sender<u64>,
    changes: broadcast::Sender<Change>,
}

/// What a mutation works on.
pub(crate) struct Transaction {
    /// Where its statements run.
    pub(crate) connection: SqliteConnection,
    audit: Vec<AuditEntry>,
    changes: Vec<Change>,
}

impl Transaction {
    /// Adds a record to the audit chain, committed with everything else.
    pub(crate) fn audit(&mut self, entry: AuditEntry) {
        self.audit.push(entry);
    }

    /// Says what changed, to be told after the commit.
    pub(crate) fn changed(&mut self, change: Change) {
        self.changes.push(change);
    }
}

impl Writer {
    pub(crate) async fn start(mut connection: SqliteConnection) -> Result<Self, Error> {
        let head = audit::head(&mut connection).await?;
        let revision = read_revision(&mut connection).await?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let writer =
            Self { jobs, revision: watch::Sender::new(revision), changes: broadcast::Sender::new(CHANGES) };
        let transaction = Transaction { connection, audit: Vec::new(), changes: Vec::new() };
        let (revision, changes) = (writer.revision.clone(), writer.changes.clone());
        tokio::spawn(Actor { queue, transaction, head, revision, changes }.run());
        Ok(writer)
    }

    pub(crate) fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    pub(crate) fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Runs a mutation and returns once it is on the disk, or not at all.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        mutation: impl for<'t> FnOnce(&'t mut Transaction) -> Pending<'t, Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            Box::pin(async move {
                let result = mutation(transaction).await;
                let holds = result.is_ok();
                let acknowledge: Acknowledge = Box::new(move |durable| {
                    let result = if holds && !durable { Err(Error::Unavailable(None)) } else { result };
                    // A caller that went away does not undo what is committed.
                    let _ = answer.send(result);
                });
                (holds, acknowledge)
            })
        });
        self.jobs.send(Some(job)).await.map_err(|_| Error::Unavailable(None))?;
        answered.await.unwrap_or(Err(Error::Unavailable(None)))
    }

    pub(crate) async fn close(&self) {
        if self.jobs.send(None).await.is_ok() {
            self.jobs.closed().await;
        }
    }
}

/// Owns the writing connection.
struct Actor {
    queue: mpsc::Receiver<Option<Job>>,
    transaction: Transaction,
    head: AuditHead,
    revision: watch::Sender<u64>,
    changes: broadcast::Sender<Change>,
}

impl Actor {
    async fn run(mut self) {
        let mut open = true;
        while open {
            let Some(Some(first)) = self.queue.recv().await else { break };
            let mut jobs = vec![first];
            // While one batch is flushed the next one gathers in the queue.
            while jobs.len() < MAX_BATCH {
                match self.queue.try_recv() {
                    Ok(Some(job)) => jobs.push(job),
                    Ok(None) => {
                        open = false;
                        break;
                    }
                    Err(_) => break,
                }
            }
            self.batch(jobs).await;
        }
        let Self { queue, transaction, .. } = self;
        if let Err(error) = transaction.connection.close().await {
            tracing::warn!(%error, "database closed badly");
        }
        // Tells whoever closes the store that nothing is open any more, and refuses what still waits.
        drop(queue);
    }

    async fn batch(&mut self, jobs: Vec<Job>) {
        let mut acknowledgements = Vec::with_capacity(jobs.len());
        let outcome = self.gather(jobs, &mut acknowledgements).await;
        let durable = match outcome {
            Ok(head) => {
                self.head = head;
                true
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "transaction failed");
                // Fails when the engine rolled back by itself.
                let _ = sqlx::query("ROLLBACK").execute(&mut self.transaction.connection).await;
                false
            }
        };
        self.transaction.audit.clear();
        let changes = std::mem::take(&mut self.transaction.changes);
        for acknowledge in acknowledgements {
            acknowledge(durable);
        }
        if durable {
            if changes.iter().any(moves_revision) {
                self.revision.send_modify(|revision| *revision += 1);
            }
            for change in changes {
                // Nobody may be listening.
                let _ = self.changes.send(change);
            }
        }
    }

    /// Runs the mutations in one transaction up to its commit; one that fails takes only its own statements back.
    async fn gather(
        &mut self,
        jobs: Vec<Job>,
        acknowledgements: &mut Vec<Acknowledge>,
    ) -> Result<AuditHead, Error> {
        let transaction = &mut self.transaction;
        let mut jobs = jobs.into_iter();
        if let Err(error) = execute(transaction, "BEGIN IMMEDIATE").await {
            // Dropped jobs tell their callers that the store takes no changes.
            drop(jobs);
            return Err(error);
        }
        execute(transaction, "SAVEPOINT mutation").await?;
        for job in &mut jobs {
            let (audit, changes) = (transaction.audit.len(), transaction.changes.len());
            let (holds, acknowledge) = job(transaction).await;
            acknowledgements.push(acknowledge);
            if !holds {
                execute(transaction, "ROLLBACK TO mutation").await?;
                transaction.audit.truncate(audit);
                transaction.changes.truncate(changes);
            }
            execute(transaction, "RELEASE mutation; SAVEPOINT mutation").await?;
        }
        let entries = std::mem::take(&mut transaction.audit);
        let head = audit::append(&mut transaction.connection, self.head, entries).await?;
        if transaction.changes.iter().any(moves_revision) {
            let next = *self.revision.borrow() + 1;
            sqlx::query("UPDATE meta SET value = $1 WHERE name = 'revision'")
                .bind(next.to_be_bytes().to_vec())
                .execute(&mut transaction.connection)
                .await?;
        }
        execute(transaction, "COMMIT").await?;
        Ok(head)
    }
}

fn moves_revision(change: &Change) -> bool {
    !matches!(
        change,
        Change::Gateway(_)
            | Change::Network(_)
            | Change::Report(_)
            | Change::Foreign(_)
            | Change::Criteria
            | Change::Advisories
    )
}

async fn execute(transaction: &mut Transaction, sql: &'static str) -> Result<(), Error> {
    sqlx::query(sql).execute(&mut transaction.connection).await?;
    Ok(())
}

async fn read_revision(connection: &mut SqliteConnection) -> Result<u64, Error> {
    let row = sqlx::query("SELECT value FROM meta WHERE name = 'revision'").fetch_one(connection).await?;
    let bytes: Vec<u8> = row.try_get(0)?;
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| Error::Corrupt("revision"))
}
