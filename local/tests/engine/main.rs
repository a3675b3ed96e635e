//! The engine against a real Redis: with handlers that the tests make, without Postgres or a score; whole
//! ticks of the drain ([`recompute`]) and of the night ([`nightly`]) with a real Postgres; and all of it
//! while everything goes wrong ([`chaos`]).

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod budget;
mod chaos;
mod deadlines;
mod drops;
mod drops_in_time;
mod faults;
mod forward;
mod lanes;
mod nightly;
mod patience;
mod recompute;
mod several;
mod ticks;

use std::sync::Mutex;
use std::time::Duration;

use shared::clock::Clock;
use shared::engine::{Context, Handler, TickOptions, Ticker};
use shared::queue::{ClaimedJob, JobOptions, NewJob, Queue, QueueOptions, Settlement, State};
use shared::redis::{Endpoint, Redis, Secret};

/// A queue of its own for one test, in which no job is removed.
async fn queue(name: &str) -> Queue {
    let url = Secret::new(fixture::redis_server().await.url());
    let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap();
    Queue::new(redis, &QueueOptions::new(name), Clock::System)
}

/// Adds a job of two attempts for each of `data`, and returns their ids.
async fn add(queue: &Queue, data: &[&str]) -> Vec<String> {
    add_with(queue, data, &JobOptions { attempts: 2, ..JobOptions::default() }).await
}

async fn add_with(queue: &Queue, data: &[&str], opts: &JobOptions) -> Vec<String> {
    let job = |data: &&str| NewJob {
        name: "job".to_owned(),
        data: format!("\"{data}\""),
        opts: opts.clone(),
        ..NewJob::default()
    };
    let jobs: Vec<NewJob> = data.iter().map(job).collect();
    queue.enqueue(&jobs).await.unwrap().into_iter().map(|added| added.id).collect()
}

async fn states(queue: &Queue, ids: &[String]) -> Vec<State> {
    let mut states = Vec::new();
    for id in ids {
        states.push(queue.job(id).await.unwrap().unwrap().state.expect("it is in some state"));
    }
    states
}

fn ticker(queue: &Queue, handler: impl Handler + 'static) -> Ticker {
    Ticker::new(queue.clone(), handler, TickOptions::default(), Clock::System)
}

/// Why a batch cannot be done.
#[derive(Debug)]
struct Down;

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the database is down")
    }
}

impl std::error::Error for Down {}

fn word(job: &ClaimedJob) -> &str {
    job.data.trim_matches('"')
}

/// Does what a job's data says, and remembers the batches that it was given.
#[derive(Default)]
struct Obedient {
    batches: Mutex<Vec<Vec<String>>>,
}

impl Obedient {
    fn batches(&self) -> Vec<Vec<String>> {
        self.batches.lock().unwrap().clone()
    }
}

impl Handler for Obedient {
    type Error = Down;

    const COUNTERS: &'static [&'static str] = &["greeted", "sulked"];

    async fn handle(
        &self,
        jobs: &[ClaimedJob],
        context: &Context<'_>,
    ) -> Result<Vec<Settlement>, Down> {
        self.batches.lock().unwrap().push(jobs.iter().map(|job| word(job).to_owned()).collect());
        let mut settlements = Vec::new();
        for job in jobs {
            settlements.push(match word(job) {
                "fail" => Settlement::Failed("told to".to_owned()),
                "end" => Settlement::Unrecoverable("told to".to_owned()),
                "down" => return Err(Down),
                "panic" => panic!("told to"),
                "sleep" => {
                    tokio::time::sleep(Duration::from_secs(3_600)).await;
                    continue;
                }
                "forget" => continue,
                _ => Settlement::Complete(job.data.clone()),
            });
            context.count("greeted", 1);
        }
        Ok(settlements)
    }
}
