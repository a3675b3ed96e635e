//! Puts a batch that is to be settled together as its calls take it.

use std::iter;
use std::time::Duration;

use serde::Serialize;

use crate::job::policy::{Ending, Keep};
use crate::job::stored::is_counted;
use crate::life::claim::ClaimedJob;
use crate::life::parts::next_call;
use crate::life::settlement::Settlement;
use batchmq_redis::hex;

/// Bytes of results, reasons and ids a call at most, unless a job alone has more. In a request to Upstash, which
/// refuses those over 10 MB, a quote inside of a result is four bytes.
const MOST_BYTES: usize = 1_250_000;

#[derive(Serialize)]
#[serde(tag = "act", rename_all = "lowercase")]
pub(super) enum Act {
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
pub(super) struct Item<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    /// The id in hexadecimal, where JSON cannot carry it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    /// A parent may have to hear of it.
    kin: bool,
    #[serde(flatten)]
    pub(super) act: Act,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deid: Option<&'a str>,
    last: bool,
}

impl Item<'_> {
    /// How long what another producer chose the length of is, in bytes.
    fn bytes(&self) -> usize {
        let texts = [self.id, self.hex.as_deref(), self.deid];
        self.act.bytes() + texts.into_iter().flatten().map(str::len).sum::<usize>()
    }
}

/// A batch as its calls take it: what is settled in each, with the jobs' places, and what is kept.
pub(super) struct Plan<'a> {
    pub(super) calls: Vec<Vec<(usize, Item<'a>)>>,
    pub(super) kept: Vec<(usize, &'a ClaimedJob, Duration)>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(jobs: &'a [(ClaimedJob, Settlement)]) -> Self {
        let (mut items, mut kept) = (Vec::new(), Vec::new());
        for (place, (job, settlement)) in jobs.iter().enumerate() {
            if let Settlement::Keep { lock } = settlement {
                kept.push((place, job, *lock));
            } else if let Some(item) = item(job, settlement) {
                items.push((place, item));
            }
        }
        let mut items = items.into_iter().peekable();
        let bytes = |(_, item): &(usize, Item<'_>)| item.bytes();
        let calls = iter::repeat_with(|| next_call(&mut items, bytes, jobs.len(), MOST_BYTES));
        let calls = calls.take_while(|call| !call.is_empty()).collect();
        Self { calls, kept }
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
