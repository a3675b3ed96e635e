//! Looks at I1, I3, I8 and I9: where jobs stand, who holds them, and whether they get on.

use std::collections::{BTreeMap, HashMap};

use shared::store::snapshot_id;

use super::queue::{Place, QueueState, Stored};
use super::scores;
use super::verdict::Findings;
use super::{Accepted, Invariant, Names, Rules};

/// Milliseconds of a score of `delayed`.
const PLACES_PER_MS: f64 = 4_096.0;

/// How long after its time a delayed job may still be one that nobody has come to: milliseconds.
const OVERDUE_MS: i64 = 60_000;

/// What is looked at.
pub(super) struct Look<'a> {
    pub(super) names: Names<'a>,
    pub(super) rules: &'a Rules,
    pub(super) accepted: &'a Accepted,
    pub(super) queue: &'a QueueState,
    pub(super) snapshots: &'a HashMap<String, scores::Stored>,
    /// The machine's clock: milliseconds since the Unix epoch.
    pub(super) now_ms: i64,
}

impl Look<'_> {
    /// The snapshot that a job that is gone has left, where that is known.
    pub(super) fn proof(&self, id: &str) -> Option<String> {
        let snapshot = |at| snapshot_id(self.names.prefix, self.names.queue, id, at);
        let mut all = self.accepted.timestamps(id).map(snapshot);
        all.find(|snapshot| self.snapshots.contains_key(snapshot))
    }

    /// How many jobs are in each state; of accepted ones also how many were removed.
    pub(super) fn count(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for place in self.queue.places.values().flatten() {
            *counts.entry(place.state).or_default() += 1;
        }
        let gone = self.accepted.jobs.keys().filter(|id| !self.queue.places.contains_key(*id));
        let removed = gone.filter(|id| self.proof(id).is_some()).count();
        if removed > 0 {
            counts.insert("removed", removed);
        }
        counts
    }

    /// The jobs that stand in one state, but for those whose producer wrote what nobody can read.
    pub(super) fn readable(&self) -> Vec<String> {
        let placed = self.queue.placed().map(|(id, ..)| id);
        let mut ids: Vec<String> =
            placed.filter(|id| !self.accepted.is_poison(id)).map(str::to_owned).collect();
        ids.sort_unstable();
        ids
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        self.lost_and_doubled(findings);
        self.nobodys(findings);
        self.held(findings);
        self.progress(findings);
        self.places(findings);
    }

    /// I1: each accepted job stands once, or is proved to have been there.
    fn lost_and_doubled(&self, findings: &mut Findings) {
        findings.looked_at(Invariant::I1, self.accepted.len());
        for (id, places) in &self.queue.places {
            if let [_, _, ..] = places.as_slice() {
                let states: Vec<&str> = places.iter().map(|place| place.state).collect();
                findings.job(Invariant::I1, id, format!("stands in {}", states.join(" and ")));
            }
        }
        for id in self.accepted.jobs.keys() {
            let Some(places) = self.queue.places.get(id) else {
                if self.proof(id).is_none() {
                    let stored = self.queue.unplaced.contains_key(id);
                    let is_known = self.accepted.timestamps(id).next().is_some();
                    let what = match (stored, is_known) {
                        (true, _) => "is stored, and stands in no state",
                        (false, true) => "is lost: neither the job nor its snapshot is there",
                        (false, false) => {
                            "is not there, and its removal cannot be proved without the job's \
                             `timestamp` in the log"
                        }
                    };
                    findings.job(Invariant::I1, id, what);
                }
                continue;
            };
            let has_failed = places.iter().any(|place| place.state == "failed");
            let reason = self.queue.hash(id).and_then(|hash| hash.text("failedReason"));
            if has_failed && reason.is_none_or(str::is_empty) {
                findings.job(Invariant::I1, id, "has failed without a reason");
            }
        }
    }

    /// I1: nothing stands in the queue that nobody asked for, but for schedulers' jobs and those of calls
    /// that were not answered.
    fn nobodys(&self, findings: &mut Findings) {
        for id in self.strangers().0 {
            findings.job(Invariant::I1, id, "stands in the queue, and nobody accepted it");
        }
    }

    /// The jobs that stand in the queue and that no call explains, and the calls without an answer, by project,
    /// whose jobs do not stand there.
    pub(super) fn strangers(&self) -> (Vec<&str>, HashMap<String, usize>) {
        let (mut unexplained, mut unanswered) = (Vec::new(), self.accepted.unanswered.clone());
        let mut strangers: Vec<&String> = self.queue.places.keys().collect();
        strangers.retain(|id| self.accepted.get(id).is_none() && !id.starts_with("repeat:"));
        strangers.sort_unstable();
        for id in strangers {
            let hash = self.queue.hash(id);
            let added = hash.and_then(|hash| hash.number("timestamp"));
            if self.rules.period.is_before(added) {
                continue;
            }
            let project = hash.and_then(|hash| hash.json("data"));
            let project = project.as_ref().and_then(|data| data["projectId"].as_str());
            match unanswered.get_mut(project.unwrap_or_default()) {
                Some(left) if *left > 0 => *left -= 1,
                _ => unexplained.push(id.as_str()),
            }
        }
        (unexplained, unanswered)
    }

    /// I3: nobody holds a job.
    fn held(&self, findings: &mut Findings) {
        findings.looked_at(Invariant::I3, self.queue.places.len() + self.queue.locks.len());
        let is_active = |id: &str| {
            let places = self.queue.places.get(id);
            places.is_some_and(|places| places.iter().any(|place| place.state == "active"))
        };
        for id in &self.queue.locks {
            if !is_active(id) {
                findings.job(Invariant::I3, id, "has a lock, and is not active");
            }
        }
        for id in self.queue.places.keys().filter(|id| is_active(id) && !self.rules.may_be_active) {
            let lock =
                if self.queue.locks.contains(id) { "under a lock" } else { "without a lock" };
            findings.job(Invariant::I3, id, format!("is still active, {lock}"));
        }
    }

    /// I8: what waits has not been tried for ever, and where all must have ended nothing waits.
    fn progress(&self, findings: &mut Findings) {
        findings.looked_at(Invariant::I8, self.queue.places.len());
        for (id, place, hash) in self.queue.placed() {
            if self.rules.period.is_before(hash.number("timestamp")) {
                continue;
            }
            let started = hash.number("ats").unwrap_or(0);
            let waits = match place.state {
                "wait" | "paused" | "prioritized" => true,
                "delayed" => self.is_overdue(place),
                _ => continue,
            };
            let state = place.state;
            if started > self.rules.most_starts {
                let what = format!("was started {started} times, and is in {state} again");
                findings.job(Invariant::I8, id, what);
            } else if self.rules.all_ended || (waits && state == "delayed") {
                let what = format!("has not ended: it is in {state}, started {started} times");
                findings.job(Invariant::I8, id, what);
            }
        }
    }

    fn is_overdue(&self, place: Place) -> bool {
        (place.score / PLACES_PER_MS) as i64 + OVERDUE_MS < self.now_ms
    }

    /// I9: a stored job has its place, a place its job, and the queue's keys are what they are to be.
    fn places(&self, findings: &mut Findings) {
        findings.looked_at(Invariant::I9, self.queue.places.len() + self.queue.unplaced.len());
        for (id, hash) in &self.queue.unplaced {
            if !self.accepted.is_left_by_its_producer(id)
                && !self.rules.period.is_before(hash.number("timestamp"))
            {
                let what = format!("is stored, and stands in no state; its fields: {hash}");
                findings.job(Invariant::I9, id, what);
            }
        }
        for (id, stored) in &self.queue.jobs {
            match stored {
                Stored::Hash(_) => {}
                Stored::Missing => {
                    findings.job(Invariant::I9, id, "stands in the queue, and there is no job");
                }
                Stored::Other => {
                    findings.job(Invariant::I9, id, "has something else than a job at its key");
                }
            }
        }
        for (key, wanted, found) in &self.queue.wrong {
            let what = format!("the queue's key `{key}` is a {found}, not a {wanted}");
            findings.note(Invariant::I9, None, what);
        }
    }
}
