//! Puts jobs that are to be added together as the calls of the script take them.

use std::collections::HashSet;
use std::iter::Peekable;
use std::slice;

use serde::Serialize;

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
/// 10 MB: a quote of a job's data is two bytes there. Half of that keeps a call's time short, too.
///
/// Where calls are cut depends on the jobs and on the queue's name alone, neither on the transport nor on a
/// script's length: an idempotency key finds each call's receipt again by its place. Even the time counts as 13
/// digits whenever it is. Another version may measure otherwise; what its receipts tell decides then, see
/// [`Parts::behind`].
pub(super) const MOST_BYTES: usize = 5_000_000;

/// Room in a request for what surrounds the jobs in the arguments, beside the prefix: bytes.
pub(super) const FRAME_BYTES: usize = 512;

/// What jobs of a call may have in common.
#[derive(Clone, Copy, PartialEq, Serialize)]
pub(super) struct Kind<'a> {
    /// Whether they have custom ids.
    named: bool,
    name: &'a str,
    timestamp: i64,
    delay: u64,
    priority: u32,
    lifo: bool,
    promote: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    de: Option<De>,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
struct De {
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
    extend: bool,
    replace: bool,
    last: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reschedule: bool,
}

/// Jobs that follow each other and are of one kind.
#[derive(Serialize)]
pub(super) struct Run<'a> {
    /// How many.
    jobs: usize,
    #[serde(flatten)]
    kind: Kind<'a>,
}

/// A job as a call takes it.
pub(super) struct Wired<'a> {
    kind: Kind<'a>,
    data: &'a str,
    opts: String,
    /// Its custom id.
    id: Option<&'a str>,
    /// Its deduplication id.
    de: Option<&'a str>,
    /// How much of a request it takes: its arguments and keys, and its kind as if no other job were of it.
    pub(super) bytes: usize,
}

impl<'a> Wired<'a> {
    pub(super) fn new(job: &'a NewJob, base: &str, now: i64) -> Result<Self, Error> {
        let kind = Kind::of(job, now);
        Self::of_kind(job, base, kind, kind.bytes()?)
    }

    fn of_kind(
        job: &'a NewJob,
        base: &str,
        kind: Kind<'a>,
        kind_bytes: usize,
    ) -> Result<Self, Error> {
        let opts = serde_json::to_string(&Stored::of(&job.opts)).map_err(unwritten)?;
        let (id, data) = (job.opts.job_id.as_deref(), job.data.as_str());
        let de = job.opts.deduplication.as_ref().map(|de| de.id.as_str());
        let bytes = |text: &str| Redis::request_bytes(text.as_bytes());
        // As an argument and in a key.
        let ids = id.into_iter().chain(de).map(|id| 2 * bytes(id) + bytes(base)).sum::<usize>();
        let bytes = kind_bytes + bytes(data) + bytes(&opts) + ids;
        Ok(Self { kind, data, opts, id, de, bytes })
    }
}

impl<'a> Kind<'a> {
    fn of(job: &'a NewJob, now: i64) -> Self {
        let opts = &job.opts;
        Self {
            named: opts.job_id.is_some(),
            name: &job.name,
            timestamp: opts.timestamp_ms.unwrap_or(now),
            delay: opts.delay_ms,
            priority: opts.priority,
            lifo: opts.lifo,
            promote: job.promote_duplicate,
            de: opts.deduplication.as_ref().map(|d| De {
                ttl: d.ttl_ms.filter(|ttl| *ttl > 0),
                extend: d.extend,
                replace: d.replace,
                last: d.keep_last_if_active,
                reschedule: d.reschedule,
            }),
        }
    }

    /// How much of a request it takes.
    fn bytes(&self) -> Result<usize, Error> {
        let text = serde_json::to_vec(&Run { jobs: MOST_JOBS, kind: *self }).map_err(unwritten)?;
        Ok(Redis::request_bytes(&text))
    }
}

/// Our own structs of strings and numbers always serialise.
fn unwritten(_: serde_json::Error) -> Error {
    Error::Protocol(ENQUEUE.name)
}

/// The jobs of one call, and what it touches.
pub(super) struct Part<'a> {
    pub(super) keys: Vec<String>,
    /// How many jobs.
    pub(super) jobs: usize,
    /// How many are in this call and in those behind it.
    pub(super) left: usize,
    /// Whether the last of the keys is the receipt of the call in front.
    pub(super) is_behind: bool,
    /// Whether it is known again by a caller's key.
    pub(super) is_once: bool,
    pub(super) kinds: Vec<Run<'a>>,
    /// What differs from job to job, in the order in which the script takes it.
    pub(super) texts: Vec<Vec<u8>>,
}

/// Jobs, as calls take them.
struct Jobs<'a> {
    jobs: slice::Iter<'a, NewJob>,
    base: &'a str,
    now: i64,
    /// The last one's kind, and how much of a request that takes: the next one is often of the same.
    last: Option<(Kind<'a>, usize)>,
}

impl<'a> Iterator for Jobs<'a> {
    type Item = Result<Wired<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let job = self.jobs.next()?;
        let kind = Kind::of(job, self.now);
        let known = self.last.filter(|(last, _)| *last == kind).map(|(_, bytes)| bytes);
        let bytes = match known.map_or_else(|| kind.bytes(), Ok) {
            Ok(bytes) => bytes,
            Err(error) => return Some(Err(error)),
        };
        self.last = Some((kind, bytes));
        Some(Wired::of_kind(job, self.base, kind, bytes))
    }
}

/// The calls that jobs take.
pub(super) struct Parts<'a> {
    jobs: Peekable<Jobs<'a>>,
    keys: &'a Keys,
    /// The caller's own, by which each call is known again.
    key: Option<&'a str>,
    index: usize,
    /// Jobs that are in no call yet.
    left: usize,
    /// What names the receipt of the last call.
    receipt: Option<String>,
}

impl<'a> Parts<'a> {
    /// The calls for what is left, `jobs`, after `calls`.
    ///
    /// A receipt that another version left may be of more jobs or fewer than the call that finds it. Up to there both
    /// have cut alike, and under a key no call is sent before the one in front of it is answered. So what the receipt
    /// tells of is done, and nothing behind that is, unless by calls that are found again from there on.
    pub(super) fn behind(
        calls: usize,
        jobs: &'a [NewJob],
        keys: &'a Keys,
        key: Option<&'a str>,
        now: i64,
    ) -> Self {
        let left = jobs.len();
        let jobs = Jobs { jobs: jobs.iter(), base: &keys.base, now, last: None };
        Self { jobs: jobs.peekable(), keys, key, index: calls, left, receipt: None }
    }

    /// Puts the next call together; `None` after the last. If it is `ahead`, it can be sent before the one in front is
    /// answered: it knows that one's receipt.
    pub(super) fn next(&mut self, ahead: bool) -> Result<Option<Part<'a>>, Error> {
        let bytes = |it: &Result<Wired<'_>, _>| it.as_ref().map_or(0, |it| it.bytes);
        let jobs = next_call(&mut self.jobs, bytes, MOST_JOBS, MOST_BYTES);
        let jobs = jobs.into_iter().collect::<Result<Vec<_>, _>>()?;
        if jobs.is_empty() {
            return Ok(None);
        }
        let receipt = self.key.map_or_else(nonce, |key| receipt_of_key(self.index, key));
        self.index += 1;
        let mut part = Part::new(jobs, self.keys, &receipt);
        part.is_once = self.key.is_some();
        let before = self.receipt.replace(receipt).filter(|_| ahead && !part.is_once);
        part.is_behind = before.is_some();
        part.keys.extend(before.map(|receipt| self.keys.receipt(&receipt)));
        part.left = self.left;
        self.left -= part.jobs;
        Ok(Some(part))
    }
}

impl<'a> Part<'a> {
    fn new(jobs: Vec<Wired<'a>>, keys: &Keys, receipt: &str) -> Self {
        let mut named = keys.fixed(receipt);
        let mut known = HashSet::with_capacity(jobs.len());
        let dedups = jobs.iter().filter_map(|job| job.de).filter(|id| known.insert(*id));
        named.extend(dedups.map(|id| keys.of(&format!("de:{id}"))));
        // Each is asked whether it exists. The `dn:` keys stay out: they are touched for a duplicate
        // that takes another's place, and named they would make every other call's request longer
        // and have Upstash read what nobody asks for.
        named.extend(jobs.iter().filter_map(|job| job.id).map(|id| keys.of(id)));
        let count = jobs.len();
        let (mut kinds, mut texts): (Vec<Run<'_>>, _) = (Vec::new(), Vec::with_capacity(3 * count));
        for job in jobs {
            match kinds.last_mut() {
                Some(run) if run.kind == job.kind => run.jobs += 1,
                _ => kinds.push(Run { jobs: 1, kind: job.kind }),
            }
            texts.extend([job.data.as_bytes().to_vec(), job.opts.into_bytes()]);
            texts.extend(job.id.into_iter().chain(job.de).map(|id| id.as_bytes().to_vec()));
        }
        Self {
            keys: named,
            jobs: count,
            left: count,
            is_behind: false,
            is_once: false,
            kinds,
            texts,
        }
    }
}

/// As many bytes as a job takes in a request at most, or more: a byte of what was given is seven there at most, where
/// it is a control character that is escaped in the options' JSON and then quoted in the request, as `\\u0001`.
pub(super) fn most_bytes(job: &NewJob, base: usize) -> usize {
    let opts = &job.opts;
    let len = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let ids = len(&opts.job_id) + opts.deduplication.as_ref().map_or(0, |it| it.id.len());
    7 * (job.name.len() + job.data.len() + len(&opts.telemetry) + 6 * ids + 2 * base) + FRAME_BYTES
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
