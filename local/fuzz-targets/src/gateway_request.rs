//! Sends any HTTP request to the REST gateway, over a real connection and with a real Redis behind it: it is answered
//! with one of Upstash's statuses in the form that was asked for, and who has no token reaches nothing.
//!
//! In a header or the query `@token` is the token for everything, `@reads` the one for reads.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gateway::{Gateway, GatewayConfig};
use serde_json::Value;
use servers::RedisServer;
use shared::redis::Secret;
use tokio::runtime::{Builder, Runtime};

use crate::expand::expand;
use crate::request::Request;

const TOKEN: &str = "full-canary";
const READS: &str = "read-canary";

/// What an answer may be. 503: nothing was executed.
const STATUSES: [u16; 6] = [200, 400, 401, 405, 413, 503];

/// How long an answer may take. Nothing that is let through blocks.
const PATIENCE: Duration = Duration::from_secs(20);

/// Redis is emptied after so many requests, so that it stays small.
const A_ROUND: u32 = 500;

struct World {
    _runtime: Runtime,
    _redis: RedisServer,
    gateway: Gateway,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    shared::tls::install_provider();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (redis, gateway) = runtime.block_on(async {
        let redis = RedisServer::start().await.expect("a Redis");
        let mut config = GatewayConfig::new(redis.url(), TOKEN);
        config.read_only_token = Some(Secret::new(READS));
        let gateway = Gateway::start(config).await.expect("a gateway");
        (redis, gateway)
    });
    World { _runtime: runtime, _redis: redis, gateway }
});

/// What came back.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// Asks the gateway for what `input` says.
pub fn gateway_request(input: &[u8]) {
    static REQUESTS: AtomicU32 = AtomicU32::new(0);
    let input = expand(input);
    let request = Request::read(&input);
    if is_endless(&request) {
        return;
    }
    let head = head(&request);
    if let Some(answer) = exchange(&head, request.body) {
        check(&request, &head, &answer);
    }
    if REQUESTS.fetch_add(1, Ordering::Relaxed) % A_ROUND == A_ROUND - 1 {
        let flush = format!("POST / HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n");
        let answer = exchange(flush.as_bytes(), br#"["FLUSHALL"]"#).expect("an answer");
        assert_eq!(answer.status, 200, "Redis is gone");
    }
}

/// Whether the answer would have no end: a stream of events.
fn is_endless(request: &Request<'_>) -> bool {
    let path = String::from_utf8_lossy(request.target).to_ascii_lowercase();
    ["monitor", "subscribe"].iter().any(|name| path.contains(name))
        || path.contains('%') && path.trim_start_matches('/').starts_with(['m', 'p', 's', '%'])
}

/// The request's lines, with what this exchange needs: how long the body is, and that it is the only one.
fn head(request: &Request<'_>) -> Vec<u8> {
    let mut head = [request.method, b" ", request.target, b" HTTP/1.1\r\nhost: x\r\n"].concat();
    for (name, value) in &request.headers {
        let decides =
            ["content-length", "transfer-encoding", "connection", "upgrade", "expect", "host"];
        if decides.iter().any(|other| name.trim_ascii().eq_ignore_ascii_case(other.as_bytes())) {
            continue;
        }
        head.extend_from_slice(&[name, &b": "[..], value, b"\r\n"].concat());
    }
    replace(&replace(&head, b"@token", TOKEN.as_bytes()), b"@reads", READS.as_bytes())
}

fn replace(text: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(what.len()).position(|window| window == what) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by);
        rest = &rest[at + what.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// The answer; `None` when the request was so little HTTP that the connection ended, or was cut before its
/// body was read.
fn exchange(head: &[u8], body: &[u8]) -> Option<Answer> {
    let url = WORLD.gateway.url();
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let length = format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // It may refuse before it has read all.
    let _ = stream.write_all(&[head, length.as_bytes(), body].concat());
    let mut answer = Vec::new();
    let mut piece = [0; 1 << 14];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            // The fuzzer's own clock.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("no answer: {error}"),
        }
    }
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Some(Answer { status, head, body: answer[end + 4..].to_vec() })
}

fn check(request: &Request<'_>, head: &[u8], answer: &Answer) {
    let Answer { status, head: answered, body } = answer;
    let shown = String::from_utf8_lossy(&body[..body.len().min(2_000)]);
    let has = |what: &str| head.windows(what.len()).any(|window| window == what.as_bytes());
    // What hyper itself answers to what is no HTTP: nothing but a status.
    if body.is_empty() && !answered.contains("upstash-sync-token") {
        assert!(matches!(status, 400 | 414 | 431), "{answered}");
        return;
    }
    assert!(STATUSES.contains(status), "{answered} {shown}");
    let (full, reads) = (has(TOKEN), has(READS));
    for token in [TOKEN, READS] {
        // Redis repeats what it is told, a key or an unknown command.
        let is_said = contains(request.body, token) || contains(request.target, "@");
        assert!(is_said || !contains(body, token) && !answered.contains(token), "{shown}");
    }
    if !full && !reads {
        assert!(matches!(status, 401 | 405), "{answered} {shown}");
    }
    if request.method == b"HEAD" {
        return;
    }
    if answered.contains("application/json") {
        let json: Value = serde_json::from_slice(body).expect("the answer is JSON");
        match &json {
            Value::Object(one) => {
                assert!(one.contains_key("result") || one["error"].is_string(), "{shown}");
                assert!(*status == 200 || one.contains_key("error"), "{shown}");
            }
            Value::Array(all) => {
                let ends =
                    |item: &Value| item.get("result").is_some() != item.get("error").is_some();
                assert!(all.iter().all(ends), "{shown}");
            }
            _ => panic!("neither an answer nor a list: {shown}"),
        }
        echoes(request, *status, full, &json);
    }
}

/// What is to be repeated comes back as it was sent.
fn echoes(request: &Request<'_>, status: u16, full: bool, json: &Value) {
    let is_post = request.method == b"POST" && request.target == b"/";
    let asked: Option<Vec<String>> = serde_json::from_slice(request.body).ok();
    if !is_post || !full || status != 200 || request.header("upstash-encoding").is_some() {
        return;
    }
    if let Some([name, text]) = asked.as_deref()
        && name.eq_ignore_ascii_case("echo")
    {
        assert_eq!(json["result"], **text);
    }
}

fn contains(bytes: &[u8], what: &str) -> bool {
    bytes.windows(what.len()).any(|window| window == what.as_bytes())
}
