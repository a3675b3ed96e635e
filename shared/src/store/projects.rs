//! Walking over all projects, page by page.

use tokio_postgres::types::{ToSql, Type};

use super::{Error, Store};
use crate::config::Scope;

/// The database knows no dates that are more days ago than some two million.
const MOST_DAYS: u32 = 1_000_000;

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
    /// those that are in `scope`: a project is stale when it has no score, when its score is older
    /// than `max_age_days`, or when it may have rows that its score does not know. Only the
    /// database's clock counts, and a row may be committed up to 15 minutes after its stamp.
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
        max_age_days: u32,
    ) -> Result<ProjectPage, Error> {
        let after = after.unwrap_or_default();
        let limit = i64::from(limit.max(1));
        // None: no score is older.
        let days = i32::try_from(max_age_days).ok().filter(|_| max_age_days <= MOST_DAYS);
        let page: [(&(dyn ToSql + Sync), Type); 3] =
            [(&after, Type::TEXT), (&limit, Type::INT8), (&days, Type::INT4)];
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
