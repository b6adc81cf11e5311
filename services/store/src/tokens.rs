use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{AuditEntry, Error, Store, Timestamp, writer::Transaction};

/// A credential: the token itself is never stored, only its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// SHA-256 of the token.
    pub hash: Vec<u8>,
    /// What it may do.
    pub scope: String,
    /// Whose it is, for people and for the audit chain.
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

impl Store {
    /// Remembers a credential.
    pub async fn add_token(&self, token: Token, actor: &str) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer.write(move |transaction| Box::pin(insert(transaction, token, actor))).await
    }

    /// Exchanges a single-use credential for another one; absent when it was used before or is past its end.
    pub async fn exchange_token(&self, used: &[u8], scope: &'static str, new: Token) -> Result<(), Error> {
        let used = used.to_vec();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let taken = sqlx::query(
                        "DELETE FROM tokens WHERE hash = $1 AND scope = $2 AND (expires IS NULL OR expires > $3)",
                    )
                    .bind(used)
                    .bind(scope)
                    .bind(new.created_at.micros())
                    .execute(&mut transaction.connection)
                    .await?;
                    if taken.rows_affected() == 0 {
                        return Err(Error::Absent("credential"));
                    }
                    insert(transaction, new, format!("token:{scope}")).await
                })
            })
            .await
    }

    /// The credential with this hash, unless it is past its end.
    pub async fn token(&self, hash: &[u8], now: Timestamp) -> Result<Option<Token>, Error> {
        let row = sqlx::query("SELECT * FROM tokens WHERE hash = $1 AND (expires IS NULL OR expires > $2)")
            .bind(hash)
            .bind(now.micros())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(token).transpose()
    }

    /// Whether any credential of this scope exists.
    pub async fn has_token(&self, scope: &str) -> Result<bool, Error> {
        let row = sqlx::query("SELECT 1 FROM tokens WHERE scope = $1 LIMIT 1")
            .bind(scope)
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.is_some())
    }

    /// Ends a credential now.
    pub async fn remove_token(&self, hash: &[u8], actor: &str, at: Timestamp) -> Result<(), Error> {
        let (hash, actor) = (hash.to_vec(), actor.to_owned());
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let removed = sqlx::query("DELETE FROM tokens WHERE hash = $1")
                        .bind(hash)
                        .execute(&mut transaction.connection)
                        .await?;
                    if removed.rows_affected() == 0 {
                        return Err(Error::Absent("credential"));
                    }
                    transaction.audit(AuditEntry {
                        at,
                        subject: format!("token:{actor}"),
                        actor,
                        action: "token.remove",
                        detail: json!({}),
                    });
                    Ok(())
                })
            })
            .await
    }
}

async fn insert(transaction: &mut Transaction, token: Token, actor: String) -> Result<(), Error> {
    sqlx::query("INSERT INTO tokens (hash, scope, label, created_at, expires) VALUES ($1, $2, $3, $4, $5)")
        .bind(token.hash)
        .bind(token.scope.clone())
        .bind(token.label.clone())
        .bind(token.created_at.micros())
        .bind(token.expires.map(Timestamp::micros))
        .execute(&mut transaction.connection)
        .await?;
    transaction.audit(AuditEntry {
        at: token.created_at,
        actor,
        action: "token.add",
        subject: format!("token:{}", token.label),
        detail: json!({ "scope": token.scope, "expires": token.expires.map(Timestamp::seconds) }),
    });
    Ok(())
}

fn token(row: &SqliteRow) -> Result<Token, Error> {
    Ok(Token {
        hash: row.try_get("hash")?,
        scope: row.try_get("scope")?,
        label: row.try_get("label")?,
        created_at: Timestamp::from_micros(row.try_get("created_at")?),
        expires: row.try_get::<Option<i64>, _>("expires")?.map(Timestamp::from_micros),
    })
}
