//! Settling: a batch of claimed jobs ends, each in its own way.

use std::time::Duration;

use serde::Serialize;

use crate::answer::strings;
use crate::clock::millis;
use crate::error::Error;
use crate::job::policy::{Ending, Keep};
use crate::job::stored::is_counted;
use crate::life::claim::{self, Claim, ClaimRequest, ClaimedJob};
use crate::look::peek::Occupied;
use crate::options::Events;
use crate::queue::Queue;
use crate::script::library::SETTLE;
use crate::script::replay::nonce;
use batchmq_redis::{Value, hex};

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
#[derive(Clone, Debug, Default)]
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
    jobs: &'a [Item<'a>],
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

impl Queue {
    /// Settles jobs that were claimed under `token`, in one round trip.
    ///
    /// # Errors
    /// [`Error::Redis`]. When the answer is lost, the call is repeated and answers the same.
    pub async fn settle(
        &self,
        token: &str,
        jobs: &[(ClaimedJob, Settlement)],
    ) -> Result<Settled, Error> {
        if jobs.is_empty() {
            return Ok(Settled::default());
        }
        let (keys, items) = self.prepare(jobs);
        let answer = self
            .run(&SETTLE, &keys, |again| Call {
                events: self.options.events,
                settle: self.settle_args(token, &items, again),
                claim: None,
            })
            .await?;
        match answer.as_slice() {
            [codes, requeued, missing, left] => settled(&items, codes, requeued)
                .zip(strings(missing))
                .zip(left.as_int())
                .map(|((settled, missing), left)| {
                    let occupied = (left >= 0).then(|| Occupied::of(left));
                    Settled { missing, occupied, ..settled }
                }),
            _ => None,
        }
        .ok_or(Error::Protocol(SETTLE.name))
    }

    /// Settles one batch and claims the next, in one round trip.
    ///
    /// # Errors
    /// As [`Queue::settle`] and [`Queue::claim`].
    pub async fn settle_and_claim(
        &self,
        token: &str,
        jobs: &[(ClaimedJob, Settlement)],
        request: ClaimRequest,
    ) -> Result<(Settled, Claim), Error> {
        if jobs.is_empty() {
            return Ok((Settled::default(), self.claim(request).await?));
        }
        let next = nonce();
        let (keys, items) = self.prepare(jobs);
        let answer = self
            .run(&SETTLE, &keys, |again| Call {
                events: self.options.events,
                settle: self.settle_args(token, &items, again),
                claim: Some(self.claim_args(&next, request, again)),
            })
            .await?;
        let (settled, claim) = match answer.as_slice() {
            [codes, requeued, missing, jobs, status, ms, more] => settled(&items, codes, requeued)
                .zip(claim::parse(next, missing, [jobs, status, ms, more])),
            _ => None,
        }
        .ok_or(Error::Protocol(SETTLE.name))?;
        Ok((settled, self.keep_schedules(claim).await))
    }

    fn settle_args<'a>(&self, token: &'a str, jobs: &'a [Item<'a>], again: bool) -> Args<'a> {
        Args {
            token,
            jobs,
            receipt_ms: millis(self.options.lock),
            again,
            metrics: Some(self.options.metrics_minutes).filter(|minutes| *minutes > 0),
        }
    }

    /// The items of a settle call, and the keys that it declares. The script makes these names
    /// itself, of ids that JSON can carry and of others.
    fn prepare<'a>(&self, jobs: &'a [(ClaimedJob, Settlement)]) -> (Vec<String>, Vec<Item<'a>>) {
        let mut keys = self.keys.fixed(&nonce());
        for suffix in ["", ":lock", ":dependencies", ":unsuccessful"] {
            let named = jobs.iter().filter(|(job, _)| job.raw_id.is_none());
            keys.extend(named.map(|(job, _)| self.keys.of(&format!("{}{suffix}", job.id))));
        }
        for id in jobs.iter().filter_map(|(job, _)| job.deduplication_id.as_ref()) {
            keys.push(self.keys.of(&format!("de:{id}")));
            keys.push(self.keys.of(&format!("dn:{id}")));
        }
        (keys, jobs.iter().map(|(job, settlement)| item(job, settlement)).collect())
    }
}

/// Whether a parent may have to hear of this job. A job can be given a parent while it is active, but
/// only by adding its custom id again, and BullMQ takes no counted one as such.
fn may_have_kin(job: &ClaimedJob) -> bool {
    job.parent_key.is_some() || !is_counted(&job.id)
}

fn item<'a>(job: &'a ClaimedJob, settlement: &'a Settlement) -> Item<'a> {
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
    };
    Item {
        id: job.raw_id.is_none().then_some(&job.id),
        hex: job.raw_id.as_deref().map(hex),
        kin: may_have_kin(job),
        act,
        deid: job.deduplication_id.as_deref(),
        last: job.opts.keep_last_if_active,
    }
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

fn settled(items: &[Item<'_>], codes: &Value, requeued: &Value) -> Option<Settled> {
    let codes = codes.as_array()?;
    (codes.len() == items.len()).then_some(())?;
    let codes = items
        .iter()
        .zip(codes)
        .map(|(item, code)| {
            Some(match (code.as_int()?, &item.act) {
                (0, Act::Complete { .. }) => Code::Completed,
                (0, Act::Fail { .. }) => Code::Failed,
                (0, Act::Retry { .. }) => Code::Retried,
                (0, Act::Release { .. } | Act::Postpone { .. }) => Code::Released,
                (code, _) => Code::Refused(code),
            })
        })
        .collect::<Option<_>>()?;
    Some(Settled { codes, requeued: u64::try_from(requeued.as_int()?).ok()?, ..Settled::default() })
}
