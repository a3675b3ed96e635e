//! What we take for granted of Upstash's REST API beside the commands: headers, and what it answers by itself.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::retry::never;
use reqwest::{Client, Method, StatusCode, Url};
use shared::config::Endpoint;
use shared::redis::is_loopback;
use shared::tls::{client_config, client_config_trusting};

use super::super::Check;

const PATIENCE: Duration = Duration::from_secs(10);

const SYNC_TOKEN: &str = "upstash-sync-token";

/// Over TCP there is nothing of it. Returns how many commands were billed for it.
pub(super) async fn attempt(
    endpoint: &Endpoint,
    authorities: Option<&str>,
    checks: &mut Vec<Check>,
) -> u64 {
    let Endpoint::Rest { url, token, .. } = endpoint else { return 0 };
    let trusted = authorities.map_or_else(|| Ok(client_config()), client_config_trusting);
    // Whoever cannot be trusted, or an address that cannot be used, was told by `redis.reach`.
    let (Ok(trusted), Ok(address)) = (trusted, Url::parse(url)) else { return 0 };
    let mut client = Client::builder().tls_backend_preconfigured((*trusted).clone());
    if address.host_str().is_some_and(is_loopback) {
        client = client.no_proxy();
    }
    let client = client.timeout(PATIENCE).redirect(Policy::none()).retry(never());
    let Ok(client) = client.build() else { return 0 };
    let ask = |token: &str| client.post(url).bearer_auth(token).body(r#"["PING"]"#).send();

    let answered = ask(token.expose()).await;
    let billed = u64::from(answered.is_ok());
    checks.push(match answered {
        Ok(answer) if answer.headers().contains_key(SYNC_TOKEN) => {
            Check::ok("live.sync-token", "every answer has a sync token, so that writes are read")
        }
        Ok(_) => Check::warn(
            "live.sync-token",
            "answers have no sync token",
            "with replicas in other regions, a tick may not see what was written just before: keep to one region",
        ),
        Err(error) => Check::fail("live.sync-token", without_url(error), ""),
    });
    checks.push(match client.request(Method::OPTIONS, url).send().await {
        Ok(answer) if !answer.status().is_server_error() => Check::ok(
            "live.options",
            format!(
                "OPTIONS is answered ({}), so that a start connects at no cost",
                answer.status().as_u16()
            ),
        ),
        Ok(answer) => Check::warn(
            "live.options",
            format!("OPTIONS ends in {}", answer.status().as_u16()),
            "functions connect with their first command then, which takes a little longer",
        ),
        Err(error) => Check::fail("live.options", without_url(error), ""),
    });
    checks.push(match ask("nobody").await {
        Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED => {
            Check::ok("live.token", "a wrong token is refused")
        }
        Ok(answer) => Check::fail(
            "live.token",
            format!("a wrong token is answered with {}", answer.status().as_u16()),
            "everybody may use this database: put a token in front of it",
        ),
        Err(error) => Check::fail("live.token", without_url(error), ""),
    });
    billed
}

/// An address may hold a token.
fn without_url(error: reqwest::Error) -> String {
    error.without_url().to_string()
}
