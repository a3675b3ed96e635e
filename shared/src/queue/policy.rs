//! What happens to a job whose attempt failed: another try, after how long, or the end.

use serde_json::Value as Json;

use super::job::{Backoff, KeepJobs};

/// What a job's stored options ask of whoever finishes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredOptions {
    /// Tries in all; 0 and 1 both mean one.
    pub attempts: u32,
    /// Between tries.
    pub backoff: Option<Backoff>,
    /// A retried job goes to the front.
    pub lifo: bool,
    /// Entries of the stack trace that are kept; `None` keeps all.
    pub stack_trace_limit: Option<usize>,
    /// What to keep of completed jobs; `None`: the producer did not say, which keeps all.
    pub remove_on_complete: Option<KeepJobs>,
    /// The same for failed jobs.
    pub remove_on_fail: Option<KeepJobs>,
    /// Its deduplication key never expires by itself.
    pub keep_last_if_active: bool,
    /// Opaque trace context.
    pub telemetry: Option<String>,
}

/// How a failed attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Another try after so many milliseconds; 0 is at once.
    Retry(u64),
    /// No more tries.
    Fail,
}

impl StoredOptions {
    /// Reads BullMQ's options JSON. What cannot be read counts as not given: a job must not be
    /// lost over an option.
    pub fn parse(json: &str) -> Self {
        let opts: Json = serde_json::from_str(json).unwrap_or_default();
        Self {
            attempts: opts["attempts"].as_f64().unwrap_or(0.0) as u32,
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
        if attempt >= self.attempts {
            return Ending::Fail;
        }
        let (base, jitter) = match &self.backoff {
            None => return Ending::Retry(0),
            Some(Backoff::Fixed { delay_ms, jitter }) => (*delay_ms as f64, *jitter),
            Some(Backoff::Exponential { delay_ms, jitter }) => {
                let doublings = i32::try_from(attempt - 1).unwrap_or(i32::MAX);
                ((2_f64.powi(doublings) * *delay_ms as f64).round(), *jitter)
            }
        };
        let jitter = jitter.unwrap_or(0.0);
        let delay = if jitter > 0.0 {
            (random * base * jitter + base * (1.0 - jitter)).floor()
        } else {
            base
        };
        Ending::Retry(delay as u64)
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
fn backoff(value: &Json) -> Option<Backoff> {
    if let Some(delay) = value.as_f64() {
        return (delay > 0.0).then_some(Backoff::Fixed { delay_ms: delay as u64, jitter: None });
    }
    let delay_ms = value["delay"].as_f64().unwrap_or(0.0) as u64;
    let jitter = value["jitter"].as_f64();
    match value["type"].as_str()? {
        "exponential" => Some(Backoff::Exponential { delay_ms, jitter }),
        _ => Some(Backoff::Fixed { delay_ms, jitter }),
    }
}

fn keep(value: &Json) -> Option<KeepJobs> {
    let number = |v: &Json| v.as_f64().map(|n| n as u64);
    match value {
        Json::Bool(true) => Some(KeepJobs::None),
        Json::Bool(false) => Some(KeepJobs::All),
        Json::Number(n) => match n.as_f64().unwrap_or(-1.0) {
            n if n < 0.0 => Some(KeepJobs::All),
            0.0 => Some(KeepJobs::None),
            n => Some(KeepJobs::Bounded { count: Some(n as u64), age_s: None, limit: None }),
        },
        Json::Object(fields) => match fields.get("count").and_then(Json::as_f64) {
            Some(0.0) => Some(KeepJobs::None),
            count => Some(KeepJobs::Bounded {
                count: count.filter(|n| *n > 0.0).map(|n| n as u64),
                age_s: number(&value["age"]),
                limit: number(&value["limit"]),
            }),
        },
        _ => None,
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
            (r#"{"attempts":5}"#, [0, 0, 0]),
            (r#"{"attempts":5,"backoff":700}"#, [700, 700, 700]),
            (r#"{"attempts":5,"backoff":0}"#, [0, 0, 0]),
            (r#"{"attempts":5,"backoff":{"type":"fixed","delay":20}}"#, [20, 20, 20]),
            (
                r#"{"attempts":5,"backoff":{"type":"exponential","delay":5000}}"#,
                [5_000, 10_000, 20_000],
            ),
            (r#"{"attempts":5,"backoff":{"type":"lunar","delay":30}}"#, [30, 30, 30]),
        ];
        for (json, delays) in cases {
            for (attempt, delay) in (1..).zip(delays) {
                assert_eq!(opts(json).after_failure(attempt, 0.9), Ending::Retry(delay), "{json}");
            }
        }
        let last = opts(r#"{"attempts":5,"backoff":9}"#);
        assert_eq!(last.after_failure(5, 0.0), Ending::Fail);
    }

    #[test]
    fn jitter_makes_its_part_of_the_delay_random() {
        let half = opts(r#"{"attempts":9,"backoff":{"type":"fixed","delay":1000,"jitter":0.5}}"#);
        assert_eq!(half.after_failure(1, 0.0), Ending::Retry(500));
        assert_eq!(half.after_failure(1, 0.9999), Ending::Retry(999));
        let whole =
            opts(r#"{"attempts":9,"backoff":{"type":"exponential","delay":100,"jitter":1}}"#);
        assert_eq!(whole.after_failure(3, 0.25), Ending::Retry(100));
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
        let bounded = |count, age_s, limit| Some(KeepJobs::Bounded { count, age_s, limit });
        let cases = [
            ("{}", None),
            (r#"{"removeOnComplete":true}"#, Some(KeepJobs::None)),
            (r#"{"removeOnComplete":false}"#, Some(KeepJobs::All)),
            (r#"{"removeOnComplete":0}"#, Some(KeepJobs::None)),
            (r#"{"removeOnComplete":-1}"#, Some(KeepJobs::All)),
            (r#"{"removeOnComplete":7}"#, bounded(Some(7), None, None)),
            (r#"{"removeOnComplete":{"count":0}}"#, Some(KeepJobs::None)),
            (r#"{"removeOnComplete":{"age":60}}"#, bounded(None, Some(60), None)),
            (
                r#"{"removeOnComplete":{"age":60,"count":5,"limit":9}}"#,
                bounded(Some(5), Some(60), Some(9)),
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(opts(json).remove_on_complete, expected, "{json}");
        }
    }
}
