//! Jobs that an HTTP server does: whatever it answers, each has the end that is documented.

mod answers;
mod blame;
mod closed;
mod receiver;
mod time;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use shared::engine::{Report, StoppedBecause, Stopper, TickOptions, Ticker};
use shared::http::{Forward, ForwardOptions, Secrets};
use shared::queue::{Backoff, JobOptions, NewJob, Queue, State};
use shared::redis::{Command, Secret};
use tokio::time::Instant;

use super::{Clock, add_with, queue, states};
use receiver::{Receiver, Reply, SECRET, all, status};

fn options(url: &str) -> ForwardOptions {
    ForwardOptions::new(Secret::new(url), Secrets::parse(SECRET).unwrap())
}

/// Adds a job of three attempts for each of `data`. One that is tried again waits for a minute, and so until
/// after the test.
async fn add(queue: &Queue, data: &[&str]) -> Vec<String> {
    let backoff = Some(Backoff::Fixed { delay_ms: 60_000, jitter: None });
    let opts = JobOptions { attempts: 3, backoff, ..JobOptions::default() };
    add_with(queue, data, &opts).await
}

/// A queue with jobs, and the server that does them.
struct World {
    queue: Queue,
    ids: Vec<String>,
    receiver: Receiver,
    forward: Arc<Forward>,
    ticker: Ticker,
}

impl World {
    async fn new(
        name: &str,
        data: &[&str],
        reply: impl Fn(&Value) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with(name, data, |options| options, reply).await
    }

    async fn with(
        name: &str,
        data: &[&str],
        change: impl FnOnce(ForwardOptions) -> ForwardOptions,
        reply: impl Fn(&Value) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let queue = queue(&format!("forward-{name}")).await;
        let ids = add(&queue, data).await;
        let receiver = Receiver::start(reply).await;
        let forward = Forward::new(change(options(&receiver.url))).unwrap();
        let forward = Arc::new(forward);
        let options = TickOptions::default();
        let ticker = Ticker::new(queue.clone(), forward.clone(), options, Clock::System);
        Self { queue, ids, receiver, forward, ticker }
    }

    async fn tick(&self) -> Report {
        self.ticker.tick(Instant::now() + Duration::from_secs(30)).await
    }

    /// Each job's state and the attempts that it has made.
    async fn jobs(&self) -> Vec<(State, u32)> {
        let mut jobs = Vec::new();
        for id in &self.ids {
            let job = self.queue.job(id).await.unwrap().unwrap();
            let attempts = job.fields.get("atm").map_or(0, |atm| atm.parse().unwrap());
            jobs.push((job.state.expect("it is in some state"), attempts));
        }
        jobs
    }

    async fn field(&self, place: usize, name: &str) -> Option<String> {
        self.queue.job(&self.ids[place]).await.unwrap().unwrap().fields.remove(name)
    }
}

/// Waits again as it was.
const BACK: (State, u32) = (State::Wait, 0);
/// Has failed its first attempt, and waits for the second.
const AGAIN: (State, u32) = (State::Delayed, 1);
const DONE: (State, u32) = (State::Completed, 1);
const FAILED: (State, u32) = (State::Failed, 1);

/// Answers all jobs, but not as long as there are more of them than `most`.
fn at_most(most: usize) -> impl Fn(&Value) -> Reply + Send + Sync + 'static {
    move |request| match request["jobs"].as_array().unwrap().len() > most {
        true => status(413),
        false => all(request, "completed"),
    }
}

/// Fails what has one of these data in it, as `how` says, and answers the rest.
fn fails(
    bad: &'static [&'static str],
    how: fn() -> Reply,
) -> impl Fn(&Value) -> Reply + Send + Sync + 'static {
    move |request| {
        let jobs = request["jobs"].as_array().unwrap();
        match jobs.iter().any(|job| bad.contains(&job["data"].as_str().unwrap())) {
            true => how(),
            false => all(request, "completed"),
        }
    }
}
