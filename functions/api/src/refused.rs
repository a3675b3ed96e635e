//! Writes that Redis refused: what clients are told of one, and what the health check remembers.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use shared::queue;
use shared::redis::Condition;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::error::Error;

/// How long a refusal is remembered that no probe can tell of: ten minutes.
const MEMORY: Duration = Duration::from_secs(600);

/// Why Redis refuses to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    /// It holds as much as it may, or a quota of its plan is used up.
    Full,
    /// It is a replica, or cannot save what is written.
    ReadOnly,
    /// A key of the queue's holds something else.
    WrongType,
    /// The user or the token may not.
    NoPermission,
}

impl Refusal {
    /// Why an operation was refused, where Redis refused it for a reason of its own.
    pub(crate) fn of(error: &queue::Error) -> Option<Self> {
        let queue::Error::Redis(error) = error else { return None };
        match error.kind().condition()? {
            Condition::Full => Some(Self::Full),
            Condition::ReadOnly => Some(Self::ReadOnly),
            Condition::WrongType => Some(Self::WrongType),
            Condition::NoPermission => Some(Self::NoPermission),
            _ => None,
        }
    }

    /// The word by which clients know it.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Full => "QUEUE_FULL",
            Self::ReadOnly => "QUEUE_READ_ONLY",
            Self::WrongType => "QUEUE_WRONG_TYPE",
            Self::NoPermission => "QUEUE_NO_PERMISSION",
        }
    }

    /// A sentence for people.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Full => "The queue is full; try again later",
            Self::ReadOnly => "The queue takes no jobs at the moment; try again in a few seconds",
            Self::WrongType => {
                "The queue holds something that does not belong there; somebody has to mend it"
            }
            Self::NoPermission => "The queue does not let us in; somebody has to mend it",
        }
    }

    /// Whether a write of any kind tells if it is over.
    const fn can_be_probed(self) -> bool {
        matches!(self, Self::Full | Self::ReadOnly)
    }
}

/// What a client is told of a failed operation of the queue. The cause goes to the log only.
pub(crate) fn not_done(what: &'static str, error: &queue::Error) -> Error {
    tracing::error!(%error, "{what}");
    answer(error)
}

/// The same, for who has written the log.
pub(crate) fn answer(error: &queue::Error) -> Error {
    match (error, Refusal::of(error)) {
        (_, Some(refusal)) => Error::Refused(refusal),
        (queue::Error::Redis(_), None) => {
            Error::Unavailable("The queue cannot be reached; try again")
        }
        _ => Error::Internal,
    }
}

/// Whether Redis refused the last write of this environment. Nothing is asked for that: requests tell how theirs
/// ended.
#[derive(Debug, Default)]
pub(crate) struct LastWrite(Mutex<Option<(Refusal, Instant)>>);

impl LastWrite {
    /// Notes how a write ended. One that did not get through says nothing of what Redis would have done.
    pub(crate) fn note<T>(&self, ended: &Result<T, queue::Error>) {
        let refused = match ended {
            Ok(_) => None,
            Err(error) => match Refusal::of(error) {
                Some(refusal) => Some((refusal, Instant::now())),
                None => return,
            },
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = refused;
    }

    /// Notes how a write to the queue ended, and turns its failure into what a client is told.
    pub(crate) fn written<T>(
        &self,
        what: &'static str,
        ended: Result<T, queue::Error>,
    ) -> Result<T, Error> {
        self.note(&ended);
        ended.map_err(|error| not_done(what, &error))
    }

    /// The same of a write beside the queue, whose success says nothing of the queue's own keys and scripts.
    pub(crate) fn written_beside<T>(
        &self,
        what: &'static str,
        ended: Result<T, queue::Error>,
    ) -> Result<T, Error> {
        if ended.is_err() || self.refused().is_some_and(Refusal::can_be_probed) {
            self.note(&ended);
        }
        ended.map_err(|error| not_done(what, &error))
    }

    /// Why the last write was refused, if it was.
    pub(crate) fn refused(&self) -> Option<Refusal> {
        let (refusal, at) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        // Where nobody asks for anything any more, it would be remembered for ever.
        (refusal.can_be_probed() || at.elapsed() < MEMORY).then_some(refusal)
    }

    /// As [`LastWrite::refused`], and where a write of any kind can tell, whether it is over: one command.
    pub(crate) async fn still_refused(&self, queue: &queue::Queue) -> Option<Refusal> {
        if self.refused()?.can_be_probed() {
            self.note(&queue.probe().await);
        }
        self.refused()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_no_probe_can_tell_of_is_forgotten_after_a_while() {
        let last = LastWrite::default();
        for (refusal, is_kept) in [
            (Refusal::WrongType, false),
            (Refusal::NoPermission, false),
            (Refusal::Full, true),
            (Refusal::ReadOnly, true),
        ] {
            *last.0.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((refusal, Instant::now()));
            tokio::time::advance(MEMORY - Duration::from_secs(1)).await;
            assert_eq!(last.refused(), Some(refusal));
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(last.refused(), is_kept.then_some(refusal));
        }
        last.note(&Err::<(), _>(queue::Error::Protocol("x")));
        assert_eq!(last.refused(), Some(Refusal::ReadOnly), "that says nothing");
        last.note(&Ok(()));
        assert_eq!(last.refused(), None);
    }
}
