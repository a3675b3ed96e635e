//! A run that went well, into which violations are planted.

use std::fs;

use fixture::World;
use serde_json::{Value, json};
use shared::redis::Command;
use tempfile::TempDir;

use crate::process::{deo, open_folder};

/// A queue whose jobs `1` to `4` have been drained: three projects and one that is unknown.
pub(super) struct Run {
    pub(super) world: World,
    folder: TempDir,
    pub(super) accepted: Vec<Value>,
    pub(super) evidence: Vec<Value>,
}

impl Run {
    pub(super) async fn new() -> Self {
        let world = World::builder().own_redis().database("").start().await;
        let mut projects = world.projects((1..=3).map(|n| format!("p{n}"))).await;
        projects.push("unknown".to_owned());
        let ids = world.enqueue(&projects).await;
        assert_eq!(ids, ["1", "2", "3", "4"]);
        let report = world.tick().await;
        assert_eq!((report.completed, report.failed), (3, 1));
        let line = |(id, project): (&String, &String)| json!({ "id": id, "project": project });
        let accepted = ids.iter().zip(&projects).map(line).collect();
        Self { world, folder: open_folder(), accepted, evidence: Vec::new() }
    }

    /// What `deo verify` prints, and its exit code.
    pub(super) fn verify_with(&self, arguments: &[&str]) -> (String, i32) {
        let file = |name: &str, lines: &[Value]| {
            let path = self.folder.path().join(name);
            let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
            fs::write(&path, lines.join("\n")).unwrap();
            path
        };
        let mut command = deo(self.folder.path());
        command.arg("verify").args(arguments);
        command.arg("--accepted").arg(file("accepted", &self.accepted));
        if !self.evidence.is_empty() {
            command.arg("--evidence").arg(file("evidence", &self.evidence));
        }
        let output = command.envs(&self.world.env).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.is_empty(), "{errors}");
        (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
    }

    /// The violations as `I1 job: what`, sorted by invariant.
    pub(super) fn violations_with(&self, arguments: &[&str]) -> Vec<String> {
        let (text, code) = self.verify_with(&[arguments, &["--json"]].concat());
        let verdict: Value = serde_json::from_str(&text).unwrap();
        let mut all = Vec::new();
        for finding in verdict["findings"].as_array().unwrap() {
            for violation in finding["violations"].as_array().unwrap() {
                let job = violation["job"].as_str().unwrap_or("-");
                let (invariant, what) =
                    (&finding["invariant"], violation["what"].as_str().unwrap());
                all.push(format!("{} {job}: {what}", invariant.as_str().unwrap()));
            }
        }
        assert_eq!(code == 0, all.is_empty(), "{all:?}");
        assert_eq!(verdict["holds"], all.is_empty());
        all
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.violations_with(&[])
    }

    /// Runs a command whose second word is a name of the queue's.
    pub(super) async fn plant(&self, command: &str) {
        let mut words = command.split(' ');
        // Commands have static names: a test may leave them there.
        let name: &'static str = words.next().unwrap().to_owned().leak();
        let key = format!("engineo:deo_score_queue:{}", words.next().unwrap());
        self.world.call(Command::new(name).arg(key).args(words)).await;
    }

    pub(super) async fn sql(&self, statement: &str) {
        self.world.database.batch_execute(statement).await.unwrap();
    }

    pub(super) async fn returned(&self, id: &str) -> String {
        let key = format!("engineo:deo_score_queue:{id}");
        let value = self.world.call(Command::new("HGET").args([key.as_str(), "returnvalue"])).await;
        let value: Value = serde_json::from_str(value.as_str().unwrap()).unwrap();
        value["snapshotId"].as_str().unwrap().to_owned()
    }
}
