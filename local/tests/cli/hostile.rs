//! Shows an operator jobs that another producer wrote straight into Redis: all are listed, and nothing of them
//! steers the terminal.

use std::process::Output;

use serde_json::Value;
use servers::RedisServer;
use tempfile::TempDir;

use crate::process::{deo, json, open_folder};

const IDS: [&[u8]; 8] = [
    b"a:b:c:d",
    b"a%2Fb",
    b"nul\0id",
    b"\xff\xfe",
    b"\x1b]0;title\x07\x1b[2J",
    b"\r\nspoofed line",
    "\u{202e}gnp\u{2066}".as_bytes(),
    b" ",
];

/// A queue of jobs that nobody should have made.
struct Queue {
    redis: RedisServer,
    folder: TempDir,
    jobs: usize,
}

impl Queue {
    async fn new() -> Self {
        let redis = RedisServer::start().await.unwrap();
        let mut queue = Self { redis, folder: open_folder(), jobs: 0 };
        let mut plant = redis::pipe();
        let (deep, huge) = ("[".repeat(100_000), "\x1b[2J".repeat(50_000));
        let data: [&[u8]; 4] = [deep.as_bytes(), huge.as_bytes(), b"\xff\x1b[2J\0", b"{}"];
        let long = [vec![b'i'; 1_000_000]];
        for (n, id) in IDS.into_iter().chain(long.iter().map(Vec::as_slice)).enumerate() {
            let hash = [b"engineo:deo_score_queue:", id].concat();
            let text = data[n % data.len()];
            plant.cmd("HSET").arg(&hash).arg("name").arg(text).arg("data").arg(text);
            plant.arg("opts").arg(text).arg("failedReason").arg(text).arg("stacktrace").arg(text);
            plant
                .arg("timestamp")
                .arg(text)
                .arg("returnvalue")
                .arg(text)
                .arg("finishedOn")
                .arg("1e300");
            plant.arg("priority").arg(text).arg("parentKey").arg(text).arg("deid").arg(text);
            plant.cmd("LPUSH").arg("engineo:deo_score_queue:wait").arg(id);
            for set in ["failed", "completed", "delayed", "prioritized", "waiting-children"] {
                let score = if set == "delayed" { "inf" } else { "1" };
                plant.cmd("ZADD").arg(format!("engineo:deo_score_queue:{set}")).arg(score).arg(id);
            }
            plant.cmd("LPUSH").arg([&hash, &b":logs"[..]].concat()).arg(text);
            queue.jobs += 1;
        }
        plant.cmd("HSET").arg("engineo:deo_score_queue:meta").arg("version").arg(b"\x1b[2J\xff");
        let mut connection =
            redis::Client::open(queue.redis.url()).unwrap().get_connection().unwrap();
        plant.exec(&mut connection).unwrap();
        queue
    }

    fn deo(&self, arguments: &[&str]) -> Output {
        let mut command = deo(self.folder.path());
        command.args(arguments).env("REDIS_URL", self.redis.url()).output().unwrap()
    }

    /// What it prints for people, which must have gone well.
    fn shown(&self, arguments: &[&str]) -> String {
        let output = self.deo(arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {errors:.500}");
        assert_tame(arguments, &errors);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_tame(arguments, &text);
        text
    }
}

/// Nothing in it moves the cursor, rings, or turns the line around.
fn assert_tame(arguments: &[&str], text: &str) {
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let at = text.find(steers);
    assert!(
        at.is_none(),
        "{arguments:?} prints {:?}",
        at.map(|at| &text[at..text.len().min(at + 9)])
    );
}

#[tokio::test]
async fn all_jobs_are_listed_and_none_steers_the_terminal() {
    let queue = Queue::new().await;
    let states = ["wait", "failed", "completed", "delayed", "prioritized", "waiting-children"];
    for state in states {
        let arguments = ["queue", "jobs", state];
        let text = queue.shown(&arguments);
        assert!(text.lines().count() > queue.jobs, "{state}: {text:.500}");
        assert!(!text.contains("(no job)"), "{state}: {text:.2000}");
        assert!(!text.lines().any(|line| line.trim_start().starts_with("spoofed")), "{text:.2000}");
        let page = json(&queue.deo(&[&arguments[..], &["--json"]].concat()));
        let jobs = page["jobs"].as_array().unwrap();
        assert_eq!(jobs.len(), queue.jobs, "{state}");
        assert!(jobs.iter().all(|job| job["name"].is_string()), "{state}: a job without its hash");
    }
    let counts = json(&queue.deo(&["queue", "stats", "--json"]))["counts"].clone();
    assert_eq!(counts["wait"], queue.jobs, "{counts}");
    queue.shown(&["queue", "stats"]);
}

#[tokio::test]
async fn each_job_that_can_be_named_is_shown_and_can_be_removed() {
    let queue = Queue::new().await;
    for id in IDS {
        // No argument holds a NUL, and the others' bytes stand in the list as \xff.
        let Ok(id) = std::str::from_utf8(id) else { continue };
        if id.contains('\0') {
            continue;
        }
        queue.shown(&["queue", "job", id]);
        let job = json(&queue.deo(&["queue", "job", "--json", id]));
        assert_eq!(job["id"], id);
        assert_eq!(job["state"], "completed", "where it is found first");
        queue.shown(&["queue", "remove", id]);
        let gone = queue.deo(&["queue", "job", id]);
        assert_eq!(gone.status.code(), Some(1));
        let errors = String::from_utf8(gone.stderr).unwrap();
        assert!(
            !errors.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')),
            "{errors:?}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_named_goes_with_all_others() {
    let queue = Queue::new().await;
    let cleaned = json(&queue.deo(&["queue", "clean", "failed", "--older-than", "0", "--json"]));
    assert_eq!(cleaned["cleaned"], queue.jobs, "{cleaned:.300}");
    let mut left: Vec<Value> = Vec::new();
    for state in ["wait", "failed"] {
        left.extend(
            json(&queue.deo(&["queue", "jobs", state, "--json"]))["jobs"]
                .as_array()
                .unwrap()
                .clone(),
        );
    }
    assert!(left.iter().all(|job| job["name"].is_null()), "{left:?}");
}
