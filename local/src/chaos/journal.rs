//! Notes what happens during a run: jobs that were accepted, how invocations went, and what went wrong beside the
//! faults.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use crate::verify::{AcceptedJob, Evidence};

/// Commands that a claimed job and an invocation may take at most, all that was asked twice included: twice
/// what they may take when nothing fails.
const COMMANDS_A_JOB: u64 = 13;
const COMMANDS_AN_INVOCATION: u64 = 60;

/// How often it is looked whether this machine lets us run.
const LOOK: Duration = Duration::from_millis(10);

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
    /// When this machine let nobody run, and for how long.
    standstills: Vec<(Instant, Duration)>,
}

impl Notes {
    /// How long this machine let nobody run between two moments: Lambda gives each function a processor of its
    /// own, and what is late for want of one here is not the function's fault.
    pub(super) fn stood_still(&self, from: Instant, to: Instant) -> Duration {
        let within = self.standstills.iter().filter(|(at, _)| (from..=to).contains(at));
        within.map(|(_, time)| *time).sum()
    }

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

    /// Notes when this machine lets nobody run, until it is dropped.
    pub(super) async fn watch(&self) {
        loop {
            let due = Instant::now() + LOOK;
            sleep_until(due).await;
            let late = due.elapsed();
            if late > LOOK {
                self.notes().standstills.push((Instant::now(), late));
            }
        }
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.notes().tally);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_machine_that_stands_still_is_noticed_and_one_that_does_not_is_not_excused() {
        let journal = Journal::default();
        let begun = Instant::now();
        let watching = journal.watch();
        let standing = async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            // Nobody else runs on this one thread meanwhile.
            std::thread::sleep(Duration::from_millis(300));
            tokio::time::sleep(Duration::from_millis(30)).await;
        };
        tokio::select! {
            () = watching => {}
            () = standing => {}
        }
        let stood = journal.notes().stood_still(begun, Instant::now());
        assert!(stood >= Duration::from_millis(250), "{stood:?}");
        assert_eq!(journal.notes().stood_still(Instant::now(), Instant::now()), Duration::ZERO);
    }
}
