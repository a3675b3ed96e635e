//! Makes the HTTP client for a target, and says why a request had no answer.

use std::time::Duration;

use reqwest::{Client, Url};

use super::DropsError;
use crate::{outward, tls};

/// The longest that a connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// A client for this URL alone: over TLS, or to this machine.
pub(super) fn client(url: &Url, plaintext: DropsError) -> Result<Client, DropsError> {
    let builder = outward::client(url).ok_or(plaintext)?;
    let named = builder.user_agent(concat!("deo/", env!("CARGO_PKG_VERSION")));
    let client = named.connect_timeout(CONNECT).build();
    client.map_err(|_| DropsError::Wrong("HTTPS cannot be set up"))
}

/// Why there is no answer, without the URL.
pub(super) fn unanswered(error: &reqwest::Error) -> String {
    match error {
        error if error.is_connect() => {
            tls::distrust(error).unwrap_or_else(|| "no connection".to_owned())
        }
        error if error.is_timeout() => "no answer in time".to_owned(),
        _ => "the connection broke".to_owned(),
    }
}
