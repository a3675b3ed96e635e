//! The handler: posts a batch, in parts where the receiver cannot take it as a whole.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use batchmq::{ClaimedJob, Settlement};
use batchmq_engine::{Context, Handler};
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::answer::ends;
use crate::error::Error;
use crate::exchange::{Exchange, Said};
use crate::options::ForwardOptions;
use crate::request::Request;

/// Requests to the receiver, as a report counts them.
const REQUESTS: &str = "requests";

/// Milliseconds that requests took, as a report counts them.
const REQUEST_MS: &str = "requestMs";

/// Jobs that fail alone, one after the other and with no answer between them, until the receiver is taken to be
/// broken rather than the jobs to be bad.
const MOST_FAILED_ALONE: usize = 3;

/// How long a receiver that is taken to be broken is left alone.
const REST: Duration = Duration::from_secs(30);

/// How long before the batch must be done the last answer is waited for: time to say what came before it.
const RESERVE: Duration = Duration::from_millis(300);

/// The shortest time that is worth a request.
const LEAST: Duration = Duration::from_millis(700);

/// How long an answer is waited for once the end was asked for. What takes longer than 5 s then goes back as
/// a whole.
const LAST_WAIT: Duration = Duration::from_secs(4);

/// Lets an HTTPS server do a queue's jobs.
///
/// | What the receiver does | What its jobs do |
/// | --- | --- |
/// | 200, and names a job | as it says |
/// | 200, and names it not, twice, or malformed | fail the attempt |
/// | 200, and no JSON object with `jobs` | fail the attempt |
/// | 202 | stay active, under a lock for the receiver's callback |
/// | no connection; 3xx, 401, 403, 404, 405, 407, 410, 421; a page of HTML | go back; the tick of this queue ends |
/// | 429, 503 | the same; for as long as `Retry-After` says nothing is sent |
/// | 413; 500 and every other status; an answer over 6 MB | are sent again in halves; alone, fail the attempt |
/// | no answer in time | are sent again in quarters; alone, fail the attempt |
/// | breaks the connection | are sent once more, and then in halves; alone, fail the attempt |
/// | fails three jobs alone and answers none | the others go back, and it rests for 30 s |
///
/// What goes back has no attempt counted. A job that fails its attempt is tried again as its own options say.
#[derive(Debug)]
pub struct Forward {
    exchange: Exchange,
    /// Jobs a request at most: fewer than a batch once one was too much.
    most: AtomicUsize,
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
        Ok(Self { exchange, most: AtomicUsize::new(usize::MAX), resting: Mutex::default() })
    }

    /// Returns for how long nothing is sent because the receiver asked for it or is broken; `None` while
    /// it is not resting. Until then batches go back at once, so that a claim would be of no use.
    pub fn resting(&self) -> Option<Duration> {
        let until = *self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Sends so few jobs a request from now on, or fewer.
    fn shrink(&self, most: usize) {
        self.most.fetch_min(most.max(1), Ordering::Relaxed);
    }

    /// After an answer to so many jobs as go into a request, tries somewhat more the next time.
    fn grow(&self, jobs: usize) {
        let most = self.most.load(Ordering::Relaxed);
        if jobs >= most {
            self.most.store(most.saturating_add(most / 4 + 1), Ordering::Relaxed);
        }
    }
}

impl Handler for Forward {
    type Error = Error;

    const COUNTERS: &'static [&'static str] = &[REQUESTS, REQUEST_MS];

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
        let mut batch = Batch {
            forward: self,
            context,
            jobs: &to_send,
            ends: vec![None; to_send.len()],
            failed_alone: 0,
            is_answered: false,
        };
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

/// A batch under way.
struct Batch<'a> {
    forward: &'a Forward,
    context: &'a Context<'a>,
    jobs: &'a [&'a ClaimedJob],
    /// How each ends; `None` for what goes back.
    ends: Vec<Option<Settlement>>,
    failed_alone: usize,
    /// Whether the receiver has answered any request of this batch.
    is_answered: bool,
}

impl Batch<'_> {
    /// Sends all of it. Ends early when the time is up or the receiver takes no more; an error says why no
    /// job can be forwarded now.
    async fn run(&mut self) -> Result<(), Error> {
        let mut parts = vec![0..self.jobs.len()];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let most = self.forward.most.load(Ordering::Relaxed);
            if part.len() > most {
                let (first, rest) = (part.start..part.start + most, part.start + most..part.end);
                parts.extend([rest, first]);
                continue;
            }
            let Some(timeout) = self.time() else { return Ok(()) };
            let Some(said) = self.send(&part, timeout).await else { return Ok(()) };
            let (smaller, reason) = match said {
                Said::Answer { body, is_accepted } => {
                    self.note(&part, &body, is_accepted);
                    continue;
                }
                Said::Closed(error) => return Err(error),
                Said::Busy { status, rest } => {
                    if let Some(rest) = rest {
                        self.forward.rest(rest);
                    }
                    return Err(Error::Busy(status));
                }
                Said::TooLarge => {
                    self.forward.shrink(part.len() / 2);
                    (2, "The receiver refuses the job as too large (413)".to_owned())
                }
                Said::Failed(reason) => (2, reason),
                Said::Broken => (2, "The receiver broke the connection".to_owned()),
                Said::Late => {
                    self.forward.shrink(part.len() / 4);
                    // It did not have the time that it is promised: it is not to blame.
                    if timeout < self.forward.exchange.options().timeout {
                        continue;
                    }
                    (4, format!("The receiver did not answer within {} ms", timeout.as_millis()))
                }
            };
            if part.len() > 1 {
                parts.extend(divided(part, smaller));
                continue;
            }
            self.ends[part.start] = Some(Settlement::Failed(reason));
            self.failed_alone += 1;
            if self.failed_alone >= MOST_FAILED_ALONE && !self.is_answered {
                warn!(jobs = self.failed_alone, "the receiver failed job after job, and rests");
                self.forward.rest(REST);
                return Ok(());
            }
        }
        Ok(())
    }

    /// How long the next request may take; `None` when none should begin.
    fn time(&self) -> Option<Duration> {
        if self.context.stop().is_asked() {
            return None;
        }
        let left = self.context.deadline().saturating_duration_since(Instant::now());
        let left = left.checked_sub(RESERVE).filter(|left| *left >= LEAST)?;
        Some(left.min(self.forward.exchange.options().timeout))
    }

    /// Sends a part, once more where the connection breaks: most often it was one that had been idle. `None`
    /// when an end was asked for and the answer takes too long for that.
    async fn send(&self, part: &Range<usize>, timeout: Duration) -> Option<Said> {
        let until = Instant::now() + timeout;
        let said = self.send_once(part, timeout).await?;
        let left = until.saturating_duration_since(Instant::now());
        match said {
            Said::Broken if left >= LEAST => self.send_once(part, left).await,
            said => Some(said),
        }
    }

    async fn send_once(&self, part: &Range<usize>, timeout: Duration) -> Option<Said> {
        let (exchange, context) = (&self.forward.exchange, self.context);
        let now_ms = exchange.options().clock.now_ms();
        let jobs = &self.jobs[part.clone()];
        let request =
            Request::new(&context.queue().name, context.claim(), jobs, now_ms, timeout);
        // Our own structs of strings and numbers always serialise.
        let body = serde_json::to_vec(&request).unwrap_or_default();
        context.count(REQUESTS, 1);
        let _timer = context.time(REQUEST_MS);
        tokio::select! {
            biased;
            said = exchange.post(body, timeout) => Some(said),
            () = async { context.stop().asked().await; sleep(LAST_WAIT).await } => None,
        }
    }

    fn note(&mut self, part: &Range<usize>, body: &[u8], is_accepted: bool) {
        let locks = &self.forward.exchange.options().locks;
        let read = ends(&self.jobs[part.clone()], body, is_accepted, locks);
        if read.unknown > 0 {
            warn!(entries = read.unknown, "the receiver's answer is about jobs that it was not sent");
        }
        for (end, settlement) in self.ends[part.clone()].iter_mut().zip(read.settlements) {
            *end = Some(settlement);
        }
        self.is_answered = true;
        self.forward.grow(part.len());
    }
}

/// A part in so many, the first of them last: it is taken first.
fn divided(part: Range<usize>, smaller: usize) -> Vec<Range<usize>> {
    let length = part.len().div_ceil(smaller).max(1);
    let starts = part.clone().step_by(length);
    let mut parts: Vec<Range<usize>> =
        starts.map(|start| start..(start + length).min(part.end)).collect();
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_all_of_it_and_the_first_is_taken_first() {
        assert_eq!(divided(0..5, 2), [3..5, 0..3]);
        assert_eq!(divided(4..6, 2), [5..6, 4..5]);
        assert_eq!(divided(0..3, 4), [2..3, 1..2, 0..1]);
        assert_eq!(divided(0..100, 4), [75..100, 50..75, 25..50, 0..25]);
    }
}
