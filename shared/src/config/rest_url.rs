//! Upstash's REST address and its token: what people get wrong when they copy the two from a console,
//! one sentence each.

use reqwest::Url;

use super::plaintext::is_loopback;
use super::variables::{REST_TOKEN, REST_URL};

/// The REST address, if it and its token can be what they should be; else what is wrong, in a sentence
/// that shows neither: either may be the token.
pub(crate) fn rest_url(url: &str, token: &str, allow_plaintext: bool) -> Result<Url, String> {
    check_spelling(REST_URL.name, url)?;
    check_spelling(REST_TOKEN.name, token)?;
    if token.contains("://") && !url.contains("://") {
        return Err("UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN are swapped: the token \
                    holds a URL"
            .to_owned());
    }
    if token.contains("://") {
        return Err(
            "UPSTASH_REDIS_REST_TOKEN holds a URL; copy the token from the database's REST \
                    section"
                .to_owned(),
        );
    }
    parse(url, allow_plaintext).map_err(|wrong| format!("{} {wrong}", REST_URL.name))
}

/// White space and quotes, which copy and paste brings along.
fn check_spelling(variable: &str, value: &str) -> Result<(), String> {
    let wrong = if value.is_empty() {
        "is empty"
    } else if value.chars().any(char::is_whitespace) {
        "has white space or a line break in it; remove it"
    } else if value.contains(['"', '\'']) {
        "has quotation marks in it; remove them"
    } else {
        return Ok(());
    };
    Err(format!("{variable} {wrong}"))
}

fn parse(url: &str, allow_plaintext: bool) -> Result<Url, &'static str> {
    let parsed =
        Url::parse(url).map_err(|_| "is not a URL; it looks like https://<name>.upstash.io")?;
    match parsed.scheme() {
        "https" | "http" => {}
        "redis" | "rediss" => {
            return Err(
                "is a redis:// or rediss:// URL, which is for the Redis protocol: put it into \
                 REDIS_URL, or use the https:// URL of the REST API",
            );
        }
        _ => return Err("must start with https://"),
    }
    let Some(host) = parsed.host_str().filter(|host| !host.is_empty()) else {
        return Err("has no host");
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(
            "holds a user or password before the host; the REST API takes only the token, in \
             UPSTASH_REDIS_REST_TOKEN",
        );
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err("has something after '?' or '#'; remove it");
    }
    if parsed.scheme() == "http" && !is_loopback(host) && !allow_plaintext {
        return Err(
            "is http:// to another machine, which would show the token and the data to the \
             network; use https://, or set REDIS_ALLOW_PLAINTEXT=true in a network you trust",
        );
    }
    Ok(parsed)
}
