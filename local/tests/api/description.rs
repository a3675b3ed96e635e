//! The OpenAPI description. Whether it is true, schemathesis judges (`local/interop/schemathesis`).

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
            "POST /queues/{queue}/settle",
        ],
    );
    assert_eq!(document["security"], json!([{"bearer": []}]));
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
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
