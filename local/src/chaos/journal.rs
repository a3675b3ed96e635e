//! Notes what happens during a run: jobs that were accepted, how invocations went, and what went wrong beside the
//! faults.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::verify::{AcceptedJob, Evidence};

/// Commands that a claimed job and an invocation may take at most, all that was asked twice included: twice
/// what they may take when nothing fails.
const COMMANDS_A_JOB: u64 = 13;
const COMMANDS_AN_INVOCATION: u64 = 60;

/// What the drains did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Invocations that were begun.
    pub invocations: u64,
    /// Those that failed, which an alarm hears of.
    pub failed: u64,
    /// Processes that were killed in one.
    pub killed: u64,
    /// Jobs that were claimed, as far as reports tell.
    pub claimed: u64,
    /// Billed commands, as far as reports tell.
    pub commands: u64,
    /// Reports.
    pub reports: u64,
}

/// Everything noted so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    pub(super) accepted: Vec<AcceptedJob>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) tally: Tally,
    /// Strikes by fault.
    pub(super) strikes: BTreeMap<&'static str, u64>,
    /// Strikes that did not succeed, and why.
    pub(super) missed: Vec<String>,
    /// Producers' calls that were asked again.
    pub(super) asked_again: u64,
}

impl Notes {
    /// What was billed beside what may be.
    pub(super) fn bill(&self) -> Evidence {
        let Tally { claimed, commands, reports, .. } = self.tally;
        Evidence::Commands {
            by: "the drains".to_owned(),
            used: commands,
            budget: claimed * COMMANDS_A_JOB + reports * COMMANDS_AN_INVOCATION,
            job: None,
        }
    }
}

/// Where it is noted.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Notes>);

impl Journal {
    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn accept(&self, job: AcceptedJob) {
        self.notes().accepted.push(job);
    }

    pub(super) fn evidence(&self, evidence: Evidence) {
        self.notes().evidence.push(evidence);
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.notes().tally);
    }
}
