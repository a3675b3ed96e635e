//! Few large answers at a time: what a client has not read yet is held in memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bytes an answer may have without a turn.
pub(super) const SMALL: usize = 1 << 20;

/// How many larger answers may be held at once; further ones wait in Redis.
const MOST_LARGE: usize = 2;

/// The turns of all requests.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_LARGE)))
    }
}

impl Turns {
    /// For one request, which has no turn yet.
    pub(super) fn waiting(&self) -> Turn {
        Turn { turns: self.clone(), held: None }
    }
}

/// A request's turn to have a large answer, from when it turns out to be large until it is sent.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    held: Option<OwnedSemaphorePermit>,
}

impl Turn {
    /// Waits for the turn, unless the request has it already.
    pub(super) async fn take(&mut self) {
        if self.held.is_none() {
            // The semaphore is never closed.
            self.held = Arc::clone(&self.turns.0).acquire_owned().await.ok();
        }
    }

    /// Whether the request has it.
    pub(super) fn is_taken(&self) -> bool {
        self.held.is_some()
    }
}
