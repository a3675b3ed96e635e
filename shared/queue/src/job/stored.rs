//! A producer's options as BullMQ stores them, and what BullMQ refuses.

use serde_json::{Map, Value as Json, json};

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

/// BullMQ's options JSON: short keys, and only what was given.
pub(crate) fn stored(opts: &JobOptions) -> String {
    let mut out = Map::new();
    let mut put = |key: &str, value: Json| out.insert(key.to_owned(), value);
    put("attempts", opts.attempts.into());
    if let Some(backoff) = &opts.backoff {
        put("backoff", backoff_json(backoff));
    }
    if opts.delay_ms > 0 {
        put("delay", opts.delay_ms.into());
    }
    if opts.priority > 0 {
        put("priority", opts.priority.into());
    }
    if opts.lifo {
        put("lifo", true.into());
    }
    if let Some(id) = &opts.job_id {
        put("jobId", id.as_str().into());
    }
    if let Some(timestamp) = opts.timestamp_ms {
        put("timestamp", timestamp.into());
    }
    if let Some(limit) = opts.size_limit {
        put("sizeLimit", limit.into());
    }
    if let Some(keep) = opts.remove_on_complete {
        put("removeOnComplete", keep_json(keep));
    }
    if let Some(keep) = opts.remove_on_fail {
        put("removeOnFail", keep_json(keep));
    }
    if let Some(tm) = &opts.telemetry {
        put("tm", tm.as_str().into());
    }
    if let Some(d) = &opts.deduplication {
        let mut de = Map::new();
        de.insert("id".to_owned(), d.id.as_str().into());
        if let Some(ttl) = d.ttl_ms {
            de.insert("ttl".to_owned(), ttl.into());
        }
        for (key, set) in [
            ("extend", d.extend),
            ("replace", d.replace),
            ("keepLastIfActive", d.keep_last_if_active),
            ("reschedule", d.reschedule),
        ] {
            if set {
                de.insert(key.to_owned(), true.into());
            }
        }
        put("de", Json::Object(de));
    }
    Json::Object(out).to_string()
}

fn backoff_json(backoff: &Backoff) -> Json {
    let (kind, delay, jitter) = match backoff {
        Backoff::Fixed { delay_ms, jitter } => ("fixed", delay_ms, jitter),
        Backoff::Exponential { delay_ms, jitter } => ("exponential", delay_ms, jitter),
    };
    let mut json = json!({"type": kind, "delay": delay});
    if let Some(jitter) = jitter {
        json["jitter"] = (*jitter).into();
    }
    json
}

fn keep_json(keep: KeepJobs) -> Json {
    match keep {
        KeepJobs::All => false.into(),
        KeepJobs::None => true.into(),
        KeepJobs::Bounded { count, age_s, limit } => {
            let mut json = Map::new();
            for (key, value) in [("count", count), ("age", age_s), ("limit", limit)] {
                if let Some(value) = value {
                    json.insert(key.to_owned(), value.into());
                }
            }
            Json::Object(json)
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(stored(&JobOptions::default()), r#"{"attempts":0}"#);
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
        let json: Json = serde_json::from_str(&stored(&all)).unwrap();
        assert_eq!(
            json,
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
