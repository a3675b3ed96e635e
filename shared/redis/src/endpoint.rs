//! Says where a Redis is and what opens it, and what people get wrong when they write that down.

use std::fmt;

use crate::rest::rest_url;
use crate::secret::Secret;
use crate::tcp::redis_url;

/// Where a Redis is and what opens it.
///
/// ```
/// use batchmq_redis::{Endpoint, Names, Secret, is_loopback};
///
/// let url = Secret::new("redis://cache.example:6379");
/// let endpoint = Endpoint::Tcp { url, allow_plaintext: false };
/// let names = Names { redis_url: "CACHE_URL", ..Names::default() };
/// assert!(endpoint.check(&names).unwrap_err().contains("CACHE_URL"));
/// // Without TLS only this machine is spoken to.
/// assert!(is_loopback("localhost") && !is_loopback("cache.example"));
/// ```
#[derive(Clone)]
pub enum Endpoint {
    /// Upstash's REST API.
    Rest {
        /// `https://<name>.upstash.io`, without a trailing slash.
        url: String,
        /// The token of that database.
        token: Secret,
        /// Whether `http://` may go to another machine.
        allow_plaintext: bool,
    },
    /// The Redis protocol.
    Tcp {
        /// `redis://` or `rediss://`; it may hold a password.
        url: Secret,
        /// Whether `redis://` may go to another machine.
        allow_plaintext: bool,
    },
}

/// What the caller's settings are called, so that an error names the one to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    /// The URL of [`Endpoint::Rest`].
    pub rest_url: &'static str,
    /// The token of [`Endpoint::Rest`].
    pub rest_token: &'static str,
    /// The URL of [`Endpoint::Tcp`].
    pub redis_url: &'static str,
    /// How plaintext to another machine is allowed.
    pub allow_plaintext: &'static str,
    /// [`Options::authorities`](crate::Options).
    pub authorities: &'static str,
    /// What all keys begin with.
    pub prefix: &'static str,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            rest_url: "the REST URL",
            rest_token: "the REST token",
            redis_url: "the Redis URL",
            allow_plaintext: "allow plaintext",
            authorities: "the authorities of the Redis client",
            prefix: "the prefix of the keys",
        }
    }
}

/// Of URLs no more than the host: what somebody has pasted behind it may be a secret.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rest { url, token, allow_plaintext } => {
                let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphabetic());
                let (_, authority) =
                    url.split_once("://").filter(|it| is_scheme(it.0)).unwrap_or_default();
                let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
                let host = authority.rsplit('@').next().unwrap_or_default();
                let mut it = f.debug_struct("Rest");
                it.field("host", &host).field("token", token);
                it.field("allow_plaintext", allow_plaintext).finish()
            }
            Self::Tcp { url, allow_plaintext } => {
                let mut it = f.debug_struct("Tcp");
                it.field("url", url).field("allow_plaintext", allow_plaintext).finish()
            }
        }
    }
}

impl Endpoint {
    /// Checks that a server can be reached by it.
    ///
    /// # Errors
    /// What is wrong and how to mend it, in one sentence that shows no value: each may hold a secret.
    pub fn check(&self, names: &Names) -> Result<(), String> {
        match self {
            Self::Rest { url, token, allow_plaintext } => {
                rest_url(url, token.expose(), *allow_plaintext, names).map(|_| ())
            }
            Self::Tcp { url, allow_plaintext } => {
                redis_url(url.expose(), *allow_plaintext, names).map(|_| ())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_host_of_a_url_is_shown() {
        for (url, host) in [
            ("https://eu1.upstash.io", "eu1.upstash.io"),
            ("https://u:secret@eu1.upstash.io/secret?secret#secret", "eu1.upstash.io"),
            ("https://///10/secret", ""),
            ("https:secret/://secret", ""),
            ("secret", ""),
        ] {
            let token = Secret::new("secret");
            let rest = Endpoint::Rest { url: url.to_owned(), token, allow_plaintext: false };
            let shown = format!("{rest:?}");
            assert!(shown.contains(&format!("host: {host:?}")), "{shown}");
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
}
