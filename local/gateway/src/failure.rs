//! Why a request as a whole has no outcome.

use super::{pool::UpstreamError, refusal::Refusal};

/// Why a request as a whole has no outcome.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was executed.
    Refused(Refusal),
    /// The commands were sent and the answer was lost.
    Lost,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        match &error {
            UpstreamError::Open(error) => {
                tracing::warn!(%error, "no connection to Redis");
                Self::Refused(Refusal::unreachable(error))
            }
            UpstreamError::Lost(_) => {
                tracing::warn!(%error, "an answer of Redis was lost");
                Self::Lost
            }
            UpstreamError::TooLarge => Self::Refused(Refusal::bad_request(format!("ERR {error}"))),
        }
    }
}
