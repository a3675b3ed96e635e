//! Faults on purpose: what each does, and that a seed repeats them.

use std::{io::ErrorKind, time::Instant};

use futures_util::FutureExt as _;
use redis::AsyncCommands as _;
use serde_json::{Value, json};

use crate::{Bench, TOKEN, http};

async fn bench(faults: &str, seed: u64) -> Bench {
    Bench::start_with(|config| {
        config.faults = faults.parse().unwrap();
        config.seed = seed;
    })
    .await
}

/// What Redis holds, past the gateway and its faults.
async fn stored(bench: &Bench) -> Option<String> {
    bench.redis().await.get("k").await.unwrap()
}

fn set() -> Value {
    json!(["SET", "k", "a value that is long enough to be cut in the middle"])
}

#[tokio::test]
async fn a_status_is_no_json_and_executes_nothing() {
    for (fault, status, content_type) in [
        ("500", 500, "text/plain; charset=utf-8"),
        ("502html", 502, "text/html"),
        ("503html", 503, "text/html"),
        ("429", 429, "text/plain; charset=utf-8"),
    ] {
        let bench = bench(&format!("{fault}=1"), 1).await;
        let answer = bench.post("/", set()).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("content-type"), Some(content_type));
        assert_eq!(answer.header("upstash-sync-token"), None, "a proxy knows no token");
        assert!(serde_json::from_slice::<Value>(&answer.body).is_err(), "{}", answer.text());
        assert_eq!(stored(&bench).await, None, "{fault}");
    }
}

#[tokio::test]
async fn a_429_sometimes_says_when_to_come_back() {
    let bench = bench("429=1", 1).await;
    let mut with = 0;
    for _ in 0..40 {
        with += usize::from(bench.post("/", set()).await.header("retry-after").is_some());
    }
    assert!((1..40).contains(&with), "{with} of 40");
}

#[tokio::test]
async fn a_reset_before_executes_nothing() {
    let bench = bench("reset-before=1", 1).await;
    let error = bench.try_send("POST", "/", &set()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(stored(&bench).await, None);
}

#[tokio::test]
async fn a_reset_after_has_executed() {
    let bench = bench("reset-after=1", 1).await;
    let error = bench.try_send("POST", "/", &set()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(stored(&bench).await.is_some());
}

#[tokio::test]
async fn a_truncated_answer_begins_and_has_executed() {
    let bench = bench("truncate=1", 1).await;
    // Without asking for the end, so that only the cut can end it.
    let request = format!(
        "POST /get/k HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 0\r\n\r\n"
    );
    bench.redis().await.set::<_, _, ()>("k", "0123456789").await.unwrap();
    let mut socket = http::connect(&bench.url()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut socket, request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut socket, &mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("content-length: 23\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{\"result\":\""), "{answer}");

    bench.try_send("POST", "/", &set()).await.unwrap_err();
    assert!(stored(&bench).await.unwrap().starts_with("a value"));
}

#[tokio::test]
async fn a_stall_holds_the_answer_back_after_executing() {
    let bench = bench("stall=3600s:1", 1).await;
    let push = json!(["RPUSH", "list", "x"]);
    let mut request = Box::pin(bench.try_send("POST", "/", &push));
    let mut redis = bench.redis().await;
    let executed = redis.blpop::<_, (String, String)>("list", 30.0);
    tokio::select! {
        popped = executed => assert_eq!(popped.unwrap().1, "x"),
        answer = &mut request => panic!("answered: {answer:?}"),
    }
    assert!(request.now_or_never().is_none(), "the answer is held back");
}

#[tokio::test]
async fn latency_comes_first() {
    let bench = bench("latency=50ms:1", 1).await;
    let started = Instant::now();
    assert_eq!(bench.run(json!(["PING"])).await, "PONG");
    assert!(started.elapsed().as_millis() >= 50);
}

/// What became of `requests` requests, one after the other.
async fn fates(bench: &Bench, requests: usize) -> Vec<u16> {
    let mut fates = Vec::new();
    for _ in 0..requests {
        let answer = bench.try_send("POST", "/", &json!(["INCR", "n"])).await;
        fates.push(answer.map_or(0, |answer| answer.status));
    }
    fates
}

#[tokio::test]
async fn a_seed_repeats_the_faults() {
    const FAULTS: &str = "429=0.1,502html=0.1,reset-before=0.1,reset-after=0.1,truncate=0.1";
    let first = fates(&bench(FAULTS, 42).await, 100).await;
    assert_eq!(first, fates(&bench(FAULTS, 42).await, 100).await);
    assert_ne!(first, fates(&bench(FAULTS, 43).await, 100).await);
    for fate in [0, 200, 429, 502] {
        assert!(first.contains(&fate), "no {fate} in {first:?}");
    }
}

#[tokio::test]
async fn faults_change_at_run_time() {
    const PATH: &str = "/_gateway/faults";
    let bench = bench("", 5).await;
    let shown = bench.try_send("GET", PATH, &json!(null)).await.unwrap().json();
    assert_eq!(shown, json!({"faults": "", "seed": 5, "requests": 0}));
    let wanted = json!({"faults": "429=0.5", "seed": 9});
    let shown = bench.try_send("PUT", PATH, &wanted).await.unwrap().json();
    assert_eq!(shown, json!({"faults": "429=0.5", "seed": 9, "requests": 0}));
    let first = fates(&bench, 30).await;
    assert!(first.contains(&429) && first.contains(&200), "{first:?}");
    let shown = bench.try_send("GET", PATH, &json!(null)).await.unwrap().json();
    assert_eq!(shown["requests"], 30, "the admin route itself does not count");
    bench.try_send("PUT", PATH, &wanted).await.unwrap();
    assert_eq!(fates(&bench, 30).await, first, "the count begins again");

    let bad = bench.try_send("PUT", PATH, &json!({"faults": "429=2"})).await.unwrap();
    assert_eq!(bad.status, 400);
    let request = http::request("GET", PATH, &[("Authorization", "Bearer wrong")], b"");
    assert_eq!(http::exchange(&bench.url(), &request).await.unwrap().status, 401);
}
