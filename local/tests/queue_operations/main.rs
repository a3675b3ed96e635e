//! An operator's hand on the queue, against a real Redis: nothing is lost or done twice, whatever
//! answer is lost and whichever BullMQ paused before.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod declared_keys;
mod limiting;
mod looking;
#[allow(dead_code)]
#[path = "../lossy/mod.rs"]
mod lossy;
mod lost_answers;
mod metering;
mod moving;
mod names;
mod pausing;
mod refusals;

use std::time::Duration;

use local::servers::RedisServer;
use lossy::Lossy;
use shared::clock::Clock;
use shared::config::{Config, Endpoint, Events, QueueOptions, Secret};
use shared::queue::schedule::{Rule, Scheduler};
use shared::queue::{
    ClaimRequest, Deduplication, Ended, Error, JobOptions, KeepJobs, NewJob, Occupied,
    PriorityCount, Queue, Refusal, Settlement, State, Throughput,
};
use shared::redis::{Command, Redis, Value};
use tokio::sync::OnceCell;

const NOW: i64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;
const ALL: ClaimRequest =
    ClaimRequest { count: 100, wait: true, prioritized: true, delayed: true, lock: None };

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
        Self::with(url, prefix, |_| {})
    }

    fn with(url: &str, prefix: &str, change: impl FnOnce(&mut QueueOptions)) -> Self {
        let clock = Clock::manual(NOW);
        let env = std::collections::BTreeMap::new();
        let mut config = QueueOptions {
            prefix: prefix.to_owned(),
            events: Events::All,
            ..Config::from_env(&env).unwrap().queue
        };
        change(&mut config);
        let url = Secret::new(url);
        let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap();
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

    async fn state(&self, id: &str) -> Option<State> {
        self.queue.job(id).await.unwrap().map(|job| job.state.expect("it is in some state"))
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

fn hourly(id: &str) -> Scheduler {
    let rule = Rule::Every { every_ms: HOUR, offset_ms: 0 };
    let (id, data) = (id.to_owned(), "{}".to_owned());
    Scheduler { name: id.clone(), id, data, rule, ..Scheduler::default() }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result.unwrap_err() {
        Error::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}
