//! `deo up`: the whole system, asked over HTTP as its clients would.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::process::Up;

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

#[tokio::test]
async fn a_recompute_asked_for_over_http_is_scored_by_the_ticking_drain() {
    let up = Up::start();
    shared::tls::install_provider();
    let http = reqwest::Client::new();
    let path = format!("{}/projects/{}/deo-score", up.place("apiUrl"), up.place("projectId"));

    let (status, health) = answer(http.get(format!("{}/health", up.place("apiUrl")))).await;
    assert_eq!((status, &health["redis"]["transport"]), (200, &"rest".into()));
    assert_eq!(answer(http.get(&path)).await.0, 401, "no token");
    let (status, before) = answer(http.get(&path).bearer_auth(up.place("token"))).await;
    assert_eq!((status, &before["latestScore"]), (200, &Value::Null));

    let recompute = http.post(format!("{path}/recompute")).bearer_auth(up.place("token"));
    let (status, enqueued) = answer(recompute).await;
    assert_eq!((status, &enqueued["enqueued"]), (201, &Value::Bool(true)));
    let scored = async {
        while answer(http.get(&path).bearer_auth(up.place("token"))).await.1["latestScore"]
            .is_null()
        {}
    };
    timeout(Duration::from_secs(20), scored).await.expect("the drain ticks every second");
}

#[tokio::test]
async fn the_rest_gateway_takes_its_token_only() {
    let up = Up::start();
    shared::tls::install_provider();
    let http = reqwest::Client::new();
    let ping = || http.get(format!("{}/ping", up.place("restUrl")));
    assert_eq!(answer(ping()).await.0, 401);
    let (status, pong) = answer(ping().bearer_auth(up.place("restToken"))).await;
    assert_eq!((status, &pong["result"]), (200, &"PONG".into()));
}

#[tokio::test]
async fn the_api_is_described_for_people() {
    let up = Up::start();
    shared::tls::install_provider();
    let http = reqwest::Client::new();
    let page = http.get(format!("{}/docs", up.place("apiUrl"))).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let page = page.text().await.unwrap();
    // It needs nothing from elsewhere.
    assert!(page.contains("fetch('/openapi.json')") && !page.contains("://"), "{page}");
    let (status, description) =
        answer(http.get(format!("{}/openapi.json", up.place("apiUrl")))).await;
    assert_eq!(status, 200);
    assert!(description["paths"]["/projects/{id}/deo-score"].is_object());
}
