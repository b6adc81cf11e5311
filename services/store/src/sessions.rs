use sqlx::Row;

use crate::{Error, SessionId, Store, Timestamp};

/// A session whose nonce another party chose. Sessions with our own nonces are sealed in their ids, not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Its id.
    pub id: SessionId,
    /// The nonce as given.
    pub nonce: Vec<u8>,
    /// When it ends.
    pub expires: Timestamp,
}

impl Store {
    /// Remembers a challenge of another party.
    pub async fn add_challenge(&self, challenge: Challenge) -> Result<(), Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    sqlx::query("INSERT INTO challenges (id, nonce, expires) VALUES ($1, $2, $3)")
                        .bind(challenge.id.0.to_vec())
                        .bind(challenge.nonce)
                        .bind(challenge.expires.micros())
                        .execute(&mut transaction.connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// A challenge of another party.
    pub async fn challenge(&self, id: SessionId) -> Result<Option<Challenge>, Error> {
        let row = sqlx::query("SELECT nonce, expires FROM challenges WHERE id = $1")
            .bind(id.0.to_vec())
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let expires = Timestamp::from_micros(row.try_get("expires")?);
        Ok(Some(Challenge { id, nonce: row.try_get("nonce")?, expires }))
    }

    /// Whether a session took its evidence, or was ended.
    pub async fn session_used(&self, id: SessionId) -> Result<bool, Error> {
        let row = sqlx::query("SELECT 1 FROM sessions_used WHERE id = $1")
            .bind(id.0.to_vec())
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.is_some())
    }

    /// Uses a session up without a result; a second use is a conflict.
    pub async fn use_session(&self, id: SessionId, at: Timestamp) -> Result<(), Error> {
        self.writer.write(move |transaction| Box::pin(take(transaction, id, at))).await
    }

    /// Forgets sessions that ended before a time: their ids are refused for their age.
    pub async fn forget_sessions(&self, before: Timestamp) -> Result<(), Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    sqlx::query("DELETE FROM sessions_used WHERE at < $1")
                        .bind(before.micros())
                        .execute(&mut transaction.connection)
                        .await?;
                    sqlx::query("DELETE FROM challenges WHERE expires < $1")
                        .bind(before.micros())
                        .execute(&mut transaction.connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }
}

/// Uses a session up inside a transaction: the one place where single use is decided.
pub(crate) async fn take(
    transaction: &mut crate::writer::Transaction,
    id: SessionId,
    at: Timestamp,
) -> Result<(), Error> {
    let taken = sqlx::query("INSERT INTO sessions_used (id, at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(id.0.to_vec())
        .bind(at.micros())
        .execute(&mut transaction.connection)
        .await?;
    if taken.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict("the session")) }
}
