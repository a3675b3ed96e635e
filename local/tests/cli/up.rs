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

/// Without any work: who looks at a fresh system is not told that nothing ticks.
#[tokio::test]
async fn its_drain_gives_a_sign_of_life_at_its_first_tick() {
    let up = Up::start();
    shared::tls::install_provider();
    let http = reqwest::Client::new();
    let health = format!("{}/health?deep=1", up.place("apiUrl"));
    let seen = async {
        while !answer(http.get(&health)).await.1["drain"]["lastSeenMs"].is_i64() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), seen).await.expect("a sign of life");
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
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    let page = page.text().await.unwrap();
    // It needs nothing from elsewhere: what it names is there.
    assert!(page.contains("swagger-ui") && !page.contains("://"), "{page}");
    let files = page.split(['"', '\'']).filter(|text| text.starts_with("./"));
    let files: Vec<&str> = files.map(|text| &text[2..]).collect();
    assert!(files.contains(&"swagger-initializer.js") && files.len() >= 4, "{files:?}");
    for file in files {
        let url = format!("{}/docs/{file}", up.place("apiUrl"));
        assert_eq!(http.get(url).send().await.unwrap().status(), 200, "{file}");
    }
    let initializer = format!("{}/docs/swagger-initializer.js", up.place("apiUrl"));
    let initializer = http.get(initializer).send().await.unwrap().text().await.unwrap();
    assert!(initializer.contains("fetch('/openapi.json')"), "{initializer}");
    let (status, description) =
        answer(http.get(format!("{}/openapi.json", up.place("apiUrl")))).await;
    assert_eq!(status, 200);
    assert!(description["paths"]["/projects/{id}/deo-score"].is_object());
}

#[tokio::test]
async fn the_web_applications_pages_may_ask_it() {
    let up = Up::start();
    shared::tls::install_provider();
    let preflight = reqwest::Client::new()
        .request(reqwest::Method::OPTIONS, format!("{}/queue", up.place("apiUrl")))
        .header("Origin", "http://localhost:3000")
        .header("Access-Control-Request-Method", "GET");
    let preflight = preflight.send().await.unwrap();
    assert_eq!(preflight.status(), 200);
    assert_eq!(preflight.headers()["access-control-allow-origin"], "http://localhost:3000");
}
