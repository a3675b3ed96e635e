//! Bounds, orderly ends, counting, and what is never logged.

use std::time::Duration;

use fixture::log::Log;
use redis::AsyncCommands as _;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::{Bench, TOKEN, http};

const LIMIT: usize = 10 * 1024 * 1024;

fn too_large(actual: usize) -> serde_json::Value {
    json!({
        "error": format!(
            "ERR max request size exceeded. Limit: 10485760 bytes, Actual: {actual} bytes. See \
             https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded for details"
        )
    })
}

#[tokio::test]
async fn a_body_may_have_ten_megabytes() {
    let bench = Bench::start().await;
    let headers = [("Authorization", &*format!("Bearer {TOKEN}"))];
    let request = http::request("POST", "/set/k", &headers, &vec![b'x'; LIMIT]);
    let answer = http::exchange(&bench.url(), &request).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(bench.run(json!(["STRLEN", "k"])).await, LIMIT);

    let request = http::request("POST", "/set/k", &headers, &vec![b'y'; LIMIT + 1]);
    let answer = http::exchange(&bench.url(), &request).await.unwrap();
    assert_eq!((answer.status, answer.json()), (413, too_large(LIMIT + 1)));
    assert_eq!(bench.run(json!(["GETRANGE", "k", 0, 0])).await, "x");
}

#[tokio::test]
async fn a_body_that_does_not_say_how_long_it_is_is_bounded_too() {
    let bench = Bench::start().await;
    let mut socket = http::connect(&bench.url()).await.unwrap();
    let head = format!(
        "POST /set/k HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer \
         {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let chunk = [&b"100000\r\n"[..], &vec![b'x'; 1 << 20], b"\r\n"].concat();
    for _ in 0..12 {
        socket.write_all(&chunk).await.unwrap();
    }
    socket.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.ends_with(&too_large(12 << 20).to_string()), "{answer}");
    assert_eq!(bench.run(json!(["EXISTS", "k"])).await, 0);
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let bench = Bench::start().await;
    bench.run(json!(["SETRANGE", "k", 160 << 20, "x"])).await;
    let answer = bench.post("/", json!(["GET", "k"])).await;
    assert_eq!(answer.status, 400, "{} bytes", answer.body.len());
    let error = "ERR executed, but the answer is larger than 134217728 bytes; ask for less at once";
    assert_eq!(answer.json(), json!({ "error": error }));
    assert_eq!(bench.run(json!(["GETRANGE", "k", -1, -1])).await, "x");
}

#[tokio::test]
async fn a_command_may_have_as_many_arguments_as_redis_takes() {
    let bench = Bench::start().await;
    let numbers = "1,".repeat(1 << 20);
    let body = format!("[\"DEL\",{}]", numbers.trim_end_matches(','));
    let headers = [("Authorization", &*format!("Bearer {TOKEN}"))];
    let request = http::request("POST", "/", &headers, body.as_bytes());
    let answer = http::exchange(&bench.url(), &request).await.unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("invalid multibulk length"), "{}", answer.text());
    assert_eq!(bench.run(json!(["PING"])).await, "PONG");
}

#[tokio::test]
async fn a_shutdown_lets_requests_finish() {
    let bench = Bench::start_with(|config| config.faults = "stall=300ms:1".parse().unwrap()).await;
    let url = bench.url();
    let mut redis = bench.redis().await;
    let headers = [("Authorization", &*format!("Bearer {TOKEN}"))];
    let push = http::request("POST", "/rpush/list/x", &headers, b"");
    let running = tokio::spawn({
        let url = url.clone();
        async move { http::exchange(&url, &push).await }
    });
    redis.blpop::<_, (String, String)>("list", 30.0).await.unwrap();
    bench.gateway.shutdown().await;
    let answer = running.await.unwrap().unwrap();
    assert_eq!((answer.status, answer.json()), (200, json!({"result": 1})));
    assert!(http::connect(&url).await.is_err(), "it listens no more");
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_requests_that_have_not_come() {
    let bench = Bench::start().await;
    let ping = format!("GET /ping HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    let (half, _) = ping.split_at(ping.len() / 2);
    let mut used = http::connect(&bench.url()).await.unwrap();
    let mut first = http::connect(&bench.url()).await.unwrap();
    let mut silent = http::connect(&bench.url()).await.unwrap();
    used.write_all(ping.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with(r#"{"result":"PONG"}"#) {
        answer.push(used.read_u8().await.unwrap().into());
    }
    used.write_all(half.as_bytes()).await.unwrap();
    first.write_all(half.as_bytes()).await.unwrap();
    // After this answer the gateway will have read those halves; if not, it must not matter either.
    bench.run(json!(["PING"])).await;
    let shutdown = timeout(Duration::from_secs(5), bench.gateway.shutdown());
    shutdown.await.expect("half a head is no request that is under way");
    for socket in [&mut used, &mut first, &mut silent] {
        assert_eq!(socket.read(&mut [0; 1]).await.unwrap_or(0), 0, "open connections end");
    }
}

#[tokio::test]
async fn a_dropped_gateway_stops() {
    let bench = Bench::start().await;
    let url = bench.url();
    let mut idle = http::connect(&url).await.unwrap();
    drop(bench.gateway);
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0, "open connections end");
    assert!(http::connect(&url).await.is_err(), "it listens no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn billed_commands_are_counted_by_redis() {
    let bench = Bench::start_with(|config| config.count_billed = true).await;
    let billed = async |path: &str, json: serde_json::Value| {
        let answer = bench.post(path, json).await;
        answer.header("x-billed-commands").unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(billed("/", json!(["GET", "k"])).await, 1);
    assert_eq!(
        billed("/", json!(["EVAL", "for i = 1, 5 do redis.call('INCR', 'n') end", 0])).await,
        6
    );
    assert_eq!(billed("/pipeline", json!([["GET", "k"], ["WATCH", "k"], ["GET", "k"]])).await, 2);
    assert_eq!(billed("/multi-exec", json!([["GET", "k"]])).await, 3);
    let parallel = (0..20).map(|_| billed("/", json!(["GET", "k"])));
    assert_eq!(futures_util::future::join_all(parallel).await, [1; 20]);

    let bench = Bench::start().await;
    let answer = bench.post("/", json!(["GET", "k"])).await;
    assert_eq!(answer.header("x-billed-commands"), None, "off unless asked for");
}

#[tokio::test]
async fn sync_tokens_grow() {
    let bench = Bench::start().await;
    let mut newest = 0;
    for (path, command) in [
        ("/", json!(["SET", "k", "v"])),
        ("/", json!(["NOSUCH"])),
        ("/pipeline", json!([["GET", "k"]])),
        ("/multi-exec", json!([["GET", "k"]])),
    ] {
        let answer = bench.post(path, command).await;
        let token: u64 = answer.header("upstash-sync-token").unwrap().parse().unwrap();
        assert!(token > newest, "{token} after {newest}");
        newest = token;
    }
    let headers = [("Authorization", &*format!("Bearer {TOKEN}")), ("upstash-sync-token", "1000")];
    let request = http::request("GET", "/ping", &headers, b"");
    let answer = http::exchange(&bench.url(), &request).await.unwrap();
    assert_eq!(answer.header("upstash-sync-token"), Some("1001"), "newer than the client's own");
}

#[tokio::test]
async fn tokens_and_payloads_are_never_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // For all threads: what other tests log meanwhile must not hold the token either.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut bench = Bench::start().await;
    let canary = "payload-canary";
    bench.run(json!(["SET", canary, canary])).await;
    bench.post("/", json!([canary, canary])).await;
    bench.post("/", json!({ "a": canary })).await;
    bench.post(&format!("/get/{canary}?_token={TOKEN}"), json!(canary)).await;
    let headers = [("Authorization", "Bearer wrong-canary")];
    let request = http::request("GET", "/get/k", &headers, b"");
    assert_eq!(http::exchange(&bench.url(), &request).await.unwrap().status, 401);
    bench.redis.kill();
    bench.post("/", json!(["SET", canary, canary])).await;
    let log = log.text();
    assert!(log.contains("answered"), "nothing was logged: {log}");
    assert!(log.contains("no connection to Redis"), "{log}");
    for secret in ["canary", TOKEN] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
