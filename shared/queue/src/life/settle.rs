//! Settling: a batch of claimed jobs ends, each in its own way.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::answer::strings;
use crate::clock::millis;
use crate::error::Error;
use crate::job::policy::{Ending, Keep};
use crate::job::stored::is_counted;
use crate::life::claim::{self, Claim, ClaimRequest, ClaimedJob};
use crate::life::enqueue::cuts;
use crate::look::peek::Occupied;
use crate::options::Events;
use crate::queue::Queue;
use crate::script::library::SETTLE;
use crate::script::replay::nonce;
use batchmq_redis::{Value, hex};

/// BullMQ's code for a job without the lock that it was claimed under.
const NO_LOCK: i64 = -2;

/// Bytes of results and reasons a call at most, unless a job alone has more. In a request to Upstash, which
/// refuses those over 10 MB, a quote inside of a result is four bytes.
const MOST_BYTES: usize = 1_250_000;

/// How one job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// It worked; the return value as JSON text.
    Complete(String),
    /// It did not work; its own options decide whether it is tried again.
    Failed(String),
    /// It did not work, and is tried again after so long instead of after its backoff; once its
    /// attempts are used up it fails.
    RetryAfter {
        /// Why it did not work.
        reason: String,
        /// Until the next try.
        wait: Duration,
    },
    /// It can never work: no more tries, whatever its options say.
    Unrecoverable(String),
    /// It was not begun: it goes back to the front of the queue and no attempt is counted.
    Release,
    /// It could not be done now, and it is not to blame: it goes to the back of the queue, so that
    /// what cannot be done holds up nothing else, and no attempt is counted.
    Postpone,
    /// It has not ended: somebody else works on it by now, and settles or renews it under the same token.
    /// It stays active, and its lock lives so long from now on, unless it is not ours any more.
    Keep {
        /// How long its lock is to live.
        lock: Duration,
    },
}

/// What Redis said to one settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Completed.
    Completed,
    /// Failed for good.
    Failed,
    /// Waits for another try.
    Retried,
    /// Waits again, no attempt counted.
    Released,
    /// Still active, under its claim's token.
    Kept,
    /// Not settled, by BullMQ's code: -4 or -9, it must not complete (see [`Code::instead`]); others,
    /// the job is not ours any more and its result is dropped.
    Refused(i64),
}

impl Code {
    /// How a job is to end that was to complete and is refused over its children: as with a BullMQ
    /// worker, which meets the refusal as an error of the job. `None` for every other code.
    pub fn instead(self, id: &str) -> Option<Settlement> {
        match self {
            Self::Refused(-4) => Some(Settlement::Failed(format!(
                "Job {id} has pending dependencies. moveToFinished"
            ))),
            Self::Refused(-9) => Some(Settlement::Unrecoverable(format!(
                "Cannot complete job {id} because it has at least one failed child. moveToFinished"
            ))),
            _ => None,
        }
    }
}

/// What became of a batch.
///
/// ```no_run
/// use batchmq::{Claim, Code, Error, Queue, Settlement};
///
/// # async fn example(queue: &Queue, claim: Claim) -> Result<(), Error> {
/// let end = |job| (job, Settlement::Complete("null".to_owned()));
/// let jobs: Vec<_> = claim.jobs.into_iter().map(end).collect();
/// let settled = queue.settle(&claim.token, &jobs).await?;
/// for ((job, _), code) in jobs.iter().zip(settled.codes) {
///     match code.instead(&job.id) {
///         Some(other) => println!("{} may not complete: {other:?}", job.id),
///         None => println!("{}: {}", job.id, code == Code::Completed),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Settled {
    /// One a job, in order.
    pub codes: Vec<Code>,
    /// Jobs that a duplicate had asked for while theirs was active; they wait now.
    pub requeued: u64,
    /// Ids that fell due without a job behind them, found on the way; they are gone from the queue.
    pub missing: Vec<String>,
    /// Which states hold jobs afterwards, as [`Queue::peek`] tells it but for schedulers, where that
    /// takes no command more: a call that claims nothing, of up to ten jobs that all completed, that
    /// have no parents, and after which nothing is to be added. `None` where it is not known.
    pub occupied: Option<Occupied>,
}

#[derive(Serialize)]
#[serde(tag = "act", rename_all = "lowercase")]
enum Act {
    Complete { value: String, keep: Keep, atm: u32 },
    Fail { value: String, stack: String, keep: Keep, atm: u32, attempts: f64 },
    Retry { value: String, stack: String, atm: u32, delay: f64, lifo: bool },
    Release {},
    Postpone {},
}

impl Act {
    /// How long what it writes is, in bytes.
    fn bytes(&self) -> usize {
        match self {
            Self::Complete { value, .. } => value.len(),
            Self::Fail { value, stack, .. } | Self::Retry { value, stack, .. } => {
                value.len() + stack.len()
            }
            Self::Release {} | Self::Postpone {} => 0,
        }
    }
}

#[derive(Serialize)]
struct Item<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    /// The id in hexadecimal, where JSON cannot carry it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    /// A parent may have to hear of it.
    kin: bool,
    #[serde(flatten)]
    act: Act,
    #[serde(skip_serializing_if = "Option::is_none")]
    deid: Option<&'a str>,
    last: bool,
}

#[derive(Serialize)]
struct Args<'a> {
    token: &'a str,
    jobs: &'a [&'a Item<'a>],
    #[serde(rename = "receiptMs")]
    receipt_ms: u64,
    again: bool,
    /// For how many minutes metrics are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<u32>,
}

#[derive(Serialize)]
struct Call<'a> {
    events: Events,
    settle: Args<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<claim::Args<'a>>,
}

/// A batch as its calls take it: what is settled in each, with the jobs' places, and what is kept.
struct Plan<'a> {
    calls: Vec<Vec<(usize, Item<'a>)>>,
    kept: Vec<(usize, &'a ClaimedJob, Duration)>,
}

impl<'a> Plan<'a> {
    fn new(jobs: &'a [(ClaimedJob, Settlement)]) -> Self {
        let (mut items, mut kept, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        for (place, (job, settlement)) in jobs.iter().enumerate() {
            if let Settlement::Keep { lock } = settlement {
                kept.push((place, job, *lock));
            } else if let Some(item) = item(job, settlement) {
                sizes.push(item.act.bytes());
                items.push((place, item));
            }
        }
        let mut items = items.into_iter();
        let calls = cuts(&sizes, jobs.len(), MOST_BYTES);
        let calls = calls.map(|count| items.by_ref().take(count).collect()).collect();
        Self { calls, kept }
    }
}

impl Queue {
    /// Settles jobs that were claimed under `token`: in one round trip, and one more for those that are
    /// kept and for every 1.25 MB of results.
    ///
    /// # Errors
    /// [`Error::Redis`]. When the answer is lost, the call is repeated and answers the same.
    pub async fn settle(
        &self,
        token: &str,
        jobs: &[(ClaimedJob, Settlement)],
    ) -> Result<Settled, Error> {
        let Plan { calls, kept } = Plan::new(jobs);
        let mut settled = self.keep(token, jobs.len(), &kept).await?;
        for items in &calls {
            self.settle_call(token, items, &mut settled).await?;
        }
        Ok(settled)
    }

    /// Settles one batch and claims the next, in as many round trips as settling takes.
    ///
    /// # Errors
    /// As [`Queue::settle`] and [`Queue::claim`].
    pub async fn settle_and_claim(
        &self,
        token: &str,
        jobs: &[(ClaimedJob, Settlement)],
        request: ClaimRequest,
    ) -> Result<(Settled, Claim), Error> {
        let Plan { mut calls, kept } = Plan::new(jobs);
        let last = calls.pop();
        let mut settled = self.keep(token, jobs.len(), &kept).await?;
        for items in &calls {
            self.settle_call(token, items, &mut settled).await?;
        }
        let Some(last) = last else { return Ok((settled, self.claim(request).await?)) };
        let next = nonce();
        let (keys, items) = (self.settle_keys(&last), last.iter().map(|(_, item)| item).collect());
        let answer = self
            .run(&SETTLE, &keys, |again| Call {
                events: self.options.events,
                settle: self.settle_args(token, &items, again),
                claim: Some(self.claim_args(&next, request, again)),
            })
            .await?;
        let claim = match answer.as_slice() {
            [codes, requeued, missing, jobs, status, ms, more] => settled
                .note(&last, codes, requeued)
                .and_then(|()| claim::parse(next, missing, [jobs, status, ms, more])),
            _ => None,
        }
        .ok_or(Error::Protocol(SETTLE.name))?;
        Ok((settled, self.keep_schedules(claim).await))
    }

    async fn settle_call(
        &self,
        token: &str,
        call: &[(usize, Item<'_>)],
        settled: &mut Settled,
    ) -> Result<(), Error> {
        let (keys, items) = (self.settle_keys(call), call.iter().map(|(_, item)| item).collect());
        let answer = self
            .run(&SETTLE, &keys, |again| Call {
                events: self.options.events,
                settle: self.settle_args(token, &items, again),
                claim: None,
            })
            .await?;
        let missing = match answer.as_slice() {
            [codes, requeued, missing, left] => {
                let left = left.as_int().ok_or(Error::Protocol(SETTLE.name))?;
                settled.occupied = (left >= 0).then(|| Occupied::of(left));
                settled.note(call, codes, requeued).and_then(|()| strings(missing))
            }
            _ => None,
        };
        settled.missing.extend(missing.ok_or(Error::Protocol(SETTLE.name))?);
        Ok(())
    }

    /// Renews the locks of the jobs that are kept, of a batch of `count`. A job whose id is not UTF-8
    /// keeps the lock that it has.
    async fn keep(
        &self,
        token: &str,
        count: usize,
        kept: &[(usize, &ClaimedJob, Duration)],
    ) -> Result<Settled, Error> {
        let mut codes = vec![Code::Kept; count];
        let mut by_lock: BTreeMap<Duration, Vec<usize>> = BTreeMap::new();
        for (at, (_, job, lock)) in kept.iter().enumerate() {
            if job.raw_id.is_none() {
                by_lock.entry(*lock).or_default().push(at);
            }
        }
        for (lock, places) in by_lock {
            let ids: Vec<String> = places.iter().map(|at| kept[*at].1.id.clone()).collect();
            let lost = self.renew_for(token, &ids, lock).await?;
            for at in places {
                if lost.contains(&kept[at].1.id) {
                    codes[kept[at].0] = Code::Refused(NO_LOCK);
                }
            }
        }
        Ok(Settled { codes, ..Settled::default() })
    }

    fn settle_args<'a>(
        &self,
        token: &'a str,
        jobs: &'a Vec<&'a Item<'a>>,
        again: bool,
    ) -> Args<'a> {
        Args {
            token,
            jobs,
            receipt_ms: millis(self.options.lock),
            again,
            metrics: Some(self.options.metrics_minutes).filter(|minutes| *minutes > 0),
        }
    }

    /// The keys that a settle call declares. The script makes these names itself, of ids that JSON can
    /// carry and of others.
    fn settle_keys(&self, call: &[(usize, Item<'_>)]) -> Vec<String> {
        let mut keys = self.keys.fixed(&nonce());
        for suffix in ["", ":lock", ":dependencies", ":unsuccessful"] {
            let ids = call.iter().filter_map(|(_, item)| item.id);
            keys.extend(ids.map(|id| self.keys.of(&format!("{id}{suffix}"))));
        }
        for id in call.iter().filter_map(|(_, item)| item.deid) {
            keys.push(self.keys.of(&format!("de:{id}")));
            keys.push(self.keys.of(&format!("dn:{id}")));
        }
        keys
    }
}

impl Settled {
    /// Notes what the script said to the jobs of one call. `None` where that is no answer to it.
    fn note(&mut self, call: &[(usize, Item<'_>)], codes: &Value, requeued: &Value) -> Option<()> {
        let codes = codes.as_array()?;
        (codes.len() == call.len()).then_some(())?;
        for ((place, item), code) in call.iter().zip(codes) {
            *self.codes.get_mut(*place)? = match (code.as_int()?, &item.act) {
                (0, Act::Complete { .. }) => Code::Completed,
                (0, Act::Fail { .. }) => Code::Failed,
                (0, Act::Retry { .. }) => Code::Retried,
                (0, Act::Release { .. } | Act::Postpone { .. }) => Code::Released,
                (code, _) => Code::Refused(code),
            };
        }
        self.requeued += u64::try_from(requeued.as_int()?).ok()?;
        Some(())
    }
}

/// Whether a parent may have to hear of this job. A job can be given a parent while it is active, but
/// only by adding its custom id again, and BullMQ takes no counted one as such.
fn may_have_kin(job: &ClaimedJob) -> bool {
    job.parent_key.is_some() || !is_counted(&job.id)
}

/// What the script is told of a job; nothing of one that is kept.
fn item<'a>(job: &'a ClaimedJob, settlement: &'a Settlement) -> Option<Item<'a>> {
    let atm = job.attempts_counted.saturating_add(1);
    let attempt = job.attempts_made.saturating_add(1);
    let act = match settlement {
        Settlement::Complete(value) => {
            Act::Complete { value: value.clone(), keep: job.opts.remove_on_complete, atm }
        }
        Settlement::Failed(reason) => {
            failed(job, reason, atm, job.opts.after_failure(attempt, rand::random()))
        }
        Settlement::RetryAfter { reason, wait } => {
            failed(job, reason, atm, job.opts.after_failure_for(attempt, *wait))
        }
        Settlement::Unrecoverable(reason) => fail(job, reason, atm),
        Settlement::Release => Act::Release {},
        Settlement::Postpone => Act::Postpone {},
        Settlement::Keep { .. } => return None,
    };
    Some(Item {
        id: job.raw_id.is_none().then_some(&job.id),
        hex: job.raw_id.as_deref().map(hex),
        kin: may_have_kin(job),
        act,
        deid: job.deduplication_id.as_deref(),
        last: job.opts.keep_last_if_active,
    })
}

fn failed(job: &ClaimedJob, reason: &str, atm: u32, ending: Ending) -> Act {
    match ending {
        Ending::Retry(delay) => Act::Retry {
            value: reason.to_owned(),
            stack: stack(job, reason),
            atm,
            delay,
            lifo: job.opts.lifo,
        },
        Ending::Fail => fail(job, reason, atm),
    }
}

fn fail(job: &ClaimedJob, reason: &str, atm: u32) -> Act {
    Act::Fail {
        value: reason.to_owned(),
        stack: stack(job, reason),
        keep: job.opts.remove_on_fail,
        atm,
        attempts: job.opts.attempts,
    }
}

fn stack(job: &ClaimedJob, reason: &str) -> String {
    let entries = job.opts.stacktrace(job.stacktrace.clone(), format!("Error: {reason}"));
    serde_json::Value::from(entries).to_string()
}
