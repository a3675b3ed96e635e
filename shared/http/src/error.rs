//! Defines what keeps a whole batch from being forwarded.

use std::time::Duration;

use crate::secrets::SecretsError;

/// Why no job can be forwarded now, or ever with these settings. A text holds the URL's host at
/// most, and no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL cannot be used; how to mend it.
    #[error("the receiver's URL {0}")]
    Url(&'static str),
    /// The secrets cannot be used.
    #[error("the receivers' secret {0}")]
    Secrets(#[from] SecretsError),
    /// HTTPS cannot be set up.
    #[error("HTTPS cannot be set up")]
    Tls,
    /// No connection, for this reason: the request never left.
    #[error("the receiver cannot be reached: {0}")]
    Unreachable(String),
    /// The receiver does not take our requests.
    #[error(
        "the receiver answers every request with status {0}: check its URL, and that it has the same secret"
    )]
    Refuses(u16),
    /// A page came back where JSON was expected: something else answers at this URL.
    #[error("the receiver answers with a page of HTML: check its URL")]
    Page,
    /// The receiver has too much to do.
    #[error("the receiver answers with status {0}: it has too much to do")]
    Busy(u16),
    /// The receiver asked for a rest, or failed job after job; how long that goes on.
    #[error("the receiver rests for another {} ms", .0.as_millis())]
    Resting(Duration),
}
