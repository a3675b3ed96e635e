//! Groups the newest failed jobs by their reason.

use std::collections::HashMap;

use serde::Serialize;

use crate::answer::text;
use crate::error::Error;
use crate::operate::by_reason::ANYTHING;
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

/// Failed jobs that have one reason, but for the ids and numbers in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FailureGroup {
    /// The first 500 bytes of it, with `…` for each word that differs among them; empty where a job has none.
    pub reason: String,
    /// The text by which a [retry](Queue::retry_by_reason) takes them all, and whatever else has all that stands
    /// around its `…`.
    pub text: String,
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
            let common = common(reason);
            let place = *places.entry(common.clone()).or_insert_with(|| {
                let newest = score.parse::<f64>().unwrap_or_default() as i64;
                let (reason, text) = (reason.clone(), reason.clone());
                groups.push(FailureGroup { reason, text, newest, ..FailureGroup::default() });
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(place) {
                if group.reason != *reason {
                    group.text.clone_from(&common);
                    group.reason = common;
                }
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

/// Bytes that a reason must have between two of its ids, for others to be of its kind.
const LEAST_IN_COMMON: usize = 8;

/// The reason with `…` for each word that has a digit, as ids, numbers and times do; the whole of it where too little
/// is left.
fn common(reason: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        match bare.contains(|c: char| c.is_ascii_digit()) {
            true => word.replacen(bare, &ANYTHING.to_string(), 1),
            false => word.to_owned(),
        }
    };
    let common: Vec<String> = reason.split(' ').map(word).collect();
    let common = common.join(" ");
    let has_enough = longest_part(&common).len() >= LEAST_IN_COMMON;
    if has_enough { common } else { reason.to_owned() }
}

/// The longest part that all of the kind have.
fn longest_part(common: &str) -> &str {
    common.split(ANYTHING).map(str::trim).max_by_key(|part| part.len()).unwrap_or_default()
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
    fn reasons_that_differ_in_ids_are_one_group() {
        let failure = |id: &str, score: &str, reason: &str| {
            let [id, score, reason] = [id, score, reason].map(str::to_owned);
            Failure { id, score, reason }
        };
        let newest = vec![
            failure("5", "50", "Project not found: gone-2"),
            failure("4", "40", "timed out"),
            failure("3", "30", "Project not found: cm4x9"),
            failure("2", "20", "E17"),
            failure("1", "10", "E18"),
        ];
        let groups = Failures { at_ms: 0, newest }.groups();
        let told: Vec<_> =
            groups.iter().map(|it| (it.reason.as_str(), it.text.as_str(), it.count)).collect();
        assert_eq!(
            told,
            [
                ("Project not found: …", "Project not found: …", 2),
                ("timed out", "timed out", 1),
                ("E17", "E17", 1),
                ("E18", "E18", 1),
            ]
        );
        assert_eq!(
            (groups[0].newest, &groups[0].job_ids),
            (50, &vec!["5".to_owned(), "3".to_owned()])
        );
    }

    #[test]
    fn no_character_is_cut_in_two() {
        assert_eq!(whole_characters("a€".as_bytes()), "a€");
        assert_eq!(whole_characters(&"a€".as_bytes()[..2]), "a");
        assert_eq!(whole_characters(b"a\xffb"), "a\u{fffd}b");
    }
}
