//! Decides what happens to a job whose attempt failed: another try, after how long, or the end.
//!
//! Numbers are JavaScript's: producers give fractions, and numbers that no integer holds.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value as Json;

use crate::clock::millis;

/// What a job's stored options ask of whoever finishes it.
///
/// ```
/// use std::time::Duration;
///
/// use batchmq::{Ending, StoredOptions};
///
/// let opts = StoredOptions::parse(r#"{"attempts":2,"backoff":{"type":"fixed","delay":500}}"#);
/// assert_eq!(opts.after_failure(1, 0.0), Ending::Retry(500.0));
/// assert_eq!(opts.after_failure(2, 0.0), Ending::Fail);
/// assert_eq!(opts.after_failure_for(1, Duration::from_secs(9)), Ending::Retry(9_000.0));
/// assert_eq!(opts.stacktrace(Vec::new(), "why".to_owned()), ["why"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredOptions {
    /// Tries in all; up to 1 means one, and a fraction one more.
    pub attempts: f64,
    /// Between tries.
    pub backoff: Option<StoredBackoff>,
    /// A retried job goes to the front.
    pub lifo: bool,
    /// Entries of the stack trace that are kept; `None` keeps all.
    pub stack_trace_limit: Option<usize>,
    /// What to keep of completed jobs.
    pub remove_on_complete: Keep,
    /// The same for failed jobs.
    pub remove_on_fail: Keep,
    /// Its deduplication key never expires by itself.
    pub keep_last_if_active: bool,
    /// Opaque trace context.
    pub telemetry: Option<String>,
}

/// How long to wait between tries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredBackoff {
    exponential: bool,
    /// Milliseconds, the first delay.
    delay: f64,
    /// 0 to 1: the part of the delay that is random.
    jitter: f64,
}

/// What to keep of finished jobs, as the scripts take it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Keep {
    /// The newest so many. -1: all, 0: none.
    pub(crate) count: i64,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) age: Option<f64>,
    /// At most so many removals a finish.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<i64>,
}

impl Keep {
    const ALL: Self = Self { count: -1, age: None, limit: None };
    const NONE: Self = Self { count: 0, age: None, limit: None };
}

impl Default for Keep {
    fn default() -> Self {
        Self::ALL
    }
}

/// How a failed attempt ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// Another try after so many milliseconds; 0 is at once.
    Retry(f64),
    /// No more tries.
    Fail,
}

impl StoredOptions {
    /// Reads BullMQ's options JSON. What cannot be read counts as not given: a job must not be
    /// lost over an option.
    pub fn parse(json: &str) -> Self {
        let opts: Json = serde_json::from_str(json).unwrap_or_default();
        Self {
            attempts: opts["attempts"].as_f64().unwrap_or(0.0),
            backoff: backoff(&opts["backoff"]),
            lifo: opts["lifo"].as_bool().unwrap_or(false),
            stack_trace_limit: opts["stackTraceLimit"].as_f64().map(|n| n as usize),
            remove_on_complete: keep(&opts["removeOnComplete"]),
            remove_on_fail: keep(&opts["removeOnFail"]),
            keep_last_if_active: opts["de"]["keepLastIfActive"].as_bool().unwrap_or(false),
            telemetry: opts["tm"].as_str().map(str::to_owned),
        }
    }

    /// How an attempt ends that failed as the `attempt`-th (1 for the first); `random` is in 0..1.
    pub fn after_failure(&self, attempt: u32, random: f64) -> Ending {
        if f64::from(attempt) >= self.attempts {
            return Ending::Fail;
        }
        let Some(StoredBackoff { exponential, delay, jitter }) = self.backoff else {
            return Ending::Retry(0.0);
        };
        let doublings = i32::try_from(attempt - 1).unwrap_or(i32::MAX);
        let base = if exponential { (2_f64.powi(doublings) * delay).round() } else { delay };
        let delay = if jitter > 0.0 {
            (random * base * jitter + base * (1.0 - jitter)).floor()
        } else {
            base
        };
        match delay {
            // By this BullMQ's strategies say that it is enough.
            -1.0 => Ending::Fail,
            // Nothing doubled without end.
            _ if delay.is_nan() => Ending::Retry(0.0),
            // JSON knows no infinity.
            _ => Ending::Retry(delay.min(f64::MAX)),
        }
    }

    /// As [`StoredOptions::after_failure`], where whoever worked on the job says itself after how long
    /// it is to be tried again.
    pub fn after_failure_for(&self, attempt: u32, wait: Duration) -> Ending {
        if f64::from(attempt) >= self.attempts {
            return Ending::Fail;
        }
        Ending::Retry(millis(wait) as f64)
    }

    /// The stack trace after one more entry.
    pub fn stacktrace(&self, mut entries: Vec<String>, entry: String) -> Vec<String> {
        entries.push(entry);
        if let Some(limit) = self.stack_trace_limit {
            entries.drain(..entries.len().saturating_sub(limit));
        }
        entries
    }
}

/// A number is a fixed delay. A type that only a Node worker's own code knows is read as fixed,
/// too: its delay is the best that is known about it.
fn backoff(value: &Json) -> Option<StoredBackoff> {
    if let Some(delay) = value.as_f64() {
        return Some(StoredBackoff { exponential: false, delay, jitter: 0.0 });
    }
    let number = |key: &str| value[key].as_f64().unwrap_or(0.0);
    Some(StoredBackoff {
        exponential: value["type"].as_str()? == "exponential",
        delay: number("delay"),
        jitter: number("jitter"),
    })
}

fn keep(value: &Json) -> Keep {
    // More is as good as all, and much more Redis takes for no number. A part of a job is kept whole.
    let whole = |n: f64| if n < 0.0 { -1 } else { n.ceil().min(2_f64.powi(53)) as i64 };
    let count = |n: f64| if n == 0.0 { Keep::NONE } else { Keep { count: whole(n), ..Keep::ALL } };
    match value {
        Json::Bool(true) => Keep::NONE,
        Json::Number(n) => count(n.as_f64().unwrap_or(-1.0)),
        Json::Object(fields) => match fields.get("count").and_then(Json::as_f64) {
            Some(0.0) => Keep::NONE,
            n => Keep {
                count: n.map_or(-1, whole),
                age: value["age"].as_f64(),
                limit: value["limit"].as_f64().map(whole),
            },
        },
        _ => Keep::ALL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opts(json: &str) -> StoredOptions {
        StoredOptions::parse(json)
    }

    #[test]
    fn none_and_one_attempt_both_mean_one() {
        for json in ["{}", r#"{"attempts":0}"#, r#"{"attempts":1}"#, "not json"] {
            assert_eq!(opts(json).after_failure(1, 0.5), Ending::Fail, "{json}");
        }
    }

    #[test]
    fn backoff_follows_its_type() {
        let cases = [
            (r#"{"attempts":5}"#, [0.0, 0.0, 0.0]),
            (r#"{"attempts":5,"backoff":700}"#, [700.0, 700.0, 700.0]),
            (r#"{"attempts":5,"backoff":0}"#, [0.0, 0.0, 0.0]),
            (r#"{"attempts":5,"backoff":{"type":"fixed","delay":20}}"#, [20.0, 20.0, 20.0]),
            (r#"{"attempts":5,"backoff":{"type":"fixed","delay":0.5}}"#, [0.5, 0.5, 0.5]),
            (
                r#"{"attempts":5,"backoff":{"type":"exponential","delay":5000}}"#,
                [5_000.0, 10_000.0, 20_000.0],
            ),
            (r#"{"attempts":5,"backoff":{"type":"exponential","delay":0.6}}"#, [1.0, 1.0, 2.0]),
            (r#"{"attempts":3.5,"backoff":{"type":"exponential"}}"#, [0.0, 0.0, 0.0]),
            (r#"{"attempts":5,"backoff":{"type":"lunar","delay":30}}"#, [30.0, 30.0, 30.0]),
        ];
        for (json, delays) in cases {
            for (attempt, delay) in (1..).zip(delays) {
                assert_eq!(opts(json).after_failure(attempt, 0.9), Ending::Retry(delay), "{json}");
            }
        }
        let last = opts(r#"{"attempts":5,"backoff":9}"#);
        assert_eq!(last.after_failure(5, 0.0), Ending::Fail);
        assert_eq!(opts(r#"{"attempts":5,"backoff":-1}"#).after_failure(1, 0.0), Ending::Fail);
        let huge = opts(r#"{"attempts":1e9,"backoff":{"type":"exponential","delay":1e300}}"#);
        assert_eq!(huge.after_failure(2_000, 0.0), Ending::Retry(f64::MAX));
        let nothing = opts(r#"{"attempts":1e9,"backoff":{"type":"exponential"}}"#);
        assert_eq!(nothing.after_failure(2_000, 0.0), Ending::Retry(0.0));
    }

    #[test]
    fn jitter_makes_its_part_of_the_delay_random() {
        let half = opts(r#"{"attempts":9,"backoff":{"type":"fixed","delay":1000,"jitter":0.5}}"#);
        assert_eq!(half.after_failure(1, 0.0), Ending::Retry(500.0));
        assert_eq!(half.after_failure(1, 0.9999), Ending::Retry(999.0));
        let whole =
            opts(r#"{"attempts":9,"backoff":{"type":"exponential","delay":100,"jitter":1}}"#);
        assert_eq!(whole.after_failure(3, 0.25), Ending::Retry(100.0));
    }

    #[test]
    fn a_wait_of_the_handlers_choice_goes_before_the_backoff_and_not_before_the_attempts() {
        let opts = opts(r#"{"attempts":3,"backoff":{"type":"fixed","delay":1000,"jitter":1}}"#);
        let wait = Duration::from_millis(70_000);
        assert_eq!(opts.after_failure_for(1, wait), Ending::Retry(70_000.0));
        assert_eq!(opts.after_failure_for(2, Duration::ZERO), Ending::Retry(0.0));
        assert_eq!(opts.after_failure_for(3, wait), Ending::Fail);
    }

    #[test]
    fn stack_traces_keep_their_newest_entries() {
        let old = vec!["a".to_owned(), "b".to_owned()];
        let with = |json| opts(json).stacktrace(old.clone(), "c".to_owned());
        assert_eq!(with("{}"), ["a", "b", "c"]);
        assert_eq!(with(r#"{"stackTraceLimit":2}"#), ["b", "c"]);
        assert!(with(r#"{"stackTraceLimit":0}"#).is_empty());
    }

    #[test]
    fn retention_is_read_in_every_form() {
        const MOST: i64 = 1 << 53;
        let bounded = |count, age, limit| Keep { count, age, limit };
        let cases = [
            ("{}", Keep::ALL),
            (r#"{"removeOnComplete":true}"#, Keep::NONE),
            (r#"{"removeOnComplete":false}"#, Keep::ALL),
            (r#"{"removeOnComplete":0}"#, Keep::NONE),
            (r#"{"removeOnComplete":-5}"#, Keep::ALL),
            (r#"{"removeOnComplete":-0.5}"#, Keep::ALL),
            (r#"{"removeOnComplete":7}"#, bounded(7, None, None)),
            (r#"{"removeOnComplete":0.5}"#, bounded(1, None, None)),
            (r#"{"removeOnComplete":1e300}"#, bounded(MOST, None, None)),
            (r#"{"removeOnComplete":{"count":0}}"#, Keep::NONE),
            (r#"{"removeOnComplete":{"age":60}}"#, bounded(-1, Some(60.0), None)),
            (
                r#"{"removeOnComplete":{"age":0.5,"limit":1e300}}"#,
                bounded(-1, Some(0.5), Some(MOST)),
            ),
            (
                r#"{"removeOnComplete":{"age":60,"count":5,"limit":9}}"#,
                bounded(5, Some(60.0), Some(9)),
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(opts(json).remove_on_complete, expected, "{json}");
        }
    }
}
