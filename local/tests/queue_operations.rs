//! An operator's hand on the queue, against a real Redis: nothing is lost or done twice, whatever
//! answer is lost and whichever BullMQ paused before.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code)]
mod lossy;

use std::time::Duration;

use local::servers::RedisServer;
use lossy::Lossy;
use shared::clock::Clock;
use shared::config::{Config, Events, QueueConfig, RedisConfig, Secret};
use shared::queue::{
    ClaimRequest, Cleanable, Deduplication, Ended, Error, JobOptions, JobState, NewJob,
    PriorityCount, Queue, Refusal, Settlement, Shelf, Throughput,
};
use shared::redis::{Command, Redis, Value};
use tokio::sync::OnceCell;

const NOW: i64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;
const ALL: ClaimRequest = ClaimRequest { count: 100, wait: true, prioritized: true, delayed: true };

async fn server() -> &'static RedisServer {
    static SERVER: OnceCell<RedisServer> = OnceCell::const_new();
    SERVER.get_or_init(|| async { RedisServer::start().await.unwrap() }).await
}

/// A queue of its own for one test, with a clock that the test moves.
struct Bench {
    queue: Queue,
    clock: Clock,
    base: String,
}

impl Bench {
    async fn new(prefix: &str) -> Self {
        Self::on(&server().await.url(), prefix)
    }

    fn on(url: &str, prefix: &str) -> Self {
        let clock = Clock::manual(NOW);
        let env = std::collections::BTreeMap::new();
        let config = QueueConfig {
            prefix: prefix.to_owned(),
            events: Events::All,
            ..Config::from_env(&env).unwrap().queue
        };
        let url = Secret::new(url);
        let redis = Redis::new(&RedisConfig::Tcp { url, allow_plaintext: false }).unwrap();
        let queue = Queue::new(redis, &config, clock.clone());
        Self { queue, clock, base: format!("{prefix}:{}:", config.name) }
    }

    async fn raw(&self, name: &'static str, key: &str, args: &[&str]) -> Value {
        let command = Command::new(name).arg(format!("{}{key}", self.base)).args(args.to_vec());
        self.queue.redis().call(command).await.unwrap()
    }

    async fn version(&self, version: &str) {
        self.raw("HSET", "meta", &["version", version]).await;
    }

    async fn list(&self, key: &str) -> Vec<String> {
        let value = self.raw("LRANGE", key, &["0", "-1"]).await;
        value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    }

    /// How often an event was told.
    async fn told(&self, event: &str) -> usize {
        let stream = self.raw("XRANGE", "events", &["-", "+"]).await;
        let name = |entry: &&Value| {
            let fields = entry.as_array().unwrap()[1].as_array().unwrap();
            fields[1].as_str() == Some(event)
        };
        stream.as_array().unwrap().iter().filter(name).count()
    }

    async fn add(&self, id: &str, opts: JobOptions) {
        let opts = JobOptions { job_id: Some(id.to_owned()), ..opts };
        let job = NewJob { name: "n".to_owned(), data: "{}".to_owned(), opts, ..NewJob::default() };
        self.queue.enqueue(&[job]).await.unwrap();
    }

    async fn plain(&self, ids: &[&str]) {
        for id in ids {
            self.add(id, JobOptions::default()).await;
        }
    }

    /// Claims what there is and ends it so.
    async fn end(&self, how: Settlement) {
        let claim = self.queue.claim(ALL).await.unwrap();
        let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, how.clone())).collect();
        self.queue.settle(&claim.token, &jobs).await.unwrap();
    }

    async fn fail(&self, ids: &[&str]) {
        self.plain(ids).await;
        self.end(Settlement::Failed("no".to_owned())).await;
    }

    async fn state(&self, id: &str) -> Option<JobState> {
        self.queue.job(id).await.unwrap().map(|job| job.state)
    }

    /// What the queue would run, in order.
    async fn order(&self) -> Vec<String> {
        let claim = self.queue.claim(ALL).await.unwrap();
        claim.jobs.into_iter().map(|job| job.id).collect()
    }
}

fn delayed(delay_ms: u64) -> JobOptions {
    JobOptions { delay_ms, ..JobOptions::default() }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result.unwrap_err() {
        Error::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn no_job_is_lost_between_the_two_majors_ways_of_pausing() {
    let b = Bench::new("majors").await;
    for (paused_by, resumed_by) in
        [("bullmq:5.81.5", "bullmq:6.7.0"), ("bullmq:6.7.0", "bullmq:5.81.5")]
    {
        b.version(paused_by).await;
        b.plain(&["a", "b"]).await;
        b.queue.pause().await.unwrap();
        b.plain(&["c"]).await;
        b.version(resumed_by).await;
        // A Node producer of the other major, which looks at nothing but its own list.
        let other = if paused_by.contains(":5") { "wait" } else { "paused" };
        b.raw("LPUSH", other, &["d"]).await;
        b.raw("HSET", "d", &["name", "n", "data", "{}"]).await;
        b.queue.pause().await.unwrap();
        b.queue.resume().await.unwrap();
        let mut ids = b.order().await;
        ids.sort();
        assert_eq!(ids, ["a", "b", "c", "d"], "{paused_by}");
        for id in ids {
            b.raw("DEL", &format!("{id}:lock"), &[]).await;
            b.queue.remove(&id).await.unwrap();
        }
    }
}

#[tokio::test]
async fn pausing_with_bullmq_5_leaves_one_list_however_long_the_other_was() {
    let b = Bench::new("merge").await;
    b.version("bullmq:5.81.5").await;
    let many: Vec<String> = (0..11_000).map(|i| format!("j{i}")).collect();
    let ids: Vec<&str> = many.iter().map(String::as_str).collect();
    for part in ids.chunks(5_000) {
        b.raw("LPUSH", "wait", part).await;
    }
    b.raw("LPUSH", "paused", &["first"]).await;
    b.queue.pause().await.unwrap();
    assert!(b.list("wait").await.is_empty());
    assert_eq!(b.told("paused").await, 1);
    // As BullMQ 5 resumes.
    b.raw("RENAME", "paused", &[&format!("{}wait", b.base)]).await;
    let mut order = b.list("wait").await;
    order.reverse();
    assert_eq!(order[0], "first");
    assert_eq!(order[1..], many);
}

#[tokio::test]
async fn a_lost_answer_is_given_again_and_nothing_is_done_twice() {
    let proxy = Lossy::before(&server().await.url()).await;
    let b = Bench::on(&proxy.url, "lost");
    // The first round makes the scripts known, so that in the second each call is one round trip.
    for round in ["warm", "lost"] {
        let id = |name: &str| format!("{round}-{name}");
        let lose = || {
            if round == "lost" {
                proxy.lose(1)
            }
        };
        b.fail(&[&id("f1"), &id("f2"), &id("f3")]).await;
        b.add(&id("d1"), delayed(HOUR)).await;
        b.add(&id("d2"), delayed(HOUR)).await;
        b.plain(&[&id("w1"), &id("w2")]).await;
        lose();
        b.queue.retry(&id("f1"), Ended::Failed, false).await.unwrap();
        lose();
        assert_eq!(b.queue.retry_all(Ended::Failed).await.unwrap(), 2);
        lose();
        b.queue.promote(&id("d1")).await.unwrap();
        lose();
        assert_eq!(b.queue.promote_all().await.unwrap(), 1);
        lose();
        assert_eq!(b.queue.remove(&id("w1")).await.unwrap(), "wait");
        lose();
        let cleaned = b.queue.clean(Cleanable::Wait, Duration::ZERO, Some(2)).await.unwrap();
        assert_eq!(cleaned, [id("f1"), id("w2")]);
        lose();
        b.queue.pause().await.unwrap();
        lose();
        b.queue.resume().await.unwrap();
        assert_eq!([b.told("paused").await, b.told("resumed").await], [1, 1]);
        b.queue.pause().await.unwrap();
        lose();
        assert_eq!(b.queue.obliterate(false).await.unwrap(), 4);
        assert_eq!(proxy.left(), 0);
        assert_eq!(b.raw("EXISTS", "meta", &[]).await, Value::Int(0));
    }
}

#[tokio::test]
async fn what_bullmq_refuses_is_refused_in_its_words_and_changes_nothing() {
    let b = Bench::new("refused").await;
    b.plain(&["held"]).await;
    b.queue.claim(ALL).await.unwrap();
    b.plain(&["waits"]).await;
    let refused = [
        (
            refusal(b.queue.remove("held").await),
            "Job held could not be removed because it is locked by another worker",
        ),
        (refusal(b.queue.remove("none").await), "Missing key for job none. removeJob"),
        (
            refusal(b.queue.retry("none", Ended::Failed, false).await),
            "Missing key for job none. reprocessJob",
        ),
        (
            refusal(b.queue.retry("waits", Ended::Completed, true).await),
            "Job waits is not in the completed state. reprocessJob",
        ),
        (refusal(b.queue.promote("waits").await), "Job waits is not in the delayed state. promote"),
        (refusal(b.queue.promote("none").await), "Missing key for job none. promote"),
        (refusal(b.queue.obliterate(true).await), "Cannot obliterate non-paused queue"),
    ];
    for (refusal, words) in refused {
        assert_eq!(refusal.to_string(), words);
    }
    b.queue.pause().await.unwrap();
    assert_eq!(refusal(b.queue.obliterate(false).await), Refusal::ActiveJobs);
    assert_eq!(b.state("held").await, Some(JobState::Active));
    assert_eq!(b.state("waits").await, Some(JobState::Waiting));
}

#[tokio::test]
async fn an_id_without_a_job_never_comes_to_wait() {
    let b = Bench::new("ghosts").await;
    b.fail(&["real"]).await;
    b.raw("ZADD", "failed", &["5", "ghost"]).await;
    b.raw("ZADD", "delayed", &["5", "ghost"]).await;
    assert_eq!(b.queue.retry_all(Ended::Failed).await.unwrap(), 1);
    assert_eq!(b.queue.promote_all().await.unwrap(), 0);
    assert_eq!(b.list("wait").await, ["real"]);
    let counts = b.queue.counts().await.unwrap();
    assert_eq!((counts.failed, counts.delayed), (0, 0));
    // One that stands in a list already can be taken out.
    b.raw("LPUSH", "wait", &["ghost"]).await;
    assert_eq!(b.queue.remove("ghost").await.unwrap(), "wait");
}

#[tokio::test]
async fn a_retried_job_runs_once_more_and_keeps_its_attempts_unless_told_otherwise() {
    let b = Bench::new("retried").await;
    b.fail(&["kept", "reset"]).await;
    b.queue.retry("kept", Ended::Failed, false).await.unwrap();
    b.queue.retry("reset", Ended::Failed, true).await.unwrap();
    let claim = b.queue.claim(ALL).await.unwrap();
    let made: Vec<_> = claim.jobs.iter().map(|job| (job.id.as_str(), job.attempts_made)).collect();
    assert_eq!(made, [("kept", 1), ("reset", 0)]);
}

#[tokio::test]
async fn children_with_colons_in_their_ids_go_with_their_parent() {
    let b = Bench::new("colons").await;
    b.add("a:b:c", JobOptions::default()).await;
    b.plain(&["parent"]).await;
    b.raw("LREM", "wait", &["1", "parent"]).await;
    b.raw("ZADD", "waiting-children", &["1", "parent"]).await;
    b.raw("SADD", "parent:dependencies", &[&format!("{}a:b:c", b.base)]).await;
    // And one of another queue, whose key alone does not say where the queue's name ends.
    let elsewhere = |key: &str| format!("colons:other:{key}");
    let call = async |command: Command| b.queue.redis().call(command).await.unwrap();
    call(Command::new("HSET").arg(elsewhere("meta")).arg("opts.maxLenEvents").arg("9")).await;
    call(Command::new("HSET").arg(elsewhere("x:y:z")).arg("name").arg("n")).await;
    call(Command::new("LPUSH").arg(elsewhere("wait")).arg("x:y:z")).await;
    b.raw("SADD", "parent:dependencies", &[&elsewhere("x:y:z")]).await;
    b.queue.remove("parent").await.unwrap();
    assert!(b.list("wait").await.is_empty());
    let left = call(Command::new("EXISTS").arg(elsewhere("wait")).arg(elsewhere("x:y:z"))).await;
    assert_eq!(left, Value::Int(0));
    assert_eq!(b.state("a:b:c").await, None);
}

#[tokio::test]
async fn a_parent_that_goes_with_its_children_blocks_no_later_one() {
    let b = Bench::new("parents").await;
    let deduplication = Some(Deduplication { id: "d".to_owned(), ..Deduplication::default() });
    b.add("parent", JobOptions { deduplication, ..JobOptions::default() }).await;
    b.raw("LREM", "wait", &["1", "parent"]).await;
    b.raw("ZADD", "waiting-children", &["1", "parent"]).await;
    b.plain(&["child"]).await;
    let parent = format!("{}parent", b.base);
    b.raw("HSET", "child", &["parentKey", &parent]).await;
    b.raw("SADD", "parent:dependencies", &[&format!("{}child", b.base)]).await;
    assert_eq!(b.queue.clean(Cleanable::Wait, Duration::ZERO, None).await.unwrap(), ["child"]);
    assert_eq!(b.state("parent").await, None);
    assert_eq!(b.raw("EXISTS", "de:d", &[]).await, Value::Int(0));
}

#[tokio::test]
async fn pages_show_jobs_in_the_order_in_which_they_will_run_or_have_ended() {
    let b = Bench::new("pages").await;
    b.plain(&["w1", "w2", "w3"]).await;
    b.add("front", JobOptions { lifo: true, ..JobOptions::default() }).await;
    for (id, priority) in [("p9", 9), ("p2", 2), ("p2b", 2)] {
        b.add(id, JobOptions { priority, ..JobOptions::default() }).await;
    }
    b.add("late", delayed(2 * HOUR)).await;
    b.add("soon", delayed(HOUR)).await;
    let page = async |shelf, skip, count| {
        let jobs = b.queue.jobs(shelf, skip, count).await.unwrap();
        jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(page(Shelf::Wait, 0, 10).await, ["front", "w1", "w2", "w3"]);
    assert_eq!(page(Shelf::Wait, 1, 2).await, ["w1", "w2"]);
    assert_eq!(page(Shelf::Wait, 3, 2).await, ["w3"]);
    assert!(page(Shelf::Wait, 4, 2).await.is_empty());
    assert!(page(Shelf::Wait, 0, 0).await.is_empty());
    assert_eq!(page(Shelf::Prioritized, 0, 10).await, ["p2", "p2b", "p9"]);
    assert_eq!(page(Shelf::Delayed, 0, 10).await, ["soon", "late"]);
    let soon = &b.queue.jobs(Shelf::Delayed, 0, 1).await.unwrap()[0];
    assert_eq!(soon.due, Some(NOW + HOUR as i64));
    assert_eq!(
        b.queue.priorities(5).await.unwrap(),
        [PriorityCount { priority: 2, jobs: 2 }, PriorityCount { priority: 9, jobs: 1 }]
    );
    assert_eq!(b.queue.priorities(1).await.unwrap().len(), 1);

    let ended = async |ids: &[&str], how: Settlement| {
        b.clock.advance(1_000);
        b.plain(ids).await;
        b.end(how).await;
    };
    ended(&[], Settlement::Complete("1".to_owned())).await;
    ended(&["last"], Settlement::Complete("1".to_owned())).await;
    ended(&["bad"], Settlement::Unrecoverable("no\nway".to_owned())).await;
    assert_eq!(page(Shelf::Completed, 0, 1).await, ["last"]);
    let bad = b.queue.jobs(Shelf::Failed, 0, 9).await.unwrap().remove(0);
    assert_eq!(bad.failed_reason.as_deref(), Some("no\nway"));
    assert_eq!((bad.attempts_made, bad.finished_on), (Some(1), Some(NOW + 3_000)));
    assert_eq!(
        b.queue.throughput(5).await.unwrap(),
        Throughput { minutes: 5, completed: 8, failed: 1 }
    );
    b.clock.advance(300_000);
    assert_eq!(b.queue.throughput(5).await.unwrap().completed, 0);
    b.raw(
        "HSET",
        "metrics:completed",
        &["count", "70", "prevTS", &b.clock.now_ms().to_string(), "prevCount", "50"],
    )
    .await;
    b.raw("RPUSH", "metrics:completed:data", &["7", "0"]).await;
    assert_eq!(b.queue.throughput(5).await.unwrap().completed, 27);

    b.raw("RPUSH", "bad:logs", &["one", "two", "three"]).await;
    let logs = b.queue.logs("bad", 1, 1).await.unwrap();
    assert_eq!((logs.lines, logs.total), (vec!["two".to_owned()], 3));
}

#[tokio::test]
async fn every_operation_counts_its_commands_exactly() {
    let server = RedisServer::start().await.unwrap();
    if server.is_stand_in() {
        return println!("skipped: this Redis counts no commands");
    }
    let b = Bench::on(&server.url(), "metered");
    let executed = async || {
        let info = b.queue.redis().call(Command::new("INFO").arg("commandstats")).await.unwrap();
        let text = info.as_str().unwrap().to_owned();
        let calls = text.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let calls: u64 = rest.split(',').next()?.parse().ok()?;
            // What the connection itself sends is not billed.
            (!name.starts_with("client") && name != "hello" && name != "info").then_some(calls)
        });
        calls.sum::<u64>()
    };
    for round in 0..2 {
        b.fail(&["f1", "f2"]).await;
        b.end(Settlement::Complete("1".to_owned())).await;
        b.plain(&["w1", "w2", "w3"]).await;
        b.add("p", JobOptions { priority: 4, ..JobOptions::default() }).await;
        b.add("d", delayed(HOUR)).await;
        let queue = b.queue.over(b.queue.redis().metered());
        let before = executed().await;
        queue.retry("f1", Ended::Failed, false).await.unwrap();
        queue.retry_all(Ended::Failed).await.unwrap();
        queue.promote("d").await.unwrap();
        queue.promote_all().await.unwrap();
        queue.remove("w1").await.unwrap();
        refusal(queue.remove("none").await);
        queue.clean(Cleanable::Wait, Duration::ZERO, Some(1)).await.unwrap();
        queue.priorities(9).await.unwrap();
        queue.throughput(5).await.unwrap();
        queue.jobs(Shelf::Wait, 0, 9).await.unwrap();
        queue.logs("w2", 0, 9).await.unwrap();
        queue.pause().await.unwrap();
        queue.resume().await.unwrap();
        queue.pause().await.unwrap();
        queue.obliterate(false).await.unwrap();
        // In the first round each script is sent twice: by its name, then with its source.
        let spent = executed().await - before;
        assert_eq!(queue.redis().usage().billed, spent, "round {round}");
    }
}
