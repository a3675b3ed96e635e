//! Tells what people get wrong in the URL of a Redis server, one sentence each.

use reqwest::Url;

use crate::endpoint::Names;
use crate::plaintext::is_loopback;

/// The URL, if a server can be reached by it; else what is wrong, in a sentence that does not show it: it
/// may hold a password.
pub(crate) fn redis_url(url: &str, allow_plaintext: bool, names: &Names) -> Result<Url, String> {
    parse(url, allow_plaintext, names).map_err(|wrong| format!("{} {wrong}", names.redis_url))
}

fn parse(url: &str, allow_plaintext: bool, names: &Names) -> Result<Url, String> {
    if url.is_empty() {
        return Err("is empty".to_owned());
    }
    if url.chars().any(char::is_whitespace) {
        return Err("has white space or a line break in it; remove it".to_owned());
    }
    let parsed = Url::parse(url).map_err(|_| {
        "is not a URL; it looks like rediss://:password@host:6379 (a password with special \
         characters must be percent-encoded)"
            .to_owned()
    })?;
    match parsed.scheme() {
        "rediss" | "redis" => {}
        "http" | "https" => {
            return Err(format!(
                "is an http(s):// URL, which is for the REST API: put it into {}, or use the \
                 redis:// or rediss:// URL",
                names.rest_url
            ));
        }
        _ => return Err("must start with redis:// or rediss://".to_owned()),
    }
    let Some(host) = parsed.host_str().filter(|host| !host.is_empty()) else {
        return Err("has no host".to_owned());
    };
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err("has options after '?' or '#', which are not supported; remove them".to_owned());
    }
    if parsed.scheme() == "redis" && !is_loopback(host) && !allow_plaintext {
        return Err(format!(
            "is redis:// to another machine, which would show the password and the data to \
             the network; use rediss://, or {} in a network you trust",
            names.allow_plaintext
        ));
    }
    Ok(parsed)
}
