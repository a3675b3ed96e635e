//! Says where a Redis is and what opens it, and what people get wrong when they write that down.

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
#[derive(Clone, Debug)]
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
}

impl Default for Names {
    fn default() -> Self {
        Self {
            rest_url: "the REST URL",
            rest_token: "the REST token",
            redis_url: "the Redis URL",
            allow_plaintext: "allow plaintext",
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
