//! Implements the handler, and what it remembers of its receiver from one batch to the next.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use batchmq::{ClaimedJob, Settlement};
use batchmq_engine::{Context, Handler};
use tokio::time::Instant;
use tracing::warn;

use crate::batch::{Batch, REQUEST_MS, REQUESTS};
use crate::error::Error;
use crate::exchange::Exchange;
use crate::options::ForwardOptions;

/// How many jobs a receiver may refuse alone since its last answer until the receiver is taken to be wrong,
/// rather than the jobs.
const MOST_REFUSED_ALONE: usize = 3;

/// Lets an HTTPS server do a queue's jobs.
///
/// | What the receiver does | What its jobs do |
/// | --- | --- |
/// | 2xx but 202, and names a job | as it says |
/// | 2xx but 202, and names it not, twice, or malformed | fail the attempt |
/// | 2xx but 202, and no JSON object with `jobs` | fail the attempt |
/// | 202 | stay active, under a lock for the receiver's callback |
/// | no connection; a page of HTML but with 202 | go back; the tick of this queue ends |
/// | 3xx, 401, 403, 404, 405, 407, 410, 421 | the same |
/// | 401 and its like, but answered before | go in halves the next time; alone, fail the attempt |
/// | is gone after a broken connection, or after a 5xx | the same, if it was only for a broken connection |
/// | 429, 503 | go back; for as long as `Retry-After` says nothing is sent |
/// | 413, 500 and every other status; more than 6 MB | are sent again in halves; alone, fail the attempt |
/// | no answer in time | are sent again in quarters; alone, fail the attempt |
/// | breaks the connection | are sent once more, and then in halves; alone, fail the attempt |
/// | fails three jobs alone and answers none | the others go back, and it rests for 30 s |
///
/// What goes back has no attempt counted. A job that fails its attempt is tried again as its own options say.
#[derive(Debug)]
pub struct Forward {
    pub(crate) exchange: Exchange,
    /// Jobs a request at most: fewer than a batch once one was too much.
    most: AtomicUsize,
    /// How many more jobs may be to blame when the receiver refuses them alone: none before its first answer.
    trust: AtomicUsize,
    /// Until when nothing is sent.
    resting: Mutex<Option<Instant>>,
}

impl Forward {
    /// Makes a handler that forwards as `options` say. Opens no connection.
    ///
    /// # Errors
    /// [`Error::Url`], what is wrong with the URL; [`Error::Tls`].
    pub fn new(options: ForwardOptions) -> Result<Self, Error> {
        let exchange = Exchange::new(options)?;
        let most = AtomicUsize::new(usize::MAX);
        Ok(Self { exchange, most, trust: AtomicUsize::new(0), resting: Mutex::default() })
    }

    /// Returns for how long nothing is sent because the receiver asked for it or is broken; `None` while
    /// it is not resting. Until then batches go back at once, so that a claim would be of no use.
    pub fn resting(&self) -> Option<Duration> {
        let until = *self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Sends nothing for so long, or for as long as was asked for before.
    pub(crate) fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        *resting = (*resting).max(Some(until));
    }

    /// Whether the receiver answers others, so that one of the jobs that it refuses may be to blame.
    pub(crate) fn is_trusted(&self) -> bool {
        self.trust.load(Ordering::Relaxed) > 0
    }

    /// The receiver has answered.
    pub(crate) fn trust(&self) {
        self.trust.store(MOST_REFUSED_ALONE, Ordering::Relaxed);
    }

    /// The receiver has refused a job alone.
    pub(crate) fn trust_less(&self) {
        let less = |trust: usize| Some(trust.saturating_sub(1));
        // It always changes it.
        let _ = self.trust.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// How many jobs go into a request.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// Sends so few jobs a request from now on, or fewer.
    pub(crate) fn shrink(&self, most: usize) {
        self.most.fetch_min(most.max(1), Ordering::Relaxed);
    }

    /// After an answer to so many jobs as go into a request, tries somewhat more the next time.
    pub(crate) fn grow(&self, jobs: usize) {
        let most = self.most();
        if jobs >= most {
            self.most.store(most.saturating_add(most / 4 + 1), Ordering::Relaxed);
        }
    }
}

impl Handler for Forward {
    type Error = Error;

    const COUNTERS: &'static [&'static str] = &[REQUESTS, REQUEST_MS];

    fn is_resting(&self) -> bool {
        self.resting().is_some()
    }

    async fn handle(
        &self,
        jobs: &[ClaimedJob],
        context: &Context<'_>,
    ) -> Result<Vec<Settlement>, Error> {
        if let Some(left) = self.resting() {
            return Err(Error::Resting(left));
        }
        let mut settlements = vec![Settlement::Postpone; jobs.len()];
        // JSON cannot tell the receiver of such an id.
        let (sent, named): (Vec<usize>, Vec<usize>) =
            (0..jobs.len()).partition(|place| jobs[*place].raw_id.is_none());
        for place in named {
            let reason = "The job's id is not UTF-8, so that no receiver can be told of it";
            settlements[place] = Settlement::Unrecoverable(reason.to_owned());
        }
        let to_send: Vec<&ClaimedJob> = sent.iter().map(|place| &jobs[*place]).collect();
        let mut batch = Batch::new(self, context, &to_send);
        let stopped = batch.run().await;
        let has_ended = jobs.len() > to_send.len() || batch.ends.iter().any(Option::is_some);
        for (place, end) in sent.into_iter().zip(batch.ends) {
            if let Some(end) = end {
                settlements[place] = end;
            }
        }
        match stopped {
            // What is done is settled; the next batch meets the same, and ends the tick.
            Err(error) if has_ended => warn!(%error, "some of a batch cannot be forwarded"),
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        Ok(settlements)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use batchmq_redis::Secret;

    use super::*;
    use crate::secrets::Secrets;

    fn forward() -> Forward {
        let secrets = Secrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let url = Secret::new("https://a.example/");
        Forward::new(ForwardOptions::new(url, secrets)).unwrap()
    }

    #[test]
    fn jobs_are_to_blame_for_three_refusals_after_an_answer() {
        let forward = forward();
        assert!(!forward.is_trusted(), "it has never answered");
        forward.trust();
        for _ in 0..3 {
            assert!(forward.is_trusted());
            forward.trust_less();
        }
        assert!(!forward.is_trusted());
        forward.trust_less();
        assert!(!forward.is_trusted());
    }

    #[test]
    fn a_short_rest_does_not_end_a_long_one() {
        let forward = forward();
        for seconds in [30, 600, 30] {
            forward.rest(Duration::from_secs(seconds));
        }
        assert!(forward.resting().unwrap() > Duration::from_secs(500));
    }
}
