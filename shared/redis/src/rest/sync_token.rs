//! Makes sure that one reads one's own writes.

use std::sync::{Mutex, PoisonError};

use reqwest::header::{HeaderMap, HeaderValue};

/// The header of requests and answers.
pub(super) const HEADER: &str = "upstash-sync-token";

/// The newest token that any answer brought; all requests of a client carry it.
#[derive(Debug, Default)]
pub(super) struct SyncToken(Mutex<Option<HeaderValue>>);

impl SyncToken {
    /// The newest token.
    pub(super) fn newest(&self) -> Option<HeaderValue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the token from an answer's headers, if it brought one.
    pub(super) fn update(&self, headers: &HeaderMap) {
        if let Some(token) = headers.get(HEADER) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        }
    }
}
