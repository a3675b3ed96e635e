//! Walking over all projects, page by page.

use tokio_postgres::types::{ToSql, Type};

use super::timestamp::Timestamp;
use super::{Error, Store};
use crate::config::Scope;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A page of a walk over the projects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectPage {
    /// Those that the walk is looking for, in the order of their ids. There may be none on a page
    /// though there are more pages.
    pub ids: Vec<String>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<String>,
}

impl Store {
    /// Looks at the next `limit` projects behind `after` (`None`: from the first on) and answers
    /// those that are in `scope` at `now_ms`: a project is stale when it has no score, when its score
    /// is older than `max_age_days`, or when it has rows newer than its score.
    ///
    /// A page's work is bounded by `limit`, however few of the projects are stale.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn projects_page(
        &self,
        scope: Scope,
        after: Option<&str>,
        limit: u32,
        now_ms: i64,
        max_age_days: u32,
    ) -> Result<ProjectPage, Error> {
        let after = after.unwrap_or_default();
        let limit = i64::from(limit.max(1));
        let oldest = now_ms.saturating_sub(i64::from(max_age_days).saturating_mul(DAY_MS));
        // None, before any date: no score is older.
        let oldest = Timestamp::from_ms(oldest);
        let page: [(&(dyn ToSql + Sync), Type); 3] =
            [(&after, Type::TEXT), (&limit, Type::INT8), (&oldest, Type::TIMESTAMP)];
        let (statement, params) = match scope {
            Scope::All => (&self.sql().all_projects, &page[..2]),
            Scope::Stale => (&self.sql().stale_projects, &page[..]),
        };
        let mut looked_at = 0;
        let rows = self.connection().rows(statement, params).await?;
        let mut page = ProjectPage { ids: Vec::new(), next: None };
        for row in &rows {
            let failed = |error| Error::statement(statement.name, &error);
            let id: String = row.try_get(0).map_err(failed)?;
            looked_at += 1;
            if looked_at == limit {
                page.next = Some(id.clone());
            }
            if row.try_get(1).map_err(failed)? {
                page.ids.push(id);
            }
        }
        Ok(page)
    }
}
