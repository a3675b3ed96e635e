//! `REDIS_URL`: what people get wrong, one sentence each.

use reqwest::Url;

use super::plaintext::is_loopback;
use super::variables::REDIS_URL;

/// The URL, if a server can be reached by it; else what is wrong, in a sentence that does not show it: it
/// may hold a password.
pub(crate) fn redis_url(url: &str, allow_plaintext: bool) -> Result<Url, String> {
    parse(url, allow_plaintext).map_err(|wrong| format!("{} {wrong}", REDIS_URL.name))
}

fn parse(url: &str, allow_plaintext: bool) -> Result<Url, &'static str> {
    if url.is_empty() {
        return Err("is empty");
    }
    if url.chars().any(char::is_whitespace) {
        return Err("has white space or a line break in it; remove it");
    }
    let parsed = Url::parse(url).map_err(|_| {
        "is not a URL; it looks like rediss://:password@host:6379 (a password with special \
         characters must be percent-encoded)"
    })?;
    match parsed.scheme() {
        "rediss" | "redis" => {}
        "http" | "https" => {
            return Err("is an http(s):// URL, which is for the REST API: put it into \
                 UPSTASH_REDIS_REST_URL, or use the redis:// or rediss:// URL");
        }
        _ => return Err("must start with redis:// or rediss://"),
    }
    let Some(host) = parsed.host_str().filter(|host| !host.is_empty()) else {
        return Err("has no host");
    };
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err("has options after '?' or '#', which are not supported; remove them");
    }
    if parsed.scheme() == "redis" && !is_loopback(host) && !allow_plaintext {
        return Err(
            "is redis:// to another machine, which would show the password and the data to \
             the network; use rediss://, or set REDIS_ALLOW_PLAINTEXT=true in a network you \
             trust",
        );
    }
    Ok(parsed)
}
