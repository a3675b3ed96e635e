//! The queue's state machine against a simple model of it: whatever producers, claimers, operators,
//! crashes and lost answers do in whatever order, the queue answers and holds what the model says.
//!
//! Sequences of steps are made of a seed, and each runs on a real Redis under a prefix of its own. One
//! that fails is shrunk and printed; `MODEL_REPLAY` runs it again. `MODEL_STEPS` and `MODEL_SEED` make a
//! longer or another run.

mod adding;
mod bench;
mod compare;
mod operating;
mod settling;
mod shrink;
mod states;
mod steps;
mod working;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bench::{Bench, Ways};
use servers::RedisServer;
use steps::Sequence;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// Sequences that run beside each other: some wait for connections that lost an answer.
const WORKERS: usize = 12;

/// Of a run that nobody asked more of.
const STEPS: u64 = 100_000;

/// After so many steps a long run says how far it is.
const TOLD: u64 = 100_000;

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        Err(_) => default,
    }
}

/// The first sequence that failed.
struct Failed {
    seed: u64,
    sequence: Sequence,
    reason: String,
}

/// What the workers share.
struct Run {
    url: String,
    steps: u64,
    start: Instant,
    next: AtomicU64,
    done: AtomicU64,
    failed: Mutex<Option<Failed>>,
}

impl Run {
    /// Runs one sequence after another, until there were enough steps or one has failed.
    async fn work(self: Arc<Self>) {
        let ways = Ways::to(&self.url).await;
        while self.done.load(Ordering::SeqCst) < self.steps && self.failed.lock().await.is_none() {
            let seed = self.next.fetch_add(1, Ordering::SeqCst);
            let sequence = Sequence::of(seed);
            match Bench::run(&ways, &format!("m{seed}"), &sequence).await {
                Ok(()) => self.count(sequence.steps.len() as u64),
                Err(reason) => {
                    let failed = Failed { seed, sequence, reason };
                    self.failed.lock().await.get_or_insert(failed);
                }
            }
        }
    }

    fn count(&self, steps: u64) {
        let before = self.done.fetch_add(steps, Ordering::SeqCst);
        if (before + steps) / TOLD > before / TOLD {
            println!("{} steps in {:?}", before + steps, self.start.elapsed());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_does_what_the_model_says() {
    if let Ok(json) = std::env::var("MODEL_REPLAY") {
        return replay("again", &json).await;
    }
    let (steps, seed) = (number("MODEL_STEPS", STEPS), number("MODEL_SEED", 1));
    println!("MODEL_STEPS={steps} MODEL_SEED={seed}");
    let server = RedisServer::start().await.unwrap();
    let run = Arc::new(Run {
        url: server.url(),
        steps,
        start: Instant::now(),
        next: AtomicU64::new(seed),
        done: AtomicU64::new(0),
        failed: Mutex::new(None),
    });
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        workers.spawn(run.clone().work());
    }
    workers.join_all().await;
    let done = run.done.load(Ordering::SeqCst);
    println!("{done} steps in {:?}", run.start.elapsed());
    let Some(Failed { seed, sequence, reason }) = run.failed.lock().await.take() else {
        assert!(done >= steps);
        return;
    };
    let shrunk = shrunk(&run.url, sequence).await;
    let again = Bench::run(&Ways::to(&run.url).await, "again", &shrunk).await;
    let json = serde_json::to_string(&shrunk).unwrap();
    let steps: Vec<String> = shrunk.steps.iter().map(|step| format!("  {step:?}")).collect();
    panic!(
        "the sequence of MODEL_SEED={seed} failed {reason}\n\nshrunk to\n{}\n{again:?}\n\nagain: \
         MODEL_REPLAY='{json}' cargo test -p local --test queue -- model::the_queue",
        steps.join("\n")
    );
}

async fn shrunk(url: &str, sequence: Sequence) -> Sequence {
    let ways = Ways::to(url).await;
    let runs = AtomicU64::new(0);
    let patience = Instant::now() + Duration::from_secs(120);
    shrink::shrink(sequence, async |sequence| {
        let run = runs.fetch_add(1, Ordering::SeqCst);
        Instant::now() < patience && Bench::run(&ways, &format!("s{run}"), sequence).await.is_err()
    })
    .await
}

async fn replay(prefix: &str, json: &str) {
    let sequence: Sequence = serde_json::from_str(json).unwrap();
    let server = RedisServer::start().await.unwrap();
    Bench::run(&Ways::to(&server.url()).await, prefix, &sequence).await.unwrap();
}

/// The second job got the id of the one that the first replaced, and was deleted with it.
#[tokio::test]
async fn an_id_that_a_replaced_job_had_is_free_for_the_next_of_the_batch() {
    let json = r#"{"setting":0,"steps":[
        {"Enqueue":{"jobs":[{"id":2,"delay":1000,"dedup":{"id":0}}],"fate":"Plain"}},
        {"Enqueue":{"jobs":[{"dedup":{"id":0,"replace":true}},{"id":2}],"fate":"Plain"}}]}"#;
    replay("replaced", json).await;
}

/// The active job held the deduplication id again after the new one, since its time was set last.
#[tokio::test]
async fn the_last_of_a_batch_that_takes_a_deduplication_id_holds_it() {
    let json = r#"{"setting":0,"steps":[
        {"Enqueue":{"jobs":[{"dedup":{"id":0}}],"fate":"Plain"}},
        {"Claim":{"ask":{"count":8,"wait":true,"prioritized":true,"delayed":true},"fate":"Plain"}},
        {"Enqueue":{"jobs":[{"dedup":{"id":0,"ttl":2000000,"extend":true}},
            {"dedup":{"id":0,"last":true}}],"fate":"Plain"}}]}"#;
    replay("held", json).await;
}

/// A custom id stood in the keys of two deduplication ids, so that a job which replaced its job by one
/// of them left the other one's next job to be answered with what was gone.
#[tokio::test]
async fn a_job_that_is_replaced_holds_no_other_deduplication_id() {
    let json = r#"{"setting":0,"steps":[
        {"Enqueue":{"jobs":[{"id":1,"keep_completed":"None","dedup":{"id":2,"ttl":2000000}}],
            "fate":"Plain"}},
        {"Claim":{"ask":{"count":8,"wait":true,"prioritized":true,"delayed":true},"fate":"Plain"}},
        {"Settle":{"claim":{"n":0,"fit":true},"ends":["Complete"],"next":null,"fate":"Plain"}},
        {"Enqueue":{"jobs":[{"id":1,"delay":60000,"dedup":{"id":0}}],"fate":"Plain"}},
        {"Enqueue":{"jobs":[{"dedup":{"id":2,"replace":true}},{"dedup":{"id":0}}],
            "fate":"Plain"}}]}"#;
    replay("other", json).await;
}

/// The id's key outlived its job for a time. What then got the id was taken for one that is next in turn.
#[tokio::test]
async fn a_job_that_takes_a_holders_id_is_promoted_like_any_other() {
    let json = r#"{"setting":0,"steps":[
        {"Enqueue":{"jobs":[{"id":2,"keep_failed":"None","dedup":{"id":2,"ttl":2000000}}],
            "fate":"Plain"}},
        {"Claim":{"ask":{"count":8,"wait":true,"prioritized":true,"delayed":true},"fate":"Plain"}},
        {"Settle":{"claim":{"n":0,"fit":true},"ends":["Fail"],"next":null,"fate":"Plain"}},
        {"Enqueue":{"jobs":[{"id":2,"delay":1001},{"dedup":{"id":2},"promote":true}],
            "fate":"Plain"}}]}"#;
    replay("taken", json).await;
}
