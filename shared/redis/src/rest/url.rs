//! Upstash's REST address and its token: what people get wrong when they copy the two from a console,
//! one sentence each.

use reqwest::Url;

use crate::endpoint::Names;
use crate::plaintext::is_loopback;

/// The REST address, if it and its token can be what they should be; else what is wrong, in a sentence
/// that shows neither: either may be the token.
pub(crate) fn rest_url(
    url: &str,
    token: &str,
    allow_plaintext: bool,
    names: &Names,
) -> Result<Url, String> {
    check_spelling(names.rest_url, url)?;
    check_spelling(names.rest_token, token)?;
    if token.contains("://") && !url.contains("://") {
        return Err(format!(
            "{} and {} are swapped: the token holds a URL",
            names.rest_url, names.rest_token
        ));
    }
    if token.contains("://") {
        return Err(format!(
            "{} holds a URL; copy the token from the database's REST section",
            names.rest_token
        ));
    }
    parse(url, allow_plaintext, names).map_err(|wrong| format!("{} {wrong}", names.rest_url))
}

/// White space and quotes, which copy and paste brings along.
fn check_spelling(name: &str, value: &str) -> Result<(), String> {
    let wrong = if value.is_empty() {
        "is empty"
    } else if value.chars().any(char::is_whitespace) {
        "has white space or a line break in it; remove it"
    } else if value.contains(['"', '\'']) {
        "has quotation marks in it; remove them"
    } else {
        return Ok(());
    };
    Err(format!("{name} {wrong}"))
}

fn parse(url: &str, allow_plaintext: bool, names: &Names) -> Result<Url, String> {
    let parsed = Url::parse(url)
        .map_err(|_| "is not a URL; it looks like https://<name>.upstash.io".to_owned())?;
    match parsed.scheme() {
        // A parser forgives `https:host` and `https:///host`, and takes another part for the host than readers do.
        scheme @ ("https" | "http") => {
            let rest = url.get(scheme.len()..).and_then(|rest| rest.strip_prefix("://"));
            let rest = rest.unwrap_or_default();
            if rest.is_empty() || rest.starts_with(['/', '\\']) {
                return Err(format!("must start with {scheme}:// and then the host"));
            }
        }
        "redis" | "rediss" => {
            return Err(format!(
                "is a redis:// or rediss:// URL, which is for the Redis protocol: put it into {}, or \
                 use the https:// URL of the REST API",
                names.redis_url
            ));
        }
        _ => return Err("must start with https://".to_owned()),
    }
    let Some(host) = parsed.host_str().filter(|host| !host.is_empty()) else {
        return Err("has no host".to_owned());
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(format!(
            "holds a user or password before the host; the REST API takes only the token, in {}",
            names.rest_token
        ));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err("has something after '?' or '#'; remove it".to_owned());
    }
    if parsed.scheme() == "http" && !is_loopback(host) && !allow_plaintext {
        return Err(format!(
            "is http:// to another machine, which would show the token and the data to the \
             network; use https://, or {} in a network you trust",
            names.allow_plaintext
        ));
    }
    Ok(parsed)
}
