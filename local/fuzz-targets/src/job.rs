//! Takes any bytes for a job that another producer wrote: its id, its options and its data.
//!
//! The first line is the id, the second the options, and the data is the rest.

use std::collections::HashMap;

use serde_json::Value as Json;
use shared::engine::testing::job as mate;
use shared::queue::schedule::Dialect;
use shared::queue::{
    Backoff, ClaimedJob, Deduplication, Ending, JobOptions, KeepJobs, NewJob, Settlement,
    StoredOptions, fuzzing as queue,
};
use shared::recompute::JobData;
use shared::redis::Value;
use shared::trace::TraceContext;
use shared::{http::fuzzing as http, store::MAX_ID_CHARS};

use crate::expand::expand;

/// Reads `input` as a claim, an end and a receiver would.
pub fn job(input: &[u8]) {
    let input = expand(input);
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let [id, opts, data] = [0; 3].map(|_| parts.next().unwrap_or_default());
    let claimed = claim(id, opts, data);
    options(&String::from_utf8_lossy(opts));
    reads_data(&claimed.data);
    schedules(&claimed);
    posts(&claimed, data);
    adds(&String::from_utf8_lossy(id), &String::from_utf8_lossy(opts), &claimed.data);
}

/// As it comes out of a claim.
fn claim(id: &[u8], opts: &[u8], data: &[u8]) -> ClaimedJob {
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    let mut fields = vec![bytes(id), bytes(b"name"), bytes(data), bytes(opts)];
    // Where a number should be, or a text, stands what was in the options.
    fields.extend((0..11).map(|_| bytes(&opts[..opts.len().min(64)])));
    let claimed = queue::claimed_job(&Value::Array(fields)).expect("a job whatever its fields are");
    match std::str::from_utf8(id) {
        Ok(text) => assert!(claimed.id == text && claimed.raw_id.is_none()),
        Err(_) => assert_eq!(claimed.raw_id.as_deref(), Some(id)),
    }
    assert_eq!(claimed.data, String::from_utf8_lossy(data));
    claimed
}

/// Whatever its options are, it ends: after a time that Redis can hold, or for good.
fn options(text: &str) {
    let opts = StoredOptions::parse(text);
    for attempt in [1, 2, 5, 1_000, u32::MAX] {
        for random in [0.0, 0.5, 0.999_999] {
            match opts.after_failure(attempt, random) {
                Ending::Retry(delay) => {
                    assert!(delay.is_finite(), "{delay}");
                    assert!(f64::from(attempt) < opts.attempts, "one attempt more than it has");
                }
                Ending::Fail => {}
            }
        }
    }
    // More attempts than are counted have no end, as with a BullMQ worker.
    if opts.attempts <= f64::from(u32::MAX) {
        assert_eq!(opts.after_failure(u32::MAX, 0.0), Ending::Fail);
    }
    let entries = opts.stacktrace(vec!["a".to_owned(), "b".to_owned()], "c".to_owned());
    assert!(entries.len() <= opts.stack_trace_limit.unwrap_or(3).min(3));
    if let Some(context) = opts.telemetry.as_deref().and_then(TraceContext::from_metadata) {
        let again = TraceContext::from_metadata(&context.to_metadata()).expect("what was written");
        assert_eq!(again, context);
    }
    assert!(serde_json::to_string(&opts.remove_on_complete).is_ok());
}

/// It names a project, or its end has a reason that shows nothing of it.
fn reads_data(text: &str) {
    match JobData::parse(text) {
        Ok(data) => {
            let id = data.project_id.as_str();
            assert!((1..=MAX_ID_CHARS).contains(&id.chars().count()) && !id.contains('\0'));
            assert_eq!(JobData::parse(&data.to_json()), Ok(data));
        }
        Err(reason) => {
            let reason = reason.to_string();
            assert!(reason.starts_with("Malformed job data") && reason.len() < 200, "{reason}");
        }
    }
}

/// A scheduler's job has a next one, or none, or a reason why not.
fn schedules(job: &ClaimedJob) {
    let Some(opts) = job.stored_opts.as_deref() else { return };
    let record = HashMap::from([("every".to_owned(), job.id.clone())]);
    for version in [None, Some(Dialect::Five), Some(Dialect::Six)] {
        match queue::next_job(opts, &record, version, 1_800_000_000_000) {
            Ok(Some((opts, _))) => {
                let json: Json = serde_json::from_str(&opts).expect("options are JSON");
                assert!(json["repeat"]["count"].is_i64(), "{opts}");
                // The one after that can be planned, too.
                let _ = queue::next_job(&opts, &record, version, 1_800_000_000_000);
            }
            Ok(None) => {}
            Err(reason) => assert!(!reason.is_empty()),
        }
    }
}

/// Beside a mate, to a receiver and back.
fn posts(claimed: &ClaimedJob, answer: &[u8]) {
    let mate = mate("mate", r#"{"n":1}"#);
    let jobs = [claimed, &mate];
    let body = http::body(&jobs).expect("a body");
    // Nested too deep for a value in memory, it may be JSON all the same.
    if let Ok(body) = serde_json::from_slice::<Json>(&body) {
        assert_eq!(body["jobs"].as_array().map(Vec::len), Some(2));
        assert_eq!(body["jobs"][0]["id"], *claimed.id);
        assert_eq!(body["jobs"][1]["data"]["n"], 1);
    } else {
        serde_json::from_slice::<serde::de::IgnoredAny>(&body).expect("a body is JSON");
    }
    for is_accepted in [false, true] {
        // Its own data, as if a receiver had answered that.
        let ends = http::settlements(&jobs, answer, is_accepted);
        assert_eq!(ends.len(), 2);
        for end in ends {
            if let Settlement::Failed(reason) | Settlement::Unrecoverable(reason) = end {
                assert!(!reason.is_empty() && reason.chars().count() <= 2_100);
            }
        }
    }
}

/// What is taken of it from here is stored so that a claim reads the same.
fn adds(id: &str, opts: &str, data: &str) {
    let given: Json = serde_json::from_str(opts).unwrap_or_default();
    let number = |key: &str| given[key].as_u64().unwrap_or(0);
    let jitter = given["jitter"].as_f64();
    let delay_ms = number("delay");
    let options = JobOptions {
        job_id: Some(id.to_owned()),
        priority: number("priority") as u32,
        delay_ms,
        attempts: number("attempts") as u32,
        backoff: Some(match given["lifo"].as_bool() {
            Some(true) => Backoff::Exponential { delay_ms, jitter },
            _ => Backoff::Fixed { delay_ms, jitter },
        }),
        lifo: given["lifo"].as_bool().unwrap_or(false),
        deduplication: given["de"]["id"]
            .as_str()
            .map(|id| Deduplication { id: id.to_owned(), ..Deduplication::default() }),
        remove_on_complete: Some(KeepJobs::Bounded {
            count: given["count"].as_u64(),
            age_s: None,
            limit: None,
        }),
        ..JobOptions::default()
    };
    let job = NewJob { opts: options, ..NewJob::new("name", data) };
    let refused = queue::refusal(&job);
    if serde_json::from_str::<&serde_json::value::RawValue>(data).is_err() {
        assert!(refused.is_some(), "data that is no JSON");
    }
    if let Some(reason) = refused {
        assert!(!reason.is_empty() && !reason.contains(data) || data.len() < 8, "{reason}");
        return;
    }
    let text = queue::stored_options(&job.opts).expect("options are JSON");
    let read = StoredOptions::parse(&text);
    assert_eq!(read.attempts, f64::from(job.opts.attempts));
    assert_eq!(read.lifo, job.opts.lifo);
    if job.opts.attempts > 1 && jitter.is_none() {
        assert_eq!(read.after_failure(1, 0.5), Ending::Retry(delay_ms as f64));
    }
    let stored: Json = serde_json::from_str(&text).expect("options are JSON");
    assert_eq!(stored["jobId"], *id);
    assert!(queue::may_be_a_job(id) || !matches!(id, "a" | "own"), "{id}");
}
