//! The queue over REST while everything goes wrong at once: nothing is lost, nothing is doubled.
//!
//! `DEO_SEED` repeats a run's faults; every run prints its seed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway::{Gateway, GatewayConfig};
use servers::RedisServer;
use shared::clock::Clock;
use shared::config::{Config, Endpoint, Secret};
use shared::queue::{ClaimRequest, Code, JobOptions, NewJob, Queue, Settlement};
use shared::redis::{Command, Limits, Options, Redis};

const JOBS: usize = 10_000;
const PEERS: usize = 8;
const FAULTS: &str = "latency=5ms:0.05,429=0.05,500=0.05,502html=0.05,503=0.05,reset-before=0.05,\
                      reset-after=0.05,truncate=0.05,stall=2s:0.05";

/// A peer over the faulty gateway, impatient enough for a test.
fn peer(config: &Endpoint) -> Queue {
    let limits = Limits { answer: Duration::from_millis(400), ..Limits::default() };
    let redis = Redis::with_options(config, Options { limits, ..Options::default() }).unwrap();
    let settings = Config::from_env(&std::collections::BTreeMap::new()).unwrap().queue;
    Queue::new(redis, &settings, Clock::System)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_a_third_of_all_requests_fails() {
    let seed = std::env::var("DEO_SEED").map_or_else(|_| rand::random(), |s| s.parse().unwrap());
    println!("seed {seed}: DEO_SEED={seed} repeats the faults");
    let server = RedisServer::start().await.unwrap();
    let gateway = Gateway::start(GatewayConfig {
        faults: FAULTS.parse().unwrap(),
        seed,
        ..GatewayConfig::new(server.url(), "token")
    })
    .await
    .unwrap();
    let rest =
        Endpoint::Rest { url: gateway.url(), token: Secret::new("token"), allow_plaintext: false };

    // Producers: every call is repeated with its key until it is answered.
    let producers: Vec<_> = (0..PEERS)
        .map(|producer| {
            let queue = peer(&rest);
            tokio::spawn(async move {
                let mut ids = Vec::new();
                for call in 0..JOBS / PEERS / 5 {
                    let jobs: Vec<NewJob> = (0..5).map(|n| job(producer, call, n)).collect();
                    let key = format!("{producer}-{call}");
                    let added = loop {
                        match queue.enqueue_once(&jobs, &key).await {
                            Ok(added) => break added,
                            Err(error) => println!("producer {producer} asks again: {error}"),
                        }
                    };
                    ids.extend(added.into_iter().map(|added| added.id));
                }
                ids
            })
        })
        .collect();
    let mut accepted = Vec::new();
    for producer in producers {
        accepted.extend(producer.await.unwrap());
    }
    assert_eq!(accepted.len(), JOBS);

    // Consumers: what they were told is settled counts as an effect.
    let effects: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
    let consumers: Vec<_> = (0..PEERS)
        .map(|consumer| {
            let queue = peer(&rest);
            let effects = effects.clone();
            tokio::spawn(async move { consume(consumer, &queue, &effects).await })
        })
        .collect();
    for consumer in consumers {
        consumer.await.unwrap();
    }

    // A claim whose replays all failed is an owner that died: its jobs come back by recovery.
    let tcp = Endpoint::Tcp { url: Secret::new(server.url()), allow_plaintext: false };
    let healthy = peer(&tcp);
    let base = "engineo:deo_score_queue:";
    for _ in 0..2 {
        let active = Command::new("LRANGE").arg(format!("{base}active")).arg("0").arg("-1");
        let active = healthy.redis().call(active).await.unwrap();
        for id in active.as_array().unwrap() {
            let lock = format!("{base}{}:lock", id.as_str().unwrap());
            healthy.redis().call(Command::new("DEL").arg(lock)).await.unwrap();
        }
        let check = Command::new("DEL").arg(format!("{base}stalled-check"));
        healthy.redis().call(check).await.unwrap();
        healthy.recover().await.unwrap();
    }
    consume(PEERS, &healthy, &effects).await;

    let counts = healthy.counts().await.unwrap();
    assert_eq!(counts.completed as usize, JOBS, "seed {seed}: {counts:?}");
    assert_eq!(counts.wait + counts.active + counts.failed + counts.delayed, 0, "{counts:?}");
    let mut doubled = effects.lock().unwrap().clone();
    doubled.retain(|_, times| *times > 1);
    assert!(doubled.is_empty(), "seed {seed}: {doubled:?}");
    let mut twice = 0;
    for id in &accepted {
        let started = healthy.job(id).await.unwrap().unwrap().fields["ats"].clone();
        assert!(started == "1" || started == "2", "seed {seed}: job {id} started {started} times");
        twice += usize::from(started == "2");
    }
    println!("{JOBS} jobs, {twice} of them started twice, all completed once");
    gateway.shutdown().await;
}

fn job(producer: usize, call: usize, n: usize) -> NewJob {
    NewJob {
        name: "chaos".to_owned(),
        data: format!(r#"{{"producer":{producer},"call":{call},"n":{n}}}"#),
        opts: JobOptions::default(),
        ..NewJob::default()
    }
}

async fn consume(consumer: usize, queue: &Queue, effects: &Mutex<HashMap<String, u32>>) {
    loop {
        let claim = match queue.claim(ClaimRequest::everywhere(25)).await {
            Ok(claim) if claim.jobs.is_empty() => return,
            Ok(claim) => claim,
            Err(error) => {
                println!("consumer {consumer} claims again: {error}");
                continue;
            }
        };
        let done = Settlement::Complete("null".to_owned());
        let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, done.clone())).collect();
        match queue.settle(&claim.token, &jobs).await {
            Ok(settled) => {
                let mut effects = effects.lock().unwrap();
                for ((job, _), code) in jobs.iter().zip(settled.codes) {
                    assert_eq!(code, Code::Completed, "job {}", job.id);
                    *effects.entry(job.id.clone()).or_default() += 1;
                }
            }
            Err(error) => println!("consumer {consumer} could not settle: {error}"),
        }
    }
}
