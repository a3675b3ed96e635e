//! Waiting within a tick until a rate limit is over.

use std::time::Duration;

use batchmq::Occupied;
use tokio::time::{Instant, sleep_until};

use crate::handler::Handler;
use crate::report::StoppedBecause;
use crate::tick::{Failure, Tick};

impl<H: Handler> Tick<'_, H> {
    /// Waits until the rate limit is over that stopped the tick, or an end is asked for. Returns what
    /// the queue held before, or `None` when the tick has to end: something else stopped it, or the
    /// limit leaves no time for a batch.
    ///
    /// It waits in one sleep, and only while something is there to be claimed, since idle time is
    /// billed, too. That costs a command, unless `seen` is what the queue holds now.
    pub(crate) async fn outwait(
        &mut self,
        reason: StoppedBecause,
        seen: Option<Occupied>,
    ) -> Result<Option<Occupied>, Failure<H::Error>> {
        let limited_ms = self.report.limited_ms.filter(|_| reason == StoppedBecause::Limited);
        let over = limited_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        let Some(over) = over.filter(|over| *over + self.slowest < self.claim_until) else {
            return Ok(None);
        };
        // A claim makes jobs wait that had fallen due or stalled: of these `seen` does not know.
        let occupied = match seen {
            Some(seen) if self.is_waiting(seen) => seen,
            _ => self.queue.peek().await?,
        };
        self.report.limited_ms = None;
        if self.is_waiting(occupied) || occupied.paused {
            tokio::select! {
                () = sleep_until(over) => {}
                () = self.stop.asked() => {}
            }
        }
        Ok(Some(occupied))
    }
}
