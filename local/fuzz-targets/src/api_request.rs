//! Sends any HTTP request to the API, as from a local server and as API Gateway hands it to the function: the answer is one of the documented ones, and both say the same.
//!
//! No server is behind it: who may go on than to Redis or Postgres gets a 503. `local/tests/api/corpus.rs` sends
//! the corpus to an API with both.
//!
//! In a header `@token` is a valid token of a user, and `@signature` what signs a callback of a receiver.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use api::{Api, Claims};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{self, HeaderName, HeaderValue, Method, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_http::Context;
use lambda_http::lambda_runtime::LambdaEvent;
use lambda_http::request::LambdaRequest;
use lambda_http::tower::ServiceExt as _;
use serde_json::{Value, json};
use shared::clock::{Clock, from_iso8601};
use shared::config::Config;
use shared::http::Secrets;
use shared::redis::Secret;
use tokio::runtime::{Builder, Runtime};

use crate::expand::expand;
use crate::request::Request;

/// What an answer may be.
pub const STATUSES: [u16; 12] = [200, 201, 202, 304, 400, 401, 403, 404, 405, 413, 415, 503];

/// When it is: milliseconds since the epoch.
const NOW_MS: i64 = 1_800_000_000_000;

/// What no answer may show.
const SECRETS: [&str; 4] = ["jwt-canary", "database-canary", "redis-canary", WEBHOOK];

const WEBHOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An API without servers.
struct World {
    runtime: Runtime,
    router: Router,
    token: String,
    secrets: Secrets,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    shared::tls::install_provider();
    let env: BTreeMap<String, String> = [
        ("JWT_SECRET", "jwt-canary"),
        // Nobody listens on port 1.
        ("DATABASE_URL", "postgres://u:database-canary@127.0.0.1:1/x"),
        ("REDIS_URL", "redis://:redis-canary@127.0.0.1:1"),
        ("QUEUE_HTTP_SECRET", WEBHOOK),
        ("QUEUES", "deo_score_queue,crawl=https://crawl.example/jobs"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let config = Config::from_env(&env).expect("settings");
    // Waits cost no time; neither does refusing a connection.
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let in_it = runtime.enter();
    let api = Api::with_clock(&config, Clock::manual(NOW_MS)).expect("an API");
    let claims = Claims {
        sub: "owner".to_owned(),
        email: "owner@example.com".to_owned(),
        role: "ADMIN".to_owned(),
        iat: NOW_MS / 1_000,
        exp: NOW_MS / 1_000 + 600,
    };
    let token = api::sign(&Secret::new("jwt-canary"), &claims).expect("a token");
    let secrets = Secrets::parse(WEBHOOK).expect("a secret");
    drop(in_it);
    World { runtime, router: api::router(api), token, secrets }
});

/// What came back.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Asks the API for what `input` says.
pub fn api_request(input: &[u8]) {
    let input = expand(input);
    let request = Request::read(&input);
    let world = &*WORLD;
    let headers = headers(&request, &world.token, &world.secrets);
    let direct = world.runtime.block_on(direct(&world.router, &request, &headers));
    if let Some(answer) = &direct {
        check(&request, &headers, answer);
    }
    let event = event(&request, &headers);
    if let Some(answer) = world.runtime.block_on(through_gateway(world, event)) {
        check(&request, &headers, &answer);
        if let Some(direct) = direct.filter(|_| is_plain(&request)) {
            assert_eq!(answer.status, direct.status, "another answer by API Gateway");
            if !is_open(&request, &direct) {
                assert_eq!(answer.body, direct.body, "another body by API Gateway");
            }
        }
    }
}

/// Asks another API for what `input` says, in the name of whom `token` is of; `None` where HTTP itself cannot say
/// such a thing.
pub async fn ask(router: &Router, token: &str, input: &[u8]) -> Option<Answer> {
    let input = expand(input);
    let request = Request::read(&input);
    let secrets = Secrets::parse(WEBHOOK).expect("a secret");
    direct(router, &request, &headers(&request, token, &secrets)).await
}

/// The request's headers, with what stands for a token or a signature written out.
fn headers(request: &Request<'_>, token: &str, secrets: &Secrets) -> Vec<(String, Vec<u8>)> {
    let text = |name| request.header(name).and_then(|value| std::str::from_utf8(value).ok());
    let signature = || {
        let id = text("webhook-id").unwrap_or_default();
        secrets.sign(id, NOW_MS / 1_000, request.body)
    };
    let written = |value: &[u8]| match value {
        b"Bearer @token" => format!("Bearer {token}").into_bytes(),
        b"@signature" => signature().into_bytes(),
        value => value.to_vec(),
    };
    let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    request.headers.iter().map(|(n, value)| (name(n), written(value))).collect()
}

/// As from a local server, unless HTTP itself cannot say such a thing.
async fn direct(
    router: &Router,
    request: &Request<'_>,
    headers: &[(String, Vec<u8>)],
) -> Option<Answer> {
    let method = Method::from_bytes(request.method).ok()?;
    let target = Uri::try_from(request.target).ok()?;
    let mut built = http::Request::builder().method(method).uri(target);
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        built = built.header(name, HeaderValue::from_bytes(value).ok()?);
    }
    let built = built.body(Body::from(request.body.to_vec())).ok()?;
    let Ok(response) = router.clone().oneshot(built).await;
    let (parts, body) = response.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let headers = headers.collect();
    let body = to_bytes(body, usize::MAX).await.expect("a body").to_vec();
    Some(Answer { status: parts.status.as_u16(), headers, body })
}

/// The event of API Gateway (HTTP API, payload version 2).
fn event(request: &Request<'_>, headers: &[(String, Vec<u8>)]) -> Value {
    let target = String::from_utf8_lossy(request.target);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let headers: BTreeMap<String, String> = headers
        .iter()
        .map(|(name, value)| (name.to_lowercase(), String::from_utf8_lossy(value).into_owned()))
        .collect();
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "body": STANDARD.encode(request.body),
        "isBase64Encoded": true,
        "requestContext": {
            "accountId": "1",
            "apiId": "a",
            "domainName": "a.example",
            "http": {
                "method": String::from_utf8_lossy(request.method),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "fuzzer"
            },
            "requestId": "r",
            "routeKey": "$default",
            "stage": "$default",
            "time": "15/Jan/2027:08:00:00 +0000",
            "timeEpoch": NOW_MS
        }
    })
}

/// As on Lambda, unless the runtime takes the event for none.
async fn through_gateway(world: &World, event: Value) -> Option<Answer> {
    let payload: LambdaRequest = serde_json::from_value(event).ok()?;
    let event = LambdaEvent::new(payload, Context::default());
    let Ok(response) = api::lambda(world.router.clone()).oneshot(event).await;
    let response = serde_json::to_value(response).expect("an answer is JSON");
    let body = response["body"].as_str().unwrap_or_default();
    let headers = response["headers"].as_object().into_iter().flatten();
    let headers =
        headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
    Some(Answer {
        status: response["statusCode"].as_u64().and_then(|code| code.try_into().ok())?,
        headers: headers.collect(),
        body: match response["isBase64Encoded"].as_bool() {
            Some(true) => STANDARD.decode(body).expect("base64"),
            _ => body.as_bytes().to_vec(),
        },
    })
}

/// Whether both ways in get the same: API Gateway joins headers, and what is no HTTP comes by it alone.
fn is_plain(request: &Request<'_>) -> bool {
    let mut names: Vec<Vec<u8>> =
        request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    let is_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~%?=&:".contains(byte);
    let is_text = |byte: &u8| (b' '..=b'~').contains(byte);
    // The runtime goes up a path's `..`, as browsers do before they ask.
    let is_straight = !contains(&request.target.to_ascii_lowercase(), b"/.")
        && !contains(&request.target.to_ascii_lowercase(), b"/%2e");
    count == names.len()
        && is_straight
        && request.target.starts_with(b"/")
        && !request.target.ends_with(b"?")
        && request.target.len() < 20_000
        && request.target.iter().all(is_path)
        && request.headers.iter().all(|(name, value)| {
            value.iter().all(is_text)
                && !matches!(&name.to_ascii_lowercase()[..], b"host" | b"cookie")
        })
}

fn check(request: &Request<'_>, headers: &[(String, Vec<u8>)], answer: &Answer) {
    let Answer { status, headers: answered, body } = answer;
    let shown = String::from_utf8_lossy(body);
    assert!(STATUSES.contains(status), "{status}: {shown}");
    let all = format!("{answered:?} {shown}");
    // A path's line ends are left out on its way.
    let target: Vec<u8> = request.target.iter().copied().filter(|byte| *byte >= b' ').collect();
    for secret in SECRETS {
        let sent = contains(request.method, secret.as_bytes())
            || contains(&target, secret.as_bytes())
            || headers.iter().any(|(_, value)| contains(value, secret.as_bytes()));
        assert!(sent || !all.contains(secret), "shows a secret: {all}");
    }
    let is_open = is_open(request, answer);
    let is_let_in = headers
        .iter()
        .any(|(_, value)| contains(value, WORLD.token.as_bytes()) || value.starts_with(b"v1,"));
    assert!(is_let_in || is_open || *status >= 400, "{status} for a stranger");
    if *status < 400 || is_open || request.method == b"HEAD" {
        return;
    }
    let error: Value = serde_json::from_slice(body).expect("an error is JSON");
    let error = error.as_object().expect("an error is an object");
    let names: Vec<&str> = error.keys().map(String::as_str).collect();
    assert_eq!(names, ["code", "error", "message", "path", "statusCode", "timestamp"]);
    assert_eq!(error["statusCode"], *status);
    assert_eq!(error["code"], "HTTP_ERROR");
    assert!(error["error"].as_str().is_some_and(|name| name.ends_with("Exception")), "{error:?}");
    assert_eq!(error["timestamp"].as_str().and_then(from_iso8601), Some(NOW_MS));
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error:?}");
    if let Some(Ok(target)) = is_plain(request).then_some(std::str::from_utf8(request.target)) {
        assert_eq!(error["path"], target);
    }
}

/// Whether it tells how the API is, which has an answer of its own to each, or what it can do, or is the console,
/// which holds nothing of anybody. (A path's end of control characters, which HTTP cannot carry, the runtime leaves
/// out.)
fn is_open(request: &Request<'_>, answer: &Answer) -> bool {
    let path = request.target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let end = path.iter().rposition(|byte| *byte > b' ').map_or(0, |last| last + 1);
    let path = &path[..end];
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let is_health = answer.body.starts_with(br#"{"status":""#);
    is_health
        || path.ends_with(b"/health")
        || path.ends_with(b"/openapi.json")
        || contains(path, b"/console")
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}
