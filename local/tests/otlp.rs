//! Spans over OTLP/HTTP, from a request through its job into the drain, and a tick's figures: by the real binaries on
//! Lambda's Runtime API, to a collector on this machine.
//!
//! It needs the functions built with their feature, so it is not among the default tests:
//! `cargo build -p api -p drain --features api/otlp,drain/otlp && cargo test -p local --test otlp`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::Path;

use api::Claims;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use fixture::{PEOPLE, World, runtime_api};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::Secret;
use shared::redis::Command;
use shared::trace::TraceContext;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

type Received = UnboundedReceiver<(Uri, HeaderMap, Bytes)>;

/// An OTLP/HTTP receiver: its URL and what it gets.
async fn collector() -> (String, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, received) = unbounded_channel();
    let router = Router::new().fallback(async move |uri: Uri, headers: HeaderMap, body: Bytes| {
        tell.send((uri, headers, body)).unwrap();
    });
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    (url, received)
}

/// Runs a function on one event; what it answered.
async fn invoke(
    function: &str,
    settings: &[(&'static str, String)],
    event: Value,
) -> (String, Value) {
    let program = Path::new(env!("CARGO_BIN_EXE_deo")).with_file_name(function);
    let settings = settings.to_vec();
    let run = tokio::task::spawn_blocking(move || {
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        runtime_api::run(program.to_str().unwrap(), &settings, &[event])
    });
    run.await.unwrap().answers.remove(0)
}

/// Whether an export holds these bytes: protobuf keeps ids and names as they are.
fn holds(export: &[u8], bytes: &[u8]) -> bool {
    export.windows(bytes.len()).any(|window| window == bytes)
}

fn id(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn event(name: &str, token: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text.replace("PROJECT", "p1").replace("TOKEN", token)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_from_the_request_through_the_job_into_the_drain() {
    let world = World::builder().own_redis().database(PEOPLE).start().await;
    let (collector, mut received) = collector().await;
    let secret = Secret::new("secret of this test");
    let mut settings = vec![
        ("REDIS_URL", world.env["REDIS_URL"].clone()),
        ("DATABASE_URL", world.env["DATABASE_URL"].clone()),
        ("JWT_SECRET", secret.expose().to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=sesame".to_owned()),
    ];

    let now = Clock::System.now_ms() / 1000;
    let (sub, email, role) = ("owner".into(), "owner@example.com".into(), "USER".into());
    let token = api::sign(&secret, &Claims { sub, email, role, iat: now, exp: now + 600 }).unwrap();
    let mut request = event("recompute.json", &token);
    request["headers"]["traceparent"] = format!("00-{TRACE}-{CALLER}-01").into();
    let (_, answer) = invoke("api", &settings, request).await;
    assert_eq!(answer["statusCode"], 201, "{answer}");
    // It is there already: the function asked for its next event only after it was sent.
    let (uri, headers, export) = received.try_recv().expect("an export before the next event");
    assert_eq!(
        (uri.path(), &headers["content-type"]),
        ("/v1/traces", &"application/x-protobuf".parse().unwrap())
    );
    assert_eq!(headers["x-collector-key"], "sesame");
    for part in [&id(TRACE)[..], &id(CALLER), b"request", b"invocation", b"service.name"] {
        assert!(holds(&export, part), "{:?}", String::from_utf8_lossy(part));
    }

    // The job belongs to the API's span of the trace, not to the caller's.
    let opts = Command::new("HGET").arg("engineo:deo_score_queue:1").arg("opts");
    let opts: Value = serde_json::from_str(world.call(opts).await.as_str().unwrap()).unwrap();
    let metadata = opts["tm"].as_str().unwrap();
    assert_eq!(TraceContext::from_metadata(metadata).unwrap().trace_id(), TRACE);
    let carrier: Value = serde_json::from_str(metadata).unwrap();
    let asked_by = carrier["traceparent"].as_str().unwrap()[36..52].to_owned();
    assert_ne!(asked_by, CALLER);
    assert!(holds(&export, &id(&asked_by)), "the API's span has another id");

    let (_, report) = invoke("drain", &settings, event("schedule.json", "")).await;
    assert_eq!(report["completed"], json!(1), "{report}");
    let mut exports = BTreeMap::new();
    while let Ok((uri, headers, export)) = received.try_recv() {
        assert_eq!(headers["x-collector-key"], "sesame");
        exports.insert(uri.path().to_owned(), export);
    }
    assert!(exports.keys().eq(["/v1/metrics", "/v1/traces"]), "{:?}", exports.keys());
    for part in [&id(TRACE)[..], &id(&asked_by), b"process", b"batch", b"invocation"] {
        assert!(holds(&exports["/v1/traces"], part), "{:?}", String::from_utf8_lossy(part));
    }
    for part in
        [&b"deo.completed"[..], b"deo.billed_commands", b"deo.duration", b"prefix", b"engineo"]
    {
        assert!(holds(&exports["/v1/metrics"], part), "{:?}", String::from_utf8_lossy(part));
    }

    // Nothing listens: the tick is as good as ever. And nothing named: nothing is sent.
    settings[3].1 = "http://127.0.0.1:1".to_owned();
    let (kind, report) = invoke("drain", &settings, event("schedule.json", "")).await;
    assert_eq!((kind.as_str(), &report["stoppedBecause"]), ("response", &json!("empty")));
    settings.truncate(3);
    let (kind, _) = invoke("drain", &settings, event("schedule.json", "")).await;
    assert_eq!(kind, "response");
    assert!(received.try_recv().is_err());
}
