//! Reads the log of accepted jobs: one JSON object a line, written by whoever asked for them.
//!
//! `{"id": "17", "project": "p1"}` is a job whose id the queue has answered. What may stand beside it:
//! `timestamp` (the job's own, milliseconds since the Unix epoch: with it a job that retention has removed is
//! proved by its snapshot, whose id follows from it; of several lines any may be right), or where that is not known
//! `at` and `answered` (when it was asked for and answered by the clock of whoever stamped it: every millisecond
//! between them is tried), `poison` (its data is not fit to be scored) and `by` (who asked, for readers). A call whose
//! answer never came is `{"project": "p1", "unanswered": true}`, with the `id` where the producer chose it: its job
//! may be there or not. With `failed` as well, the producer's own library has failed the call, or was killed in it:
//! whatever that left is its own.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Of a call that took longer, only the first so many milliseconds are tried.
const LONGEST_MS: i64 = 120_000;

/// One line of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedJob {
    /// The job's id, as the queue answered it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// The project that it is to score.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub project: Option<String>,
    /// The job's timestamp: milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timestamp: Option<i64>,
    /// Whether its data is not fit to be scored, so that it has to fail.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub poison: bool,
    /// Whether no answer came.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub unanswered: bool,
    /// Whether the producer's own library has failed the call, or was killed in it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub failed: bool,
    /// Who asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// When: milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<i64>,
    /// When the answer came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answered: Option<i64>,
}

/// A log of accepted jobs.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    /// Each job once, by its id.
    pub(super) jobs: HashMap<String, AcceptedJob>,
    /// Calls without an answer, by their project.
    pub(super) unanswered: HashMap<String, usize>,
    /// Those under an id of the producer's choice, by that.
    pub(super) maybe: HashMap<String, AcceptedJob>,
    /// What the lines say of a job's timestamp.
    timestamps: HashMap<String, Vec<RangeInclusive<i64>>>,
}

/// A line that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is not JSON of the form that is expected.
    #[error("line {line} of the log of accepted jobs cannot be read: {source}")]
    Json {
        /// Which one, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It names no job, and does not say that no answer came.
    #[error(
        "line {line} of the log of accepted jobs has neither an `id` nor `\"unanswered\": true`"
    )]
    NoId {
        /// Which one, from 1.
        line: usize,
    },
}

impl Accepted {
    /// Reads a log. Empty lines are left out; of a job that several requests share one line counts.
    ///
    /// # Errors
    /// [`LineError`], which names the line.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        let mut accepted = Self::default();
        for (index, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let line = index + 1;
            let job: AcceptedJob =
                serde_json::from_str(text).map_err(|source| LineError::Json { line, source })?;
            if job.id.is_none() && !job.unanswered {
                return Err(LineError::NoId { line });
            }
            accepted.add(job);
        }
        Ok(accepted)
    }

    /// Adds a line.
    pub fn add(&mut self, job: AcceptedJob) {
        let known = job.timestamp.map(|at| at..=at);
        let between = || Some(job.at?..=job.answered?.min(job.at?.saturating_add(LONGEST_MS)));
        if let (Some(id), Some(range)) = (&job.id, known.or_else(between)) {
            self.timestamps.entry(id.clone()).or_default().push(range);
        }
        match &job.id {
            Some(id) if job.unanswered => drop(self.maybe.insert(id.clone(), job)),
            Some(id) => {
                self.jobs.entry(id.clone()).or_insert_with(|| job.clone()).poison |= job.poison
            }
            None => *self.unanswered.entry(job.project.unwrap_or_default()).or_default() += 1,
        }
    }

    /// Returns how many jobs were accepted, each counted once.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Returns whether none was.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The line of a job that was accepted, or may have been.
    pub(super) fn get(&self, id: &str) -> Option<&AcceptedJob> {
        self.jobs.get(id).or_else(|| self.maybe.get(id))
    }

    /// What may be a job's timestamp.
    pub(super) fn timestamps(&self, id: &str) -> impl Iterator<Item = i64> {
        self.timestamps.get(id).into_iter().flatten().cloned().flatten()
    }

    /// Whether what is left of a job is its producer's own doing.
    pub(super) fn is_left_by_its_producer(&self, id: &str) -> bool {
        !self.jobs.contains_key(id) && self.maybe.get(id).is_some_and(|job| job.failed)
    }

    pub(super) fn is_poison(&self, id: &str) -> bool {
        self.get(id).is_some_and(|job| job.poison)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_job_counts_once_and_an_unanswered_call_by_its_project() {
        let accepted = Accepted::parse(
            "{\"id\": \"1\", \"project\": \"p\"}\n\n{\"id\": \"1\", \"timestamp\": 5}\n\
             {\"project\": \"p\", \"unanswered\": true}\n",
        )
        .unwrap();
        assert_eq!((accepted.len(), accepted.timestamps("1").collect()), (1, vec![5]));
        assert_eq!(accepted.unanswered["p"], 1);
    }

    #[test]
    fn a_timestamp_is_what_the_line_says_or_between_call_and_answer() {
        let lines = r#"{"id": "1", "at": 5, "answered": 7}
            {"id": "1", "timestamp": 3, "at": 9, "answered": 9}
            {"id": "2", "at": 5}"#;
        let accepted = Accepted::parse(lines).unwrap();
        assert_eq!(accepted.timestamps("1").collect::<Vec<_>>(), [5, 6, 7, 3]);
        assert_eq!(accepted.timestamps("2").count(), 0);
    }

    #[test]
    fn a_line_that_names_no_job_is_refused_by_its_number() {
        for (text, number) in
            [("\n{}", "line 2 "), ("{\"id\": \"1\"}\nno", "line 2 "), ("1", "line 1 ")]
        {
            let error = Accepted::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(number), "{error}");
        }
    }
}
