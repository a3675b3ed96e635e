//! Writes a producer's options as BullMQ stores them, and refuses what BullMQ refuses.

use serde::Serialize;

use crate::job::names::is_tagged;
use crate::job::new::{Backoff, JobOptions, KeepJobs, NewJob};

/// BullMQ's greatest priority: 2^21 - 1.
const MAX_PRIORITY: u32 = 2_097_151;

/// Why BullMQ would refuse `job`, and how to mend it.
pub(crate) fn refusal(job: &NewJob) -> Option<String> {
    let opts = &job.opts;
    if job.name.is_empty() {
        return Some("the name is empty; give the job a name".to_owned());
    }
    if serde_json::from_str::<&serde_json::value::RawValue>(&job.data).is_err() {
        return Some("the data is not JSON; pass JSON text".to_owned());
    }
    if let Some(limit) = opts.size_limit.filter(|limit| (1..job.data.len()).contains(limit)) {
        let bytes = job.data.len();
        return Some(format!("the data has {bytes} bytes and the job's size limit is {limit}"));
    }
    if opts.priority > MAX_PRIORITY {
        return Some(format!("priority {} is above {MAX_PRIORITY}", opts.priority));
    }
    if let Some(id) = &opts.job_id
        && let Some(reason) = id_refusal(id)
    {
        return Some(reason);
    }
    if opts.deduplication.as_ref().is_some_and(|d| d.id.is_empty()) {
        return Some("the deduplication id is empty; give it one or leave it out".to_owned());
    }
    let (Some(Backoff::Fixed { jitter, .. }) | Some(Backoff::Exponential { jitter, .. })) =
        &opts.backoff
    else {
        return None;
    };
    jitter
        .is_some_and(|j| !(0.0..=1.0).contains(&j))
        .then(|| "the backoff's jitter is outside 0 to 1".to_owned())
}

/// Whether BullMQ takes `id` for one of its counter, and refuses it as a custom one: whether
/// JavaScript's `parseInt` reads a number of it that prints as `id` again. `007`, `-0` and what a
/// double cannot hold are custom ids like any other.
pub(crate) fn is_counted(id: &str) -> bool {
    let digits = id.strip_prefix('-').unwrap_or(id);
    let integer = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    // From 1e21 on JavaScript prints exponents. Not a number prints as what is none.
    id == "NaN"
        || integer
            && id != "-0"
            && id.parse::<f64>().is_ok_and(|n| n.abs() < 1e21 && n.to_string() == id)
}

fn id_refusal(id: &str) -> Option<String> {
    if id.is_empty() {
        return Some("the custom id is empty; give one or leave it out".to_owned());
    }
    if is_counted(id) {
        return Some(format!(
            "the custom id {id:?} is an integer, as counted ids are; add a letter"
        ));
    }
    if id.starts_with("0:") {
        return Some("a custom id cannot start with 0:".to_owned());
    }
    if is_tagged(id) {
        return Some(format!(
            "the custom id {id:?} begins as the queue's own keys do; choose another"
        ));
    }
    if id.contains(':') && id.split(':').count() != 3 {
        return Some("a custom id with : must have exactly three parts".to_owned());
    }
    None
}

/// BullMQ's options in JSON: short keys, and only what was given.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stored<'a> {
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff: Option<StoredBackoff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    de: Option<StoredDeduplication<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifo: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remove_on_complete: Option<StoredKeep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remove_on_fail: Option<StoredKeep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tm: Option<&'a str>,
}

impl<'a> Stored<'a> {
    pub(crate) fn of(opts: &'a JobOptions) -> Self {
        let given = |set: bool| set.then_some(true);
        let more_than_0 = |number: u64| (number > 0).then_some(number);
        Self {
            attempts: opts.attempts,
            backoff: opts.backoff.as_ref().map(StoredBackoff::of),
            de: opts.deduplication.as_ref().map(|d| StoredDeduplication {
                extend: given(d.extend),
                id: &d.id,
                keep_last_if_active: given(d.keep_last_if_active),
                replace: given(d.replace),
                reschedule: given(d.reschedule),
                ttl: d.ttl_ms,
            }),
            delay: more_than_0(opts.delay_ms),
            job_id: opts.job_id.as_deref(),
            lifo: given(opts.lifo),
            priority: more_than_0(opts.priority.into()),
            remove_on_complete: opts.remove_on_complete.map(StoredKeep::of),
            remove_on_fail: opts.remove_on_fail.map(StoredKeep::of),
            size_limit: opts.size_limit,
            timestamp: opts.timestamp_ms,
            tm: opts.telemetry.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct StoredBackoff {
    delay: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<f64>,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl StoredBackoff {
    fn of(backoff: &Backoff) -> Self {
        let (kind, delay, jitter) = match *backoff {
            Backoff::Fixed { delay_ms, jitter } => ("fixed", delay_ms, jitter),
            Backoff::Exponential { delay_ms, jitter } => ("exponential", delay_ms, jitter),
        };
        Self { delay, jitter, kind }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredDeduplication<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    extend: Option<bool>,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_last_if_active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replace: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reschedule: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
}

/// Whether a finished job is removed at once, or how many are kept and for how long.
#[derive(Serialize)]
#[serde(untagged)]
enum StoredKeep {
    AtOnce(bool),
    Bounded {
        #[serde(skip_serializing_if = "Option::is_none")]
        age: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
    },
}

impl StoredKeep {
    fn of(keep: KeepJobs) -> Self {
        match keep {
            KeepJobs::All => Self::AtOnce(false),
            KeepJobs::None => Self::AtOnce(true),
            KeepJobs::Bounded { count, age_s, limit } => Self::Bounded { age: age_s, count, limit },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::job::new::Deduplication;

    fn job(opts: JobOptions) -> NewJob {
        NewJob { name: "n".to_owned(), data: "{}".to_owned(), opts, ..NewJob::default() }
    }

    #[test]
    fn what_bullmq_refuses_is_refused() {
        let jitter = Some(Backoff::Fixed { delay_ms: 1, jitter: Some(1.5) });
        let dedup = Some(Deduplication::default());
        for job in [
            NewJob { name: String::new(), ..job(JobOptions::default()) },
            NewJob { data: "{".to_owned(), ..job(JobOptions::default()) },
            job(JobOptions { priority: MAX_PRIORITY + 1, ..JobOptions::default() }),
            job(JobOptions { backoff: jitter, ..JobOptions::default() }),
            job(JobOptions { size_limit: Some(1), ..JobOptions::default() }),
            job(JobOptions { deduplication: dedup, ..JobOptions::default() }),
        ] {
            assert!(refusal(&job).is_some(), "{job:?}");
        }
        let max = JobOptions { priority: MAX_PRIORITY, ..JobOptions::default() };
        let sized = JobOptions { size_limit: Some(2), ..JobOptions::default() };
        for job in [JobOptions::default(), max, sized].map(job) {
            assert_eq!(refusal(&job), None, "{job:?}");
        }
    }

    #[test]
    fn custom_ids_that_bullmq_refuses_are_refused() {
        let refusal = |id: &str| {
            refusal(&job(JobOptions { job_id: Some(id.to_owned()), ..JobOptions::default() }))
        };
        for id in "12 0 -5 123456789012345680000 NaN 0:a:b a:b a:b:c:d".split(' ').chain([""]) {
            assert!(refusal(id).is_some(), "{id}");
        }
        for id in "a a:b:c 1a 007 -0 - +1 9007199254740993 1000000000000000000000".split(' ') {
            assert_eq!(refusal(id), None, "{id}");
        }
    }

    #[test]
    fn only_what_was_given_is_stored() {
        let stored = |opts: &JobOptions| serde_json::to_value(Stored::of(opts)).unwrap();
        assert_eq!(stored(&JobOptions::default()), json!({"attempts": 0}));
        let all = JobOptions {
            job_id: Some("j".to_owned()),
            priority: 3,
            delay_ms: 4,
            attempts: 5,
            backoff: Some(Backoff::Exponential { delay_ms: 6, jitter: Some(0.5) }),
            lifo: true,
            deduplication: Some(Deduplication {
                id: "d".to_owned(),
                ttl_ms: Some(7),
                keep_last_if_active: true,
                ..Deduplication::default()
            }),
            remove_on_complete: Some(KeepJobs::None),
            remove_on_fail: Some(KeepJobs::Bounded { count: Some(8), age_s: Some(9), limit: None }),
            timestamp_ms: Some(10),
            size_limit: Some(11),
            telemetry: Some("t".to_owned()),
        };
        assert_eq!(
            stored(&all),
            json!({
                "jobId": "j", "sizeLimit": 11, "priority": 3, "delay": 4, "attempts": 5, "lifo": true,
                "backoff": {"type": "exponential", "delay": 6, "jitter": 0.5},
                "de": {"id": "d", "ttl": 7, "keepLastIfActive": true},
                "removeOnComplete": true, "removeOnFail": {"count": 8, "age": 9},
                "timestamp": 10, "tm": "t",
            })
        );
    }
}
