//! How much memory the gateway takes, measured from outside while many large requests come at once.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::Stdio;

use futures_util::future::join_all;
use serde_json::{Value, json};
use servers::RedisServer;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::{TOKEN, http};

const MEGABYTE: usize = 1 << 20;

/// The most that the process has held so far: bytes.
fn peak(gateway: &Child) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn many_large_requests_at_once_take_bounded_memory() {
    let redis = RedisServer::start().await.unwrap();
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_deo"))
        .args(["rest-gateway", "--json", "--listen", "127.0.0.1:0", "--token", TOKEN])
        .args(["--redis", &redis.url()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let stdout = BufReader::new(gateway.stdout.take().unwrap());
    let line = stdout.lines().next_line().await.unwrap().unwrap();
    let url = serde_json::from_str::<Value>(&line).unwrap()["url"].as_str().unwrap().to_owned();
    let headers = [("Authorization", &*format!("Bearer {TOKEN}"))];

    let body = vec![b'x'; 9 * MEGABYTE];
    let set = http::request("POST", "/set/k", &headers, &body);
    let sets = (0..40).map(|_| async {
        let answer = http::exchange(&url, &set).await.unwrap();
        assert_eq!(answer.json(), json!({ "result": "OK" }));
    });
    join_all(sets).await;
    let requests = peak(&gateway);
    println!("360 MB of requests at once: {} MB at most", requests / MEGABYTE);

    let get = http::request("GET", "/get/k", &headers, b"");
    // Each is dropped when it is complete, so that this process does not hold them all either.
    let gets = (0..40).map(|_| async {
        let answer = http::exchange(&url, &get).await.unwrap();
        assert_eq!(answer.body.len(), body.len() + r#"{"result":""}"#.len());
    });
    join_all(gets).await;
    let answers = peak(&gateway);
    println!("360 MB of answers at once: {} MB at most", answers / MEGABYTE);
    gateway.kill().await.unwrap();
    // A request is there thrice while it runs, as text, as a command and as what Redis is sent.
    assert!(requests < 450 * MEGABYTE, "{requests} bytes");
    assert!(answers < 450 * MEGABYTE, "{answers} bytes");
}
