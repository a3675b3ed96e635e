//! Adds jobs, many in one call.

use futures_util::future::join;
use serde::Serialize;
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

/// How long a caller's idempotency key is honoured: 24 h in milliseconds.
pub(crate) const IDEMPOTENCY_MS: u64 = 86_400_000;

#[derive(Serialize)]
struct Call<'a> {
    events: bool,
    again: bool,
    /// A caller's own key: the answer is kept even where nothing was written.
    once: bool,
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
    /// request; then nothing was written. [`Error::Redis`]: chunks before the failing one are in the
    /// queue.
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
        let mut parts = Parts::new(jobs, &self.keys, key, now);
        let mut enqueued = Enqueued { added: Vec::with_capacity(jobs.len()), first: false };
        let (mut next, mut calls) = (parts.next()?, 0);
        while let Some(part) = next {
            let left = jobs.len() - enqueued.added.len();
            // While Redis is at this call, the next is put together; it goes only after this one's answer.
            let prepared = async {
                tokio::task::yield_now().await;
                parts.next()
            };
            let once = key.is_some().then_some(left);
            let (answer, prepared) = join(self.add_part(&part, once), prepared).await;
            let answer = answer?;
            calls += 1;
            let is_as_cut = answer.added.len() == part.jobs;
            enqueued.added.extend(answer.added);
            enqueued.first |= answer.first;
            next = prepared?;
            if !is_as_cut {
                let left = &jobs[enqueued.added.len()..];
                parts = Parts::behind(calls, left, &self.keys, key, now);
                next = parts.next()?;
            }
        }
        Ok(enqueued)
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

    /// Adds the jobs of one call. Where that is `once` under a caller's key, an earlier version's answer may be of up
    /// to as many jobs as are left.
    async fn add_part(&self, part: &Part<'_>, once: Option<usize>) -> Result<Enqueued, Error> {
        let jobs = once.map_or(part.jobs..=part.jobs, |left| 1..=left);
        let once = once.is_some();
        let call = |again| Call {
            events: self.options.events == Events::All,
            again: again || once,
            once,
            trust_ms: millis(self.options.lock) + 2 * u64::from(recover::INTERVAL_MS),
            version: concat!("batchmq:", env!("CARGO_PKG_VERSION")),
            receipt_ms: if once { IDEMPOTENCY_MS } else { REPLAY_MS },
            kinds: &part.kinds,
        };
        let answer = self.run_with(&ENQUEUE, &part.keys, call, &part.texts).await?;
        let (pairs, first, unfound) = match answer.as_slice() {
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
        Ok(Enqueued { added, first: first == 1 })
    }
}

fn too_long(size: usize, room: usize) -> String {
    format!(
        "takes {size} bytes of a request to Upstash, which has room for {room}; keep its data \
         elsewhere and enqueue where it is"
    )
}
