//! Limits how long snapshots stay: a nightly million is 2 to 3 GB of metadata a night.

use std::time::Duration;

use tokio_postgres::types::Type;

use super::id::is_id;
use super::timestamp::Timestamp;
use super::{Error, Store};
use crate::config::SnapshotRetention;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// At most so many rows are deleted at once, so that a first run over an old table does not hold a
/// tick up. What is left goes the next time.
const ROWS_AT_ONCE: i64 = 10_000;

/// The batch whose projects these are waits for it meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

impl Store {
    /// Deletes what `retention` does not keep of these projects' snapshots and answers how many rows
    /// went: one statement, and none for [`SnapshotRetention::All`]. At most 10,000 go at once.
    /// `now_ms` is the time by the clock that snapshots are stamped with, the database's.
    ///
    /// # Errors
    /// When the database cannot do it.
    pub async fn prune_snapshots(
        &self,
        project_ids: &[impl AsRef<str>],
        retention: SnapshotRetention,
        now_ms: i64,
    ) -> Result<u64, Error> {
        let ids: Vec<&str> = project_ids.iter().map(AsRef::as_ref).filter(|id| is_id(id)).collect();
        let (newest, since) = match retention {
            SnapshotRetention::All => return Ok(0),
            SnapshotRetention::Newest(count) => (i64::from(count.max(1)), None),
            SnapshotRetention::WeeklyAfterDays(days) => {
                let since = now_ms.saturating_sub(i64::from(days).saturating_mul(DAY_MS));
                // Before any date there is nothing to thin out.
                let Some(since) = Timestamp::from_ms(since) else { return Ok(0) };
                (1, Some(since))
            }
        };
        if ids.is_empty() {
            return Ok(0);
        }
        let gone = self
            .connections()
            .fold(
                PATIENCE,
                &self.sql().prune,
                &[
                    (&ids, Type::TEXT_ARRAY),
                    (&newest, Type::INT8),
                    (&since, Type::TIMESTAMP),
                    (&ROWS_AT_ONCE, Type::INT8),
                ],
                || 0,
                |gone, _| {
                    *gone += 1;
                    Ok(())
                },
            )
            .await?;
        Ok(gone)
    }
}
