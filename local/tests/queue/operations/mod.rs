//! An operator's hand on the queue, against a real Redis: nothing is lost or done twice, whatever
//! answer is lost and whichever BullMQ paused before.

mod declared_keys;
mod glancing;
mod limiting;
mod looking;
mod lost_answers;
mod metering;
mod moving;
mod names;
mod pausing;
mod refusals;

use std::ops::Deref;
use std::time::Duration;

use fixture::lossy::Lossy;
use fixture::redis_server;
use servers::RedisServer;
use shared::config::{Events, QueueOptions};
use shared::queue::schedule::{Rule, Scheduler};
use shared::queue::{
    ClaimRequest, Counted, Deduplication, Ended, Error, JobOptions, KeepJobs, NewJob, Occupied,
    PriorityCount, Refusal, Settlement, State, Throughput,
};
use shared::redis::{Command, Value};

use crate::bench::{self, ALL, NOW};

const HOUR: u64 = 3_600_000;

/// A queue that tells all events.
struct Bench(bench::Bench);

impl Deref for Bench {
    type Target = bench::Bench;

    fn deref(&self) -> &bench::Bench {
        &self.0
    }
}

impl Bench {
    async fn new(prefix: &str) -> Self {
        Self::on(&redis_server().await.url(), prefix)
    }

    fn on(url: &str, prefix: &str) -> Self {
        Self::with(url, prefix, |_| {})
    }

    fn with(url: &str, prefix: &str, change: impl FnOnce(&mut QueueOptions)) -> Self {
        // The other tests of this binary have prefixes on the same server.
        Self(bench::Bench::on(url, &format!("operations-{prefix}"), |config| {
            config.events = Events::All;
            change(config);
        }))
    }

    async fn version(&self, version: &str) {
        self.raw("HSET", "meta", &["version", version]).await;
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
