//! The same router behind API Gateway's events, as the Lambda runtime hands them over.

use std::io::Read as _;

use api::Api;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use lambda_http::lambda_runtime::LambdaEvent;
use lambda_http::tower::ServiceExt as _;
use lambda_http::{Context, request::LambdaRequest};
use serde_json::{Value, json};

use crate::world::{World, token};

const RECOMPUTE: &str = include_str!("events/recompute.json");
const HISTORY: &str = include_str!("events/history.json");

/// The event as `owner` sends it, changed by `change`.
fn event(text: &str, change: impl FnOnce(&mut Value)) -> Value {
    let text = text.replace("TOKEN", &format!("Bearer {}", token("owner")));
    let mut event = serde_json::from_str(&text).unwrap();
    change(&mut event);
    event
}

/// What API Gateway gets for `event`.
async fn answer(world: &World, event: Value) -> Value {
    let payload: LambdaRequest = serde_json::from_value(event).unwrap();
    let router = api::router(Api::new(&world.config).unwrap());
    let event = LambdaEvent::new(payload, Context::default());
    let response = api::lambda(router).oneshot(event).await.unwrap();
    let mut response = serde_json::to_value(response).unwrap();
    assert_eq!(response["isBase64Encoded"], false);
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    response["body"] = body;
    response
}

#[tokio::test]
async fn a_plain_body_arrives() {
    let world = World::start().await;
    let response = answer(&world, event(RECOMPUTE, |_| ())).await;
    assert_eq!(response["statusCode"], 201);
    assert_eq!(response["body"], json!({"projectId": "p1", "enqueued": true}));
    assert_eq!(response["headers"]["x-job-id"], "1");
    assert_eq!(response["headers"]["content-type"], "application/json");
    let data: Value = serde_json::from_str(&world.job_field("1", "data").await.unwrap()).unwrap();
    assert_eq!(data["reason"], "after_import");
}

#[tokio::test]
async fn a_base64_body_arrives() {
    let world = World::start().await;
    let encoded = |body: &[u8]| {
        event(RECOMPUTE, |event| {
            // Its key is another body's.
            event["headers"].as_object_mut().unwrap().remove("idempotency-key");
            event["body"] = STANDARD.encode(body).into();
            event["isBase64Encoded"] = true.into();
        })
    };
    let response = answer(&world, encoded(br#"{"reason": "scheduled"}"#)).await;
    assert_eq!(response["statusCode"], 201);
    let data: Value = serde_json::from_str(&world.job_field("1", "data").await.unwrap()).unwrap();
    assert_eq!(data["reason"], "scheduled");
    assert_eq!(answer(&world, encoded(b"\xff\xfe\x00")).await["statusCode"], 400);
    assert_eq!(answer(&world, encoded(b"")).await["statusCode"], 201);
    let large = vec![b' '; 256 * 1024 + 1];
    assert_eq!(answer(&world, encoded(&large)).await["statusCode"], 413);
}

#[tokio::test]
async fn the_query_and_joined_headers_arrive() {
    let world = World::start().await;
    let response = answer(&world, event(HISTORY, |_| ())).await;
    assert_eq!(response["statusCode"], 200);
    assert_eq!(response["body"]["snapshots"], json!([]));
    let tag = response["headers"]["etag"].as_str().unwrap();
    let known = event(HISTORY, |event| {
        event["headers"]["if-none-match"] = format!("\"x\",{tag}").into();
    });
    let payload: LambdaRequest = serde_json::from_value(known).unwrap();
    let router = api::router(Api::new(&world.config).unwrap());
    let event = LambdaEvent::new(payload, Context::default());
    let response = api::lambda(router).oneshot(event).await.unwrap();
    assert_eq!(serde_json::to_value(response).unwrap()["statusCode"], 304);
}

#[tokio::test]
async fn a_packed_answer_leaves_as_base64() {
    let world = World::start().await;
    let long = event(HISTORY, |event| {
        event["rawPath"] = "/openapi.json".into();
        event["headers"]["accept-encoding"] = "gzip".into();
    });
    let payload: LambdaRequest = serde_json::from_value(long).unwrap();
    let router = api::router(Api::new(&world.config).unwrap());
    let response = api::lambda(router).oneshot(LambdaEvent::new(payload, Context::default())).await;
    let response = serde_json::to_value(response.unwrap()).unwrap();
    assert_eq!(response["headers"]["content-encoding"], "gzip");
    assert_eq!(response["isBase64Encoded"], true);
    let packed = STANDARD.decode(response["body"].as_str().unwrap()).unwrap();
    let mut text = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, api::openapi());
}

#[tokio::test]
async fn an_error_names_the_target_without_the_host() {
    let world = World::start().await;
    let wrong = event(HISTORY, |event| event["rawQueryString"] = "limit=0&x=%20".into());
    let response = answer(&world, wrong).await;
    assert_eq!(response["statusCode"], 400);
    assert_eq!(response["body"]["path"], "/projects/p1/deo-score/history?limit=0&x=%20");
    let unknown = event(HISTORY, |event| event["rawPath"] = "/unknown".into());
    let response = answer(&world, unknown).await;
    assert_eq!(response["body"]["message"], "Cannot GET /unknown?limit=1&tag=a&tag=b");
}

/// Whatever a client can make API Gateway hand over gets an answer.
#[tokio::test]
async fn no_event_makes_the_function_panic() {
    let world = World::start().await;
    for query in ["\"q\"", "a b", "<>", "#x", "\u{0}\u{7f}", "é=\u{1F600}", "%", "%zz", "&&=&="] {
        let odd = event(HISTORY, |event| event["rawQueryString"] = query.into());
        assert_eq!(answer(&world, odd).await["statusCode"], 200, "{query}");
    }
    for path in [
        "",
        "/",
        "//",
        "/projects/ p1/deo-score",
        "/projects/\u{0}/deo-score",
        "/%",
        "/#",
        "/?",
        "/projects/é/deo-score",
        "/projects/\"<>^`{|}/deo-score",
        "/../../x",
        "/projects/a%2Fb/deo-score",
    ] {
        let odd = event(HISTORY, |event| event["rawPath"] = path.into());
        let status = answer(&world, odd).await["statusCode"].take();
        assert!(matches!(status.as_u64(), Some(400 | 404)), "{path}: {status}");
    }
    for path in ["projects/p1", ":99999", "?", "\u{1F600}"] {
        let odd = event(HISTORY, |event| event["rawPath"] = path.into());
        assert_eq!(answer(&world, odd).await["statusCode"], 404, "{path}");
    }
    for (header, value) in
        [("x-forwarded-proto", "https,http"), ("host", "a b"), ("host", "a:99999")]
    {
        let odd = event(HISTORY, |event| event["headers"][header] = value.into());
        assert_eq!(answer(&world, odd).await["statusCode"], 200, "{header}: {value}");
    }
    for (place, byte) in [("rawPath", "é"), ("rawQueryString", "é"), ("rawQueryString", "x")] {
        let long =
            event(HISTORY, |event| event[place] = format!("/{}", byte.repeat(70_000)).into());
        assert_eq!(answer(&world, long).await["statusCode"], 404, "{place}");
    }
    let broken = event(RECOMPUTE, |event| {
        (event["body"], event["isBase64Encoded"]) = ("{\"reason\"".into(), true.into());
    });
    assert_eq!(answer(&world, broken).await["statusCode"], 400);
    let bare = json!({
        "version": "2.0",
        "rawPath": "/health",
        "requestContext": {"http": {"method": "GET"}},
    });
    assert_eq!(answer(&world, bare).await["statusCode"], 200);
}
