//! What must hold once the dust has settled, read past the code that is tested.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use shared::redis::Command;
use shared::store::snapshot_id;

use super::world::World;

const LISTS: [&str; 3] = ["wait", "paused", "active"];
const SETS: [&str; 5] = ["prioritized", "delayed", "waiting-children", "completed", "failed"];

impl World {
    /// Every accepted job stands in exactly one state, and nothing else does but `more` jobs at most
    /// (those that ran again because they were asked for while active); nobody owns a job any more;
    /// each completed job has one snapshot, the one that it names, and there is no other; each
    /// project shows the score of its newest.
    pub(super) async fn check_invariants(&self, accepted: &[String], more: usize) {
        let evicted = self.check(accepted, more, |_| None).await;
        assert_eq!(evicted, 0);
    }

    /// The same where finished jobs do not stay: a job that is gone is proved by its snapshot, whose id
    /// follows from the job's timestamp, the same for all accepted jobs. How many are gone.
    pub(super) async fn check_invariants_and_evicted(
        &self,
        accepted: &[String],
        more: usize,
        timestamp: i64,
    ) -> usize {
        let snapshot = |id: &str| Some(snapshot_id("engineo", "deo_score_queue", id, timestamp));
        self.check(accepted, more, snapshot).await
    }

    async fn check(
        &self,
        accepted: &[String],
        more: usize,
        snapshot: impl Fn(&str) -> Option<String>,
    ) -> usize {
        let mut states: HashMap<String, Vec<&str>> = HashMap::new();
        for state in LISTS.into_iter().chain(SETS) {
            let range = if LISTS.contains(&state) { "LRANGE" } else { "ZRANGE" };
            for id in self.strings(Command::new(range).arg(key(state)).arg("0").arg("-1")).await {
                states.entry(id).or_default().push(state);
            }
        }
        let doubled: Vec<_> = states.iter().filter(|(_, states)| states.len() > 1).collect();
        assert!(doubled.is_empty(), "in more than one state: {doubled:?}");
        let accepted: HashSet<&String> = accepted.iter().collect();
        let rows = self.database.query(r#"SELECT id FROM "DeoScoreSnapshot""#, &[]).await.unwrap();
        let mut stored: HashSet<String> = rows.iter().map(|row| row.get(0)).collect();
        let gone: Vec<_> = accepted.iter().filter(|id| !states.contains_key(**id)).collect();
        let lost: Vec<_> = gone
            .iter()
            .filter(|id| !snapshot(id).is_some_and(|snapshot| stored.remove(&snapshot)))
            .collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        let strange = states.keys().filter(|id| !accepted.contains(id)).count();
        assert!(strange <= more, "{strange} jobs that nobody added");
        assert!(states.values().all(|states| *states != ["active"]), "active: {states:?}");

        let keys = self.strings(Command::new("KEYS").arg(key("*"))).await;
        let locks: Vec<_> = keys.iter().filter(|key| key.ends_with(":lock")).collect();
        assert!(locks.is_empty(), "{locks:?}");

        let mut named = HashSet::new();
        for id in states.iter().filter(|(_, states)| **states == ["completed"]).map(|(id, _)| id) {
            let value = self.string(Command::new("HGET").arg(key(id)).arg("returnvalue")).await;
            let value: Value = serde_json::from_str(&value.unwrap()).unwrap();
            let snapshot = value["snapshotId"].as_str().unwrap().to_owned();
            assert!(named.insert(snapshot), "two jobs name one snapshot");
        }
        // Those of jobs that ran again, and are gone since.
        let unnamed = if gone.is_empty() { 0 } else { more };
        let missing = named.difference(&stored).count();
        assert_eq!(missing, 0, "snapshots that jobs name, and that are not there");
        assert!(
            stored.len() - named.len() <= unnamed,
            "{} snapshots of no job",
            stored.len() - named.len()
        );
        let behind = r#"SELECT count(*) FROM "Project" p JOIN (
            SELECT DISTINCT ON ("projectId") "projectId", "overallScore", "computedAt"
            FROM "DeoScoreSnapshot" ORDER BY "projectId", "computedAt" DESC) s ON s."projectId" = p.id
            WHERE p."currentDeoScore" IS DISTINCT FROM s."overallScore"
            OR p."currentDeoScoreComputedAt" IS DISTINCT FROM s."computedAt""#;
        let behind: i64 = self.database.query_one(behind, &[]).await.unwrap().get(0);
        assert_eq!(behind, 0, "projects that do not show their newest score");
        gone.len()
    }

    async fn strings(&self, command: Command) -> Vec<String> {
        let value = self.call(command).await;
        value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    }

    async fn string(&self, command: Command) -> Option<String> {
        self.call(command).await.as_str().map(str::to_owned)
    }
}

fn key(name: &str) -> String {
    format!("engineo:deo_score_queue:{name}")
}
