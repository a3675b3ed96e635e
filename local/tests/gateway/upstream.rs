//! The side of Redis: connections that break, passwords, and no command of the gateway's own.

use std::{collections::BTreeMap, io::ErrorKind};

use gateway::{Gateway, GatewayConfig, GatewayError};
use redis::AsyncCommands as _;
use serde_json::json;
use shared::config::Secret;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{Bench, TOKEN, http};

#[tokio::test]
async fn a_request_executes_its_own_commands_and_no_other() {
    let bench = Bench::start().await;
    assert_eq!(bench.executed().await, BTreeMap::new(), "starting executes nothing");
    bench.run(json!(["GET", "k"])).await;
    bench.post("/pipeline", json!([["GET", "k"], ["STRLEN", "k"], ["WATCH", "k"]])).await;
    bench.post("/multi-exec", json!([["TTL", "k"]])).await;
    let expected = [("exec", 1), ("get", 2), ("multi", 1), ("strlen", 1), ("ttl", 1)];
    let expected = expected.map(|(name, calls)| (name.to_owned(), calls));
    assert_eq!(bench.executed().await, BTreeMap::from(expected));
}

#[tokio::test]
async fn redis_may_restart() {
    let mut bench = Bench::start().await;
    assert_eq!(bench.run(json!(["SET", "k", "v"])).await, "OK");
    bench.redis.kill();
    let answer = bench.post("/", json!(["GET", "k"])).await;
    assert_eq!(answer.status, 503);
    let error = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(error.starts_with("ERR Redis cannot be reached"), "{error}");
    bench.redis.restart().await.unwrap();
    assert_eq!(bench.run(json!(["PING"])).await, "PONG");
    bench.redis.restart().await.unwrap();
    assert_eq!(bench.run(json!(["PING"])).await, "PONG", "the pool does not use a dead connection");
}

#[tokio::test]
async fn a_server_that_is_demoted_is_left() {
    let bench = Bench::start().await;
    assert_eq!(bench.run(json!(["SET", "k", "v"])).await, "OK");
    let mut redis = bench.redis().await;
    let kept = async |redis: &mut redis::aio::MultiplexedConnection| {
        let list: String = redis::cmd("CLIENT").arg("LIST").query_async(redis).await.unwrap();
        list.lines().filter(|line| line.contains("cmd=set") || line.contains("cmd=eval")).count()
    };
    assert_eq!(kept(&mut redis).await, 1);
    let demote = ["REPLICAOF", "127.0.0.1", "1"];
    redis::cmd(demote[0]).arg(&demote[1..]).exec_async(&mut redis).await.unwrap();
    let write = "return redis.call('SET', KEYS[1], 'w')";
    for refused in [json!(["SET", "k", "w"]), json!(["EVAL", write, 1, "k"])] {
        let answer = bench.post("/", refused).await.json();
        assert!(answer["error"].as_str().unwrap().contains("READONLY"), "{answer}");
        // The server notices a moment later.
        while kept(&mut redis).await > 0 {}
    }
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec_async(&mut redis).await.unwrap();
    assert_eq!(bench.run(json!(["SET", "k", "w"])).await, "OK");
}

/// A gateway in front of something that reads one command and says `answer`.
async fn in_front_of(answer: &'static [u8]) -> Gateway {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            assert!(socket.read(&mut [0; 1024]).await.unwrap() > 0);
            socket.write_all(answer).await.unwrap();
        }
    });
    Gateway::start(GatewayConfig::new(url, TOKEN)).await.unwrap()
}

#[tokio::test]
async fn a_lost_answer_is_not_turned_into_one() {
    for answer in [&b""[..], b"$5\r\nab", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+QUEUED\r\n"] {
        let gateway = in_front_of(answer).await;
        let headers = [("Authorization", &*format!("Bearer {TOKEN}"))];
        let request =
            http::request("POST", "/pipeline", &headers, br#"[["INCR","n"],["INCR","n"]]"#);
        let error = http::exchange(&gateway.url(), &request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{answer:?}");
    }
}

#[tokio::test]
async fn a_url_may_hold_a_password_and_a_database() {
    let bench = Bench::start().await;
    let mut redis = bench.redis().await;
    let set = ["CONFIG", "SET", "requirepass", "pa/ss"];
    redis::cmd(set[0]).arg(&set[1..]).exec_async(&mut redis).await.unwrap();
    let with = async |login: &str| {
        let url = bench.redis.url().replace("redis://", &format!("redis://{login}"));
        let url = format!("{}/3", url.trim_end_matches('/'));
        let gateway = Gateway::start(GatewayConfig::new(url, TOKEN)).await.unwrap();
        let headers = [("Authorization", &*format!("Bearer {TOKEN}"))];
        let request = http::request("POST", "/set/k/v", &headers, b"");
        http::exchange(&gateway.url(), &request).await.unwrap()
    };
    assert_eq!(with(":pa%2Fss@").await.status, 200);
    redis::cmd("SELECT").arg(3).exec_async(&mut redis).await.unwrap();
    assert_eq!(redis.get::<_, String>("k").await.unwrap(), "v");
    for login in [":canary@", ""] {
        let answer = with(login).await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(answer.text().contains("refused the login"), "{}", answer.text());
        assert!(!answer.text().contains("canary"), "{}", answer.text());
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let start = |url: &str, token: &str, read_only: Option<&str>| {
        let mut config = GatewayConfig::new(url, token);
        config.read_only_token = read_only.map(Secret::new);
        Gateway::start(config)
    };
    let error = start("http://canary", "t", None).await.unwrap_err();
    assert!(!error.to_string().contains("canary"), "{error}");
    let error = start("redis://h", "", None).await.unwrap_err();
    assert!(matches!(error, GatewayError::EmptyToken));
    let error = start("redis://h", "t", Some("")).await.unwrap_err();
    assert!(matches!(error, GatewayError::EmptyToken));
    for token in [
        " canary",
        "canary ",
        "canary\n",
        "\r\ncanary",
        "can ary",
        "can\tary",
        "can\u{a0}ary",
        " ",
        "\0",
    ] {
        let error = start("redis://h", token, None).await.unwrap_err().to_string();
        assert!(
            error.contains("--token or UPSTASH_REDIS_REST_TOKEN) holds white space"),
            "{error}"
        );
        assert!(error.ends_with("; remove it") && !error.contains("can"), "{error}");
        let error = start("redis://h", "t", Some(token)).await.unwrap_err().to_string();
        assert!(error.contains("(--read-only-token) holds white space"), "{error}");
    }
    let error = start("redis://h", "t", Some("t")).await.unwrap_err();
    assert!(matches!(error, GatewayError::SameTokens));
    let first = start("redis://h", "t", None).await.unwrap();
    let mut config = GatewayConfig::new("redis://h", "t");
    config.listen = first.url().trim_start_matches("http://").parse().unwrap();
    let error = Gateway::start(config).await.unwrap_err();
    assert!(matches!(error, GatewayError::Listen { .. }), "{error}");
}
