//! How long a queue insists: its scripts are asked for again by the queue, not by the client, and
//! yet in the same fifth of the time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use drain::Drain;
use shared::clock::Clock;
use shared::config::Config;
use shared::queue::{Error, NewJob, Queue};
use shared::recompute::StoppedBecause;
use shared::redis::{ErrorKind, Limits, Redis};

use crate::client::{html, ok, start, start_with, status};
use crate::scripted::Reaction;

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    answer: Duration::from_secs(2),
    call: Duration::from_secs(30),
    idle: Duration::from_secs(30),
};

/// For a server that never answers, so that there is time for several tries.
const HASTY: Limits = Limits { answer: Duration::from_millis(100), ..LIMITS };

async fn enqueue(redis: &Redis) -> ErrorKind {
    let settings = Config::from_env(&BTreeMap::new()).unwrap().queue;
    let tick = redis.until(tokio::time::Instant::now() + Duration::from_secs(20));
    let queue = Queue::new(tick, &settings, Clock::System);
    let job = NewJob { name: "job".to_owned(), data: "{}".to_owned(), ..NewJob::default() };
    match queue.enqueue(&[job]).await.unwrap_err() {
        Error::Redis(error) => error.kind().clone(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_call_insists_for_a_fifth_of_the_time_left() {
    let faults = [
        (HASTY, Reaction::Hang(vec![]), ErrorKind::Ambiguous),
        (LIMITS, html(502), ErrorKind::Ambiguous),
        (LIMITS, status(500, &[], ""), ErrorKind::Ambiguous),
        (LIMITS, status(429, &["Retry-After: 1"], "slow down"), ErrorKind::RateLimited),
    ];
    let calls = faults.map(|(limits, fault, kind)| {
        tokio::spawn(async move {
            let reactions = (0..1000).map(|_| fault.clone());
            let (server, redis) = start_with(limits, reactions).await;
            let started = Instant::now();
            assert_eq!(enqueue(&redis).await, kind, "{fault:?}");
            let took = started.elapsed();
            assert!(took < Duration::from_secs(8), "{fault:?}: {took:?} of 20 s");
            assert!(server.seen().len() >= 3, "{fault:?}: {} tries", server.seen().len());
        })
    });
    for call in calls {
        call.await.unwrap();
    }
}

fn quota() -> Reaction {
    status(400, &[], r#"{"error":"ERR max requests limit exceeded"}"#)
}

#[tokio::test]
async fn a_used_up_quota_ends_a_call_at_once() {
    for (reactions, tries) in [(vec![quota()], 1), (vec![html(502), quota()], 2)] {
        let (server, redis) = start_with(LIMITS, reactions).await;
        assert_eq!(enqueue(&redis).await, ErrorKind::Quota);
        assert_eq!(server.seen().len(), tries);
    }
}

#[tokio::test]
async fn a_used_up_quota_ends_a_tick_at_once() {
    // At its first question; and when it has heard that jobs wait.
    for reactions in [vec![quota()], vec![ok(r#"{"result":1}"#), quota()]] {
        let tries = reactions.len();
        let (server, _) = start(reactions).await;
        let env = [
            ("UPSTASH_REDIS_REST_URL", format!("http://{}", server.address())),
            ("UPSTASH_REDIS_REST_TOKEN", "test-token".to_owned()),
            ("DATABASE_URL", "postgres://u:p@127.0.0.1:1/d".to_owned()),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value));
        let drain = Drain::new(&Config::from_env(&BTreeMap::from(env)).unwrap()).unwrap();
        let report = drain.tick(tokio::time::Instant::now() + Duration::from_secs(50)).await;
        assert_eq!(report.stopped_because, StoppedBecause::Error);
        let error = report.error.unwrap();
        assert!(error.contains("The plan's quota is used up"), "{error}");
        assert_eq!(server.seen().len(), tries, "{error}");
    }
}
