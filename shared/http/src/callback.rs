//! Reads what a receiver sends that went on with jobs after its answer: how they ended, or that it needs more time.

use std::collections::HashSet;

use batchmq::Settlement;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::entry::{Named, settlement};
use crate::options::LockTimes;

/// Jobs of a callback at most.
pub const MOST_JOBS: usize = 1_000;

/// Characters of a claim's token at most; ours have 32.
const MOST_CLAIM_CHARS: usize = 100;

/// Characters of a job's id at most.
const MOST_ID_CHARS: usize = 1_000;

#[derive(Deserialize)]
struct Body<'a> {
    claim: String,
    #[serde(borrow)]
    jobs: Vec<&'a RawValue>,
}

/// A callback that can be acted upon.
///
/// ```
/// use batchmq::Settlement;
/// use batchmq_http::{Callback, LockTimes, MOST_JOBS};
///
/// let body = br#"{"claim":"t","jobs":[{"id":"1","status":"completed"}]}"#;
/// let callback = Callback::parse(body, &LockTimes::default()).unwrap();
/// assert_eq!(callback.claim, "t");
/// assert_eq!(callback.jobs, [("1".to_owned(), Settlement::Complete("null".to_owned()))]);
/// assert!(callback.jobs.len() <= MOST_JOBS);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Callback {
    /// The token of the claim that its jobs' locks hold.
    pub claim: String,
    /// The jobs, each with its end; those that need more time are kept ([`Settlement::Keep`]).
    pub jobs: Vec<(String, Settlement)>,
}

impl Callback {
    /// Reads a callback's body. All of it is right, or none of it counts.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence that shows nothing of it.
    pub fn parse(body: &[u8], locks: &LockTimes) -> Result<Self, String> {
        let is_object = body.trim_ascii_start().first() == Some(&b'{');
        let read: Option<Body<'_>> =
            if is_object { serde_json::from_slice(body).ok() } else { None };
        let Body { claim, jobs } = read
            .filter(|body| (1..=MOST_CLAIM_CHARS).contains(&body.claim.chars().count()))
            .filter(|body| (1..=MOST_JOBS).contains(&body.jobs.len()))
            .ok_or_else(|| {
                format!("The body must be an object with claim, a string, and jobs, 1 to {MOST_JOBS} of them")
            })?;
        let (mut seen, mut ends) = (HashSet::new(), Vec::with_capacity(jobs.len()));
        for (place, entry) in jobs.into_iter().enumerate() {
            let named: Option<Named<'_>> = serde_json::from_str(entry.get()).ok();
            let id = named
                .map(|named| named.id.into_owned())
                .filter(|id| (1..=MOST_ID_CHARS).contains(&id.chars().count()))
                .ok_or_else(|| format!("jobs[{place}] has no id, or none that is a string"))?;
            if !seen.insert(id.clone()) {
                return Err(format!("jobs[{place}] is about a job that came before"));
            }
            let end = settlement(entry, locks).map_err(|wrong| format!("jobs[{place}] {wrong}"))?;
            ends.push((id, end));
        }
        Ok(Self { claim, jobs: ends })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(body: &str) -> Result<Callback, String> {
        Callback::parse(body.as_bytes(), &LockTimes::default())
    }

    #[test]
    fn all_of_it_is_right_or_none_of_it_counts() {
        let body = r#"{"claim":"t","jobs":[{"id":"1","status":"completed"}]}"#;
        let jobs = vec![("1".to_owned(), Settlement::Complete("null".to_owned()))];
        assert_eq!(parse(body), Ok(Callback { claim: "t".to_owned(), jobs }));
        for (wrong, said) in [
            ("", "must be an object"),
            ("[\"t\",[]]", "must be an object"),
            ("{\"claim\":\"t\",\"jobs\":[]}", "1 to 1000"),
            ("{\"claim\":\"\",\"jobs\":[{}]}", "claim"),
            ("{\"jobs\":[{\"id\":\"1\"}]}", "claim"),
            ("{\"claim\":\"t\",\"jobs\":[{\"id\":1}]}", "jobs[0] has no id"),
            (
                "{\"claim\":\"t\",\"jobs\":[{\"id\":\"1\",\"status\":\"done\"}]}",
                "jobs[0] is malformed",
            ),
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains(said), "{wrong}: {error}");
        }
        let twice =
            r#"{"claim":"t","jobs":[{"id":"1","status":"failed"},{"id":"1","status":"failed"}]}"#;
        assert_eq!(parse(twice).unwrap_err(), "jobs[1] is about a job that came before");
    }
}
