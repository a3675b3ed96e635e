//! Why a database was not migrated, and how to mend it.

use std::iter;

use tokio_postgres::error::SqlState;

use crate::said;

/// Why a database was not migrated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The platform's tables are there, and nobody said that they may be taken over.
    #[error(
        "this database has the platform's tables already; run `deo migrate --baseline`, which takes \
         them as they are and adds only what is missing"
    )]
    Owned,
    /// `--baseline`, and the platform's tables are not there.
    #[error(
        "there is nothing to take over: {} not there. Is it the right database? If it is to be \
         made from nothing, run `deo migrate` without --baseline",
        are(.0)
    )]
    NothingToTakeOver(Vec<String>),
    /// Some of the platform's tables are there, and some are not: it can neither be made nor be taken over.
    #[error(
        "{} there, and {} not: let the platform's ORM make the rest, or let DATABASE_URL name another database",
        are(.there),
        are(.missing)
    )]
    Partial {
        /// What is there.
        there: Vec<String>,
        /// What is not.
        missing: Vec<String>,
    },
    /// The platform's tables are not as we need them, and they are not ours to alter.
    #[error("the platform's tables do not fit, and its ORM has to mend them: {}", .0.join("; "))]
    Unfit(Vec<String>),
    /// The name of an index to be made is taken.
    #[error(
        "the index \"{name}\" cannot be made, because its name is taken by {}: rename that, by {} \
         \"{name}\" RENAME TO \"{name}_before\"`, and run this again",
        .is.as_deref().unwrap_or("something that is no index"),
        if .is.is_some() { "`ALTER INDEX" } else { "`ALTER TABLE" }
    )]
    NameTaken {
        /// The index.
        name: &'static str,
        /// The statement that made what has its name; `None` where it is no index.
        is: Option<String>,
    },
    /// Postgres makes no index of a partitioned table without keeping writers out.
    #[error(
        "\"{table}\" is partitioned, and an index on it cannot be made while others write: make it yourself when \
         writers can wait, by `{statement}` (or on each partition CONCURRENTLY first, and then attach them to one \
         made ON ONLY \"{table}\"), and run this again: it takes the index as it is"
    )]
    Partitioned {
        /// The table.
        table: &'static str,
        /// What makes the index.
        statement: String,
    },
    /// A file was changed after it had been applied.
    #[error("{0} was applied with another text than its file has now: never change a released one")]
    Changed(String),
    /// Two at once.
    #[error("another `deo migrate` is at work on this database; run it again when that is done")]
    Busy,
    /// The database cannot be reached.
    #[error(transparent)]
    Connect(#[from] shared::store::Error),
    /// A statement of ours failed.
    #[error("asking the database failed: {}{}", said(.0), if is_refusal(.0) { AS_OWNER } else { "" })]
    Statement(#[from] tokio_postgres::Error),
    /// A migration failed; it was rolled back.
    #[error("{}", with_sources(.0))]
    Migration(#[from] refinery::Error),
}

/// What mends that a right is lacking.
const AS_OWNER: &str = "; run it as the tables' owner";

impl Error {
    /// Whether a right was lacking, whichever library told it.
    pub fn is_refused(&self) -> bool {
        let refused = |error| refusal(error).is_some();
        match self {
            Self::Statement(error) => is_refusal(error),
            Self::Migration(error) => refused(error),
            _ => false,
        }
    }
}

fn is_refusal(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)
}

/// Where a right was lacking, what Postgres says of that.
fn refusal(error: &refinery::Error) -> Option<String> {
    let causes = iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let mut causes = causes.filter_map(|cause| cause.downcast_ref::<tokio_postgres::Error>());
    causes.find(|error| is_refusal(error)).map(said)
}

fn are(tables: &[String]) -> String {
    format!("{} {}", tables.join(", "), if tables.len() == 1 { "is" } else { "are" })
}

fn with_sources(error: &refinery::Error) -> String {
    if let Some(refusal) = refusal(error) {
        return format!("this role may not read or run migrations: {refusal}{AS_OWNER}");
    }
    let mut said = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    said
}
