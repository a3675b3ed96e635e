//! How long snapshots stay: a nightly million is 2 to 3 GB of metadata a night.

use std::str::FromStr;

use tokio_postgres::types::Type;

use super::rows::can_exist;
use super::timestamp::Timestamp;
use super::{Error, Store};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// At most so many rows are deleted at once, so that a first run over an old table does not hold a
/// tick up. What is left goes the next time.
const ROWS_AT_ONCE: i64 = 10_000;

/// Which snapshots stay (`SNAPSHOT_RETENTION`). A project's newest one always does.
///
/// ```
/// use shared::store::SnapshotRetention;
///
/// assert_eq!("all".parse(), Ok(SnapshotRetention::All));
/// assert_eq!("newest:30".parse(), Ok(SnapshotRetention::Newest(30)));
/// assert_eq!("weekly-after:90".parse(), Ok(SnapshotRetention::WeeklyAfterDays(90)));
/// assert!("newest:0".parse::<SnapshotRetention>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SnapshotRetention {
    /// All of them (`all`).
    #[default]
    All,
    /// The newest so many of each project (`newest:N`, at least 1).
    Newest(u32),
    /// All of the last so many days, and before that the newest of every calendar week (UTC, from
    /// Monday) of each project (`weekly-after:DAYS`).
    WeeklyAfterDays(u32),
}

/// A text that is no [`SnapshotRetention`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use `all`, `newest:N` (N snapshots of each project, at least 1) or `weekly-after:DAYS`")]
pub struct UnknownRetention;

impl FromStr for SnapshotRetention {
    type Err = UnknownRetention;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.parse().map_err(|_| UnknownRetention);
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            Some(("newest", count)) => match number(count)? {
                0 => Err(UnknownRetention),
                count => Ok(Self::Newest(count)),
            },
            Some(("weekly-after", days)) => Ok(Self::WeeklyAfterDays(number(days)?)),
            _ => Err(UnknownRetention),
        }
    }
}

impl Store {
    /// Deletes what `retention` does not keep of these projects' snapshots and answers how many rows
    /// went: one statement, and none for [`SnapshotRetention::All`]. At most 10,000 go at once.
    ///
    /// # Errors
    /// When the database cannot do it.
    pub async fn prune_snapshots(
        &self,
        project_ids: &[impl AsRef<str>],
        retention: SnapshotRetention,
        now_ms: i64,
    ) -> Result<u64, Error> {
        let ids: Vec<&str> =
            project_ids.iter().map(AsRef::as_ref).filter(|id| can_exist(id)).collect();
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
            .connection()
            .fold(
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
