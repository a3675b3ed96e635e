//! Adding jobs, many in one call.

use serde::Serialize;

use super::job::{Added, Enqueued, NewJob, Outcome};
use super::options::{refusal, stored};
use super::replay::nonce;
use super::scripts::ENQUEUE;
use super::{Error, Queue, strings};
use crate::config::Events;

/// Jobs a call at most: what one request to the API may ask for goes in one round trip, while a call's
/// time in Redis stays short and its arguments stay below Lua's limits.
const MOST_JOBS: usize = 1_000;

/// Bytes of data a call at most; Upstash refuses requests over 10 MB, and JSON escapes grow a text.
const MOST_BYTES: usize = 3_000_000;

/// How long a receipt lives that only has to outlast a lost answer: milliseconds.
const REPLAY_MS: u64 = 300_000;

/// How long a caller's idempotency key is honoured: 24 h in milliseconds.
const IDEMPOTENCY_MS: u64 = 86_400_000;

#[derive(Serialize)]
struct Call<'a> {
    events: bool,
    again: bool,
    #[serde(rename = "receiptMs")]
    receipt_ms: u64,
    dedups: &'a [&'a str],
    jobs: &'a [Item<'a>],
}

#[derive(Serialize)]
struct Item<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    name: &'a str,
    data: &'a str,
    opts: String,
    timestamp: i64,
    delay: u64,
    priority: u32,
    lifo: bool,
    promote: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    de: Option<De<'a>>,
}

#[derive(Serialize)]
struct De<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
    extend: bool,
    replace: bool,
    last: bool,
}

impl Queue {
    /// Adds jobs, in order, in one round trip a chunk of 1,000; one answer per job, in order.
    ///
    /// # Errors
    /// [`Error::Invalid`] when BullMQ would refuse a job; then nothing was written. [`Error::Redis`]:
    /// chunks before the failing one are in the queue.
    pub async fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<Added>, Error> {
        Ok(self.add(jobs, None).await?.added)
    }

    /// As [`Queue::enqueue`]; a second call with the same `key` within 24 hours adds nothing and
    /// answers what the first one did. Pass the same jobs with it: the key alone is compared.
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
        let mut enqueued = Enqueued { added: Vec::with_capacity(jobs.len()), first: false };
        for (index, chunk) in chunks(jobs).enumerate() {
            let receipt = match key {
                Some(key) => format!("once:{index}:{key}"),
                None => nonce(),
            };
            let part = self.add_chunk(chunk, &receipt, key.is_some()).await?;
            enqueued.added.extend(part.added);
            enqueued.first |= part.first;
        }
        Ok(enqueued)
    }

    async fn add_chunk(
        &self,
        jobs: &[NewJob],
        receipt: &str,
        once: bool,
    ) -> Result<Enqueued, Error> {
        let now = self.clock.now_ms();
        let items: Vec<Item<'_>> = jobs.iter().map(|job| item(job, now)).collect();
        let mut dedups: Vec<&str> = items.iter().filter_map(|i| Some(i.de.as_ref()?.id)).collect();
        dedups.sort_unstable();
        dedups.dedup();
        let mut keys = self.keys.fixed(receipt);
        keys.extend(dedups.iter().map(|id| self.keys.of(&format!("de:{id}"))));
        let answer = self
            .run(
                |_| &ENQUEUE,
                &keys,
                |again| Call {
                    events: self.config.events == Events::All,
                    again: again || once,
                    receipt_ms: if once { IDEMPOTENCY_MS } else { REPLAY_MS },
                    dedups: &dedups,
                    jobs: &items,
                },
            )
            .await?;
        let (pairs, first) = match answer.as_slice() {
            [pairs, first] => strings(pairs).zip(first.as_int()),
            _ => None,
        }
        .filter(|(pairs, _)| pairs.len() == 2 * jobs.len())
        .ok_or(Error::Protocol(ENQUEUE.name))?;
        let added: Result<_, _> = pairs
            .chunks_exact(2)
            .map(|pair| {
                let outcome = match pair[1].as_str() {
                    "added" => Outcome::Added,
                    "duplicate" => Outcome::Duplicate,
                    "deduplicated" => Outcome::Deduplicated,
                    "after-active" => Outcome::AfterActive,
                    _ => return Err(Error::Protocol(ENQUEUE.name)),
                };
                Ok(Added { id: pair[0].clone(), outcome })
            })
            .collect();
        Ok(Enqueued { added: added?, first: first == 1 })
    }
}

fn item(job: &NewJob, now: i64) -> Item<'_> {
    let opts = &job.opts;
    Item {
        id: opts.job_id.as_deref(),
        name: &job.name,
        data: &job.data,
        opts: stored(opts),
        timestamp: opts.timestamp_ms.unwrap_or(now),
        delay: opts.delay_ms,
        priority: opts.priority,
        lifo: opts.lifo,
        promote: job.promote_duplicate,
        de: opts.deduplication.as_ref().map(|d| De {
            id: &d.id,
            ttl: d.ttl_ms.filter(|ttl| *ttl > 0),
            extend: d.extend,
            replace: d.replace,
            last: d.keep_last_if_active,
        }),
    }
}

/// Cuts `jobs` into calls of at most [`MOST_JOBS`] jobs and about [`MOST_BYTES`] bytes.
fn chunks(mut jobs: &[NewJob]) -> impl Iterator<Item = &[NewJob]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = jobs
            .iter()
            .take(MOST_JOBS)
            .take_while(|job| {
                bytes += job.data.len();
                bytes <= MOST_BYTES
            })
            .count();
        // A single job over the bound goes alone: the client refuses it if the server would.
        let (chunk, rest) = jobs.split_at(fits.max(1).min(jobs.len()));
        jobs = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}
