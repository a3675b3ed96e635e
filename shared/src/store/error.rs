//! What can go wrong with the database, and whose fault it is.

use std::error::Error as _;
use std::io;

use tokio_postgres::error::{DbError, SqlState};

use crate::tls;

/// The kind of an [`Error`]: whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL, the credentials, a permission or the schema: somebody must mend it.
    Configuration,
    /// The database is down, full, shutting down or too slow; later it may work.
    Unavailable,
    /// The rows or the values of this statement: it fails again however often it is tried.
    Data,
    /// Anything else.
    Other,
}

/// A failed question to the database.
///
/// Its text names what failed and how to mend it. It never holds a password, a parameter or a
/// value of a row: what the server says about rows is left out, only its code (SQLSTATE) is told.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    code: Option<SqlState>,
    /// The connection is no more, or may no longer be used.
    lost: bool,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, lost: false }
    }

    pub(super) fn configuration(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Configuration, message)
    }

    pub(super) fn lost(message: impl Into<String>) -> Self {
        Self { lost: true, ..Self::new(ErrorKind::Unavailable, message) }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The server's SQLSTATE, where it gave one.
    pub fn code(&self) -> Option<&str> {
        self.code.as_ref().map(SqlState::code)
    }

    /// Whether no statement can work now, whatever it asks: no job is to blame, and claims may be
    /// given back without costing an attempt.
    pub fn is_unavailable(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Configuration)
    }

    /// Whether the statement itself fails, and may succeed without one of its rows.
    pub(super) fn is_data(&self) -> bool {
        self.kind == ErrorKind::Data
    }

    /// Whether the connection cannot be used for another statement.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether the same statement may be sent once more: its connection went away while it was idle
    /// (or with the statement, which changes nothing when it runs twice), or it lost against
    /// another transaction.
    pub(super) fn deserves_replay(&self, connection_was_reused: bool) -> bool {
        match &self.code {
            Some(code) if code == &SqlState::CRASH_SHUTDOWN => false,
            Some(code) if code.code().starts_with("40") => true,
            _ => self.lost && connection_was_reused,
        }
    }

    /// A connection that could not be made to `place` (host and port).
    pub(super) fn connecting(place: &str, error: &tokio_postgres::Error) -> Self {
        if let Some(distrust) = tls::distrust(error) {
            return Self::configuration(format!(
                "Postgres at {place} cannot be trusted ({distrust}); check the host in DATABASE_URL, \
                 or name the authority that signed its certificate with sslrootcert="
            ));
        }
        let Some(db) = error.as_db_error() else {
            let reason = reason(error);
            return Self::lost(format!("Postgres at {place} could not be reached: {reason}"));
        };
        // A pooler answers in the server's name: when it cannot log in for us, it says so here.
        let kind = match class(db.code()) {
            "28" | "3D" | "3F" => ErrorKind::Configuration,
            _ => ErrorKind::Unavailable,
        };
        let message = format!(
            "Postgres at {place} refused the connection: {} (SQLSTATE {}); check DATABASE_URL",
            db.message(),
            db.code().code()
        );
        Self { kind, message, code: Some(db.code().clone()), lost: true }
    }

    /// A statement that failed; `what` names it.
    pub(super) fn statement(what: &str, error: &tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return Self::without_answer(what, error);
        };
        let kind = kind_of(db.code());
        let message = match kind {
            ErrorKind::Data => poison(what, db),
            ErrorKind::Configuration if is_missing(db.code()) => format!(
                "{what}: the database lacks something ({}, SQLSTATE {}); run `deo migrate`",
                db.message(),
                db.code().code()
            ),
            _ => format!("{what}: {} (SQLSTATE {})", db.message(), db.code().code()),
        };
        let lost = db.code().code().starts_with("57P") || db.code().code().starts_with("08");
        Self { kind, message, code: Some(db.code().clone()), lost }
    }

    fn without_answer(what: &str, error: &tokio_postgres::Error) -> Self {
        let io = error.source().is_some_and(|source| source.is::<io::Error>());
        if error.is_closed() || io {
            return Self::lost(format!("{what}: the connection was lost: {}", reason(error)));
        }
        // A parameter that cannot be sent or a column that cannot be read. The library's text names
        // the place, its source could hold the value.
        Self::new(ErrorKind::Data, format!("{what}: {error}"))
    }
}

/// The library's words with their cause, which may say more ("Connection refused").
fn reason(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// What the server says about a row could hold the row's values: only names are passed on.
fn poison(what: &str, db: &DbError) -> String {
    let mut message =
        format!("{what}: a row or a value cannot be processed (SQLSTATE {}", db.code().code());
    for (kind, name) in
        [("table", db.table()), ("column", db.column()), ("constraint", db.constraint())]
    {
        if let Some(name) = name {
            message.push_str(&format!(", {kind} {name}"));
        }
    }
    message.push(')');
    message
}

/// A table, column, type, function or schema that is not there.
fn is_missing(code: &SqlState) -> bool {
    matches!(code.code(), "42P01" | "42703" | "42704" | "42883" | "3F000")
}

/// The first two characters of an SQLSTATE. It is what a server or a pooler wrote, of whatever length.
fn class(code: &SqlState) -> &str {
    code.code().get(..2).unwrap_or_default()
}

/// Whose fault an SQLSTATE of a statement is.
fn kind_of(code: &SqlState) -> ErrorKind {
    match code.code() {
        // One row may have been too much for the server; a batch without it may pass.
        "57014" | "53200" => ErrorKind::Data,
        "55P03" | "25006" => ErrorKind::Unavailable,
        _ => match class(code) {
            "08" | "53" | "57" | "58" | "40" => ErrorKind::Unavailable,
            "0A" | "28" | "3D" | "3F" | "42" => ErrorKind::Configuration,
            "21" | "22" | "23" | "38" | "39" | "44" | "54" | "P0" | "XX" => ErrorKind::Data,
            _ => ErrorKind::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlstate_tells_whose_fault_it_is() {
        for (code, kind) in [
            ("53300", ErrorKind::Unavailable),   // too many connections
            ("57P01", ErrorKind::Unavailable),   // admin shutdown
            ("57P03", ErrorKind::Unavailable),   // starting up
            ("08P01", ErrorKind::Unavailable),   // PgBouncer's own refusals
            ("40P01", ErrorKind::Unavailable),   // deadlock
            ("25006", ErrorKind::Unavailable),   // a standby
            ("42P01", ErrorKind::Configuration), // no such table
            ("42501", ErrorKind::Configuration), // no permission
            ("22P02", ErrorKind::Data),          // a text that is no number
            ("23514", ErrorKind::Data),          // a check
            ("XX001", ErrorKind::Data),          // a damaged row
            ("P0001", ErrorKind::Data),          // raised by a trigger or a view
            ("57014", ErrorKind::Data),          // one project too slow for statement_timeout
            ("53200", ErrorKind::Data),          // one row too large
            ("01000", ErrorKind::Other),
        ] {
            assert_eq!(kind_of(&SqlState::from_code(code)), kind, "{code}");
        }
    }
}
