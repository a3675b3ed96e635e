//! Groups the newest failed jobs by their reason.

use std::collections::HashMap;

use serde::Serialize;

use crate::answer::text;
use crate::error::Error;
use crate::queue::Queue;
use crate::script::library::FAILURES;
use batchmq_redis::Value;

/// Failed jobs that are looked at.
pub const MOST_FAILURES: usize = 200;

/// Bytes of a reason that are read.
const MOST_OF_A_REASON: usize = 500;

/// Jobs of a group that are named.
const MOST_NAMED: usize = 10;

/// Why the newest failed jobs failed.
///
/// ```no_run
/// # async fn example(queue: &batchmq::Queue) -> Result<(), batchmq::Error> {
/// let failures = queue.failures(None).await?;
/// for group in failures.groups() {
///     println!("{} jobs: {}", group.count, group.reason);
/// }
/// // Only what is new is read.
/// let failures = queue.failures(Some(&failures)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failures {
    /// When they were read: milliseconds since the epoch.
    pub at_ms: i64,
    /// The newest first.
    newest: Vec<Failure>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    id: String,
    /// When it failed, as the set has it.
    score: String,
    reason: String,
}

/// Failed jobs that have one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FailureGroup {
    /// The first 500 bytes of it; empty where a job has none.
    pub reason: String,
    /// Jobs.
    pub count: u64,
    /// When the newest of them failed: milliseconds since the epoch.
    pub newest: i64,
    /// The newest ten of them.
    pub job_ids: Vec<String>,
}

#[derive(Serialize)]
struct Args<'a> {
    count: usize,
    most: usize,
    known: HashMap<&'a str, &'a str>,
}

impl Failures {
    /// The groups, the largest first, and of several that are as large the newest.
    pub fn groups(&self) -> Vec<FailureGroup> {
        let mut groups: Vec<FailureGroup> = Vec::new();
        let mut places = HashMap::new();
        for Failure { id, score, reason } in &self.newest {
            let place = *places.entry(reason).or_insert_with(|| {
                let newest = score.parse::<f64>().unwrap_or_default() as i64;
                groups.push(FailureGroup {
                    reason: reason.clone(),
                    newest,
                    ..FailureGroup::default()
                });
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(place) {
                group.count += 1;
                if group.job_ids.len() < MOST_NAMED {
                    group.job_ids.push(id.clone());
                }
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse((group.count, group.newest)));
        groups
    }
}

impl Queue {
    /// Reads why the newest [`MOST_FAILURES`] failed jobs failed. 2 commands, and 1 for each of them that
    /// `before`, an earlier look, did not read.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn failures(&self, before: Option<&Failures>) -> Result<Failures, Error> {
        let before = before.map(|before| before.newest.as_slice()).unwrap_or_default();
        let known: HashMap<&str, &Failure> =
            before.iter().map(|failure| (failure.id.as_str(), failure)).collect();
        let args = |_| Args {
            count: MOST_FAILURES,
            most: MOST_OF_A_REASON,
            known: known.iter().map(|(id, failure)| (*id, failure.score.as_str())).collect(),
        };
        let at_ms = self.clock.now_ms();
        let answer = self.run(&FAILURES, &[self.keys.of("failed")], args).await?;
        let read = |line: &Value| {
            let [id, score, reason] = line.as_array()? else { return None };
            let (id, score) = (text(id.as_bytes()?), score.as_str()?.to_owned());
            let known = known.get(id.as_str()).filter(|known| known.score == score);
            let reason = match known {
                Some(known) => known.reason.clone(),
                None => whole_characters(reason.as_bytes().unwrap_or_default()),
            };
            Some(Failure { id, score, reason })
        };
        let newest = answer.iter().map(read).collect::<Option<_>>();
        Ok(Failures { at_ms, newest: newest.ok_or(Error::Protocol(FAILURES.name))? })
    }
}

/// The text without a character at its end that was cut in two: a retry looks for it as it stands.
fn whole_characters(bytes: &[u8]) -> String {
    let end = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    String::from_utf8_lossy(bytes.get(..end).unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_cut_in_two() {
        assert_eq!(whole_characters("a€".as_bytes()), "a€");
        assert_eq!(whole_characters(&"a€".as_bytes()[..2]), "a");
        assert_eq!(whole_characters(b"a\xffb"), "a\u{fffd}b");
    }
}
