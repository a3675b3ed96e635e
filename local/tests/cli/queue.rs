//! `deo migrate`, `seed`, `enqueue` and `drain`, one after the other as a person would.

use std::process::Output;

use serde_json::Value;
use servers::{PostgresServer, RedisServer};
use shared::config::{Endpoint, Secret};
use shared::redis::{Command, Redis};
use tempfile::TempDir;

use crate::process::{deo, json, open_folder};

/// A Redis and a Postgres of one test's own, with eight projects.
struct Queue {
    redis: RedisServer,
    postgres: PostgresServer,
    folder: TempDir,
}

impl Queue {
    async fn new() -> Self {
        let redis = RedisServer::start().await.unwrap();
        let postgres = PostgresServer::start().await.unwrap();
        let queue = Self { redis, postgres, folder: open_folder() };
        json(&queue.deo(&["migrate", "--json"]));
        json(&queue.deo(&["seed", "--projects", "8", "--pages", "3", "--products", "3", "--json"]));
        queue
    }

    fn deo(&self, arguments: &[&str]) -> Output {
        deo(self.folder.path())
            .args(arguments)
            .env("REDIS_URL", self.redis.url())
            .env("DATABASE_URL", self.postgres.url())
            .output()
            .unwrap()
    }

    fn enqueue(&self, which: &[&str]) -> Value {
        json(&self.deo(&[&["enqueue", "--json"], which].concat()))
    }

    fn drain(&self) -> Value {
        json(&self.deo(&["drain", "--until-empty", "--json"]))
    }
}

#[tokio::test]
async fn all_and_stale_projects_are_enqueued_once_and_drained() {
    let queue = Queue::new().await;
    let all = queue.enqueue(&["--all"]);
    assert_eq!((&all["enqueued"], &all["deduplicated"]), (&8.into(), &0.into()));
    let again = queue.enqueue(&["--stale"]);
    assert_eq!((&again["enqueued"], &again["deduplicated"]), (&0.into(), &8.into()));
    assert!(all["billedCommands"].as_u64().unwrap() > 0);

    let report = queue.drain();
    assert_eq!((&report["completed"], &report["stoppedBecause"]), (&8.into(), &"empty".into()));
    let none = queue.enqueue(&["--stale"]);
    assert_eq!(none["enqueued"], 0, "all scores are fresh");
    let empty = queue.drain();
    assert_eq!((&empty["claimed"], &empty["billedCommands"]), (&0.into(), &1.into()));
}

#[tokio::test]
async fn statistics_tell_what_is_wrong_with_redis() {
    let queue = Queue::new().await;
    let stats = || json(&queue.deo(&["queue", "stats", "--json"]));
    assert_eq!(stats()["conditions"], Value::Null);
    let url = Secret::new(queue.redis.url());
    let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap();
    let policy = ["SET", "maxmemory-policy", "allkeys-lru"];
    redis.call(Command::new("CONFIG").args(policy.to_vec())).await.unwrap();
    let stats = stats();
    let condition = &stats["conditions"][0];
    assert_eq!((&condition["severity"], &condition["about"]), (&"warning".into(), &"Redis".into()));
    assert!(condition["wrong"].as_str().unwrap().contains("`allkeys-lru`"), "{condition}");
    assert!(condition["remedy"].as_str().unwrap().contains("noeviction"), "{condition}");
    let shown = queue.deo(&["queue", "stats"]);
    assert!(String::from_utf8(shown.stdout).unwrap().contains("allkeys-lru"));
}

#[tokio::test]
async fn the_keys_are_walked_over_only_when_asked() {
    let queue = Queue::new().await;
    queue.deo(&["enqueue", "--project", "seed-1-p0000003"]);
    let url = Secret::new(queue.redis.url());
    let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap();
    let walks = async || {
        let info = redis.call(Command::new("INFO").arg("commandstats")).await.unwrap();
        let calls = info.as_str().unwrap().lines().find_map(|line| {
            Some(line.strip_prefix("cmdstat_scan:calls=")?.split_once(',')?.0.to_owned())
        });
        calls.unwrap_or_default()
    };
    // A follow-up of an id that no job stands for.
    let key = "engineo:deo_score_queue:dn:deo-score-recompute-p9";
    redis.call(Command::new("HSET").args([key, "name", "x"])).await.unwrap();
    let notes = |arguments: &[&str]| json(&queue.deo(arguments))["notes"].to_string();
    let short = notes(&["queue", "stats", "--json"]);
    assert!(!short.contains("follow-ups"), "{short}");
    assert_eq!(walks().await, "");
    let deep = notes(&["queue", "stats", "--deep", "--json"]);
    assert!(deep.contains("1 follow-ups wait for a job that is gone"), "{deep}");
    assert_eq!(walks().await, "1");
}

#[tokio::test]
async fn a_failed_job_is_no_failed_drain() {
    let queue = Queue::new().await;
    let named = ["enqueue", "--json", "--project", "no-such-project", "seed-1-p0000003"];
    let enqueued = queue.deo(&named);
    let warning = String::from_utf8_lossy(&enqueued.stderr).into_owned();
    let expected = "deo: the database has no project no-such-project: its job will fail";
    assert_eq!(warning.trim(), expected);
    assert_eq!(json(&enqueued)["enqueued"], 2);
    // In time both projects may be there.
    let later = ["enqueue", "--delay", "30d", "--project", "no-such-project", "nor-this"];
    let later = queue.deo(&later);
    assert!(later.status.success() && later.stderr.is_empty(), "{later:?}");
    let alone = deo(queue.folder.path()).args(named).env("REDIS_URL", queue.redis.url()).output();
    let alone = alone.unwrap();
    assert!(alone.status.success() && alone.stderr.is_empty(), "no database is no news: {alone:?}");
    let report = queue.drain();
    assert_eq!((&report["completed"], &report["failed"]), (&1.into(), &1.into()));
}

#[tokio::test]
async fn a_database_that_is_down_fails_the_drain_and_gives_its_jobs_back() {
    let mut queue = Queue::new().await;
    queue.enqueue(&["--all"]);
    queue.postgres.kill();
    let failed = queue.deo(&["drain", "--json"]);
    assert_eq!(failed.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!((&report["released"], &report["stoppedBecause"]), (&8.into(), &"error".into()));
    let errors = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(errors.lines().count(), 1, "one sentence: {errors}");

    queue.postgres.restart().await.unwrap();
    assert_eq!(queue.drain()["completed"], 8);
}

#[tokio::test]
async fn limits_are_shown_set_lifted_and_refused() {
    let queue = Queue::new().await;
    let limit = |words: &[&str]| json(&queue.deo(&[&["queue", "limit", "--json"], words].concat()));
    let error = |words: &[&str], code: i32| {
        let output = queue.deo(&[&["queue", "limit"], words].concat());
        assert_eq!(output.status.code(), Some(code), "{words:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let nowhere = error(&["--concurrency", "2"], 1);
    assert_eq!(
        nowhere.trim(),
        "deo: there is no queue engineo:deo_score_queue; check its name and its prefix"
    );
    queue.enqueue(&["--all"]);
    let none = serde_json::json!({
        "queue": "running", "concurrency": null, "active": 0, "rate": null, "used": 0, "leftMs": null,
    });
    assert_eq!(limit(&[]), none);
    let set = limit(&["--concurrency", "9", "--rate", "3/10m"]);
    assert_eq!(set["concurrency"], 9);
    assert_eq!(set["rate"], serde_json::json!({"max": 3, "durationMs": 600_000}));
    let report = queue.drain();
    assert_eq!((&report["completed"], &report["stoppedBecause"]), (&3.into(), &"limited".into()));
    let used = limit(&[]);
    assert_eq!((&used["queue"], &used["used"]), (&"limited".into(), &3.into()));
    assert!(used["leftMs"].as_u64().unwrap() > 0);
    let stats = json(&queue.deo(&["queue", "stats", "--json"]));
    assert_eq!((&stats["queue"], &stats["paused"]), (&"limited".into(), &false.into()));
    let table = queue.deo(&["queue", "limit"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("3/10m") && table.contains("limited"), "{table}");
    for (words, sentence) in [
        (&["--concurrency", "0"][..], "to stop the queue, use deo queue pause"),
        (&["--concurrency", "-1"], "unexpected argument"),
        (&["--concurrency", "all"], "write a whole number from 1 to 4294967295, or none"),
        (&["--rate", "5"], "write jobs and a time, such as 100/1m, or none"),
        (&["--rate", "5/100d"], "the time is 1ms to 49d"),
    ] {
        let said = error(words, 2);
        assert!(said.contains(sentence), "{said}");
    }
    assert_eq!(limit(&["--concurrency", "none", "--rate", "none"])["rate"], Value::Null);
    assert_eq!(queue.drain()["completed"], 5);
}

#[tokio::test]
async fn failed_jobs_are_retried_by_their_reason() {
    let queue = Queue::new().await;
    queue.enqueue(&["--project", "seed-1-p0000003", "nowhere", "nobody"]);
    assert_eq!(queue.drain()["failed"], 2);
    let retry = |text: &str| {
        json(&queue.deo(&["queue", "retry", "--failed", "--reason", text, "--json"]))["retried"]
            .clone()
    };
    assert_eq!([retry("not found: now"), retry("not found: no")], [1, 1]);
    for words in [&["--reason", "x"][..], &["1", "--reason", "x"], &["--failed", "--reason", ""]] {
        let output = queue.deo(&[&["queue", "retry"], words].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
}

#[tokio::test]
async fn enqueued_jobs_wait_and_stand_for_others_as_long_as_asked() {
    let queue = Queue::new().await;
    let counts = || json(&queue.deo(&["queue", "stats", "--json"]))["counts"].clone();
    let project = ["--project", "seed-1-p0000003"];
    let enqueue = |words: &[&str]| queue.enqueue(&[&project, words].concat())["enqueued"].clone();
    assert_eq!(enqueue(&["--delay", "10m"]), 1);
    assert_eq!(counts()["delayed"], 1);
    assert_eq!(enqueue(&["--delay", "1h"]), 0);
    let replace = ["--dedup-replace", "--dedup-ttl", "1h", "--dedup-extend"];
    assert_eq!(enqueue(&replace), 1, "in the delayed one's place");
    assert_eq!((&counts()["delayed"], &counts()["wait"]), (&0.into(), &1.into()));
    assert_eq!(queue.drain()["completed"], 1);
    assert_eq!(enqueue(&["--dedup-ttl", "1h", "--dedup-extend"]), 0, "the window outlives the job");
    for words in [
        &["--delay", "31d"][..],
        &["--delay", "5"],
        &["--dedup-ttl", "0"],
        &["--dedup-ttl", "31d"],
        &["--dedup-extend"],
    ] {
        let output = queue.deo(&[&["enqueue"], &project[..], words].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
}

#[tokio::test]
async fn times_that_no_clock_tells_are_shown_all_the_same() {
    let queue = Queue::new().await;
    queue.enqueue(&["--project", "seed-1-p0000003"]);
    let job = Command::new("HSET").arg("engineo:deo_score_queue:1");
    let url = Secret::new(queue.redis.url());
    let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap();
    redis.call(job.arg("timestamp").arg(i64::MIN.to_string())).await.unwrap();
    for words in [&["stats"][..], &["jobs", "waiting"], &["job", "1"]] {
        let output = queue.deo(&[&["queue"], words].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn operators_commands_act_on_jobs_only_and_stats_say_who_lives() {
    let queue = Queue::new().await;
    queue.enqueue(&["--project", "seed-1-p0000003"]);
    for name in ["meta", "wait", "id", "repeat:s1", "de:seed-1-p0000003", "dn:x", "1:logs"] {
        for command in ["remove", "retry", "promote", "job"] {
            let output = queue.deo(&["queue", command, name, "--json"]);
            let errors = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{command} {name}: {errors}");
            assert!(errors.contains(&format!("there is no job {name}")), "{command}: {errors}");
        }
    }
    assert_eq!(json(&queue.deo(&["queue", "job", "1", "--json"]))["state"], "waiting");
    let stats = || json(&queue.deo(&["queue", "stats", "--json"]));
    assert_eq!(stats()["drain"], serde_json::json!({"lastSeen": null, "ticks": []}));
    let shown = String::from_utf8(queue.deo(&["queue", "stats"]).stdout).unwrap();
    assert!(shown.contains("none yet") && shown.contains("none known"), "{shown}");
    assert!(!shown.contains("≥ 0"), "{shown}");
    assert_eq!(queue.drain()["completed"], 1);
    let seen = &stats()["drain"];
    assert!(seen["lastSeen"].is_i64() && seen["lastSeen"] == seen["ticks"][0]["at"], "{seen}");
    assert_eq!(seen["ticks"][0]["completed"], 1, "{seen}");
    let shown = String::from_utf8(queue.deo(&["queue", "stats"]).stdout).unwrap();
    let line = shown.lines().find(|line| line.contains("drain alive")).unwrap();
    assert!(line.contains(" ago"), "{line}");
    assert!(shown.contains("1 completed, 0 failed, 0 retried in"), "{shown}");
}

#[tokio::test]
async fn stats_say_when_jobs_stand_in_paused() {
    let queue = Queue::new().await;
    queue.enqueue(&["--project", "seed-1-p0000003", "seed-1-p0000004"]);
    let shown = || String::from_utf8(queue.deo(&["queue", "stats"]).stdout).unwrap();
    let line =
        || shown().lines().find(|line| line.contains("standing in paused")).map(str::to_owned);
    assert_eq!(line(), None);
    queue.deo(&["queue", "pause"]);
    let told = line().unwrap();
    assert!(told.contains("2, until deo queue resume; BullMQ 6's counts leave them out"), "{told}");
    let stats = json(&queue.deo(&["queue", "stats", "--json"]));
    assert_eq!((&stats["paused"], &stats["counts"]["paused"]), (&true.into(), &2.into()));
    queue.deo(&["queue", "resume"]);
    assert_eq!(line(), None);
}

#[tokio::test]
async fn without_a_redis_or_a_choice_nothing_is_enqueued() {
    let folder = open_folder();
    let status =
        |arguments: &[&str]| deo(folder.path()).args(arguments).output().unwrap().status.code();
    assert_eq!(status(&["enqueue", "--all"]), Some(1));
    assert_eq!(status(&["drain"]), Some(1));
    assert_eq!(status(&["enqueue"]), Some(2));
    assert_eq!(status(&["enqueue", "--all", "--stale"]), Some(2));
}

#[tokio::test]
async fn a_forwarded_queue_is_looked_at_and_operated_by_its_name() {
    let queue = Queue::new().await;
    let redis =
        Redis::new(&Endpoint::Tcp { url: Secret::new(queue.redis.url()), allow_plaintext: false })
            .unwrap();
    let mut options =
        shared::config::Config::from_env(&std::collections::BTreeMap::new()).unwrap().queue;
    options.name = "crawl".to_owned();
    let crawl = shared::queue::Queue::new(redis, &options, shared::clock::Clock::System);
    let job = shared::queue::NewJob {
        name: "page".to_owned(),
        data: "{}".to_owned(),
        ..shared::queue::NewJob::default()
    };
    crawl.enqueue(&[job]).await.unwrap();
    let of = |arguments: &[&str]| {
        json(&queue.deo(&[arguments, &["--queue", "crawl", "--json"]].concat()))
    };
    assert_eq!(json(&queue.deo(&["queue", "stats", "--json"]))["counts"]["wait"], 0);
    assert_eq!(of(&["queue", "stats"])["counts"]["wait"], 1);
    assert_eq!(of(&["queue", "jobs", "wait"])["jobs"][0]["name"], "page");
    of(&["queue", "pause"]);
    assert!(crawl.is_paused().await.unwrap());
    let refused = queue.deo(&["queue", "stats", "--queue", "a:b"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no `:`"), "{refused:?}");
}
