//! The OpenAPI description. Whether it is true, schemathesis judges (`local/interop/schemathesis`).

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn every_route_is_described() {
    let world = World::start().await;
    let document = world.get("", "/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            routes.push(format!("{} {path}", method.to_uppercase()));
            let open = matches!(path.as_str(), "/health" | "/openapi.json");
            let security = match path.as_str() {
                "/queues/{queue}/settle" => json!([{"signature": []}]),
                _ if open => json!([{}]),
                _ => Value::Null,
            };
            assert_eq!(operation["security"], security, "{path}");
        }
    }
    assert_eq!(
        routes,
        [
            "POST /deo-score/recompute",
            "GET /fleet",
            "GET /fleet/{list}",
            "GET /health",
            "GET /jobs/{jobId}",
            "GET /openapi.json",
            "GET /projects/{id}/deo-score",
            "GET /projects/{id}/deo-score/compare",
            "GET /projects/{id}/deo-score/history",
            "POST /projects/{id}/deo-score/recompute",
            "POST /projects/{id}/deo-score/recompute-sync",
            "GET /projects/{id}/deo-score/series",
            "GET /projects/{id}/deo-signals/debug",
            "GET /queue",
            "GET /queue/failures",
            "POST /queue/limit",
            "POST /queue/pause",
            "POST /queue/promote",
            "POST /queue/resume",
            "POST /queue/retry",
            "POST /queues/{queue}/settle",
        ],
    );
    assert_eq!(document["security"], json!([{"bearer": []}]));
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[tokio::test]
async fn it_is_sent_once_while_it_stays_the_same() {
    let world = World::start().await;
    let first = world.get("", "/openapi.json").await;
    assert_eq!(first.header("cache-control"), Some("public, max-age=300"));
    let known = [("If-None-Match", first.header("etag").unwrap())];
    let again = world.send(Method::GET, "", "/openapi.json", &known, "").await;
    assert_eq!((again.status, &*again.text), (304, ""));
}

/// Whatever is described, by whomever it is asked for: no cache keeps it for anybody else.
#[tokio::test]
async fn every_answer_about_somebody_is_private() {
    let world = World::start().await;
    world.post("owner", "/projects/p1/deo-score/recompute", "").await;
    let document = world.get("", "/openapi.json").await.json();
    let mut succeeded = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let target = path.replace("{id}", "p1").replace("{jobId}", "1").replace("{list}", "stale");
        for method in methods.as_object().unwrap().keys() {
            for user in ["owner", "admin", ""] {
                let method = method.to_uppercase().parse().unwrap();
                let body =
                    if path == "/deo-score/recompute" { r#"{"projectIds":["p1"]}"# } else { "" };
                let answer = world.send(method, user, &target, &[], body).await;
                let kept = match answer.header("cache-control").unwrap() {
                    "no-store" | "private, no-cache" => false,
                    "public, max-age=300" => true,
                    other => panic!("{path}: {other}"),
                };
                assert_eq!(kept, path == "/openapi.json", "{user} {path}");
                succeeded += usize::from(answer.status < 300);
            }
        }
    }
    assert!(succeeded >= 15, "{succeeded} answers were no errors");
}

#[tokio::test]
async fn an_optional_body_may_be_left_out_but_not_be_null() {
    let world = World::start().await;
    let document = world.get("", "/openapi.json").await.json();
    let body = &document["paths"]["/projects/{id}/deo-score/recompute"]["post"]["requestBody"];
    assert_eq!(body["required"], false);
    let schema = &body["content"]["application/json"]["schema"];
    assert_eq!(*schema, json!({"$ref": "#/components/schemas/Recompute"}));
}
