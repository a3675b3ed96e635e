//! The platform's tables: [`migrations`] make them, [`seed`] fills them with rows to try things on.

pub mod migrations;
pub mod seed;

/// The server's own words about a statement of ours that failed. They may quote what the statement was given: not for
/// one with values of the platform's rows.
pub fn said(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned())
}
