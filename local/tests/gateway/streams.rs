//! Server-sent events.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    time::timeout,
};

use crate::{Bench, TOKEN, http};

/// An open stream of events.
struct Events(BufReader<Box<dyn http::Socket>>);

impl Events {
    async fn open(bench: &Bench, path: &str) -> Self {
        let mut socket = http::connect(&bench.url()).await.unwrap();
        // The SDK sends these, an empty array as the body and the wish for base64 included.
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nAccept: \
             text/event-stream\r\nUpstash-Encoding: base64\r\nContent-Length: 2\r\n\r\n[]"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut events = Self(BufReader::new(socket));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head += &events.line().await.expect("a head");
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
        assert!(head.contains("upstash-sync-token: "), "{head}");
        events
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(Duration::from_secs(30), self.0.read_line(&mut line));
        (read.await.expect("a line in time").ok()? > 0).then_some(line)
    }

    /// The data of the next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        loop {
            // Lines of chunked encoding lie between the events' own.
            let line = self.line().await?;
            if let Some(data) = line.strip_prefix("data: ") {
                assert_eq!(self.line().await?, "\n", "an event ends with an empty line");
                return Some(data.trim_end().to_owned());
            }
            if line == "0\r\n" {
                return None;
            }
        }
    }
}

#[tokio::test]
async fn subscribers_hear_what_is_published() {
    let bench = Bench::start().await;
    let mut one = Events::open(&bench, "/subscribe/chat").await;
    let mut two = Events::open(&bench, "/SUBSCRIBE/chat/other%2Froom").await;
    let mut pattern = Events::open(&bench, "/psubscribe/cha*").await;
    assert_eq!(one.next().await.unwrap(), "subscribe,chat,1");
    assert_eq!(two.next().await.unwrap(), "subscribe,chat,1");
    assert_eq!(two.next().await.unwrap(), "subscribe,other/room,2");
    assert_eq!(pattern.next().await.unwrap(), "psubscribe,cha*,1");

    let answer = bench.post("/publish/chat/hello", json!("")).await;
    assert_eq!(answer.status, 400, "a body is one argument too many");
    let request = http::request(
        "POST",
        "/publish/chat/hello",
        &[("Authorization", &format!("Bearer {TOKEN}"))],
        b"",
    );
    let answer = http::exchange(&bench.url(), &request).await.unwrap();
    assert_eq!(answer.json(), json!({"result": 3}));
    assert_eq!(bench.run(json!(["PUBLISH", "chat", "how are you?"])).await, 3);
    for events in [&mut one, &mut two] {
        assert_eq!(events.next().await.unwrap(), "message,chat,hello");
        assert_eq!(events.next().await.unwrap(), "message,chat,how are you?");
    }
    assert_eq!(pattern.next().await.unwrap(), "pmessage,cha*,chat,hello");
}

#[tokio::test]
async fn a_monitor_sees_commands() {
    let bench = Bench::start().await;
    let mut monitor = Events::open(&bench, "/monitor").await;
    assert_eq!(monitor.next().await.unwrap(), "\"OK\"");
    bench.run(json!(["SET", "k", "v"])).await;
    let line = monitor.next().await.unwrap();
    assert!(line.ends_with(r#""SET" "k" "v""#), "{line}");
    assert!(line.contains(" [0 127.0.0.1:"), "{line}");
}

#[tokio::test]
async fn a_subscriber_that_goes_is_forgotten() {
    let bench = Bench::start().await;
    let mut events = Events::open(&bench, "/subscribe/chat").await;
    assert_eq!(events.next().await.unwrap(), "subscribe,chat,1");
    drop(events);
    let gone = async { while bench.run(json!(["PUBLISH", "chat", "m"])).await != 0 {} };
    timeout(Duration::from_secs(30), gone).await.expect("the subscription ends with its client");
}

#[tokio::test]
async fn a_shutdown_ends_the_streams() {
    let bench = Bench::start().await;
    let mut events = Events::open(&bench, "/subscribe/chat").await;
    assert_eq!(events.next().await.unwrap(), "subscribe,chat,1");
    let shutdown = timeout(Duration::from_secs(5), bench.gateway.shutdown());
    shutdown.await.expect("it does not wait for streams as it does for requests");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_channel_is_needed() {
    let bench = Bench::start().await;
    let answer = bench.post("/subscribe", json!([])).await;
    let error = "ERR wrong number of arguments for 'subscribe' command";
    assert_eq!((answer.status, answer.json()), (400, json!({ "error": error })));
}
