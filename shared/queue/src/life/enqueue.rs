//! Adding jobs, many in one call.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tracing::warn;

use crate::answer::strings;
use crate::clock::millis;
use crate::error::Error;
use crate::job::new::{Added, Enqueued, NewJob, Outcome};
use crate::job::stored::{refusal, stored};
use crate::keys::receipt_of_key;
use crate::life::recover;
use crate::options::Events;
use crate::queue::Queue;
use crate::script::library::ENQUEUE;
use crate::script::replay::nonce;
use batchmq_redis::Redis;

/// Jobs a call at most: what one request to the API may ask for goes in one round trip, while a call's
/// time in Redis stays short and its arguments stay below Lua's limits.
const MOST_JOBS: usize = 1_000;

/// Bytes of jobs a call at most, as they stand in a request to Upstash, which refuses requests over
/// 10 MB: a quote of a job's data is four bytes there. Half of that keeps a call's time short, too.
///
/// Where calls are cut must depend on the jobs alone, neither on the transport nor on a script's
/// length: an idempotency key finds each call's receipt again by its place.
const MOST_BYTES: usize = 5_000_000;

/// Room in a request for what surrounds the jobs in the arguments, beside the prefix: bytes.
const FRAME_BYTES: usize = 512;

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
    dedups: &'a [&'a str],
    jobs: &'a [&'a RawValue],
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
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reschedule: bool,
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
    /// answers what the first one did. Pass the same jobs with it: the key alone is compared. Whoever takes keys
    /// from callers holds them to that by [`Queue::first_asked`].
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
        let now = self.clock.now_ms();
        let items: Vec<Item<'_>> = jobs.iter().map(|job| item(job, now)).collect();
        // Our own structs of strings and numbers always serialise.
        let items: Vec<(Item<'_>, Box<RawValue>)> = items
            .into_iter()
            .map(|item| to_raw_value(&item).map(|text| (item, text)))
            .collect::<Result<_, _>>()
            .map_err(|_| Error::Protocol(ENQUEUE.name))?;
        let sizes: Vec<usize> =
            items.iter().map(|(item, text)| self.request_bytes(item, text)).collect();
        // The receipt's name is taken to be as long as one can be.
        if sizes.iter().any(|size| *size > MOST_BYTES)
            && let Some(room) = self
                .redis
                .room_for_args(&ENQUEUE, &self.keys.fixed(&receipt_of_key(usize::MAX, "")))
        {
            let frame = FRAME_BYTES + Redis::request_bytes(self.keys.base.as_bytes());
            let room = room.saturating_sub(frame);
            if let Some(index) = sizes.iter().position(|size| *size > room) {
                return Err(Error::Invalid { index, reason: too_long(sizes[index], room) });
            }
        }
        let mut enqueued = Enqueued { added: Vec::with_capacity(jobs.len()), first: false };
        let mut rest = items.as_slice();
        for (index, count) in cuts(&sizes, MOST_JOBS, MOST_BYTES).enumerate() {
            // There are as many sizes as items.
            let (call, after) = rest.split_at(count);
            rest = after;
            let receipt = match key {
                Some(key) => receipt_of_key(index, key),
                None => nonce(),
            };
            let part = self.add_call(call, &receipt, key.is_some()).await?;
            enqueued.added.extend(part.added);
            enqueued.first |= part.first;
        }
        Ok(enqueued)
    }

    /// How many bytes `item` takes in a request: its part of the argument, and its keys.
    fn request_bytes(&self, item: &Item<'_>, text: &RawValue) -> usize {
        let bytes = |text: &str| Redis::request_bytes(text.as_bytes());
        // In `dedups` escapes are escaped, as they are in the item.
        let de = item.de.as_ref().map_or(0, |de| 4 * bytes(de.id) + bytes(&self.keys.base));
        let hash = item.id.map_or(0, |id| bytes(id) + bytes(&self.keys.base));
        bytes(text.get()) + de + hash
    }

    async fn add_call(
        &self,
        items: &[(Item<'_>, Box<RawValue>)],
        receipt: &str,
        once: bool,
    ) -> Result<Enqueued, Error> {
        let mut dedups: Vec<&str> =
            items.iter().filter_map(|(item, _)| Some(item.de.as_ref()?.id)).collect();
        dedups.sort_unstable();
        dedups.dedup();
        let jobs: Vec<&RawValue> = items.iter().map(|(_, text)| &**text).collect();
        let mut keys = self.keys.fixed(receipt);
        keys.extend(dedups.iter().map(|id| self.keys.of(&format!("de:{id}"))));
        // Each is asked whether it exists. The `dn:` keys stay out: they are touched for a duplicate
        // that takes another's place, and named they would make every other call's request longer
        // and have Upstash read what nobody asks for.
        keys.extend(items.iter().filter_map(|(item, _)| item.id).map(|id| self.keys.of(id)));
        let answer = self
            .run(&ENQUEUE, &keys, |again| Call {
                events: self.options.events == Events::All,
                again: again || once,
                once,
                trust_ms: millis(self.options.lock) + 2 * u64::from(recover::INTERVAL_MS),
                version: concat!("batchmq:", env!("CARGO_PKG_VERSION")),
                receipt_ms: if once { IDEMPOTENCY_MS } else { REPLAY_MS },
                dedups: &dedups,
                jobs: &jobs,
            })
            .await?;
        let (pairs, first, unfound) = match answer.as_slice() {
            [pairs, first, unfound] => strings(pairs)
                .filter(|pairs| pairs.len() == 2 * items.len())
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
            reschedule: d.reschedule,
        }),
    }
}

/// How many jobs each call takes, so that it has at most `most_jobs` jobs and `most_bytes` bytes; a longer
/// job goes alone.
pub(crate) fn cuts(
    mut sizes: &[usize],
    most_jobs: usize,
    most_bytes: usize,
) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = sizes.iter().take(most_jobs).take_while(|size| {
            bytes += **size;
            bytes <= most_bytes
        });
        let count = fits.count().max(1).min(sizes.len());
        sizes = &sizes[count..];
        (count > 0).then_some(count)
    })
}

fn too_long(size: usize, room: usize) -> String {
    format!(
        "takes {size} bytes of a request to Upstash, which has room for {room}; keep its data \
         elsewhere and enqueue where it is"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_cut_by_jobs_and_by_bytes() {
        let cut = |sizes: &[usize]| cuts(sizes, MOST_JOBS, MOST_BYTES).collect::<Vec<_>>();
        assert!(cut(&[]).is_empty());
        assert_eq!(cut(&[1; 2_001]), [1_000, 1_000, 1]);
        assert_eq!(cut(&[MOST_BYTES / 2; 5]), [2, 2, 1]);
        assert_eq!(cut(&[1, MOST_BYTES + 1, 1, 1]), [1, 1, 2]);
    }
}
