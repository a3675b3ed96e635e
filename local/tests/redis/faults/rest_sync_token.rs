//! Reading one's own writes: the newest token is on every request.

use std::time::Duration;

use shared::redis::Script;

use crate::faults::client::{ONE, get, incr, ok, start};
use crate::faults::scripted::{Reaction, http};

#[tokio::test]
async fn every_request_carries_the_newest_sync_token() {
    let with_token = |token: &str, body: &str| {
        Reaction::Reply(http(200, &[&format!("Upstash-Sync-Token: {token}")], body))
    };
    let script = Script { name: "one", source: "return {0}", replay_safe: true };
    let (server, redis) = start([
        with_token("a", ONE),
        with_token("b", r#"[{"result":1}]"#),
        with_token("c", r#"[{"result":1}]"#),
        with_token("d", r#"{"result":[0]}"#),
        Reaction::Reply(http(400, &["upstash-sync-token: e"], r#"{"error":"ERR no"}"#)),
        ok(ONE),
        ok(ONE),
    ])
    .await;
    redis.call(incr()).await.unwrap();
    redis.metered().pipeline(vec![incr()]).await.unwrap();
    let soon = tokio::time::Instant::now() + Duration::from_secs(9);
    redis.until(soon).transaction(vec![incr()]).await.unwrap();
    redis.run(&script, &[], vec![]).await.unwrap();
    redis.call(incr()).await.unwrap_err();
    redis.clone().call(incr()).await.unwrap();
    redis.call(incr()).await.unwrap();
    let sent: Vec<Option<String>> = server
        .seen()
        .iter()
        .map(|seen| {
            let (_, rest) = seen.text.split_once("upstash-sync-token: ")?;
            Some(rest.split("\r\n").next().unwrap().to_owned())
        })
        .collect();
    let sent: Vec<Option<&str>> = sent.iter().map(Option::as_deref).collect();
    assert_eq!(sent, [None, Some("a"), Some("b"), Some("c"), Some("d"), Some("e"), Some("e")]);
}

#[tokio::test]
async fn a_sync_token_counts_before_its_answer_is_complete() {
    let head = b"HTTP/1.1 200 OK\r\nUpstash-Sync-Token: early\r\nContent-Length: 12\r\n\r\n{";
    let rest = (0..100).map(|_| ok(ONE));
    let (server, redis) = start([Reaction::Hang(head.to_vec())].into_iter().chain(rest)).await;
    let slow = tokio::spawn({
        let redis = redis.clone();
        async move { redis.call(get()).await }
    });
    server.wait_for(1).await;
    // The head of the first answer is on its way: ask until a request has seen it.
    loop {
        redis.call(incr()).await.expect("the token of an unfinished answer is never used");
        if server.seen().last().unwrap().text.contains("upstash-sync-token: early") {
            break;
        }
    }
    slow.abort();
}
