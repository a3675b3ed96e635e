//! The REST transport when the server, the network or a proxy misbehaves.

use std::time::{Duration, Instant};

use shared::redis::{Command, ErrorKind, Limits, Retry, Usage, Value};

use crate::faults::client::{ONE, get, html, incr, ok, start, start_with, status};
use crate::faults::scripted::{Reaction, http};

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_only_when_that_is_safe() {
    let cut =
        Reaction::ReplyAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"resu".to_vec());
    for fault in [Reaction::Close, cut, ok("{\"resu"), html(500), html(502), html(503), html(504)] {
        let (server, redis) = start([fault.clone(), ok(ONE)]).await;
        assert_eq!(redis.call(get()).await.unwrap(), Value::Int(1), "{fault:?}");
        assert_eq!(server.seen().len(), 2);
        assert_eq!(redis.usage(), Usage { billed: 2, round_trips: 2 });

        let (server, redis) = start([fault.clone(), ok(ONE)]).await;
        let error = redis.call(incr()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (&ErrorKind::Ambiguous, Retry::Never),
            "{fault:?}"
        );
        assert!(error.to_string().starts_with("INCR on key \"n\": "), "{error}");
        assert_eq!(server.seen().len(), 1);
        assert_eq!(redis.usage(), Usage { billed: 1, round_trips: 1 });
    }
}

#[tokio::test]
async fn what_a_server_says_of_its_failure_is_told_without_what_was_sent() {
    let (_server, redis) =
        start([status(503, &[], r#"{"error":"ERR no Redis for canary-value"}"#)]).await;
    let set = Command::new("SET").arg("n").arg("canary-value");
    let error = redis.call(set).await.unwrap_err().to_string();
    assert!(error.contains("HTTP 503 (ERR no Redis for [argument])"), "{error}");
}

#[tokio::test]
async fn a_try_that_was_refused_does_not_hide_one_that_was_lost() {
    let busy = status(429, &["Retry-After: 30"], "slow down");
    let (server, redis) = start([Reaction::Close, busy]).await;
    let error = redis.call(get()).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Ambiguous, "{error}");
    assert_eq!(error.retry(), Retry::After(Some(Duration::from_secs(30))));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn one_unsafe_command_makes_a_pipeline_unsafe() {
    let (server, redis) = start([Reaction::Close, ok(ONE)]).await;
    let error = redis.pipeline(vec![get(), incr()]).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Ambiguous);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_connection_made_ahead_asks_for_nothing_and_serves_the_first_command() {
    let (server, redis) = start([status(405, &[], "no"), ok(ONE)]).await;
    redis.connect().await;
    assert_eq!(redis.usage(), Usage { billed: 0, round_trips: 0 });
    redis.call(incr()).await.unwrap();
    let [ahead, first] = &server.seen()[..] else { panic!("{:?}", server.seen()) };
    assert_eq!((ahead.connection, first.connection), (0, 0));
    assert!(ahead.text.starts_with("OPTIONS / HTTP/1.1\r\n"), "{}", ahead.text);
    assert!(!ahead.text.contains("test-token"), "{}", ahead.text);
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_ahead_is_left_to_the_first_command() {
    for fault in [Reaction::Close, Reaction::Hang(Vec::new()), html(502)] {
        let (_server, redis) = start([fault.clone(), ok(ONE)]).await;
        let began = Instant::now();
        redis.connect().await;
        assert!(began.elapsed() < Duration::from_secs(3), "{fault:?}: {:?}", began.elapsed());
        assert_eq!(redis.call(incr()).await.unwrap(), Value::Int(1), "{fault:?}");
    }
}

#[tokio::test]
async fn a_socket_that_died_meanwhile_costs_nothing() {
    let (server, redis) =
        start([Reaction::ReplyAndClose(http(200, &[], ONE)), ok(ONE), ok(ONE)]).await;
    redis.call(incr()).await.unwrap();
    server.wait_for_close().await;
    redis.call(incr()).await.unwrap();
    let connections: Vec<usize> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1], "the second request went over a new connection, once");
}

#[tokio::test]
async fn an_idle_connection_is_replaced_before_use() {
    let limits = Limits { idle: Duration::from_millis(1), ..Limits::default() };
    let (server, redis) = start_with(limits, [ok(ONE), ok(ONE)]).await;
    redis.call(incr()).await.unwrap();
    let answered = Instant::now();
    while answered.elapsed() <= limits.idle {
        tokio::task::yield_now().await;
    }
    redis.call(incr()).await.unwrap();
    let connections: Vec<usize> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[tokio::test]
async fn a_throttled_request_waits_as_long_as_the_server_asks() {
    let (server, redis) = start([status(429, &["Retry-After: 1"], "slow down"), ok(ONE)]).await;
    let started = Instant::now();
    redis.call(incr()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.seen().len(), 2);
    assert_eq!(redis.usage(), Usage { billed: 1, round_trips: 2 }, "a 429 executes nothing");
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_left_to_the_caller() {
    let (server, redis) = start([status(429, &["Retry-After: 30"], "slow down"), ok(ONE)]).await;
    let started = Instant::now();
    let error = redis.call(get()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(error.kind(), &ErrorKind::RateLimited);
    assert_eq!(error.retry(), Retry::After(Some(Duration::from_secs(30))));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_timed_out_upload_was_not_taken() {
    let (_server, redis) = start([html(408), ok(ONE)]).await;
    redis.call(incr()).await.unwrap();
}

#[tokio::test]
async fn retries_take_at_most_a_fifth_of_the_time_left() {
    let (server, redis) = start((0..1000).map(|_| html(503))).await;
    let started = Instant::now();
    let tick = redis.until(tokio::time::Instant::now() + Duration::from_secs(20));
    let error = tick.call(get()).await.unwrap_err();
    let took = started.elapsed();
    assert_eq!(error.kind(), &ErrorKind::Ambiguous);
    assert!(took < Duration::from_secs(8), "{took:?} of 20 s");
    assert!(server.seen().len() >= 3, "{} tries", server.seen().len());
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    // Enough for the healthy answer between, on a busy machine.
    let limits = Limits { answer: Duration::from_millis(1_500), ..Limits::default() };
    let hang = || Reaction::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{".to_vec());
    let (server, redis) = start_with(limits, [hang(), ok(ONE), hang()]).await;
    redis.call(get()).await.unwrap();
    assert_eq!(server.seen().len(), 2);
    let started = Instant::now();
    let error = redis.call(incr()).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Ambiguous);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn after_the_deadline_nothing_is_sent() {
    let (server, redis) = start([ok(ONE)]).await;
    let late = redis.until(tokio::time::Instant::now());
    let error = late.call(get()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (&ErrorKind::Timeout, Retry::After(None)));
    assert!(server.seen().is_empty());
    assert_eq!(redis.usage(), Usage::default());
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable() {
    let (server, redis) = start([]).await;
    let address = server.address();
    drop(server);
    let soon = redis.until(tokio::time::Instant::now() + Duration::from_secs(1));
    let error = soon.call(incr()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (&ErrorKind::Unavailable, Retry::After(None)));
    assert_eq!(redis.usage(), Usage::default());
    assert!(!error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn a_loading_server_is_waited_for() {
    let loading = r#"{"error":"LOADING Redis is loading the dataset in memory"}"#;
    let (server, redis) = start([status(400, &[], loading), ok(ONE)]).await;
    redis.call(incr()).await.unwrap();
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn replays_above_the_client_share_its_time_for_retries() {
    let limits = Limits { answer: Duration::from_millis(100), ..Limits::default() };
    let silent = (0..1000).map(|_| Reaction::Hang(vec![]));
    let (server, redis) = start_with(limits, silent).await;
    let started = Instant::now();
    let tick = redis.until(tokio::time::Instant::now() + Duration::from_secs(20));
    let mut replays = tick.replays();
    let mut next = Some(tick.clone());
    while let Some(redis) = next {
        // A timeout when the last moment passes before it is sent.
        let error = redis.call(incr()).await.unwrap_err();
        let kind = error.kind();
        assert!([ErrorKind::Ambiguous, ErrorKind::Timeout].contains(kind), "{kind:?}");
        next = replays.next(&error).await;
    }
    let took = started.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?} of 20 s");
    assert!(server.seen().len() >= 3, "{} tries", server.seen().len());
}
