//! Sends a batch: as a whole, and in parts where the receiver cannot take it so.

use std::ops::Range;
use std::time::Duration;

use batchmq::{ClaimedJob, Settlement};
use batchmq_engine::Context;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::answer::ends;
use crate::error::Error;
use crate::exchange::Said;
use crate::forward::Forward;
use crate::request::Request;

/// Requests to the receiver, as a report counts them.
pub(crate) const REQUESTS: &str = "requests";

/// Milliseconds that requests took, as a report counts them.
pub(crate) const REQUEST_MS: &str = "requestMs";

/// Jobs that fail alone, one after the other and with no answer between them, until the receiver is taken
/// to be broken rather than the jobs to be bad.
const MOST_FAILED_ALONE: usize = 3;

/// How long a receiver that is taken to be broken is left alone.
const REST: Duration = Duration::from_secs(30);

/// Why a job fails alone over which a connection breaks.
const BROKEN: &str = "The receiver broke the connection";

/// How long before the batch must be done the last answer is waited for: time to say what came before it.
const RESERVE: Duration = Duration::from_millis(300);

/// The shortest time that is worth a request.
const LEAST: Duration = Duration::from_millis(700);

/// How long an answer is waited for once the end was asked for. What takes longer than 5 s then goes back as
/// a whole.
const LAST_WAIT: Duration = Duration::from_secs(4);

/// A batch under way.
pub(crate) struct Batch<'a> {
    forward: &'a Forward,
    context: &'a Context<'a>,
    jobs: &'a [&'a ClaimedJob],
    /// How each ends; `None` for what goes back.
    pub(crate) ends: Vec<Option<Settlement>>,
    failed_alone: usize,
    /// Whether the receiver has answered any request of this batch.
    is_answered: bool,
    /// The last part that failed, since the last answer: one of its jobs may have taken the receiver down.
    suspect: Option<Range<usize>>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        forward: &'a Forward,
        context: &'a Context<'a>,
        jobs: &'a [&'a ClaimedJob],
    ) -> Self {
        let ends = vec![None; jobs.len()];
        Self { forward, context, jobs, ends, failed_alone: 0, is_answered: false, suspect: None }
    }

    /// Sends all of it. Ends early when the time is up or the receiver takes no more; an error says why no
    /// job can be forwarded now.
    pub(crate) async fn run(&mut self) -> Result<(), Error> {
        let whole = 0..self.jobs.len();
        let mut parts = vec![whole];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let most = self.forward.most();
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
                Said::Closed(Error::Refuses(status)) if self.forward.is_trusted() => {
                    if part.len() > 1 {
                        self.forward.shrink(part.len() / 2);
                        return Err(Error::Refuses(status));
                    }
                    self.forward.trust_less();
                    (1, format!("The receiver answered with status {status}"))
                }
                Said::Closed(error) => {
                    if matches!(error, Error::Unreachable(_)) {
                        self.accuse();
                    }
                    return Err(error);
                }
                Said::Busy { status, rest } => {
                    if status == 503 {
                        self.accuse();
                    }
                    if let Some(rest) = rest {
                        self.forward.rest(rest);
                    }
                    return Err(Error::Busy(status));
                }
                Said::TooLarge => {
                    self.forward.shrink(part.len() / 2);
                    (2, "The receiver refuses the job as too large (413)".to_owned())
                }
                Said::Failed(reason) => {
                    self.suspect = Some(part.clone());
                    (2, reason)
                }
                Said::Broken => {
                    self.suspect = Some(part.clone());
                    (2, BROKEN.to_owned())
                }
                Said::Late => {
                    // It did not have the time that it is promised: it is not to blame.
                    if timeout < self.forward.exchange.options().timeout {
                        continue;
                    }
                    self.forward.shrink(part.len() / 4);
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
    async fn send(&mut self, part: &Range<usize>, timeout: Duration) -> Option<Said> {
        let until = Instant::now() + timeout;
        let said = self.send_once(part, timeout).await?;
        let left = until.saturating_duration_since(Instant::now());
        if !matches!(said, Said::Broken) || left < LEAST {
            return Some(said);
        }
        self.suspect = Some(part.clone());
        match self.send_once(part, left).await? {
            // What was left is no whole time, so the size is not to blame.
            Said::Late if timeout == self.forward.exchange.options().timeout => Some(Said::Broken),
            said => Some(said),
        }
    }

    /// The receiver is gone right after a part failed: one of its jobs may have taken it down, and would do
    /// so in every batch. Fewer of them go together the next time, and one that was alone has failed.
    fn accuse(&mut self) {
        let Some(part) = self.suspect.take() else { return };
        if part.len() > 1 {
            self.forward.shrink(part.len() / 2);
        } else {
            self.ends[part.start].get_or_insert_with(|| Settlement::Failed(BROKEN.to_owned()));
        }
    }

    async fn send_once(&self, part: &Range<usize>, timeout: Duration) -> Option<Said> {
        let (exchange, context) = (&self.forward.exchange, self.context);
        let now_ms = exchange.options().clock.now_ms();
        let jobs = &self.jobs[part.clone()];
        let request = Request::new(&context.queue().name, context.claim(), jobs, now_ms, timeout);
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
            warn!(
                entries = read.unknown,
                "the receiver's answer is about jobs that it was not sent"
            );
        }
        for (end, settlement) in self.ends[part.clone()].iter_mut().zip(read.settlements) {
            *end = Some(settlement);
        }
        self.is_answered = true;
        self.suspect = None;
        if read.is_answer {
            self.forward.trust();
        }
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
