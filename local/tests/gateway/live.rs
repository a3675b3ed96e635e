//! The table against the gateway, and against a live database when one is given.

use crate::{Bench, TOKEN, forms, http};

#[tokio::test]
async fn the_gateway_answers_as_the_documentation_says() {
    let bench = Bench::start().await;
    for exchange in forms::all() {
        exchange.check(&bench.url(), TOKEN, "prefix:").await;
    }
}

/// Runs only where `UPSTASH_REDIS_REST_URL` and `UPSTASH_REDIS_REST_TOKEN` name a database. It touches
/// only keys under a random prefix, and removes them.
#[tokio::test]
async fn a_live_database_answers_as_the_documentation_says() {
    let given = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(url), Some(token)) =
        (given("UPSTASH_REDIS_REST_URL"), given("UPSTASH_REDIS_REST_TOKEN"))
    else {
        eprintln!("skipped: UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN are not set");
        return;
    };
    let prefix = format!("deo-gateway-test-{:x}:", rand::random::<u64>());
    let table = tokio::spawn({
        let (url, token, prefix) = (url.clone(), token.clone(), prefix.clone());
        async move {
            for exchange in forms::all().iter().filter(|exchange| !exchange.gateway_only) {
                exchange.check(&url, &token, &prefix).await;
            }
        }
    });
    let outcome = table.await;
    // The keys go in either case.
    let keys: String = ('a'..='l').map(|key| format!("/{prefix}{key}")).collect();
    let host = url.split("://").nth(1).unwrap().trim_end_matches('/').to_owned();
    let authorization = format!("Bearer {token}");
    let headers = [("Host", host.as_str()), ("Authorization", authorization.as_str())];
    let request = http::request("POST", &format!("/del{keys}"), &headers, b"");
    let removed = http::exchange(&url, &request).await.unwrap();
    assert_eq!(removed.status, 200, "keys under {prefix} are left: {}", removed.text());
    outcome.unwrap();
}
