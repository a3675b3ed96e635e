//! The queue against a real Redis: what is added comes out once, whatever is lost on the way.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod adding;
mod bad_jobs;
mod bounds;
mod claiming;
mod dead_schedules;
mod doubles;
mod keeping;
mod long_requests;
#[path = "../lossy/mod.rs"]
mod lossy;
mod lost_answers;
mod metering;
mod odd_states;
mod own_keys;
mod schedules;
mod settling;

use std::collections::HashSet;
use std::time::Duration;

use local::servers::RedisServer;
use lossy::Lossy;
use shared::clock::Clock;
use shared::config::{Config, Endpoint, Events, Limiter, QueueOptions, Secret};
use shared::queue::{
    Added, Claim, ClaimRequest, ClaimStatus, Code, Deduplication, Ended, Error, JobOptions,
    KeepJobs, NewJob, Outcome, Queue, Refusal, Settlement, State, Waited,
};
use shared::redis::{Command, Redis, Value};
use tokio::sync::OnceCell;

const NOW: i64 = 1_800_000_000_000;
const ALL: ClaimRequest =
    ClaimRequest { count: 100, wait: true, prioritized: true, delayed: true, lock: None };

async fn server() -> &'static RedisServer {
    static SERVER: OnceCell<RedisServer> = OnceCell::const_new();
    SERVER.get_or_init(|| async { RedisServer::start().await.unwrap() }).await
}

fn settings(prefix: &str) -> QueueOptions {
    let env = std::collections::BTreeMap::new();
    QueueOptions { prefix: prefix.to_owned(), ..Config::from_env(&env).unwrap().queue }
}

fn client(url: &str) -> Redis {
    let url = Secret::new(url);
    Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap()
}

/// A queue of its own for one test, with a clock that the test moves.
struct Bench {
    queue: Queue,
    clock: Clock,
    base: String,
}

impl Bench {
    async fn new(prefix: &str) -> Self {
        Self::on(&server().await.url(), prefix, |_| {})
    }

    fn on(url: &str, prefix: &str, change: impl FnOnce(&mut QueueOptions)) -> Self {
        let clock = Clock::manual(NOW);
        let mut config = settings(prefix);
        change(&mut config);
        let queue = Queue::new(client(url), &config, clock.clone());
        Self { queue, clock, base: format!("{prefix}:{}:", config.name) }
    }

    async fn raw(&self, name: &'static str, key: &str, args: &[&str]) -> Value {
        let command = Command::new(name).arg(format!("{}{key}", self.base));
        let command = args.iter().fold(command, |command, arg| command.arg(*arg));
        self.queue.redis().call(command).await.unwrap()
    }

    async fn list(&self, key: &str) -> Vec<String> {
        let value = self.raw("LRANGE", key, &["0", "-1"]).await;
        value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    }

    async fn field(&self, id: &str, field: &str) -> Option<String> {
        self.raw("HGET", id, &[field]).await.as_str().map(str::to_owned)
    }

    async fn add(&self, opts: JobOptions) -> Added {
        self.queue.enqueue(&[job(opts)]).await.unwrap().remove(0)
    }

    async fn add_plain(&self, n: usize) -> Vec<String> {
        let jobs = vec![job(JobOptions::default()); n];
        self.queue.enqueue(&jobs).await.unwrap().into_iter().map(|added| added.id).collect()
    }

    async fn claim(&self) -> Claim {
        self.queue.claim(ALL).await.unwrap()
    }

    async fn settle(&self, claim: Claim, settlement: Settlement) -> Vec<Code> {
        let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, settlement.clone())).collect();
        self.queue.settle(&claim.token, &jobs).await.unwrap().codes
    }

    async fn state(&self, id: &str) -> Option<State> {
        self.queue.job(id).await.unwrap().map(|job| job.state.expect("it is in some state"))
    }
}

fn job(opts: JobOptions) -> NewJob {
    NewJob { name: "test".to_owned(), data: r#"{"n":1}"#.to_owned(), opts, ..NewJob::default() }
}

fn dedup(id: &str) -> JobOptions {
    let deduplication =
        Deduplication { id: id.to_owned(), keep_last_if_active: true, ..Deduplication::default() };
    JobOptions { deduplication: Some(deduplication), ..JobOptions::default() }
}

fn done() -> Settlement {
    Settlement::Complete("null".to_owned())
}

fn ids(claim: &Claim) -> Vec<String> {
    claim.jobs.iter().map(|job| job.id.clone()).collect()
}
