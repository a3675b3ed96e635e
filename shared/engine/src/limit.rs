//! Waits within a tick until a rate limit is over.

use std::time::Duration;

use batchmq::Occupied;
use tokio::time::{Instant, sleep_until};

use crate::line::{Failure, Line};
use crate::report::StoppedBecause;

impl Line<'_> {
    /// Waits until the rate limit is over that stopped the tick, or an end is asked for. Returns what
    /// the queue held before, or `None` when the tick has to end: something else stopped it, or the
    /// limit leaves no time for a batch.
    ///
    /// It waits in one sleep, and only while something is there to be claimed, since idle time is
    /// billed, too. That costs a command, unless `seen` is what the queue holds now.
    pub(crate) async fn outwait(
        &self,
        reason: StoppedBecause,
        seen: Option<Occupied>,
    ) -> Result<Option<Occupied>, Failure> {
        let limited_ms = self.state().report.limited_ms;
        let limited_ms = limited_ms.filter(|_| reason == StoppedBecause::Limited);
        let over = limited_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        let pace = self.state().pace;
        let leaves_time =
            |over: &Instant| !pace.is_late(self.claim_until.saturating_duration_since(*over));
        let Some(over) = over.filter(leaves_time) else { return Ok(None) };
        // A claim makes jobs wait that had fallen due or stalled: of these `seen` does not know.
        let occupied = match seen {
            Some(seen) if self.is_waiting(seen) => seen,
            _ => self.queue.peek().await?,
        };
        self.state().report.limited_ms = None;
        if self.is_waiting(occupied) || occupied.paused {
            tokio::select! {
                () = sleep_until(over) => {}
                () = self.stop.asked() => {}
            }
        }
        Ok(Some(occupied))
    }
}
