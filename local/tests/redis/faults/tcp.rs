//! The TCP transport when the server or the network misbehaves.
use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::config::{Endpoint, Secret};
use shared::redis::{ErrorKind, Limits, Options, Redis, Retry, Usage, Value};
use tokio::sync::Notify;

use crate::faults::client::{get, incr};
use crate::faults::scripted::{Protocol, Reaction, Scripted};

fn reply(text: &str) -> Reaction {
    Reaction::Reply(text.into())
}

fn client(server: &Scripted, userinfo: &str, limits: Limits) -> Redis {
    let url = Secret::new(format!("redis://{userinfo}{}", server.address()));
    let config = Endpoint::Tcp { url, allow_plaintext: false };
    Redis::with_options(&config, Options { limits, ..Options::default() }).unwrap()
}

async fn start(reactions: impl IntoIterator<Item = Reaction>) -> (Scripted, Redis) {
    let server = Scripted::start(Protocol::Resp, reactions).await;
    let redis = client(&server, "", Limits::default());
    (server, redis)
}

#[tokio::test]
async fn nothing_is_sent_beside_the_command() {
    let (server, redis) = start([reply(":1\r\n")]).await;
    assert!(server.seen().is_empty());
    redis.call(incr()).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].text, "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n");
}

#[tokio::test]
async fn the_url_asks_for_auth_and_select() {
    let server =
        Scripted::start(Protocol::Resp, [reply("+OK\r\n"), reply("+OK\r\n"), reply(":1\r\n")])
            .await;
    let url = Secret::new(format!("redis://app:p%40ss@{}/3", server.address()));
    let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap();
    redis.call(incr()).await.unwrap();
    let sent: Vec<String> = server.seen().into_iter().map(|seen| seen.text).collect();
    assert_eq!(
        sent,
        [
            "*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$4\r\np@ss\r\n",
            "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n",
            "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n",
        ]
    );
    assert_eq!(redis.usage(), Usage { billed: 1, round_trips: 1 });
}

#[tokio::test]
async fn each_connection_gets_its_name_and_a_refusal_changes_nothing() {
    let close = Reaction::ReplyAndClose(b":1\r\n".to_vec());
    let refusal = "-ERR unknown command 'CLIENT'\r\n";
    let reactions = [reply("+OK\r\n"), close, reply(refusal), reply(":2\r\n")];
    let server = Scripted::start(Protocol::Resp, reactions).await;
    let url = Secret::new(format!("redis://{}", server.address()));
    let config = Endpoint::Tcp { url, allow_plaintext: false };
    let options = Options { client_name: Some("a:b=".to_owned()), ..Options::default() };
    let redis = Redis::with_options(&config, options).unwrap();
    assert_eq!(redis.call(incr()).await.unwrap(), Value::Int(1));
    server.wait_for_close().await;
    assert_eq!(redis.call(incr()).await.unwrap(), Value::Int(2));
    let seen = server.seen();
    let sent: Vec<_> = seen.iter().map(|seen| (seen.connection, seen.text.as_str())).collect();
    let name = "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$4\r\na:b=\r\n";
    let incr = "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n";
    assert_eq!(sent, [(0, name), (0, incr), (1, name), (1, incr)]);
    assert_eq!(redis.usage(), Usage { billed: 2, round_trips: 2 });
}

#[tokio::test]
async fn a_refused_password_is_an_authorization_error() {
    let refusal = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    let server = Scripted::start(Protocol::Resp, [reply(refusal), reply(":1\r\n")]).await;
    let redis = client(&server, ":canary-password@", Limits::default());
    let error = redis.call(incr()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (&ErrorKind::Authorization, Retry::Never));
    assert!(!error.to_string().contains("canary"), "{error}");
    assert!(!format!("{error:?} {redis:?}").contains("canary"));
    assert_eq!(server.seen().len(), 1, "the command was not sent");
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_only_when_that_is_safe() {
    let cut = Reaction::ReplyAndClose(b"$5\r\nab".to_vec());
    let garbage = Reaction::ReplyAndClose(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    for fault in [Reaction::Close, cut, garbage] {
        let (server, redis) = start([fault.clone(), reply("$1\r\nv\r\n")]).await;
        let answer = redis.call(get()).await.unwrap();
        assert_eq!(answer, Value::Bytes(b"v".to_vec()), "{fault:?}");
        let connections: Vec<usize> = server.seen().iter().map(|seen| seen.connection).collect();
        assert_eq!(connections, [0, 1]);
        assert_eq!(redis.usage(), Usage { billed: 2, round_trips: 2 });

        let (server, redis) = start([fault.clone(), reply(":1\r\n"), reply(":2\r\n")]).await;
        let error = redis.call(incr()).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (&ErrorKind::Ambiguous, Retry::Never));
        assert_eq!(server.seen().len(), 1, "{fault:?}");
        assert_eq!(redis.call(incr()).await.unwrap(), Value::Int(1), "it connects again");
    }
}

#[tokio::test]
async fn a_socket_that_died_meanwhile_costs_nothing() {
    let (server, redis) =
        start([Reaction::ReplyAndClose(b":1\r\n".to_vec()), reply(":2\r\n")]).await;
    redis.call(incr()).await.unwrap();
    server.wait_for_close().await;
    assert_eq!(redis.call(incr()).await.unwrap(), Value::Int(2));
    let connections: Vec<usize> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1], "the second command went over a new connection, once");
}

#[tokio::test]
async fn an_idle_connection_is_replaced_before_use() {
    let server = Scripted::start(Protocol::Resp, [reply(":1\r\n"), reply(":2\r\n")]).await;
    let redis = client(&server, "", Limits { idle: Duration::ZERO, ..Limits::default() });
    redis.call(incr()).await.unwrap();
    redis.call(incr()).await.unwrap();
    let connections: Vec<usize> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let server = Scripted::start(
        Protocol::Resp,
        [Reaction::Hang(vec![]), reply("$-1\r\n"), Reaction::Hang(vec![])],
    )
    .await;
    // Enough for the healthy answer between, on a busy machine.
    let limits = Limits { answer: Duration::from_millis(1_500), ..Limits::default() };
    let redis = client(&server, "", limits);
    assert_eq!(redis.call(get()).await.unwrap(), Value::Nil);
    let started = Instant::now();
    let error = redis.call(incr()).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Ambiguous);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_caller_that_gives_up_breaks_no_other() {
    let told = Arc::new(Notify::new());
    let late = Reaction::ReplyWhen(told.clone(), b":1\r\n".to_vec());
    let (server, redis) = start([late, reply(":2\r\n"), reply(":3\r\n")]).await;
    let soon = tokio::time::Instant::now() + Duration::from_secs(1);
    let hasty = redis.until(soon);
    let patient = redis.clone();
    let hasty = tokio::spawn(async move { hasty.call(incr()).await });
    server.wait_for(1).await;
    let patient = tokio::spawn(async move { patient.call(incr()).await });
    assert_eq!(hasty.await.unwrap().unwrap_err().kind(), &ErrorKind::Ambiguous);
    told.notify_one();
    assert_eq!(patient.await.unwrap().unwrap(), Value::Int(2), "its own answer");
    assert_eq!(redis.call(incr()).await.unwrap(), Value::Int(3));
    let connections: Vec<usize> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0, 1]);
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable() {
    let (server, redis) = start([]).await;
    drop(server);
    let soon = redis.until(tokio::time::Instant::now() + Duration::from_secs(1));
    let error = soon.call(incr()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (&ErrorKind::Unavailable, Retry::After(None)));
    assert_eq!(redis.usage(), Usage::default());
}

#[tokio::test]
async fn a_loading_server_is_waited_for() {
    let loading = "-LOADING Redis is loading the dataset in memory\r\n";
    let (server, redis) = start([reply(loading), reply(":1\r\n")]).await;
    redis.call(incr()).await.unwrap();
    let connections: Vec<usize> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1], "where its name leads by then");
}

#[tokio::test]
async fn resp3_answers_are_refused() {
    let (_server, redis) = start([reply(",1.5\r\n")]).await;
    let error = redis.call(get()).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Protocol);
}
