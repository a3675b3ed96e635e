//! The queue against a real Redis: what is added comes out once, whatever is lost on the way; an operator's
//! hand on it ([`operations`]); all of it against a [`model`] of its states; and each script with each of
//! its commands refused ([`totality`]).

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod adding;
mod adding_ahead;
mod bad_jobs;
mod bench;
mod bounds;
mod claiming;
mod dead_schedules;
mod doubles;
mod keeping;
mod long_requests;
mod lost_answers;
mod metering;
mod model;
mod odd_states;
mod operations;
mod overtaken;
mod own_keys;
mod schedules;
mod settling;
mod totality;

use std::collections::HashSet;
use std::time::Duration;

use bench::{ALL, Bench, NOW, settings};
use fixture::lossy::Lossy;
use fixture::redis_server;
use servers::RedisServer;
use shared::clock::Clock;
use shared::config::{Endpoint, Events, Limiter, Secret};
use shared::queue::{
    Added, Claim, ClaimRequest, ClaimStatus, Code, Deduplication, Ended, Error, Hold, JobOptions,
    KeepJobs, NewJob, Outcome, Queue, Refusal, Settlement, State, Waited,
};
use shared::redis::{Command, Redis, Value};

impl Bench {
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
