//! Objects that are kept as received under the digest of their bytes: manifests of reference values (CoRIM), advisories,
//! statements on scans, ownership vouchers. They are believed by nobody who reads them here.

use std::fmt;

use serde_json::{Value, json};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{AdvisoryId, AuditEntry, Change, EndorsementId, Error, ScanId, Store, Timestamp, VoucherId};

/// An id of a kind of objects: SHA-256 of the bytes as received.
pub trait ObjectId: Copy + fmt::Display + Send + Sync + 'static {
    /// What is particular about the kind.
    const KIND: Kind;

    /// The id of an object with these bytes.
    fn of(object: &[u8]) -> Self;

    /// The id with these bytes, or `None` when they are not as many as SHA-256 gives.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;

    /// The digest's bytes.
    fn as_bytes(&self) -> &[u8];
}

/// What is particular about a kind of objects.
#[derive(Debug)]
pub struct Kind {
    /// Its word in the audit chain.
    word: &'static str,
    table: &'static str,
    /// What a conflict is about.
    noun: &'static str,
    added: &'static str,
    /// The action of revoking one; none where nobody does.
    revoked: Option<&'static str>,
    /// The action of removing one; none where nobody does.
    removed: Option<&'static str>,
    /// What changes with it.
    change: Option<Change>,
}

impl EndorsementId {
    pub(crate) const KIND: Kind = Kind {
        word: "endorsement",
        table: "endorsements",
        noun: "the manifest",
        added: "endorsement.add",
        revoked: Some("endorsement.revoke"),
        removed: None,
        change: None,
    };
}

impl AdvisoryId {
    pub(crate) const KIND: Kind = Kind {
        word: "advisory",
        table: "advisories",
        noun: "the advisory",
        added: "advisory.add",
        revoked: Some("advisory.withdraw"),
        removed: None,
        change: Some(Change::Advisories),
    };
}

impl ScanId {
    pub(crate) const KIND: Kind = Kind {
        word: "scan",
        table: "scans",
        noun: "the statement",
        added: "scan.add",
        revoked: None,
        removed: None,
        change: None,
    };
}

impl VoucherId {
    pub(crate) const KIND: Kind = Kind {
        word: "voucher",
        table: "vouchers",
        noun: "the voucher",
        added: "voucher.add",
        revoked: None,
        removed: Some("voucher.remove"),
        change: None,
    };
}

/// An object to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewObject {
    /// The object as received.
    pub bytes: Vec<u8>,
    /// When it came.
    pub at: Timestamp,
    /// Who brought it: the one who answers for it, where nobody signed it.
    pub actor: String,
    /// What it is about and what belongs to that, for the audit chain; it is about itself where nothing is said.
    pub about: Option<(String, Value)>,
}

/// A stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRecord<I> {
    /// Its id. The bytes may have been changed since it was given.
    pub id: I,
    /// The object as received.
    pub bytes: Vec<u8>,
    /// When it came.
    pub received_at: Timestamp,
    /// Who brought it.
    pub received_by: String,
    /// When it was revoked or withdrawn, if it was.
    pub revoked_at: Option<Timestamp>,
    /// Who did that.
    pub revoked_by: Option<String>,
}

impl Kind {
    fn columns(&self) -> String {
        let revoked = match self.revoked {
            Some(_) => "revoked_at, revoked_by",
            None => "NULL AS revoked_at, NULL AS revoked_by",
        };
        format!("SELECT digest, bytes, received_at, received_by, {revoked} FROM {}", self.table)
    }
}

impl Store {
    /// Remembers an object; one that is there already is a conflict, revoked or not.
    pub async fn add_object<I: ObjectId>(&self, new: NewObject) -> Result<(), Error> {
        let (id, kind) = (I::of(&new.bytes), I::KIND);
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    sqlx::query(sqlx::AssertSqlSafe(format!(
                        "INSERT INTO {} (digest, bytes, received_at, received_by) VALUES ($1, $2, $3, $4)",
                        kind.table
                    )))
                    .bind(id.as_bytes().to_vec())
                    .bind(new.bytes)
                    .bind(new.at.micros())
                    .bind(new.actor.clone())
                    .execute(&mut transaction.connection)
                    .await
                    .map_err(|error| match Error::from(error) {
                        Error::Conflict(_) => Error::Conflict(kind.noun),
                        other => other,
                    })?;
                    let (subject, detail) =
                        new.about.unwrap_or_else(|| (format!("{}:{id}", kind.word), json!({})));
                    let (at, actor, action) = (new.at, new.actor, kind.added);
                    transaction.audit(AuditEntry { at, actor, action, subject, detail });
                    kind.change.into_iter().for_each(|change| transaction.changed(change));
                    Ok(())
                })
            })
            .await
    }

    /// Every object of a kind, the first that came first.
    pub async fn objects<I: ObjectId>(&self) -> Result<Vec<ObjectRecord<I>>, Error> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(I::KIND.columns() + " ORDER BY received_at, digest"))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(record).collect()
    }

    /// One object.
    pub async fn object<I: ObjectId>(&self, id: I) -> Result<Option<ObjectRecord<I>>, Error> {
        let row = sqlx::query(sqlx::AssertSqlSafe(I::KIND.columns() + " WHERE digest = $1"))
            .bind(id.as_bytes().to_vec())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(record).transpose()
    }

    /// Revokes an object for good, or withdraws it. One that is not there, was revoked, or is of a kind that nobody
    /// revokes, is a conflict.
    pub async fn revoke_object<I: ObjectId>(&self, id: I, actor: &str, at: Timestamp) -> Result<(), Error> {
        let (kind, actor) = (I::KIND, actor.to_owned());
        let Some(action) = kind.revoked else { return Err(Error::Conflict(kind.noun)) };
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let done = sqlx::query(sqlx::AssertSqlSafe(format!(
                        "UPDATE {} SET revoked_at = $1, revoked_by = $2 WHERE digest = $3 AND revoked_at IS NULL",
                        kind.table
                    )))
                    .bind(at.micros())
                    .bind(actor.clone())
                    .bind(id.as_bytes().to_vec())
                    .execute(&mut transaction.connection)
                    .await?;
                    if done.rows_affected() == 0 {
                        return Err(Error::Conflict(kind.noun));
                    }
                    let subject = format!("{}:{id}", kind.word);
                    transaction.audit(AuditEntry { at, actor, action, subject, detail: json!({}) });
                    kind.change.into_iter().for_each(|change| transaction.changed(change));
                    Ok(())
                })
            })
            .await
    }

    /// Removes an object, which may be brought again; `about` is its subject in the audit chain. One that is not there, or
    /// is of a kind that nobody removes, is a conflict.
    pub async fn remove_object<I: ObjectId>(
        &self,
        id: I,
        about: (String, Value),
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let (kind, actor, (subject, detail)) = (I::KIND, actor.to_owned(), about);
        let Some(action) = kind.removed else { return Err(Error::Conflict(kind.noun)) };
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let delete = format!("DELETE FROM {} WHERE digest = $1", kind.table);
                    let done = sqlx::query(sqlx::AssertSqlSafe(delete))
                        .bind(id.as_bytes().to_vec())
                        .execute(&mut transaction.connection)
                        .await?;
                    if done.rows_affected() == 0 {
                        return Err(Error::Conflict(kind.noun));
                    }
                    transaction.audit(AuditEntry { at, actor, action, subject, detail });
                    kind.change.into_iter().for_each(|change| transaction.changed(change));
                    Ok(())
                })
            })
            .await
    }
}

fn record<I: ObjectId>(row: &SqliteRow) -> Result<ObjectRecord<I>, Error> {
    let id: Vec<u8> = row.try_get("digest")?;
    let revoked_at: Option<i64> = row.try_get("revoked_at")?;
    Ok(ObjectRecord {
        id: I::from_bytes(&id).ok_or(Error::Corrupt("digest of an object"))?,
        bytes: row.try_get("bytes")?,
        received_at: Timestamp::from_micros(row.try_get("received_at")?),
        received_by: row.try_get("received_by")?,
        revoked_at: revoked_at.map(Timestamp::from_micros),
        revoked_by: row.try_get("revoked_by")?,
    })
}
