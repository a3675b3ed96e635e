//! How long a queue insists: its scripts are asked for again by the queue, not by the client, and
//! yet in the same fifth of the time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use drain::Drain;
use shared::clock::Clock;
use shared::config::Config;
use shared::engine::StoppedBecause;
use shared::queue::{ClaimRequest, ClaimedJob, Error, NewJob, Queue, Settlement};
use shared::redis::{ErrorKind, Limits, Redis};

use crate::faults::client::{html, ok, start, start_with, status};
use crate::faults::scripted::Reaction;

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    answer: Duration::from_secs(2),
    call: Duration::from_secs(30),
    idle: Duration::from_secs(30),
};

/// For a server that never answers, so that there is time for several tries.
const HASTY: Limits = Limits { answer: Duration::from_millis(100), ..LIMITS };

/// A call of the queue's.
#[derive(Clone, Copy, Debug)]
enum Call {
    Enqueue,
    Claim,
    Settle,
}

const CALLS: [Call; 3] = [Call::Enqueue, Call::Claim, Call::Settle];

impl Call {
    /// Makes it, for one job, with 20 s to go.
    async fn make(self, redis: &Redis) -> Result<(), Error> {
        let settings = Config::from_env(&BTreeMap::new()).unwrap().queue;
        let tick = redis.until(tokio::time::Instant::now() + Duration::from_secs(20));
        let queue = Queue::new(tick, &settings, Clock::System);
        let new = || NewJob { name: "job".into(), data: "{}".into(), ..NewJob::default() };
        let taken = || ClaimedJob { id: "1".into(), ..ClaimedJob::default() };
        match self {
            Self::Enqueue => queue.enqueue(&[new()]).await.map(drop),
            Self::Claim => queue.claim(ClaimRequest::everywhere(1)).await.map(drop),
            Self::Settle => {
                queue.settle("token", &[(taken(), Settlement::Release)]).await.map(drop)
            }
        }
    }

    /// What its script answers when all is well.
    fn answer(self) -> Reaction {
        ok(match self {
            Self::Enqueue => r#"{"result":[1,["MQ==","YWRkZWQ="],1,[]]}"#,
            Self::Claim => r#"{"result":[1,[],[],"ZW1wdHk=",0,0]}"#,
            Self::Settle => r#"{"result":[1,[0],0,[],-1]}"#,
        })
    }
}

async fn enqueue(redis: &Redis) -> ErrorKind {
    match Call::Enqueue.make(redis).await.unwrap_err() {
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

#[tokio::test]
async fn a_call_waits_as_long_as_the_server_asks() {
    let a_second = Duration::from_secs(1);
    let faults = [
        (status(503, &["Retry-After: 1"], "<html>"), a_second),
        (status(503, &[], "<html>"), Duration::ZERO),
        (status(500, &["Retry-After: 1"], r#"{"error":"ERR internal"}"#), a_second),
        (status(408, &["Retry-After: 1"], ""), a_second),
        (status(408, &[], ""), Duration::ZERO),
        (Reaction::Close, Duration::ZERO),
    ];
    let mut calls = tokio::task::JoinSet::new();
    for (call, (fault, least)) in
        CALLS.into_iter().flat_map(|call| faults.clone().map(|f| (call, f)))
    {
        calls.spawn(async move {
            let (server, redis) = start_with(LIMITS, [fault.clone(), call.answer()]).await;
            let started = Instant::now();
            call.make(&redis).await.unwrap();
            let took = started.elapsed();
            assert!(took >= least, "{call:?} after {fault:?}: asked again within {took:?}");
            assert_eq!(server.seen().len(), 2, "{call:?} after {fault:?}");
        });
    }
    calls.join_all().await;
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_left_to_the_next_tick() {
    for call in CALLS {
        let kinds = [(503, ErrorKind::Ambiguous), (408, ErrorKind::RateLimited)];
        for (code, expected) in kinds {
            let fault = status(code, &["Retry-After: 5"], "");
            let (server, redis) = start_with(LIMITS, [fault, call.answer()]).await;
            match call.make(&redis).await {
                Err(Error::Redis(error)) => assert_eq!(error.kind(), &expected, "{call:?} {code}"),
                other => panic!("{call:?} {code}: {other:?}"),
            }
            assert_eq!(server.seen().len(), 1, "{call:?} {code}");
        }
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
