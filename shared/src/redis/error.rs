//! What can go wrong with a command, and what may be done next.

use std::time::Duration;

/// The kind of an [`Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A URL or a token that cannot work.
    Configuration,
    /// The server refused the credentials or the permission.
    Authorization,
    /// A quota is used up: final until somebody raises it.
    Quota,
    /// Too many requests for now.
    RateLimited,
    /// The server could not be reached, or answered that it cannot serve; nothing was executed.
    Unavailable,
    /// The time budget ran out before the command was sent.
    Timeout,
    /// The answer was not of the protocol's form.
    Protocol,
    /// Redis itself refused the command; its code (`WRONGTYPE`, `NOPERM`, `OOM`, `ERR`, ...).
    Server(String),
    /// The command was sent and its answer was lost: it may have been executed.
    Ambiguous,
}

/// What may be done after an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Send it again at once.
    Now,
    /// Send it again after a wait; the server's own figure when it gave one.
    After(Option<Duration>),
    /// Do not send it again.
    Never,
}

/// A failed command: names the command and its key, never an argument or a secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }
}
