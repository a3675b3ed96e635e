//! Writes a batch as its receiver gets it.

use std::time::Duration;

use batchmq::ClaimedJob;
use batchmq::clock::millis;
use serde::Serialize;
use serde_json::value::RawValue;

/// A request's body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request<'a> {
    queue: &'a str,
    /// What a callback about these jobs has to carry.
    claim: &'a str,
    /// Milliseconds since the epoch.
    sent_at: i64,
    /// How long the answer may take.
    timeout_ms: u64,
    jobs: Vec<Job<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Job<'a> {
    id: &'a str,
    name: &'a str,
    data: Data<'a>,
    /// Only where `data` is a text that is no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_is_json: Option<bool>,
    /// Which attempt this is: 1 for the first.
    attempt: u32,
    /// How many it has in all.
    attempts: u64,
    /// When it was added: milliseconds since the epoch.
    timestamp: i64,
    priority: u32,
    /// The same for every request about this attempt.
    idempotency_key: String,
}

/// A job's data as its producer wrote it, digit for digit.
#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Json(&'a RawValue),
    Text(&'a str),
}

impl<'a> Request<'a> {
    pub(crate) fn new(
        queue: &'a str,
        claim: &'a str,
        jobs: &[&'a ClaimedJob],
        sent_at: i64,
        timeout: Duration,
    ) -> Self {
        let jobs = jobs.iter().map(|job| Job::new(job)).collect();
        Self { queue, claim, sent_at, timeout_ms: millis(timeout), jobs }
    }
}

impl<'a> Job<'a> {
    fn new(job: &'a ClaimedJob) -> Self {
        let data = match serde_json::from_str(&job.data) {
            Ok(json) => Data::Json(json),
            Err(_) => Data::Text(&job.data),
        };
        let attempt = job.attempts_made.saturating_add(1);
        Self {
            id: &job.id,
            name: &job.name,
            data_is_json: matches!(data, Data::Text(_)).then_some(false),
            data,
            attempt,
            // An absurd number saturates.
            attempts: job.opts.attempts.max(1.0) as u64,
            timestamp: job.timestamp_ms,
            priority: job.priority,
            idempotency_key: format!("{}:{attempt}", job.id),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use batchmq_engine::testing::job;

    use super::*;

    #[test]
    fn data_goes_as_it_is_and_what_is_no_json_as_a_text() {
        let jobs = [
            ClaimedJob { attempts_made: 2, ..job("7", r#"{"n":1.000000000000000001}"#) },
            job("x", "{oops"),
        ];
        let jobs: Vec<&ClaimedJob> = jobs.iter().collect();
        let request = Request::new("crawl", "token", &jobs, 5, Duration::from_secs(15));
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            concat!(
                r#"{"queue":"crawl","claim":"token","sentAt":5,"timeoutMs":15000,"jobs":["#,
                r#"{"id":"7","name":"job","data":{"n":1.000000000000000001},"attempt":3,"attempts":1,"#,
                r#""timestamp":0,"priority":0,"idempotencyKey":"7:3"},"#,
                r#"{"id":"x","name":"job","data":"{oops","dataIsJson":false,"attempt":1,"attempts":1,"#,
                r#""timestamp":0,"priority":0,"idempotencyKey":"x:1"}]}"#
            )
        );
    }
}
