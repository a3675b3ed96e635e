//! Defines what can go wrong with the database, and whose fault it is.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use tokio_postgres::error::{DbError, SqlState};

use crate::clock::millis;
use crate::tls;

/// The kind of an [`Error`]: whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL, the credentials, a permission or the schema: somebody must mend it.
    Configuration,
    /// The database is down, full or shutting down; later it may work.
    Unavailable,
    /// The moment: a time limit, somebody else's lock, a lack of memory. The same may work later, and
    /// a part of it now.
    Busy,
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
    /// We gave it up ourselves, for want of time.
    overdue: bool,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, lost: false, overdue: false }
    }

    pub(super) fn configuration(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Configuration, message)
    }

    pub(super) fn lost(message: impl Into<String>) -> Self {
        Self { lost: true, ..Self::new(ErrorKind::Unavailable, message) }
    }

    /// A statement that had `limit` and took longer. It was cancelled.
    pub(super) fn overdue(what: &str, limit: Duration) -> Self {
        let message = format!("{what}: not done within {} ms, and cancelled", millis(limit));
        Self { overdue: true, ..Self::new(ErrorKind::Busy, message) }
    }

    /// What there was no time for.
    pub(super) fn unfinished() -> Self {
        Self { overdue: true, ..Self::new(ErrorKind::Busy, "there was no time left for it") }
    }

    /// As it is, though not for want of our time: it was given all the time that anything is.
    pub(super) fn in_good_time(self) -> Self {
        Self { overdue: false, ..self }
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

    /// Whether it was for want of our own time alone: nothing was found wrong.
    pub fn is_overdue(&self) -> bool {
        self.overdue
    }

    /// Whether the statement itself fails, and may succeed for a part of what it was asked for.
    pub(super) fn may_spare_a_part(&self) -> bool {
        matches!(self.kind, ErrorKind::Data | ErrorKind::Busy)
    }

    /// Whether it is the failure that `other` is, of another part of the same.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.kind, &self.code, self.overdue) == (other.kind, &other.code, other.overdue)
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
            // What ended a connection for its slowness ends the next one, too.
            _ => self.lost && connection_was_reused && self.kind != ErrorKind::Busy,
        }
    }

    /// A connection that could not be made to `place` (host and port).
    pub(super) fn connecting(place: &str, error: &tokio_postgres::Error) -> Self {
        if let Some(distrust) = tls::distrust(error) {
            return Self::configuration(format!(
                "Postgres at {place} cannot be trusted ({distrust}); check the host in DATABASE_URL, \
                 or name the authority that signed its certificate in DATABASE_CA, or with sslrootcert= in \
                 the URL"
            ));
        }
        let Some(db) = error.as_db_error() else {
            let reason = reason(error);
            if reason.ends_with("server does not support TLS") {
                return Self::configuration(format!(
                    "Postgres at {place} does not support TLS, which sslmode in DATABASE_URL asks for (and without \
                     sslmode each host but this machine): turn it on there, or add sslmode=disable where nobody can \
                     listen on the way"
                ));
            }
            return Self::lost(format!(
                "Postgres at {place} could not be reached: {reason}. Is it running, and does DATABASE_URL lead to it?"
            ));
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
        Self { code: Some(db.code().clone()), lost: true, ..Self::new(kind, message) }
    }

    /// A statement that failed; `what` names it. Also for who asks beside the store, so that both say the same of it.
    pub fn statement(what: &str, error: &tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return Self::without_answer(what, error);
        };
        let kind = match is_of_a_pooler_s_time_limit(db) {
            true => ErrorKind::Busy,
            false => kind_of(db.code()),
        };
        let message = match kind {
            ErrorKind::Data => poison(what, db),
            ErrorKind::Configuration if is_missing(db.code()) => format!(
                "{what}: the database lacks something ({}, SQLSTATE {}); `deo migrate --check` \
                 tells what, and `deo migrate` adds what is not the platform's",
                db.message(),
                db.code().code()
            ),
            _ => format!("{what}: {} (SQLSTATE {})", db.message(), db.code().code()),
        };
        let lost =
            ["57P", "08", "25P03", "25P04"].iter().any(|it| db.code().code().starts_with(it));
        Self { code: Some(db.code().clone()), lost, ..Self::new(kind, message) }
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

/// A table, column, type, function or schema that is not there, or a column or index that is another than ours.
fn is_missing(code: &SqlState) -> bool {
    matches!(code.code(), "42P01" | "42703" | "42704" | "42883" | "3F000" | "42804" | "42P10")
}

/// The first two characters of an SQLSTATE. It is what a server or a pooler wrote, of whatever length.
fn class(code: &SqlState) -> &str {
    code.code().get(..2).unwrap_or_default()
}

/// Whether PgBouncer's `query_timeout` ended the statement. All of its own refusals have one SQLSTATE.
fn is_of_a_pooler_s_time_limit(db: &DbError) -> bool {
    db.code().code() == "08P01" && db.message().contains("query timeout")
}

/// Whose fault a statement's SQLSTATE is: the whole code, or the class that it belongs to.
///
/// What is the row's or the moment's blames nobody yet: only when parts of the batch are done is the
/// rest to blame (see [`divide`](super::divide)). A trigger that always raises, or a role with a time
/// limit of a millisecond, fails every row and is the fault of none.
const BLAME: [(&str, ErrorKind); 28] = [
    // The moment's: a smaller part may pass now, and all of it later.
    ("25P04", ErrorKind::Busy), // transaction_timeout, which ends the connection
    ("40", ErrorKind::Busy),    // 40001 serialization, 40P01 deadlock: also after another try
    ("53200", ErrorKind::Busy), // out of memory
    ("53400", ErrorKind::Busy), // a configured limit, as temp_file_limit
    ("55P03", ErrorKind::Busy), // a lock not had within lock_timeout
    ("57014", ErrorKind::Busy), // statement_timeout, or somebody's pg_cancel_backend
    ("72000", ErrorKind::Busy), // a snapshot too old
    // The database's: no statement works now.
    ("08", ErrorKind::Unavailable), // connections, and PgBouncer's refusals, as query_wait_timeout
    ("25P02", ErrorKind::Unavailable), // a transaction that somebody left behind
    ("25P03", ErrorKind::Unavailable), // idle_in_transaction_session_timeout
    ("25006", ErrorKind::Unavailable), // read-only: a standby, or after a failover
    ("53", ErrorKind::Unavailable), // 53100 disk full, 53300 too many connections
    ("57", ErrorKind::Unavailable), // 57P01 shutdown by an admin, 57P03 starting, 57P05 idle
    ("58", ErrorKind::Unavailable), // its files
    // Somebody must mend it.
    ("0A", ErrorKind::Configuration), // not supported
    ("28", ErrorKind::Configuration), // who we are
    ("3D", ErrorKind::Configuration), // no such database
    ("3F", ErrorKind::Configuration), // no such schema
    ("42", ErrorKind::Configuration), // no such table, no permission
    // The row's.
    ("21", ErrorKind::Data), // more rows than one
    ("22", ErrorKind::Data), // a value
    ("23", ErrorKind::Data), // a constraint
    ("38", ErrorKind::Data), // a function
    ("39", ErrorKind::Data), // a trigger's protocol
    ("44", ErrorKind::Data), // a view's check
    ("54", ErrorKind::Data), // too large for the server's own limits
    ("P0", ErrorKind::Data), // raised by a trigger
    ("XX", ErrorKind::Data), // a damaged row
];

fn kind_of(code: &SqlState) -> ErrorKind {
    let whose = |of: &str| BLAME.iter().find(|(code, _)| *code == of).map(|(_, kind)| *kind);
    whose(code.code()).or_else(|| whose(class(code))).unwrap_or(ErrorKind::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlstate_tells_whose_fault_it_is() {
        for (kind, codes) in [
            (ErrorKind::Busy, "57014 55P03 40P01 40001 53200 53400 25P04 72000"),
            (
                ErrorKind::Unavailable,
                "53100 53300 57P01 57P02 57P03 57P05 08P01 08006 25006 25P02 25P03 58030",
            ),
            (ErrorKind::Configuration, "42P01 42501 28P01 3D000 0A000"),
            (ErrorKind::Data, "22P02 23514 XX001 P0001 54000 21000 44000"),
            (ErrorKind::Other, "01000 55000 25001 Z x"),
        ] {
            for code in codes.split(' ') {
                assert_eq!(kind_of(&SqlState::from_code(code)), kind, "{code}");
            }
        }
    }

    #[test]
    fn no_code_is_blamed_twice() {
        for (n, (code, _)) in BLAME.iter().enumerate() {
            assert!(BLAME[..n].iter().all(|(other, _)| other != code), "{code}");
        }
    }
}
