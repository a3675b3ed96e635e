//! Defines what can go wrong with a command, and what may be done next.

use std::time::Duration;

/// The kind of an [`Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A URL or a token that cannot work.
    Configuration,
    /// A request that this transport cannot carry: too large, or not text. Nothing was sent.
    Unsendable,
    /// The server refused the credentials or the permission.
    Authorization,
    /// A quota is used up: final until somebody raises it.
    Quota,
    /// Too many requests for now; nothing was executed.
    RateLimited,
    /// The server could not be reached, or answered that it cannot serve; nothing was executed.
    Unavailable,
    /// The time budget ran out before the command was sent.
    Timeout,
    /// The answer was not of the protocol's form.
    Protocol,
    /// Redis itself refused the command; its code (`WRONGTYPE`, `OOM`, `ERR`, ...). A script that
    /// answers with an error reply comes back as this, with the code that it chose.
    Server(String),
    /// The command was sent and its answer was lost: it may have been executed.
    Ambiguous,
}

/// What may be done after an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Send it again at once.
    Now,
    /// Send it again after a wait; the server's own figure when it gave one.
    After(Option<Duration>),
    /// Do not send it again.
    Never,
}

/// A failed command: names the command and its key, never an argument or a secret.
///
/// ```no_run
/// use batchmq_redis::{Command, ErrorKind, Redis, Retry};
///
/// # async fn example(redis: &Redis) {
/// if let Err(error) = redis.call(Command::new("LLEN").arg("a string").replay_safe()).await {
///     match (error.kind(), error.retry()) {
///         (ErrorKind::Server(code), _) => println!("refused with {code}: {error}"),
///         (_, Retry::After(wait)) => println!("once more after {wait:?}: {error}"),
///         _ => println!("{error}"),
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    pub(crate) retry: Retry,
    /// What [`Replays`](super::Replays) may do: the same, were the command replay-safe.
    pub(crate) replay: Retry,
}

impl Error {
    /// An error after which `retry` may be done, whether or not the command is replay-safe.
    pub(crate) fn with(kind: ErrorKind, message: impl Into<String>, retry: Retry) -> Self {
        Self { kind, message: message.into(), retry, replay: retry }
    }

    /// An error after which nothing may be sent again.
    pub(crate) fn never(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::with(kind, message, Retry::Never)
    }

    /// A URL or token that cannot work.
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::never(ErrorKind::Configuration, message)
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// What may be done next, from the error's kind and from whether the command is replay-safe.
    ///
    /// The client has already done what its time budget allowed; this is for whoever has more
    /// time, such as the next tick.
    pub fn retry(&self) -> Retry {
        self.retry
    }
}
