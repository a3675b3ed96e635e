//! `UPSTASH_REDIS_REST_URL` and `UPSTASH_REDIS_REST_TOKEN`, checked before the first request.

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::super::error::Error;
use super::super::plaintext::is_loopback;
use crate::config::Secret;

/// Where requests go and what authorizes them.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) base: Url,
    pub(super) authorization: HeaderValue,
    /// The server is on this machine.
    pub(super) local: bool,
}

impl Address {
    /// Checks what people get wrong when they copy the two from a console, one sentence each.
    pub(super) fn parse(url: &str, token: &Secret, allow_plaintext: bool) -> Result<Self, Error> {
        let secret = token.expose();
        check_spelling("UPSTASH_REDIS_REST_URL", url)?;
        check_spelling("UPSTASH_REDIS_REST_TOKEN", secret)?;
        if secret.contains("://") && !url.contains("://") {
            return Err(Error::configuration(
                "UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN are swapped: the token holds \
                 a URL",
            ));
        }
        if secret.contains("://") {
            return Err(Error::configuration(
                "UPSTASH_REDIS_REST_TOKEN holds a URL; copy the token from the database's REST \
                 section",
            ));
        }
        let (base, local) = parse_url(url, allow_plaintext)?;
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {secret}")).map_err(|_| {
                Error::configuration(
                    "UPSTASH_REDIS_REST_TOKEN has characters that no token has; copy it again",
                )
            })?;
        authorization.set_sensitive(true);
        Ok(Self { base, authorization, local })
    }
}

/// White space and quotes, which copy and paste brings along.
fn check_spelling(variable: &str, value: &str) -> Result<(), Error> {
    let wrong = if value.is_empty() {
        "is empty"
    } else if value.chars().any(char::is_whitespace) {
        "has white space or a line break in it; remove it"
    } else if value.contains(['"', '\'']) {
        "has quotation marks in it; remove them"
    } else {
        return Ok(());
    };
    Err(Error::configuration(format!("{variable} {wrong}")))
}

fn parse_url(url: &str, allow_plaintext: bool) -> Result<(Url, bool), Error> {
    let fail = |wrong: &str| Err(Error::configuration(format!("UPSTASH_REDIS_REST_URL {wrong}")));
    // The value is not repeated in what follows: it may be the token after all.
    let Ok(parsed) = Url::parse(url) else {
        return fail("is not a URL; it looks like https://<name>.upstash.io");
    };
    match parsed.scheme() {
        "https" | "http" => {}
        "redis" | "rediss" => {
            return fail(
                "is a redis:// or rediss:// URL, which is for the Redis protocol: put it into \
                 REDIS_URL, or use the https:// URL of the REST API",
            );
        }
        _ => return fail("must start with https://"),
    }
    let Some(host) = parsed.host_str().filter(|host| !host.is_empty()) else {
        return fail("has no host");
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return fail(
            "holds a user or password before the host; the REST API takes only the token, in \
             UPSTASH_REDIS_REST_TOKEN",
        );
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return fail("has something after '?' or '#'; remove it");
    }
    let local = is_loopback(host);
    if parsed.scheme() == "http" && !local && !allow_plaintext {
        return fail(
            "is http:// to another machine, which would show the token and the data to the \
             network; use https://, or set REDIS_ALLOW_PLAINTEXT=true in a network you trust",
        );
    }
    Ok((parsed, local))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::redis::ErrorKind;

    fn parse(url: &str, token: &str) -> Result<Address, String> {
        Address::parse(url, &Secret::new(token), false).map_err(|error| {
            assert_eq!(error.kind, ErrorKind::Configuration);
            error.to_string()
        })
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        let good = "https://eu1-x-1.upstash.io";
        let token = "AXcanarytoken==";
        let cases = [
            ("", token, "REST_URL is empty"),
            (good, "", "REST_TOKEN is empty"),
            (" https://x.upstash.io", token, "REST_URL has white space"),
            ("https://x.upstash.io\n", token, "REST_URL has white space"),
            (good, "AXcanarytoken==\n", "REST_TOKEN has white space"),
            (good, "\"AXcanarytoken==\"", "REST_TOKEN has quotation marks"),
            (token, good, "are swapped"),
            (good, good, "REST_TOKEN holds a URL"),
            (good, "canary\u{7f}", "characters that no token has"),
            ("eu1-x-1.upstash.io", token, "is not a URL"),
            ("rediss://default:pw-canary@x.upstash.io:6379", token, "put it into REDIS_URL"),
            ("redis://x.upstash.io:6379", token, "put it into REDIS_URL"),
            ("ftp://x.upstash.io", token, "must start with https://"),
            ("https://", token, "is not a URL"),
            ("https://user:pw-canary@x.upstash.io", token, "holds a user or password"),
            ("https://x.upstash.io/?_token=canary", token, "after '?' or '#'"),
            ("http://x.upstash.io", token, "http:// to another machine"),
        ];
        for (url, token, sentence) in cases {
            let error = parse(url, token).unwrap_err();
            assert!(error.contains(sentence), "{error:?} has no {sentence:?}");
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn good_ones_pass() {
        assert!(!parse("https://eu1-x-1.upstash.io", "AX==").unwrap().local);
        assert!(parse("http://127.0.0.1:8080/", "AX==").unwrap().local);
        assert!(parse("http://[::1]:8080", "AX==").unwrap().local);
        let remote = Address::parse("http://redis.internal", &Secret::new("AX=="), true).unwrap();
        assert!(!remote.local);
        assert!(!format!("{remote:?}").contains("AX=="));
    }
}
