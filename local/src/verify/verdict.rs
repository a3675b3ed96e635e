//! Says what was found: of each invariant whether it holds, and which jobs break it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Evidence, Invariant};

/// One case in which an invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The job, where it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// What is wrong.
    pub what: String,
}

/// What was found about one invariant.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which one.
    pub invariant: Invariant,
    /// What it promises.
    pub promise: &'static str,
    /// How many things were looked at: jobs, snapshots, invocations.
    pub looked_at: u64,
    /// Why nothing could be said, where there was nothing to look at that could have broken it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproved: Option<&'static str>,
    /// Where it does not hold.
    pub violations: Vec<Violation>,
}

/// What was found about all of them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Whether no invariant is broken.
    pub holds: bool,
    /// Jobs that were accepted, each counted once.
    pub accepted: usize,
    /// Jobs in each state, `removed` ones among them.
    pub states: BTreeMap<&'static str, usize>,
    /// Snapshots that were looked at.
    pub snapshots: usize,
    /// Jobs that have ended and were removed, and whose hash is left: a command was refused to who removed them.
    /// They are in nobody's way, and BullMQ's `removeOrphanedJobs` deletes them.
    pub leftovers: usize,
    /// The jobs that stand in the queue, and whose data is fit to be read.
    #[serde(skip)]
    pub readable: Vec<String>,
    /// One an invariant, in order.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Adds evidence that came later.
    pub fn hear(&mut self, evidence: &[Evidence]) {
        let mut findings = Findings(std::mem::take(&mut self.findings));
        findings.hear(evidence);
        self.findings = findings.0;
        self.holds = self.broken().is_empty();
    }

    /// Returns the violations of `invariant`.
    pub fn of(&self, invariant: Invariant) -> &[Violation] {
        let found = self.findings.iter().find(|finding| finding.invariant == invariant);
        found.map_or(&[], |finding| finding.violations.as_slice())
    }

    /// Returns the invariants that are broken.
    pub fn broken(&self) -> Vec<Invariant> {
        let broken = self.findings.iter().filter(|finding| !finding.violations.is_empty());
        broken.map(|finding| finding.invariant).collect()
    }
}

/// Findings in the making.
#[derive(Debug)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn new() -> Self {
        let finding = |invariant: Invariant| Finding {
            invariant,
            promise: invariant.promise(),
            looked_at: 0,
            unproved: None,
            violations: Vec::new(),
        };
        Self(Invariant::ALL.into_iter().map(finding).collect())
    }

    fn of(&mut self, invariant: Invariant) -> &mut Finding {
        // There is one of each, in order.
        &mut self.0[invariant as usize]
    }

    /// Notes that so many things were looked at.
    pub(super) fn looked_at(&mut self, invariant: Invariant, count: usize) {
        self.of(invariant).looked_at += count as u64;
    }

    /// Notes why nothing can be said where nothing was looked at.
    pub(super) fn unproved_unless_looked_at(&mut self, invariant: Invariant, why: &'static str) {
        let finding = self.of(invariant);
        finding.unproved = (finding.looked_at == 0).then_some(why);
    }

    /// Notes what is wrong with a job.
    pub(super) fn job(&mut self, invariant: Invariant, job: &str, what: impl Into<String>) {
        self.note(invariant, Some(job.to_owned()), what);
    }

    /// Notes what is wrong, of a job or of none.
    pub(super) fn note(
        &mut self,
        invariant: Invariant,
        job: Option<String>,
        what: impl Into<String>,
    ) {
        self.of(invariant).violations.push(Violation { job, what: what.into() });
    }

    pub(super) fn into_inner(self) -> Vec<Finding> {
        self.0
    }
}
