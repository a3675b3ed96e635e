//! Walks over all projects, page by page.

use std::collections::HashSet;

use tokio_postgres::types::{ToSql, Type};

use super::id::is_id;
use super::{Error, Store};
use crate::config::Scope;

/// The database knows no dates that are more days ago than some two million.
const MOST_DAYS: u32 = 1_000_000;

/// Which projects a page of a walk looks at, in the order of their ids.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// Those behind this one; `None`: from the first one on.
    pub after: Option<&'a str>,
    /// Up to this one, which is one of them; `None`: to the last one.
    pub until: Option<&'a str>,
    /// Projects to look at, at most.
    pub look_at: u32,
    /// Projects to return, at most.
    pub take: u32,
}

/// A page of a walk over the projects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectPage {
    /// Those that the walk is looking for, in the order of their ids. There may be none on a page
    /// though there are more pages.
    pub ids: Vec<String>,
    /// Behind which project the next page begins; `None` after the last page of the stretch.
    pub next: Option<String>,
}

impl Store {
    /// Looks at the next projects of `stretch` and returns those that are in `scope`: a project is stale
    /// when it has no score, when its score is older than `max_age_days`, or when it may have rows that
    /// its score does not know. Only the database's clock counts, and a row may be committed up to 15
    /// minutes after its stamp.
    ///
    /// `look_at` bounds a page's work, however few of the projects are stale, and `take` what
    /// becomes of it. Each is taken for 1 if it is 0, so that every page goes on.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn projects_page(
        &self,
        scope: Scope,
        stretch: Stretch<'_>,
        max_age_days: u32,
    ) -> Result<ProjectPage, Error> {
        let after = stretch.after.unwrap_or_default();
        let until = stretch.until;
        let look_at = i64::from(stretch.look_at.max(1));
        let take = stretch.take.max(1) as usize;
        // None: no score is older.
        let days = i32::try_from(max_age_days).ok().filter(|_| max_age_days <= MOST_DAYS);
        let page: [(&(dyn ToSql + Sync), Type); 4] = [
            (&after, Type::TEXT),
            (&look_at, Type::INT8),
            (&until, Type::TEXT),
            (&days, Type::INT4),
        ];
        let (statement, params) = match scope {
            Scope::All => (&self.sql().all_projects, &page[..3]),
            Scope::Stale => (&self.sql().stale_projects, &page[..]),
        };
        let rows = self.connections().rows(statement, params).await?;
        let was_last = rows.len() < stretch.look_at.max(1) as usize;
        let mut page = ProjectPage { ids: Vec::new(), next: None };
        let mut rows = rows.iter().peekable();
        while let Some(row) = rows.next() {
            let failed = |error| Error::statement(statement.name, &error);
            let id: String = row.try_get(0).map_err(failed)?;
            let is_wanted = row.try_get(1).map_err(failed)?;
            if is_wanted {
                page.ids.push(id.clone());
            }
            let goes_on = match rows.peek() {
                Some(_) => page.ids.len() >= take,
                None => !was_last,
            };
            if goes_on {
                page.next = Some(id);
                break;
            }
        }
        Ok(page)
    }

    /// Returns which of these projects there are, by one statement.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn existing_projects(
        &self,
        ids: &[impl AsRef<str>],
    ) -> Result<HashSet<String>, Error> {
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).filter(|id| is_id(id)).collect();
        let statement = &self.sql().existing;
        let rows = self.connections().rows(statement, &[(&ids, Type::TEXT_ARRAY)]).await?;
        let ids = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>();
        ids.map_err(|error| Error::statement(statement.name, &error))
    }
}
