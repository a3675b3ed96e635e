//! Puts jobs that are to be added together as the calls of the script take them.

use std::iter::Peekable;
use std::slice;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::error::Error;
use crate::job::new::NewJob;
use crate::job::stored::Stored;
use crate::keys::{Keys, receipt_of_key};
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
pub(super) const MOST_BYTES: usize = 5_000_000;

/// Room in a request for what surrounds the jobs in the arguments, beside the prefix: bytes.
pub(super) const FRAME_BYTES: usize = 512;

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

/// A job as a call takes it.
pub(super) struct Wired<'a> {
    /// Its custom id.
    id: Option<&'a str>,
    /// Its deduplication id.
    de: Option<&'a str>,
    text: Box<RawValue>,
    /// How much of a request it takes: its part of the argument, and its keys.
    pub(super) bytes: usize,
}

impl<'a> Wired<'a> {
    pub(super) fn new(job: &'a NewJob, base: &str, now: i64) -> Result<Self, Error> {
        // Our own structs of strings and numbers always serialise.
        let unwritten = |_| Error::Protocol(ENQUEUE.name);
        let stored = serde_json::to_string(&Stored::of(&job.opts)).map_err(unwritten)?;
        let item = item(job, stored, now);
        let text = to_raw_value(&item).map_err(unwritten)?;
        let bytes = |text: &str| Redis::request_bytes(text.as_bytes());
        // In `dedups` escapes are escaped, as they are in the item.
        let de = item.de.as_ref().map_or(0, |de| 4 * bytes(de.id) + bytes(base));
        let hash = item.id.map_or(0, |id| bytes(id) + bytes(base));
        let bytes = bytes(text.get()) + de + hash;
        Ok(Self { id: item.id, de: item.de.map(|de| de.id), text, bytes })
    }
}

/// The jobs of one call, and what it touches.
pub(super) struct Part<'a> {
    pub(super) keys: Vec<String>,
    pub(super) dedups: Vec<&'a str>,
    pub(super) jobs: Vec<Box<RawValue>>,
}

/// Jobs, as calls take them.
struct Jobs<'a> {
    jobs: slice::Iter<'a, NewJob>,
    base: &'a str,
    now: i64,
}

impl<'a> Iterator for Jobs<'a> {
    type Item = Result<Wired<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(Wired::new(self.jobs.next()?, self.base, self.now))
    }
}

/// The calls that jobs take.
pub(super) struct Parts<'a> {
    jobs: Peekable<Jobs<'a>>,
    keys: &'a Keys,
    /// The caller's own, by which each call is known again.
    key: Option<&'a str>,
    index: usize,
}

impl<'a> Parts<'a> {
    pub(super) fn new(jobs: &'a [NewJob], keys: &'a Keys, key: Option<&'a str>, now: i64) -> Self {
        let jobs = Jobs { jobs: jobs.iter(), base: &keys.base, now };
        Self { jobs: jobs.peekable(), keys, key, index: 0 }
    }

    /// Puts the next call together; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Part<'a>>, Error> {
        let bytes = |it: &Result<Wired<'_>, _>| it.as_ref().map_or(0, |it| it.bytes);
        let jobs = next_call(&mut self.jobs, bytes, MOST_JOBS, MOST_BYTES);
        let jobs = jobs.into_iter().collect::<Result<Vec<_>, _>>()?;
        if jobs.is_empty() {
            return Ok(None);
        }
        let receipt = self.key.map_or_else(nonce, |key| receipt_of_key(self.index, key));
        self.index += 1;
        Ok(Some(Part::new(jobs, self.keys, receipt)))
    }
}

impl<'a> Part<'a> {
    fn new(jobs: Vec<Wired<'a>>, keys: &Keys, receipt: String) -> Self {
        let mut dedups: Vec<&str> = jobs.iter().filter_map(|job| job.de).collect();
        dedups.sort_unstable();
        dedups.dedup();
        let mut named = keys.fixed(&receipt);
        named.extend(dedups.iter().map(|id| keys.of(&format!("de:{id}"))));
        // Each is asked whether it exists. The `dn:` keys stay out: they are touched for a duplicate
        // that takes another's place, and named they would make every other call's request longer
        // and have Upstash read what nobody asks for.
        named.extend(jobs.iter().filter_map(|job| job.id).map(|id| keys.of(id)));
        Self { keys: named, dedups, jobs: jobs.into_iter().map(|job| job.text).collect() }
    }
}

/// As many bytes as a job takes in a request at most, or more: a byte of what was given is nine there where it
/// is quoted three times, in the options.
pub(super) fn most_bytes(job: &NewJob, base: usize) -> usize {
    let opts = &job.opts;
    let len = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let ids = len(&opts.job_id) + opts.deduplication.as_ref().map_or(0, |it| it.id.len());
    9 * (job.name.len() + job.data.len() + len(&opts.telemetry) + 6 * ids + 2 * base) + FRAME_BYTES
}

fn item(job: &NewJob, stored: String, now: i64) -> Item<'_> {
    let opts = &job.opts;
    Item {
        id: opts.job_id.as_deref(),
        name: &job.name,
        data: &job.data,
        opts: stored,
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

/// Takes what goes into the next call: at most so many jobs, and so many bytes; a longer job goes alone.
pub(super) fn next_call<T>(
    items: &mut Peekable<impl Iterator<Item = T>>,
    bytes_of: impl Fn(&T) -> usize,
    most_jobs: usize,
    most_bytes: usize,
) -> Vec<T> {
    let (mut call, mut bytes) = (Vec::new(), 0);
    while call.len() < most_jobs {
        let fits = |item: &T| {
            bytes += bytes_of(item);
            call.is_empty() || bytes <= most_bytes
        };
        let Some(item) = items.next_if(fits) else { break };
        call.push(item);
    }
    call
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::job::new::{Backoff, Deduplication, JobOptions, KeepJobs};

    #[test]
    fn calls_are_cut_by_jobs_and_by_bytes() {
        let cut = |sizes: &[usize]| {
            let mut sizes = sizes.iter().peekable();
            let next = || next_call(&mut sizes, |it| **it, MOST_JOBS, MOST_BYTES).len();
            std::iter::repeat_with(next).take_while(|jobs| *jobs > 0).collect::<Vec<_>>()
        };
        assert!(cut(&[]).is_empty());
        assert_eq!(cut(&[1; 2_001]), [1_000, 1_000, 1]);
        assert_eq!(cut(&[MOST_BYTES / 2; 5]), [2, 2, 1]);
        assert_eq!(cut(&[1, MOST_BYTES + 1, 1, 1]), [1, 1, 2]);
    }

    proptest! {
        /// Otherwise a job that is too long would be met when others of its call are written.
        #[test]
        fn no_job_is_longer_than_what_it_is_taken_for(
            texts in prop::collection::vec("[\\x00-\\x7f\"\\\\é😀]{0,40}", 5),
            replace: bool,
        ) {
            let [name, data, id, dedup, telemetry] = &texts[..] else { unreachable!() };
            let deduplication =
                Some(Deduplication { id: dedup.clone(), replace, ..Deduplication::default() });
            let opts = JobOptions {
                job_id: Some(id.clone()),
                deduplication,
                telemetry: Some(telemetry.clone()),
                priority: 2_097_151,
                backoff: Some(Backoff::Exponential { delay_ms: u64::MAX, jitter: Some(0.1) }),
                remove_on_complete: Some(KeepJobs::Bounded {
                    count: Some(u64::MAX),
                    age_s: Some(u64::MAX),
                    limit: Some(u64::MAX),
                }),
                timestamp_ms: Some(i64::MIN),
                ..JobOptions::default()
            };
            let job = NewJob {
                name: name.clone(),
                data: data.clone(),
                opts,
                ..NewJob::default()
            };
            let bytes = Wired::new(&job, "b:q:", 0).unwrap().bytes;
            prop_assert!(bytes <= most_bytes(&job, 4), "{bytes}");
        }
    }
}
