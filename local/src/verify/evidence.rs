//! Reads what no state after the fact can tell: when invocations ended, what was billed, and what BullMQ's own
//! code said to the jobs that were left. Whoever makes a fault run notes it, one JSON object a line.

use serde::{Deserialize, Serialize};

use super::Invariant;
use super::verdict::Findings;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Evidence {
    /// A function's invocation.
    #[serde(rename_all = "camelCase")]
    Invocation {
        /// Its request id.
        id: String,
        /// When it had to end: milliseconds since the Unix epoch.
        deadline_ms: i64,
        /// When it ended, whether it answered or was killed.
        ended_ms: i64,
        /// A job that it held, where that is known.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        job: Option<String>,
    },
    /// Billed commands.
    Commands {
        /// What used them.
        by: String,
        /// How many.
        used: u64,
        /// How many it may use.
        budget: u64,
        /// The job, where they are one's.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        job: Option<String>,
    },
    /// What BullMQ's own code did to a job that was left.
    Peer {
        /// Which one, as `BullMQ 5.65.1`.
        peer: String,
        /// What it did, as `read` or `retry`.
        did: String,
        /// To which job.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        job: Option<String>,
        /// What it said when it could not.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        error: Option<String>,
    },
    /// A score that fell by as many points as are told, as the database saw it.
    #[serde(rename_all = "camelCase")]
    Fall {
        /// Whose score.
        project: String,
        /// The score before.
        from: i32,
        /// The score then.
        to: i32,
        /// When the rows were read that it comes from: milliseconds since the Unix epoch.
        read_at_ms: i64,
    },
    /// An event of a drop that a receiver took.
    Event {
        /// Its `webhook-id`.
        id: String,
        /// Whose score fell.
        project: String,
    },
}

/// A line that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the evidence cannot be read: {source}")]
pub struct EvidenceError {
    /// Which one, from 1.
    line: usize,
    /// What is wrong with it.
    source: serde_json::Error,
}

impl Evidence {
    /// Reads a file of evidence.
    ///
    /// # Errors
    /// [`EvidenceError`], which names the line.
    pub fn parse(text: &str) -> Result<Vec<Self>, EvidenceError> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let read = |(index, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|source| EvidenceError { line: index + 1, source })
        };
        lines.map(read).collect()
    }
}

impl Findings {
    /// Looks at I4, I5 and at what BullMQ's code said about I6.
    pub(super) fn hear(&mut self, evidence: &[Evidence]) {
        for line in evidence {
            let (invariant, job, wrong) = match line {
                // See `drops`.
                Evidence::Fall { .. } | Evidence::Event { .. } => continue,
                Evidence::Invocation { id, deadline_ms, ended_ms, job } => {
                    let over = ended_ms - deadline_ms;
                    let what = format!("invocation {id} ended {over} ms after its deadline");
                    (Invariant::I4, job, (over > 0).then_some(what))
                }
                Evidence::Commands { by, used, budget, job } => {
                    let what = format!("{by}: {used} commands, of at most {budget}");
                    (Invariant::I5, job, (used > budget).then_some(what))
                }
                Evidence::Peer { peer, did, job, error } => {
                    let what = |error| format!("{peer} could not {did}: {error}");
                    (Invariant::I6, job, error.as_ref().map(what))
                }
            };
            self.looked_at(invariant, 1);
            if let Some(what) = wrong {
                self.note(invariant, job.clone(), what);
            }
        }
        for invariant in [Invariant::I4, Invariant::I5] {
            let why = "no evidence was given: `deo chaos --keep` writes it";
            self.unproved_unless_looked_at(invariant, why);
        }
    }
}
