//! Adds up the rows of a batch of projects.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::divide::Batch;
use super::id::is_id;
use super::timestamp::{EARLIEST_MS, Timestamp};
use super::{Error, Store};
use crate::deo::{Issues, PageFacts, ProductFacts, Tally, is_navigational};

/// How long a batch may take, if nobody says otherwise.
pub(super) const A_MINUTE: Duration = Duration::from_secs(60);

/// How many ids of malformed rows are kept of a project, so that no project takes all the memory;
/// all are counted. Not told as they come: a statement may be asked twice, an id is told once.
const IDS_KEPT: usize = 100;

/// One project's rows, added up. The rows themselves are gone.
#[derive(Clone, Debug, Default)]
pub struct ProjectRows {
    /// What the signals are computed from.
    pub tally: Tally,
    /// When they were read: milliseconds since the Unix epoch by the database's clock, rounded down.
    /// A row that is not among them was committed after this moment.
    pub read_at_ms: i64,
    /// Rows with `issues` or a date that the platform never writes. They count all the same: such
    /// issues as none, such a date as long ago.
    pub malformed_rows: u64,
    /// The ids of the first hundred of them.
    pub malformed_ids: Vec<String>,
}

impl ProjectRows {
    /// How many malformed rows there are whose ids were not kept.
    pub fn more_malformed(&self) -> u64 {
        self.malformed_rows.saturating_sub(self.malformed_ids.len() as u64)
    }
}

impl Store {
    /// [`Store::signals_until`] a minute from now.
    ///
    /// # Errors
    /// When nothing can be read at all.
    pub async fn signals(
        &self,
        project_ids: &[String],
    ) -> Result<HashMap<String, Result<ProjectRows, Error>>, Error> {
        self.signals_until(project_ids, Instant::now() + A_MINUTE).await
    }

    /// Reads and adds up the rows of all these projects. A project that does not exist is not in
    /// the answer.
    ///
    /// One statement, whatever the number of projects. Only when a row makes it fail, or it takes too
    /// long, parts of the batch are read apart until that row's project stands alone with its error: the
    /// others are answered as if nothing had happened. A project for which there is no time until
    /// `until` has an [overdue](Error::is_overdue) error.
    ///
    /// # Errors
    /// When nothing can be read at all, or every project fails in the same way.
    pub async fn signals_until(
        &self,
        project_ids: &[impl AsRef<str>],
        until: Instant,
    ) -> Result<HashMap<String, Result<ProjectRows, Error>>, Error> {
        let ids: HashSet<&str> = project_ids.iter().map(AsRef::as_ref).collect();
        let mut ids: Vec<&str> = ids.into_iter().filter(|id| is_id(id)).collect();
        ids.sort_unstable();
        let batch = Batch { items: &ids, name: |id| id, slow: &self.inner.slow_to_read, until };
        let read = |part: Vec<_>, limit| async move { self.read(&part, limit).await }.boxed();
        let found = batch.divide(read).await?;
        let found = ids.iter().zip(found);
        let exist = found.filter_map(|(id, rows)| Some(((*id).to_owned(), rows.transpose()?)));
        Ok(exist.collect())
    }

    /// In the order of `ids`, `None` for a project that does not exist.
    async fn read(&self, ids: &[&str], limit: Duration) -> Result<Vec<Option<ProjectRows>>, Error> {
        let none = || vec![None; ids.len()];
        self.connections()
            .fold(limit, &self.sql().rows, &[(&ids, Type::TEXT_ARRAY)], none, |projects, row| {
                let ordinal: i64 = row.try_get(0)?;
                // The ordinals are those of `ids`.
                let place = usize::try_from(ordinal - 1).ok().and_then(|at| projects.get_mut(at));
                if let Some(project) = place {
                    add(project.get_or_insert_default(), &row)?;
                }
                Ok(())
            })
            .await
    }
}

/// Adds one row of `sql/rows.sql`.
fn add(project: &mut ProjectRows, row: &Row) -> Result<(), tokio_postgres::Error> {
    let facts: i16 = row.try_get(3)?;
    let has = |bit: i16| facts & bit != 0;
    let words: Option<i64> = row.try_get(5)?;
    let at = row.try_get::<_, Option<Timestamp>>(7)?.and_then(Timestamp::ms);
    let malformed_issues = has(64);
    match row.try_get::<_, i16>(1)? {
        1 => project.tally.add_page(&PageFacts {
            status_code: row.try_get::<_, Option<i32>>(4)?.unwrap_or_default(),
            has_title: has(1),
            has_meta_description: has(2),
            has_h1: has(4),
            word_count: words,
            // As Postgres writes a number of any type, the nearest double.
            internal_links: row.try_get::<_, Option<&str>>(8)?.and_then(|text| text.parse().ok()),
            issues: Issues {
                http_error: has(8),
                fetch_error: has(16),
                thin_content: has(32),
                malformed: malformed_issues,
            },
            navigational: is_navigational(row.try_get::<_, Option<&str>>(6)?.unwrap_or_default()),
            scanned_at_ms: at.unwrap_or(EARLIEST_MS),
        }),
        2 => project.tally.add_product(&ProductFacts {
            has_title: has(1),
            has_description: has(2),
            words: words.and_then(|words| u64::try_from(words).ok()).unwrap_or_default(),
            last_synced_at_ms: at.unwrap_or(EARLIEST_MS),
        }),
        // The project itself, and when it was read.
        _ => {
            project.read_at_ms = at.unwrap_or(EARLIEST_MS);
            return Ok(());
        }
    }
    if malformed_issues || at.is_none() {
        project.malformed_rows += 1;
        if project.malformed_ids.len() < IDS_KEPT {
            project.malformed_ids.push(row.try_get(2)?);
        }
    }
    Ok(())
}
