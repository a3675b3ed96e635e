//! Settles: a batch of claimed jobs ends, each in its own way.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::answer::strings;
use crate::clock::millis;
use crate::error::Error;
use crate::life::claim::{self, Claim, ClaimRequest, ClaimedJob};
use crate::life::plan::{Act, Item, Plan};
use crate::life::settlement::{Code, Settled, Settlement};
use crate::look::peek::Occupied;
use crate::options::Events;
use crate::queue::Queue;
use crate::script::library::SETTLE;
use crate::script::replay::nonce;
use batchmq_redis::Value;

/// The longest id of which keys are declared, in bytes. Each of them repeats the id, of which there is one in
/// what the script gets: an id of a megabyte, settled alone, fits into a request to Upstash.
const LONGEST_DECLARED: usize = 1_000;

/// BullMQ's code for a job without the lock that it was claimed under.
const NO_LOCK: i64 = -2;

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
        // The claim comes after what earlier calls left.
        settled.occupied = None;
        let next = nonce();
        let (keys, items) = self.settle_parts(&last);
        let answer = self
            .run(&SETTLE, &keys, |again| Call {
                events: self.options.events,
                settle: self.settle_args(token, &items, again),
                claim: Some(self.claim_args(&next, request, again)),
            })
            .await?;
        let claim = match answer.as_slice() {
            [codes, requeued, missing, jobs, status, ms, more, settings @ ..] => settled
                .note(&last, codes, requeued)
                .and_then(|()| self.read_claim(next, missing, [jobs, status, ms, more], settings)),
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
        let (keys, items) = self.settle_parts(call);
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

    fn settle_args<'a>(&self, token: &'a str, jobs: &'a [&'a Item<'a>], again: bool) -> Args<'a> {
        Args {
            token,
            jobs,
            receipt_ms: millis(self.options.lock),
            again,
            metrics: Some(self.options.metrics_minutes).filter(|minutes| *minutes > 0),
        }
    }

    /// The keys that a settle call declares, and its items. The script makes these names itself, of ids
    /// that JSON can carry and of others, of short ones and of long ones.
    fn settle_parts<'a>(&self, call: &'a [(usize, Item<'a>)]) -> (Vec<String>, Vec<&'a Item<'a>>) {
        let is_short = |id: &&str| id.len() <= LONGEST_DECLARED;
        let mut keys = self.keys.fixed(&nonce());
        for suffix in ["", ":lock", ":dependencies", ":unsuccessful"] {
            let ids = call.iter().filter_map(|(_, item)| item.id).filter(is_short);
            keys.extend(ids.map(|id| self.keys.of(&format!("{id}{suffix}"))));
        }
        for id in call.iter().filter_map(|(_, item)| item.deid).filter(is_short) {
            keys.push(self.keys.of(&format!("de:{id}")));
            keys.push(self.keys.of(&format!("dn:{id}")));
        }
        (keys, call.iter().map(|(_, item)| item).collect())
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
