use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    Change, Error, NewResult, ResultId, ResultRecord, SessionId, Store, Timestamp,
    results::{record, result},
};

/// The newest result about a device that is not enrolled, of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignResult {
    /// The session that the evidence answered.
    pub session: SessionId,
    /// Whether the evidence was judged again since it came.
    pub again: bool,
    /// The result.
    pub record: ResultRecord,
}

/// Of each session, results that no newer one stands for.
const NEWEST: &str = "media_type IS NOT NULL AND coalesce(again_for, session) IS NOT NULL AND NOT EXISTS
    (SELECT 1 FROM results AS newer WHERE newer.again_for = coalesce(old.again_for, old.session) AND newer.id > old.id)";

impl Store {
    /// The newest results of sessions with devices that are not enrolled that have not ended, the first to end first, after
    /// one that was given with its end.
    pub async fn foreign_results_to_judge(
        &self,
        after: (i64, ResultId),
        limit: u32,
    ) -> Result<Vec<ForeignResult>, Error> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT * FROM results AS old INDEXED BY results_foreign
             WHERE (expires, id) > ($1, $2) AND {NEWEST} ORDER BY expires, id LIMIT $3"
        )))
        .bind(after.0)
        .bind(after.1.0)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(foreign).collect()
    }

    /// The newest results of sessions with devices that are not enrolled, the last to end first, before one of them.
    pub async fn foreign_results(
        &self,
        before: Option<ResultId>,
        limit: u32,
    ) -> Result<Vec<ForeignResult>, Error> {
        let before = match before {
            None => (i64::MAX, i64::MAX),
            Some(before) => {
                let row = sqlx::query("SELECT expires FROM results WHERE id = $1")
                    .bind(before.0)
                    .fetch_optional(&self.readers)
                    .await?;
                let Some(row) = row else { return Ok(Vec::new()) };
                (row.try_get(0)?, before.0)
            }
        };
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT * FROM results AS old INDEXED BY results_foreign
             WHERE (expires, id) < ($1, $2) AND {NEWEST} ORDER BY expires DESC, id DESC LIMIT $3"
        )))
        .bind(before.0)
        .bind(before.1)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(foreign).collect()
    }

    /// Remembers what evidence of a device that is not enrolled is worth now, in the place of an earlier result. Gives
    /// nothing where that one is not the newest of its session any more.
    pub async fn judge_foreign_again(
        &self,
        earlier: &ForeignResult,
        new: NewResult,
    ) -> Result<Option<ResultId>, Error> {
        let (session, earlier) = (earlier.session, earlier.record.id);
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let newest =
                        sqlx::query("SELECT max(id) FROM results WHERE session = $1 OR again_for = $1")
                            .bind(session.0.to_vec())
                            .fetch_one(&mut transaction.connection)
                            .await?;
                    if newest.try_get::<Option<i64>, _>(0)? != Some(earlier.0) {
                        return Ok(None);
                    }
                    let (id, _) = record(transaction, new, None).await?;
                    sqlx::query("UPDATE results SET again_for = $1 WHERE id = $2")
                        .bind(session.0.to_vec())
                        .bind(id.0)
                        .execute(&mut transaction.connection)
                        .await?;
                    transaction.changed(Change::Foreign(session));
                    Ok(Some(id))
                })
            })
            .await
    }

    /// The newest result of a session with a device that is not enrolled.
    pub async fn foreign_result(&self, session: SessionId) -> Result<Option<ForeignResult>, Error> {
        let row = sqlx::query(
            "SELECT * FROM results WHERE media_type IS NOT NULL
             AND id = (SELECT max(id) FROM results WHERE session = $1 OR again_for = $1)",
        )
        .bind(session.0.to_vec())
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(foreign).transpose()
    }

    /// The newest result that answers a session.
    pub async fn result_of_session(&self, session: SessionId) -> Result<Option<ResultRecord>, Error> {
        let row = sqlx::query(
            "SELECT * FROM results WHERE id = (SELECT max(id) FROM results WHERE session = $1 OR again_for = $1)",
        )
        .bind(session.0.to_vec())
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(result).transpose()
    }
}

impl ForeignResult {
    /// Where to go on after it.
    pub fn place(&self) -> (i64, ResultId) {
        (self.record.expires, self.record.id)
    }

    /// Where those begin that have not ended at a time.
    pub fn after(now: Timestamp) -> (i64, ResultId) {
        (now.seconds(), ResultId(i64::MAX))
    }
}

fn foreign(row: &SqliteRow) -> Result<ForeignResult, Error> {
    let record = result(row)?;
    let again: Option<Vec<u8>> = row.try_get("again_for")?;
    let original = again
        .as_ref()
        .map(|bytes| bytes.as_slice().try_into().map(SessionId).map_err(|_| Error::Corrupt("session id")))
        .transpose()?;
    let session = original.or(record.session).ok_or(Error::Corrupt("session of a result"))?;
    Ok(ForeignResult { session, again: again.is_some(), record })
}
