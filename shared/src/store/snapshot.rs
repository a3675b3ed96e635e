//! Reads snapshots: one row a job, newest first.

use ring::digest::{Context, SHA256};
use serde_json::value::RawValue;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::timestamp::Timestamp;
use super::{Error, Store};
use crate::deo::to_present_form;

/// A stored row of `"DeoScoreSnapshot"`.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its id.
    pub id: String,
    /// When its rows were read, in milliseconds since the Unix epoch by the database's clock. The
    /// platform's own worker writes its host's time after the read.
    pub computed_at_ms: i64,
    /// The model, "v1".
    pub version: String,
    /// 0 to 100, as are the components.
    pub overall: i32,
    /// The component "content".
    pub content: Option<i32>,
    /// The component "entities".
    pub entities: Option<i32>,
    /// The component "technical".
    pub technical: Option<i32>,
    /// The component "visibility".
    pub visibility: Option<i32>,
    /// JSON. What we stored in the earlier form of [`Metadata`](crate::deo::Metadata) is in the
    /// present one; anything else is as it is stored.
    pub metadata: Option<Box<RawValue>>,
}

/// A page of a project's snapshots.
#[derive(Clone, Debug)]
pub struct History {
    /// Newest first.
    pub snapshots: Vec<Snapshot>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<Cursor>,
}

/// A place in a project's history: that of its last snapshot already seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When that snapshot was computed, in milliseconds since the Unix epoch.
    pub computed_at_ms: i64,
    /// Its id.
    pub id: String,
}

/// A project's score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentScore {
    /// 0 to 100; `None` when it was never computed.
    pub overall: Option<i32>,
    /// When its rows were read, as in [`Snapshot`].
    pub computed_at_ms: Option<i64>,
}

/// The id of the snapshot of a job: the same for every run of that job, and of no other.
///
/// It looks like a UUID (version 8: made by one's own rules) and is the SHA-256 of the prefix, the
/// queue's name, the job's id and its timestamp, each with its length, so that no two jobs share an
/// encoding.
///
/// ```
/// use shared::store::snapshot_id;
///
/// let id = snapshot_id("engineo", "deo_score_queue", "17", 1_769_860_800_000);
/// assert_eq!(id, "2aa365d0-7020-82b1-a90f-4cb0cc8738ba");
/// ```
pub fn snapshot_id(prefix: &str, queue: &str, job_id: &str, job_timestamp_ms: i64) -> String {
    let mut hash = Context::new(&SHA256);
    for part in ["deo-snapshot", prefix, queue, job_id, &job_timestamp_ms.to_string()] {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&hash.finish().as_ref()[..16]);
    uuid[6] = 0x80 | uuid[6] & 0x0f;
    uuid[8] = 0x80 | uuid[8] & 0x3f;
    let hex = format!("{:032x}", u128::from_be_bytes(uuid));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

impl Store {
    /// A project's newest snapshot.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn latest_snapshot(&self, project_id: &str) -> Result<Option<Snapshot>, Error> {
        Ok(self.history(project_id, None, 1).await?.snapshots.pop())
    }

    /// The snapshot of a project that has this id.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn snapshot(&self, project_id: &str, id: &str) -> Result<Option<Snapshot>, Error> {
        Ok(self.page(project_id, None, 1, Some(id), true).await?.snapshots.pop())
    }

    /// At most `limit` of a project's snapshots, newest first, from behind `before` on.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn history(
        &self,
        project_id: &str,
        before: Option<&Cursor>,
        limit: u32,
    ) -> Result<History, Error> {
        self.page(project_id, before, limit, None, true).await
    }

    /// The same without metadata, which is most of a snapshot.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn brief_history(
        &self,
        project_id: &str,
        before: Option<&Cursor>,
        limit: u32,
    ) -> Result<History, Error> {
        self.page(project_id, before, limit, None, false).await
    }

    async fn page(
        &self,
        project_id: &str,
        before: Option<&Cursor>,
        limit: u32,
        only: Option<&str>,
        metadata: bool,
    ) -> Result<History, Error> {
        let end = History { snapshots: Vec::new(), next: None };
        let at = before.map(|before| Timestamp::from_ms(before.computed_at_ms));
        // Nothing is stored under such a name, or before any date.
        let none = project_id.contains('\0')
            || before.is_some_and(|before| before.id.contains('\0'))
            || only.is_some_and(|id| id.contains('\0'))
            || matches!(at, Some(None));
        if limit == 0 || none {
            return Ok(end);
        }
        // One more tells whether there is another page.
        let (at, id) = (at.flatten(), before.map(|before| before.id.as_str()));
        let asked = i64::from(limit) + 1;
        let statement = &self.sql().history;
        let rows = self
            .connections()
            .rows(
                statement,
                &[
                    (&project_id, Type::TEXT),
                    (&at, Type::TIMESTAMP),
                    (&id, Type::TEXT),
                    (&asked, Type::INT8),
                    (&only, Type::TEXT),
                    (&metadata, Type::BOOL),
                ],
            )
            .await?;
        let is_last = (rows.len() as u64) <= u64::from(limit);
        let snapshots = rows.iter().take(limit as usize).map(read).collect::<Result<Vec<_>, _>>();
        let snapshots = snapshots.map_err(|error| Error::statement(statement.name, &error))?;
        let next = snapshots
            .last()
            .filter(|_| !is_last)
            .map(|last| Cursor { computed_at_ms: last.computed_at_ms, id: last.id.clone() });
        Ok(History { snapshots, next })
    }

    /// A project's current score; `None` for an unknown project.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn current_score(&self, project_id: &str) -> Result<Option<CurrentScore>, Error> {
        if project_id.contains('\0') {
            return Ok(None);
        }
        let statement = &self.sql().current_score;
        let rows = self.connections().rows(statement, &[(&project_id, Type::TEXT)]).await?;
        let score = |row: &Row| {
            Ok(CurrentScore {
                overall: row.try_get(0)?,
                computed_at_ms: row.try_get::<_, Option<Timestamp>>(1)?.and_then(Timestamp::ms),
            })
        };
        let score = rows.first().map(score).transpose();
        score.map_err(|error| Error::statement(statement.name, &error))
    }
}

/// One row of `sql/history.sql`.
fn read(row: &Row) -> Result<Snapshot, tokio_postgres::Error> {
    let metadata: Option<String> = row.try_get(8)?;
    Ok(Snapshot {
        id: row.try_get(0)?,
        // A date beyond the platform's is nobody's; any will do.
        computed_at_ms: row.try_get::<_, Timestamp>(1)?.ms().unwrap_or_default(),
        version: row.try_get(2)?,
        overall: row.try_get(3)?,
        content: row.try_get(4)?,
        entities: row.try_get(5)?,
        technical: row.try_get(6)?,
        visibility: row.try_get(7)?,
        // Postgres writes no JSON that cannot be read.
        metadata: metadata
            .and_then(|json| to_present_form(&json).or_else(|| RawValue::from_string(json).ok())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_depends_on_every_part_and_on_where_it_ends() {
        let ids = [
            snapshot_id("a", "b", "c", 1),
            snapshot_id("ab", "", "c", 1),
            snapshot_id("", "ab", "c", 1),
            snapshot_id("a", "bc", "", 1),
            snapshot_id("a", "b", "c1", 1),
            snapshot_id("a", "b", "c", 11),
            snapshot_id("a", "b", "c", -1),
        ];
        for (i, id) in ids.iter().enumerate() {
            assert!(!ids[..i].contains(id), "{i}");
            assert_eq!(id.len(), 36);
            assert_eq!((&id[14..15], &id[8..9]), ("8", "-"));
            assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
        }
    }
}
