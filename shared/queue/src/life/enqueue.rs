//! Adds jobs, many in one call.

use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt as _, StreamExt as _};
use serde::Serialize;
use tokio::sync::Mutex;
use tracing::warn;

use crate::answer::strings;
use crate::clock::millis;
use crate::error::Error;
use crate::job::new::{Added, Enqueued, NewJob, Outcome};
use crate::job::stored::refusal;
use crate::keys::receipt_of_key;
use crate::life::parts::{FRAME_BYTES, MOST_BYTES, Part, Parts, Run, Wired, most_bytes};
use crate::life::recover;
use crate::options::Events;
use crate::queue::Queue;
use crate::script::library::ENQUEUE;
use batchmq_redis::Redis;

/// How long a receipt lives that only has to outlast a lost answer: milliseconds.
const REPLAY_MS: u64 = 300_000;

/// Calls that are put together or on their way at once: while Redis is at one, the next waits there, or here where it
/// might come first. What a third would add is only memory.
const READY: usize = 2;

/// How long a caller's idempotency key is honoured: 24 h in milliseconds.
pub(crate) const IDEMPOTENCY_MS: u64 = 86_400_000;

#[derive(Serialize)]
struct Call<'a> {
    events: bool,
    again: bool,
    /// A caller's own key: the answer is kept even where nothing was written.
    once: bool,
    /// Whether the call in front, whose receipt is the last key, was not answered yet.
    after: bool,
    #[serde(rename = "receiptMs")]
    receipt_ms: u64,
    /// The age up to which a holder of a deduplication id is not looked for.
    #[serde(rename = "trustMs")]
    trust_ms: u64,
    version: &'a str,
    kinds: &'a [Run<'a>],
}

impl Queue {
    /// Adds jobs, in order, in one round trip a chunk of 1,000 or about 5 MB; one answer per
    /// job, in order.
    ///
    /// # Errors
    /// [`Error::Invalid`] when BullMQ would refuse a job, or when a job alone is too long for a
    /// request; then nothing was written. [`Error::Redis`]: chunks before the failing one are in the queue, and none
    /// behind it, unless its answer was lost: then it may be there, and the one behind it, too.
    pub async fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<Added>, Error> {
        Ok(self.add(jobs, None).await?.added)
    }

    /// As [`Queue::enqueue`]; a second call with the same `key` within 24 hours adds nothing and
    /// answers what the first one did, whichever version asked. Pass the same jobs with it: the key alone is
    /// compared. Whoever takes keys from callers holds them to that by [`Queue::first_asked`].
    ///
    /// # Errors
    /// As [`Queue::enqueue`]; calling again with the same key then adds just what is missing.
    pub async fn enqueue_once(&self, jobs: &[NewJob], key: &str) -> Result<Vec<Added>, Error> {
        Ok(self.add(jobs, Some(key)).await?.added)
    }

    /// As [`Queue::enqueue`], or with a key as [`Queue::enqueue_once`], and tells whether somebody
    /// should be woken.
    ///
    /// # Errors
    /// As [`Queue::enqueue`].
    pub async fn add(&self, jobs: &[NewJob], key: Option<&str>) -> Result<Enqueued, Error> {
        for (index, job) in jobs.iter().enumerate() {
            if let Some(reason) = refusal(job) {
                return Err(Error::Invalid { index, reason });
            }
        }
        self.check_lengths(jobs)?;
        let now = self.clock.now_ms();
        // Under a key one by one, since another version may have cut the jobs otherwise.
        let ready = if key.is_none() { READY } else { 1 };
        let mut enqueued = Enqueued { added: Vec::with_capacity(jobs.len()), first: false };
        let mut parts = Parts::behind(0, jobs, &self.keys, key, now);
        let turn = Mutex::new(());
        let (mut answers, mut calls) = (FuturesOrdered::new(), 0);
        loop {
            let part =
                if answers.len() < ready { parts.next(self.redis.keeps_order())? } else { None };
            let answer = if let Some(part) = part {
                answers.push_back(self.send(part, &turn));
                // It is on its way before the next is put together.
                let answer = answers.next().now_or_never();
                tokio::task::yield_now().await;
                answer
            } else {
                Some(answers.next().await)
            };
            let Some(answer) = answer else { continue };
            let Some((part, answer)) = answer.transpose()? else { return Ok(enqueued) };
            let answer = match answer {
                Some(answer) => answer,
                // What is in front of it is done by now.
                None => self.add_part(&part, false).await?.ok_or(Error::Protocol(ENQUEUE.name))?,
            };
            calls += 1;
            let is_as_cut = answer.added.len() == part.jobs;
            enqueued.added.extend(answer.added);
            enqueued.first |= answer.first;
            if !is_as_cut {
                let left = &jobs[enqueued.added.len()..];
                parts = Parts::behind(calls, left, &self.keys, key, now);
            }
        }
    }

    /// Makes a call; in its turn where it would overtake the one in front.
    async fn send<'a>(
        &self,
        part: Part<'a>,
        turn: &Mutex<()>,
    ) -> Result<(Part<'a>, Option<Enqueued>), Error> {
        let _turn = if self.redis.keeps_order() { None } else { Some(turn.lock().await) };
        let answer = self.add_part(&part, part.is_behind).await?;
        Ok((part, answer))
    }

    /// Refuses what is too long for a request, before anything is written.
    fn check_lengths(&self, jobs: &[NewJob]) -> Result<(), Error> {
        let base = self.keys.base.len();
        let may_be_long = |job: &NewJob| most_bytes(job, base) > MOST_BYTES;
        // The receipt's name is taken to be as long as one can be.
        let fixed = || self.keys.fixed(&receipt_of_key(usize::MAX, ""));
        if jobs.iter().any(may_be_long)
            && let Some(room) = self.redis.room_for_args(&ENQUEUE, &fixed())
        {
            let frame = FRAME_BYTES + Redis::request_bytes(self.keys.base.as_bytes());
            let room = room.saturating_sub(frame);
            for (index, job) in jobs.iter().enumerate().filter(|(_, job)| may_be_long(job)) {
                let bytes = Wired::new(job, &self.keys.base, self.clock.now_ms())?.bytes;
                if bytes > room {
                    return Err(Error::Invalid { index, reason: too_long(bytes, room) });
                }
            }
        }
        Ok(())
    }

    /// Adds the jobs of one call; `None` where it is `after` one that has left no receipt. Under a caller's key an
    /// earlier version's answer may be of up to as many jobs as are left.
    async fn add_part(&self, part: &Part<'_>, after: bool) -> Result<Option<Enqueued>, Error> {
        let once = part.is_once;
        let jobs = if once { 1..=part.left } else { part.jobs..=part.jobs };
        let call = |again| Call {
            events: self.options.events == Events::All,
            again: again || once,
            once,
            after,
            trust_ms: millis(self.options.lock) + 2 * u64::from(recover::INTERVAL_MS),
            version: concat!("batchmq:", env!("CARGO_PKG_VERSION")),
            receipt_ms: if once { IDEMPOTENCY_MS } else { REPLAY_MS },
            kinds: &part.kinds,
        };
        let answer = self.run_with(&ENQUEUE, &part.keys, call, &part.texts).await?;
        let (pairs, first, unfound) = match answer.as_slice() {
            [behind] if after && behind.as_str() == Some("behind") => return Ok(None),
            [pairs, first, unfound] => strings(pairs)
                .filter(|pairs| pairs.len() % 2 == 0 && jobs.contains(&(pairs.len() / 2)))
                .zip(first.as_int())
                .zip(strings(unfound))
                .map(|((pairs, first), unfound)| (pairs, first, unfound)),
            _ => None,
        }
        .ok_or(Error::Protocol(ENQUEUE.name))?;
        for job in unfound {
            warn!(
                job,
                "holds a deduplication id, and is not among the first jobs that wait: if it is in \
                 no state, remove it"
            );
        }
        let mut pairs = pairs.into_iter();
        let mut added = Vec::with_capacity(part.jobs);
        while let Some((id, outcome)) = pairs.next().zip(pairs.next()) {
            let outcome = match outcome.as_str() {
                "added" => Outcome::Added,
                "duplicate" => Outcome::Duplicate,
                "deduplicated" => Outcome::Deduplicated,
                "after-active" => Outcome::AfterActive,
                _ => return Err(Error::Protocol(ENQUEUE.name)),
            };
            added.push(Added { id, outcome });
        }
        Ok(Some(Enqueued { added, first: first == 1 }))
    }
}

fn too_long(size: usize, room: usize) -> String {
    format!(
        "takes {size} bytes of a request to Upstash, which has room for {room}; keep its data \
         elsewhere and enqueue where it is"
    )
}
