//! Separates the client from the wire.

use std::time::Duration;

use super::budget::Limits;
use super::failure::Failure;
use super::request::Request;
use super::rest::Rest;
use super::tcp::Tcp;
use super::value::Items;

/// A way to a Redis server.
#[derive(Debug)]
pub(super) enum Transport {
    /// Upstash's REST API.
    Rest(Rest),
    /// The Redis protocol.
    Tcp(Tcp),
}

impl Transport {
    /// `rest` or `tcp`.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Rest(_) => "rest",
            Self::Tcp(_) => "tcp",
        }
    }

    /// Opens a connection within `limit`, where that takes no command.
    pub(super) async fn connect(&self, limit: Duration) {
        match self {
            Self::Rest(rest) => rest.connect(limit).await,
            Self::Tcp(_) => {}
        }
    }

    /// One try: sends the request and reads its answer within `limits`. Records
    /// `request_bytes` and `response_bytes` on the current span.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        limits: Limits,
    ) -> Result<Items, Failure> {
        match self {
            Self::Rest(rest) => rest.exchange(request, limits).await,
            Self::Tcp(tcp) => tcp.exchange(request, limits).await,
        }
    }
}
