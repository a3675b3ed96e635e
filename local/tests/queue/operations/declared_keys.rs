//! Which keys a script touches that its KEYS did not tell: those that nobody knows beforehand.

use std::collections::BTreeSet;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::*;

/// Sees every command that a server executes.
struct Monitor {
    lines: BufReader<TcpStream>,
    prefix: String,
}

impl Monitor {
    /// Of the server of `b`, for keys that begin with `prefix`.
    async fn new(server: &RedisServer, prefix: &str) -> Self {
        let url = server.url();
        let address = url.trim_start_matches("redis://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"MONITOR\r\n").await.unwrap();
        let mut monitor = Self { lines: BufReader::new(stream), prefix: format!("{prefix}:") };
        assert_eq!(monitor.line().await, "+OK");
        monitor
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.lines.read_until(b'\n', &mut line).await.unwrap();
        String::from_utf8_lossy(&line).trim_end().to_owned()
    }

    /// The jobs, or else the keys, that scripts have touched until now without being told of them.
    async fn undeclared(&mut self, b: &Bench) -> Vec<String> {
        b.queue.redis().call(Command::new("ECHO").arg("until now")).await.unwrap();
        let (mut declared, mut undeclared) = (BTreeSet::new(), BTreeSet::new());
        loop {
            let line = self.line().await;
            let words = words(&line);
            match words[0].to_ascii_uppercase().as_str() {
                "ECHO" => return undeclared.into_iter().collect(),
                "EVAL" | "EVALSHA" => {
                    let count: usize = words[2].parse().unwrap();
                    declared = words[3..3 + count].iter().cloned().collect();
                }
                _ if line.contains(" lua] ") => {
                    let keys = words[1..].iter().filter(|word| word.starts_with(&self.prefix));
                    let keys = keys.filter(|key| !declared.contains(*key));
                    undeclared.extend(keys.map(|key| job_of(key.trim_start_matches(&b.base))));
                }
                _ => {}
            }
        }
    }
}

/// The quoted words of a line of MONITOR's.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (&mut word, c) {
            (Some(inside), '\\') => inside.extend(chars.next()),
            (Some(_), '"') => words.extend(word.take()),
            (Some(inside), c) => inside.push(c),
            (None, '"') => word = Some(String::new()),
            (None, _) => {}
        }
    }
    words
}

fn job_of(key: &str) -> String {
    let beside = [":lock", ":logs", ":dependencies", ":processed", ":failed", ":unsuccessful"];
    let job = beside.iter().find_map(|suffix| key.strip_suffix(suffix));
    job.unwrap_or(key).to_owned()
}

#[tokio::test]
async fn scripts_are_told_of_every_key_that_is_known_beforehand() {
    let server = RedisServer::start().await.unwrap();
    // By its version a queue is BullMQ 5's or 6's, which keep other things.
    for version in ["bullmq:5.65.1", "bullmq:6.7.0"] {
        let b = Bench::on(&server.url(), &format!("declared-{}", &version[7..8]));
        b.version(version).await;
        let mut monitor = Monitor::new(&server, b.base.split(':').next().unwrap()).await;
        let none: [&str; 0] = [];
        let queue = &b.queue;

        b.plain(&["w1", "w2", "w3"]).await;
        assert_eq!(monitor.undeclared(&b).await, none, "custom ids");
        let id = |id: &str| Deduplication { id: id.to_owned(), ..Deduplication::default() };
        let deduplicated = || JobOptions { deduplication: Some(id("once")), ..delayed(HOUR) };
        b.add("d1", deduplicated()).await;
        assert_eq!(monitor.undeclared(&b).await, none, "a deduplicated job");
        b.add("d2", deduplicated()).await;
        assert_eq!(monitor.undeclared(&b).await, ["d1"], "one that stands for another");

        b.end(Settlement::Failed("no".to_owned())).await;
        assert_eq!(monitor.undeclared(&b).await, ["w1", "w2", "w3"], "claimed");
        queue.retry("w1", Ended::Failed, false).await.unwrap();
        queue.promote("d1").await.unwrap();
        queue.pause().await.unwrap();
        queue.resume().await.unwrap();
        refusal(queue.remove("none").await);
        queue.remove("w1").await.unwrap();
        assert_eq!(monitor.undeclared(&b).await, none, "operations on one job");
        let failures = queue.failures(None).await.unwrap();
        assert_eq!(monitor.undeclared(&b).await, ["w2", "w3"], "those that failed");
        queue.failures(Some(&failures)).await.unwrap();
        assert_eq!(monitor.undeclared(&b).await, none, "of which all is known");
        queue.retry_step("another…reason", None).await.unwrap();
        assert_eq!(monitor.undeclared(&b).await, ["w2", "w3"], "whose reasons are compared");
        queue.retry_all(Ended::Failed).await.unwrap();
        assert_eq!(monitor.undeclared(&b).await, ["w2", "w3"], "on those of a state");
        b.add("p1", delayed(HOUR)).await;
        monitor.undeclared(&b).await;
        assert_eq!(queue.promote_some().await.unwrap(), 1);
        assert_eq!(monitor.undeclared(&b).await, ["p1"], "on those that are delayed");
        queue.remove("p1").await.unwrap();
        assert_eq!(monitor.undeclared(&b).await, none, "on that one");

        let rule = |pattern: &str| Rule::Pattern {
            pattern: pattern.to_owned(),
            tz: Some("UTC".to_owned()),
            immediately: false,
        };
        let scheduler = Scheduler { rule: rule("0 * * * *"), ..hourly("s") };
        let first = queue.schedule(&scheduler).await.unwrap();
        assert!(queue.unschedule("s").await.unwrap());
        assert!(!queue.unschedule("s").await.unwrap());
        assert_eq!(monitor.undeclared(&b).await, [first.job_id.as_str()], "which ended again");
        queue.schedule(&scheduler).await.unwrap();
        assert_eq!(monitor.undeclared(&b).await, none, "a scheduler");
        b.clock.advance(HOUR as i64);
        let claim = queue.claim(ALL).await.unwrap();
        assert_eq!(claim.schedules.len(), 1);
        let mut claimed: Vec<&str> = claim.jobs.iter().map(|job| job.id.as_str()).collect();
        claimed.sort_unstable();
        assert_eq!(monitor.undeclared(&b).await, claimed, "the next of a scheduler");

        for _ in 0..2 {
            queue.recover().await.unwrap();
            b.raw("DEL", "stalled-check", &[]).await;
        }
        assert_eq!(monitor.undeclared(&b).await, claimed, "recovery");
        let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, Settlement::Release)).collect();
        queue.settle(&claim.token, &jobs).await.unwrap();
        assert_eq!(monitor.undeclared(&b).await, none, "settling");
        queue.clean(State::Wait, Duration::ZERO, Some(1)).await.unwrap();
        let job = ["d1", "de:once", "dn:once"];
        assert_eq!(monitor.undeclared(&b).await, job, "cleaning");
        queue.pause().await.unwrap();
        queue.obliterate(true).await.unwrap();
        let left = monitor.undeclared(&b).await;
        let unknown = |key: &String| key.starts_with(['w', 'd']) || key.starts_with("repeat:");
        assert!(!left.is_empty() && left.iter().all(unknown), "all that is left: {left:?}");
    }
}
