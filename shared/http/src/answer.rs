//! Reads a receiver's answer: how each job of its request ends.

use std::collections::HashMap;

use batchmq::{ClaimedJob, Settlement};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::entry::{Named, settlement};
use crate::options::LockTimes;

/// An answer's body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    jobs: Option<Vec<&'a RawValue>>,
    /// Any JSON: the ends beside it count even if it is no number.
    #[serde(borrow)]
    lock_ms: Option<&'a RawValue>,
}

/// What an answer says.
#[derive(Debug, PartialEq)]
pub(crate) struct Ends {
    /// One a job, in their order.
    pub(crate) settlements: Vec<Settlement>,
    /// Entries that are about no job of the request.
    pub(crate) unknown: u64,
    /// Whether it was an answer at all, be it that of status 202.
    pub(crate) is_answer: bool,
}

/// Reads the answer to a request with `jobs`. `is_accepted`: it has the status 202, so that jobs which it
/// does not name are gone on with, and a body is not needed.
///
/// A job that is not named, named twice or whose entry is malformed has failed its attempt, so that it comes
/// to an end with a reason should its receiver never answer better. What is no answer at all fails all.
pub(crate) fn ends(
    jobs: &[&ClaimedJob],
    body: &[u8],
    is_accepted: bool,
    locks: &LockTimes,
) -> Ends {
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    let answer: Option<Answer<'_>> =
        if is_object { serde_json::from_slice(body).ok() } else { None };
    let lock_ms = answer.as_ref().and_then(|answer| answer.lock_ms);
    let lock_ms = lock_ms.and_then(|lock_ms| serde_json::from_str(lock_ms.get()).ok());
    let entries = answer.and_then(|answer| answer.jobs);
    let is_answer = is_accepted || entries.is_some();
    let unnamed = match (is_accepted, &entries) {
        (true, _) => Settlement::Keep { lock: locks.of(lock_ms) },
        (false, Some(_)) => failed("The receiver's answer does not name this job"),
        (false, None) => failed("The receiver's answer is no JSON object with a list of jobs"),
    };
    let places: HashMap<&str, usize> =
        jobs.iter().enumerate().map(|(place, job)| (job.id.as_str(), place)).collect();
    let mut ends: Vec<Option<Settlement>> = vec![None; jobs.len()];
    let mut unknown = 0;
    for entry in entries.unwrap_or_default() {
        let named: Option<Named<'_>> = serde_json::from_str(entry.get()).ok();
        let Some(place) = named.and_then(|named| places.get(&*named.id)) else {
            unknown += 1;
            continue;
        };
        ends[*place] = Some(match ends[*place] {
            None => settlement(entry, locks).unwrap_or_else(|wrong| {
                failed(&format!("The receiver's answer to this job {wrong}"))
            }),
            // Which of them is true, nobody knows.
            Some(_) => failed("The receiver's answer names this job twice"),
        });
    }
    let settlements = ends.into_iter().map(|end| end.unwrap_or_else(|| unnamed.clone())).collect();
    Ends { settlements, unknown, is_answer }
}

fn failed(reason: &str) -> Settlement {
    Settlement::Failed(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use batchmq_engine::testing::job;

    use super::*;

    fn read(body: &str, is_accepted: bool) -> Ends {
        let jobs = [job("1", "{}"), job("2", "{}")];
        let jobs: Vec<&ClaimedJob> = jobs.iter().collect();
        ends(&jobs, body.as_bytes(), is_accepted, &LockTimes::default())
    }

    fn reasons(body: &str) -> Vec<String> {
        let reason = |end| match end {
            Settlement::Failed(reason) => reason,
            other => format!("{other:?}"),
        };
        read(body, false).settlements.into_iter().map(reason).collect()
    }

    #[test]
    fn entries_are_found_by_their_ids() {
        let body = r#"{"jobs":[{"id":"2","status":"postponed"},{"id":"1","status":"completed"}]}"#;
        let settlements = vec![Settlement::Complete("null".to_owned()), Settlement::Postpone];
        assert_eq!(read(body, false), Ends { settlements, unknown: 0, is_answer: true });
    }

    #[test]
    fn what_is_missing_unknown_twice_or_malformed_has_an_end() {
        let body = r#"{"jobs":[{"id":"3","status":"completed"},{"id":1,"status":"completed"},7]}"#;
        assert_eq!(reasons(body), ["The receiver's answer does not name this job"; 2]);
        assert_eq!(read(body, false).unknown, 3);
        let body = r#"{"jobs":[{"id":"1","status":"completed"},{"id":"1","status":"completed"},
            {"id":"1","status":"failed"},{"id":"2","status":"done"}]}"#;
        let reasons = reasons(body);
        assert_eq!(reasons[0], "The receiver's answer names this job twice");
        assert!(reasons[1].starts_with("The receiver's answer to this job is malformed"));
    }

    #[test]
    fn what_is_no_answer_fails_all() {
        for body in ["", "ok", "[]", "{}", "{\"jobs\":{}}", "{\"jobs\":[]} {", "null", "\u{feff}{}"]
        {
            let wrong = "The receiver's answer is no JSON object with a list of jobs";
            assert_eq!(reasons(body), [wrong; 2], "{body}");
            assert!(!read(body, false).is_answer, "{body}");
        }
    }

    #[test]
    fn after_202_the_receiver_goes_on() {
        let keep = |seconds| Settlement::Keep { lock: Duration::from_secs(seconds) };
        for body in ["", "Accepted", "{}", "{\"jobs\":[]}"] {
            assert_eq!(read(body, true).settlements, [keep(300), keep(300)], "{body}");
        }
        assert_eq!(read("{\"lockMs\":60000}", true).settlements, [keep(60), keep(60)]);
        let body = r#"{"lockMs":60000,"jobs":[{"id":"2","status":"completed"}]}"#;
        let done = Settlement::Complete("null".to_owned());
        assert_eq!(read(body, true).settlements, [keep(60), done.clone()]);
        for wrong in ["\"60000\"", "null", "[1]", "1e999"] {
            let body =
                format!(r#"{{"lockMs":{wrong},"jobs":[{{"id":"2","status":"completed"}}]}}"#);
            assert_eq!(read(&body, true).settlements, [keep(300), done.clone()], "{body}");
        }
    }
}
