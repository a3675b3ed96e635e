//! Decides whom the caller may ask about, and asks the store what that depends on.

use shared::deo::Signals;
use shared::store::{Access, Cursor, ErrorKind, History, Snapshot, Store};

use crate::Api;
use crate::error::Error;

fn check(access: Access) -> Result<(), Error> {
    match access {
        Access::UnknownUser => Err(Error::Unauthorized),
        Access::NotFound => Err(Error::not_found("Project not found")),
        Access::Forbidden => Err(Error::Forbidden("You do not have access to this project")),
        Access::Granted => Ok(()),
    }
}

impl Api {
    /// The user's role, from the row: it is newer than the token's claim.
    ///
    /// # Errors
    /// A 401 for an unknown user.
    pub(crate) async fn role(&self, user_id: &str) -> Result<String, Error> {
        let role = self.asked()?.user_role(user_id).await.map_err(|error| failed(&error))?;
        role.ok_or(Error::Unauthorized)
    }

    /// Whether the user is an administrator.
    ///
    /// # Errors
    /// A 401 for an unknown user, a 403 for any other.
    pub(crate) async fn admin(&self, user_id: &str) -> Result<(), Error> {
        match self.role(user_id).await?.as_str() {
            "ADMIN" => Ok(()),
            _ => Err(Error::Forbidden("Forbidden resource")),
        }
    }

    /// Whether the user may read the project: its owner and each of its members. Whoever may read it, may have
    /// it recomputed.
    ///
    /// # Errors
    /// A 401, 404 or 403, in this order.
    pub(crate) async fn project(&self, user_id: &str, id: &str) -> Result<(), Error> {
        let access = self.asked()?.access(user_id, id).await.map_err(|error| failed(&error))?;
        check(access)
    }

    /// The same for many projects at once: what to answer for each, `Ok` where the user may.
    ///
    /// # Errors
    /// A 401 for an unknown user.
    pub(crate) async fn projects(
        &self,
        user_id: &str,
        ids: &[impl AsRef<str>],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let all =
            self.asked()?.access_to_all(user_id, ids).await.map_err(|error| failed(&error))?;
        all.into_iter()
            .map(|access| match check(access) {
                Err(Error::Unauthorized) => Err(Error::Unauthorized),
                answer => Ok(answer),
            })
            .collect()
    }

    /// The project's signals at this moment.
    ///
    /// # Errors
    /// A 404 when the project has gone meanwhile.
    pub(crate) async fn signals(&self, id: &str) -> Result<Signals, Error> {
        let rows = self.asked()?.signals(&[id.to_owned()]).await;
        // The time is read after the rows, as in the drain.
        let now_ms = self.clock().now_ms();
        match rows.and_then(|mut rows| rows.remove(id).transpose()) {
            Ok(Some(rows)) => Ok(rows.tally.signals(now_ms)),
            Ok(None) => Err(Error::not_found("Project not found")),
            Err(error) => Err(failed(&error)),
        }
    }

    /// The project's newest snapshot.
    pub(crate) async fn latest_snapshot(&self, id: &str) -> Result<Option<Snapshot>, Error> {
        self.asked()?.latest_snapshot(id).await.map_err(|error| failed(&error))
    }

    /// A page of the project's snapshots.
    pub(crate) async fn history(
        &self,
        id: &str,
        before: Option<&Cursor>,
        limit: u32,
    ) -> Result<History, Error> {
        self.asked()?.history(id, before, limit).await.map_err(|error| failed(&error))
    }

    /// The store, for one question.
    pub(crate) fn asked(&self) -> Result<&Store, Error> {
        self.store().ok_or_else(|| Error::internal(&"DATABASE_URL is not set"))
    }
}

/// The client sees only whether it helps to come back later.
pub(crate) fn failed(error: &shared::store::Error) -> Error {
    if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Busy) {
        tracing::error!(%error, "the database does not answer");
        return Error::Unavailable("The database cannot be reached; try again");
    }
    Error::internal(error)
}
