//! Looks at I2: which job made which snapshot.

use std::collections::{HashMap, HashSet};

use shared::store::snapshot_id;

use super::Invariant;
use super::places::Look;
use super::verdict::Findings;

impl Look<'_> {
    /// I2: each completed job names a snapshot of its own, of its project, and there is no other. Returns the
    /// jobs by the snapshots that they name.
    pub(super) fn effects(&self, findings: &mut Findings) -> HashMap<String, String> {
        let mut named: HashMap<String, String> = HashMap::new();
        // Those that may be there without being named: of jobs that are gone, and of some that ran and have
        // not completed.
        let mut known = HashSet::new();
        let mut completed = 0;
        let mut placed: Vec<_> = self.queue.placed().collect();
        placed.sort_unstable_by_key(|(id, ..)| *id);
        for (id, place, hash) in placed {
            let timestamp = hash.number("timestamp").unwrap_or_default();
            let derived = snapshot_id(self.names.prefix, self.names.queue, id, timestamp);
            if place.state != "completed" {
                known.insert(derived);
                continue;
            }
            if self.rules.period.is_before(hash.number("timestamp")) {
                known.insert(derived);
                let value = hash.json("returnvalue");
                known.extend(value.and_then(|it| it["snapshotId"].as_str().map(str::to_owned)));
                continue;
            }
            completed += 1;
            let value = hash.json("returnvalue");
            let Some(snapshot) = value.as_ref().and_then(|value| value["snapshotId"].as_str())
            else {
                findings.job(Invariant::I2, id, "has completed, and names no snapshot");
                continue;
            };
            let data = hash.json("data");
            let project = data.as_ref().and_then(|data| data["projectId"].as_str());
            match self.snapshots.get(snapshot) {
                None if self.rules.snapshots_are_pruned => {}
                None => {
                    let what = format!("names the snapshot {snapshot}, which is not there");
                    findings.job(Invariant::I2, id, what);
                }
                Some(stored) if Some(stored.project.as_str()) != project => {
                    let what = format!(
                        "names the snapshot {snapshot} of another project, {}",
                        stored.project
                    );
                    findings.job(Invariant::I2, id, what);
                }
                Some(_) => {}
            }
            if derived != snapshot && self.snapshots.contains_key(&derived) {
                let what = format!("has two snapshots, {snapshot} and {derived}");
                findings.job(Invariant::I2, id, what);
                known.insert(derived);
            }
            if let Some(other) = named.insert(snapshot.to_owned(), id.to_owned()) {
                let what = format!("names the snapshot {snapshot}, and so does job {other}");
                findings.job(Invariant::I2, id, what);
            }
        }
        let asked = self.accepted.jobs.keys().chain(self.accepted.maybe.keys());
        let gone = asked.filter(|id| !self.queue.places.contains_key(*id));
        known.extend(gone.filter_map(|id| self.proof(id)));
        findings.looked_at(Invariant::I2, completed + self.snapshots.len());
        // A call without an answer may have added a job that has completed and was removed.
        let (_, mut unanswered) = self.strangers();
        for (snapshot, stored) in self.snapshots {
            if stored.is_in_period && !named.contains_key(snapshot) && !known.contains(snapshot) {
                if let Some(left @ 1..) = unanswered.get_mut(&stored.project) {
                    *left -= 1;
                    continue;
                }
                let what = format!(
                    "the snapshot {snapshot} of project {} belongs to no accepted job",
                    stored.project
                );
                findings.note(Invariant::I2, None, what);
            }
        }
        named
    }
}
