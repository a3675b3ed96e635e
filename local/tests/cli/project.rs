//! `deo history`, `deo explain` and `deo queue jobs` of one project, on private servers.

use std::process::Output;

use serde_json::{Value, json};
use servers::{PostgresServer, RedisServer};
use shared::config::{Endpoint, Secret};
use shared::queue::Queue;
use shared::redis::{Command, Redis};
use tempfile::TempDir;

use crate::process::{deo, json as line, open_folder};

const PROJECT: &str = "seed-1-p0000003";

pub(crate) struct Shop {
    redis: RedisServer,
    postgres: PostgresServer,
    folder: TempDir,
}

impl Shop {
    pub(crate) async fn new() -> Self {
        let redis = RedisServer::start().await.unwrap();
        let postgres = PostgresServer::start().await.unwrap();
        let shop = Self { redis, postgres, folder: open_folder() };
        line(&shop.deo(&["migrate", "--json"]));
        line(&shop.deo(&["seed", "--projects", "8", "--pages", "3", "--products", "3", "--json"]));
        shop
    }

    fn deo(&self, arguments: &[&str]) -> Output {
        deo(self.folder.path())
            .args(arguments)
            .env("REDIS_URL", self.redis.url())
            .env("DATABASE_URL", self.postgres.url())
            .env("COLUMNS", "60")
            .output()
            .unwrap()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        line(&self.deo(&[arguments, &["--json"]].concat()))
    }

    /// As [`Shop::json`], with these settings as well.
    pub(crate) fn json_with(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Value {
        let mut command = deo(self.folder.path());
        command.args(arguments).arg("--json").envs(settings.iter().copied());
        command.env("REDIS_URL", self.redis.url()).env("DATABASE_URL", self.postgres.url());
        line(&command.output().unwrap())
    }

    /// Has these projects scored.
    pub(crate) fn scored(&self, projects: &[&str]) {
        self.json(&[&["enqueue", "--project"], projects].concat());
        self.json(&["drain", "--until-empty"]);
    }

    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        let output = self.deo(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command that must fail says.
    pub(crate) fn error(&self, arguments: &[&str]) -> String {
        let output = self.deo(arguments);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }

    pub(crate) async fn redis(&self, command: Command) {
        let url = Secret::new(self.redis.url());
        let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap();
        redis.call(command).await.unwrap();
    }

    /// A command without spaces in its arguments, as it is typed.
    pub(crate) async fn redis_line(&self, line: &'static str) {
        let mut words = line.split(' ');
        self.redis(Command::new(words.next().unwrap()).args(words)).await;
    }

    pub(crate) fn redis_url(&self) -> String {
        self.redis.url()
    }

    pub(crate) fn database_url(&self) -> String {
        self.postgres.url()
    }

    pub(crate) fn queue(&self) -> Queue {
        let settings = [("REDIS_URL", self.redis.url()), ("DATABASE_URL", self.postgres.url())];
        let settings = settings.map(|(name, value)| (name.to_owned(), value));
        fixture::queue(&fixture::config(&settings.into()))
    }

    /// The report of `deo drain` with these settings, whose tick must fail.
    pub(crate) fn report_of_a_failed_tick(&self, settings: &[(&str, &str)]) -> Value {
        let mut command = deo(self.folder.path());
        command.env("REDIS_URL", self.redis.url()).env("DATABASE_URL", self.postgres.url());
        let output =
            command.args(["drain", "--json"]).envs(settings.iter().copied()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[tokio::test]
async fn a_history_is_drawn_as_wide_as_the_terminal() {
    let shop = Shop::new().await;
    assert_eq!(shop.text(&["history", PROJECT]).trim(), "No score was computed in this time.");
    for _ in 0..3 {
        shop.json(&["enqueue", "--project", PROJECT]);
        shop.json(&["drain", "--until-empty"]);
    }
    let history = shop.json(&["history", PROJECT]);
    assert_eq!((&history["projectId"], &history["snapshots"]), (&json!(PROJECT), &json!(3)));
    let points = history["points"].as_array().unwrap();
    assert_eq!(points.len(), 3);
    let drawn = shop.text(&["history", PROJECT]);
    assert!(drawn.lines().all(|line| line.chars().count() <= 60 || line.contains("at the end")));
    assert!(drawn.contains('┤') && drawn.contains("3 snapshots"), "{drawn}");
    let score = points[2]["overall"].to_string();
    assert!(drawn.contains(&format!("{score} at the end")), "{drawn}");
    let at = points[1]["computedAt"].as_str().unwrap();
    assert_eq!(shop.json(&["history", PROJECT, "--from", at])["snapshots"], 2);
    assert_eq!(shop.json(&["history", PROJECT, "--to", at])["snapshots"], 1);
    assert_eq!(shop.deo(&["history", PROJECT, "--from", "yesterday"]).status.code(), Some(2));
    for command in ["history", "explain"] {
        let nobody = shop.deo(&[command, "nosuch"]);
        assert_eq!(nobody.status.code(), Some(1));
        let errors = String::from_utf8(nobody.stderr).unwrap();
        assert_eq!(errors.trim(), "deo: there is no project nosuch");
    }
}

#[tokio::test]
async fn explain_says_where_the_job_is_who_has_it_and_what_comes_next() {
    let shop = Shop::new().await;
    let explain = || shop.json(&["explain", PROJECT]);
    let begins = |explained: &Value, with: &str| {
        let next = explained["next"].as_str().unwrap();
        assert!(next.starts_with(with), "{next}");
    };
    let nothing = explain();
    assert_eq!((&nothing["job"], &nothing["snapshots"]), (&Value::Null, &json!([])));
    begins(&nothing, "nothing: no job of it waits");

    shop.json(&["enqueue", "--project", PROJECT]);
    let waiting = explain();
    assert_eq!(waiting["job"]["state"], "waiting");
    begins(&waiting, "the next tick takes it, but no drain was seen yet");
    shop.deo(&["queue", "pause"]);
    begins(&explain(), "nothing until deo queue resume");
    shop.deo(&["queue", "resume"]);

    // Somebody has it, and tells nothing more.
    let key = |name: &str| format!("engineo:deo_score_queue:{name}");
    let id = waiting["job"]["id"].as_str().unwrap();
    let (wait, active) = (key("wait"), key("active"));
    shop.redis(
        Command::new("LMOVE").arg(wait.clone()).arg(active.clone()).arg("RIGHT").arg("LEFT"),
    )
    .await;
    let lock = key(&format!("{id}:lock"));
    shop.redis(Command::new("SET").arg(lock.clone()).arg("owner-7").arg("PX").arg("500000")).await;
    let active_job = explain();
    assert_eq!(active_job["job"]["state"], "active");
    assert_eq!(active_job["job"]["lock"]["owner"], "owner-7");
    let left = active_job["job"]["lock"]["leftMs"].as_u64().unwrap();
    assert!((400_000..=500_000).contains(&left), "{left}");
    begins(
        &active_job,
        "its owner ends it, or keeps its lock; if neither, the lock runs out in 8m",
    );
    let shown = shop.text(&["explain", PROJECT]);
    assert!(shown.contains("owner-7, for another 8m"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
    shop.redis(Command::new("DEL").arg(lock)).await;
    begins(&explain(), "its owner is gone");
    shop.redis(Command::new("LMOVE").arg(active).arg(wait).arg("RIGHT").arg("LEFT")).await;

    for _ in 0..2 {
        shop.json(&["drain", "--until-empty"]);
        shop.json(&["enqueue", "--project", PROJECT]);
    }
    let scored = explain();
    begins(&scored, "the next tick takes it (a drain was last seen");
    assert_eq!(scored["snapshots"].as_array().unwrap().len(), 2);
    assert_eq!(scored["change"]["components"].as_array().unwrap().len(), 5);
    shop.json(&["drain", "--until-empty"]);

    // One that failed is worth telling until the project is scored.
    let base = key("");
    let failed = |at: &str| {
        let set =
            Command::new("HSET").arg(format!("{base}old")).arg("name").arg("deo_score_recompute");
        let data =
            format!(r#"{{"projectId":"{PROJECT}","triggeredByUserId":null,"reason":"manual"}}"#);
        let set = set.arg("data").arg(data).arg("failedReason").arg("no luck");
        let place = Command::new("ZADD").arg(format!("{base}failed")).arg(at.to_owned()).arg("old");
        [set.arg("finishedOn").arg(at.to_owned()), place]
    };
    for (at, next) in
        [("4102444800000", "nothing: it failed for good"), ("1000", "nothing: no job")]
    {
        for command in failed(at) {
            shop.redis(command).await;
        }
        begins(&explain(), next);
    }

    shop.json(&["enqueue", "--project", PROJECT, "--delay", "10m"]);
    begins(&explain(), "it falls due in 9m");
}

#[tokio::test]
async fn jobs_are_listed_by_project_and_by_reason() {
    let shop = Shop::new().await;
    shop.json(&["enqueue", "--all"]);
    shop.json(&["enqueue", "--project", PROJECT, "nowhere", "nobody"]);
    let ids = |arguments: &[&str]| -> Vec<Value> {
        let jobs = shop.json(&[&["queue", "jobs"], arguments].concat())["jobs"].clone();
        jobs.as_array().unwrap().iter().map(|job| job["projectId"].clone()).collect()
    };
    assert_eq!(ids(&["prioritized"]).len(), 7);
    assert_eq!(ids(&["wait", "--project", PROJECT]), [PROJECT]);
    assert_eq!(ids(&["wait", "--reason", "manual"]).len(), 2);
    assert_eq!(
        ids(&["prioritized", "--reason", "scheduled", "--skip", "2", "--limit", "3"]).len(),
        3
    );
    assert_eq!(ids(&["prioritized", "--reason", "scheduled", "--skip", "6"]).len(), 1);
    assert_eq!(ids(&["prioritized", "--reason", "manual"]), [Value::Null; 0]);
    let shown = shop.text(&["queue", "jobs", "wait"]);
    let header = shown.lines().next().unwrap();
    assert!(header.contains("project") && header.contains("asked"), "{shown}");
    assert!(!header.contains("name"), "each has the same: {shown}");
    shop.json(&["drain", "--until-empty"]);
    assert_eq!(ids(&["failed", "--reason", "not found: now"]), ["nowhere"]);
    assert_eq!(ids(&["failed", "--project", "nobody"]), ["nobody"]);
    let shown = shop.text(&["queue", "jobs", "failed"]);
    assert!(shown.lines().next().unwrap().contains("reason"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
    assert_eq!(shop.deo(&["queue", "jobs", "wait", "--reason", ""]).status.code(), Some(2));
}
