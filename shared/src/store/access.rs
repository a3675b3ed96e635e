//! Tells who has access to a project.

use std::sync::atomic::Ordering;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::connection::Statement;
use super::{Error, Store};

/// Whether a user has access to a project. The order is that of the answers 401, 404, 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// There is no such user.
    UnknownUser,
    /// There is no such project.
    NotFound,
    /// The project is somebody else's.
    Forbidden,
    /// The user is the project's owner or one of its members: may read it, and have it recomputed.
    Granted,
}

impl Store {
    /// Whether `user_id` has access to `project_id`, and whether that user exists: one statement for an
    /// owner.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn access(&self, user_id: &str, project_id: &str) -> Result<Access, Error> {
        let answers = self.access_to_all(user_id, &[project_id]).await?;
        Ok(answers.first().copied().unwrap_or(Access::NotFound))
    }

    /// The same for many projects, in their order, in the same number of statements.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn access_to_all(
        &self,
        user_id: &str,
        project_ids: &[impl AsRef<str>],
    ) -> Result<Vec<Access>, Error> {
        if user_id.contains('\0') {
            return Ok(vec![Access::UnknownUser; project_ids.len()]);
        }
        // No id holds a NUL: what asks for one is not found under the empty name either.
        let ids: Vec<&str> = project_ids
            .iter()
            .map(|id| if id.as_ref().contains('\0') { "" } else { id.as_ref() })
            .collect();
        let members = &self.inner.has_members;
        if members.load(Ordering::Relaxed) {
            match self.ask(&self.sql().access_with_members, user_id, &ids).await {
                Err(error) if no_members(&error) => members.store(false, Ordering::Relaxed),
                rows => return judge_all(&rows?),
            }
        }
        let rows = self.ask(&self.sql().access, user_id, &ids).await?;
        let answers = judge_all(&rows)?;
        let says = |column| rows.first().is_some_and(|row| row.try_get(column).unwrap_or(false));
        let (has_members, may_be_read) = (says(4), says(5));
        if has_members && !may_be_read {
            self.tell_of_closed_members();
        }
        members.store(has_members && may_be_read, Ordering::Relaxed);
        if has_members && may_be_read && answers.contains(&Access::Forbidden) {
            match self.ask(&self.sql().access_with_members, user_id, &ids).await {
                Err(error) if no_members(&error) => {
                    members.store(false, Ordering::Relaxed);
                    self.tell_of_closed_members();
                }
                rows => return judge_all(&rows?),
            }
        }
        Ok(answers)
    }

    /// Says once what makes strangers of a project's members.
    fn tell_of_closed_members(&self) {
        if !self.inner.told_of_members.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "there is a table \"ProjectMember\" that our role may not read, so that only owners have \
                 access: GRANT SELECT on it to the role in DATABASE_URL"
            );
        }
    }

    /// The user's role (`USER`, `ADMIN`); `None` for an unknown user.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn user_role(&self, user_id: &str) -> Result<Option<String>, Error> {
        if user_id.contains('\0') {
            return Ok(None);
        }
        let statement = &self.sql().user_role;
        let rows = self.connections().rows(statement, &[(&user_id, Type::TEXT)]).await?;
        let role = rows.first().map(|row| row.try_get(0)).transpose();
        role.map_err(|error| Error::statement(statement.name, &error))
    }

    async fn ask(
        &self,
        statement: &Statement,
        user_id: &str,
        ids: &[&str],
    ) -> Result<Vec<Row>, Error> {
        let params: super::connection::Params<'_> =
            &[(&user_id, Type::TEXT), (&ids, Type::TEXT_ARRAY)];
        self.connections().rows(statement, params).await
    }
}

/// Whether the table of members is gone, or may not be read (any more). What else the statement reads may be
/// closed as well: then the one without members says so.
fn no_members(error: &Error) -> bool {
    matches!(error.code(), Some("42P01" | "42501"))
}

fn judge_all(rows: &[Row]) -> Result<Vec<Access>, Error> {
    let judged = rows.iter().map(judge).collect::<Result<_, _>>();
    judged.map_err(|error| Error::statement("checking access", &error))
}

fn judge(row: &Row) -> Result<Access, tokio_postgres::Error> {
    let (owner, member): (bool, bool) = (row.try_get(2)?, row.try_get(3)?);
    Ok(if !row.try_get::<_, bool>(0)? {
        Access::UnknownUser
    } else if !row.try_get::<_, bool>(1)? {
        Access::NotFound
    } else if owner || member {
        Access::Granted
    } else {
        Access::Forbidden
    })
}
