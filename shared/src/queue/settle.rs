//! Settling: a batch of claimed jobs ends, each in its own way.

use serde::Serialize;

use super::claim::{self, Claim, ClaimRequest, ClaimedJob};
use super::options::is_counted;
use super::policy::{Ending, Keep};
use super::replay::nonce;
use super::scripts::{
    Lazy, SETTLE, SETTLE_AND_CLAIM, SETTLE_AND_CLAIM_PLAIN, SETTLE_KIN, SETTLE_PLAIN,
};
use super::{Error, Queue, strings};
use crate::clock::millis;
use crate::config::Events;
use crate::redis::Value;

/// How one job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// It worked; the return value as JSON text.
    Complete(String),
    /// It did not work; its own options decide whether it is tried again.
    Failed(String),
    /// It can never work: no more tries, whatever its options say.
    Unrecoverable(String),
    /// It was not tried: it goes back to the front of the queue and no attempt is counted.
    Release,
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
}

#[derive(Serialize)]
#[serde(tag = "act", rename_all = "lowercase")]
enum Act {
    Complete { value: String, keep: Keep, atm: u32 },
    Fail { value: String, stack: String, keep: Keep, atm: u32, attempts: f64 },
    Retry { value: String, stack: String, atm: u32, delay: f64, lifo: bool },
    Release {},
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
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
    /// A claim follows in a call of its own.
    more: bool,
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
        self.settle_only(token, jobs, false).await
    }

    async fn settle_only(
        &self,
        token: &str,
        jobs: &[(ClaimedJob, Settlement)],
        more: bool,
    ) -> Result<Settled, Error> {
        if jobs.is_empty() {
            return Ok(Settled::default());
        }
        let (keys, items) = self.prepare(jobs);
        let script: &'static Lazy = if may_have_kin(jobs, &items) {
            &SETTLE_KIN
        } else if is_deduplicated(&items) || self.config.metrics_minutes > 0 {
            &SETTLE
        } else {
            &SETTLE_PLAIN
        };
        let answer = self
            .run(
                |_| script,
                &keys,
                |again| Call {
                    events: self.config.events,
                    settle: Args { more, ..self.settle_args(token, &items, again) },
                    claim: None,
                },
            )
            .await?;
        match answer.as_slice() {
            [codes, requeued, missing] => settled(&items, codes, requeued)
                .zip(strings(missing))
                .map(|(settled, missing)| Settled { missing, ..settled }),
            _ => None,
        }
        .ok_or(Error::Protocol(script.name))
    }

    /// Settles one batch and claims the next, in one round trip; in two when a job of the batch may
    /// belong to a flow.
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
        if may_have_kin(jobs, &items) {
            let settled = self.settle_only(token, jobs, true).await?;
            return Ok((settled, self.claim(request).await?));
        }
        let full = request.delayed
            || is_deduplicated(&items)
            || !all_complete(&items)
            || self.config.metrics_minutes > 0;
        // Only the full script knows how to find what a first run claimed.
        let script = |again| -> &'static Lazy {
            if full || again { &SETTLE_AND_CLAIM } else { &SETTLE_AND_CLAIM_PLAIN }
        };
        let answer = self
            .run(script, &keys, |again| Call {
                events: self.config.events,
                settle: self.settle_args(token, &items, again),
                claim: Some(self.claim_args(&next, request, again)),
            })
            .await?;
        let (settled, claim) = match answer.as_slice() {
            [codes, requeued, claimed @ ..] => {
                settled(&items, codes, requeued).zip(claim::parse(next, claimed))
            }
            _ => None,
        }
        .ok_or(Error::Protocol(SETTLE_AND_CLAIM.name))?;
        Ok((settled, self.keep_schedules(claim).await))
    }

    fn settle_args<'a>(&self, token: &'a str, jobs: &'a [Item<'a>], again: bool) -> Args<'a> {
        Args {
            token,
            jobs,
            receipt_ms: millis(self.config.lock),
            again,
            more: false,
            metrics: Some(self.config.metrics_minutes).filter(|minutes| *minutes > 0),
        }
    }

    /// The keys and the items of a settle call.
    fn prepare<'a>(&self, jobs: &'a [(ClaimedJob, Settlement)]) -> (Vec<String>, Vec<Item<'a>>) {
        let mut keys = self.keys.fixed(&nonce());
        for suffix in ["", ":lock", ":dependencies", ":unsuccessful"] {
            keys.extend(jobs.iter().map(|(job, _)| self.keys.of(&format!("{}{suffix}", job.id))));
        }
        for id in jobs.iter().filter_map(|(job, _)| job.deduplication_id.as_ref()) {
            keys.push(self.keys.of(&format!("de:{id}")));
            keys.push(self.keys.of(&format!("dn:{id}")));
        }
        (keys, jobs.iter().map(|(job, settlement)| item(job, settlement)).collect())
    }
}

fn is_deduplicated(items: &[Item<'_>]) -> bool {
    items.iter().any(|item| item.deid.is_some())
}

fn all_complete(items: &[Item<'_>]) -> bool {
    items.iter().all(|item| matches!(item.act, Act::Complete { .. }))
}

/// Whether a parent may have to hear of this batch. A job can be given a parent while it is active,
/// but only by adding its custom id again, and BullMQ takes no counted one as such. And a failed job
/// that retention evicts may still stand in its parent's dependencies.
fn may_have_kin(jobs: &[(ClaimedJob, Settlement)], items: &[Item<'_>]) -> bool {
    jobs.iter().any(|(job, _)| job.parent_key.is_some() || !is_counted(&job.id))
        || items.iter().any(|item| match &item.act {
            Act::Fail { keep, .. } => keep.count > 0 || keep.age.is_some(),
            _ => false,
        })
}

fn item<'a>(job: &'a ClaimedJob, settlement: &'a Settlement) -> Item<'a> {
    let atm = job.attempts_counted.saturating_add(1);
    let attempt = job.attempts_made.saturating_add(1);
    let act = match settlement {
        Settlement::Complete(value) => {
            Act::Complete { value: value.clone(), keep: job.opts.remove_on_complete, atm }
        }
        Settlement::Failed(reason) => match job.opts.after_failure(attempt, rand::random()) {
            Ending::Retry(delay) => Act::Retry {
                value: reason.clone(),
                stack: stack(job, reason),
                atm,
                delay,
                lifo: job.opts.lifo,
            },
            Ending::Fail => fail(job, reason, atm),
        },
        Settlement::Unrecoverable(reason) => fail(job, reason, atm),
        Settlement::Release => Act::Release {},
    };
    Item {
        id: &job.id,
        act,
        deid: job.deduplication_id.as_deref(),
        last: job.opts.keep_last_if_active,
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
                (0, Act::Release { .. }) => Code::Released,
                (code, _) => Code::Refused(code),
            })
        })
        .collect::<Option<_>>()?;
    Some(Settled { codes, requeued: u64::try_from(requeued.as_int()?).ok()?, ..Settled::default() })
}
