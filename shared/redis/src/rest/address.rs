//! Checks the REST URL and its token before the first request.

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::url::rest_url;
use crate::endpoint::Names;
use crate::error::Error;
use crate::plaintext::is_loopback;
use crate::secret::Secret;

/// Where requests go and what authorizes them.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) base: Url,
    pub(super) authorization: HeaderValue,
    /// The server is on this machine.
    pub(super) local: bool,
}

impl Address {
    /// Checks the two as the settings are checked, whoever made them.
    pub(super) fn parse(
        url: &str,
        token: &Secret,
        allow_plaintext: bool,
        names: &Names,
    ) -> Result<Self, Error> {
        let secret = token.expose();
        let base = rest_url(url, secret, allow_plaintext, names).map_err(Error::configuration)?;
        let local = base.host_str().is_some_and(is_loopback);
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {secret}")).map_err(|_| {
                let token = names.rest_token;
                Error::configuration(format!(
                    "{token} has characters that no token has; copy it again"
                ))
            })?;
        authorization.set_sensitive(true);
        Ok(Self { base, authorization, local })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ErrorKind;

    const NAMES: Names = Names {
        rest_url: "REST_URL",
        rest_token: "REST_TOKEN",
        redis_url: "REDIS_URL",
        allow_plaintext: "set PLAINTEXT=true",
        authorities: "REDIS_CA",
        prefix: "PREFIX",
    };

    fn parse(url: &str, token: &str) -> Result<Address, String> {
        Address::parse(url, &Secret::new(token), false, &NAMES).map_err(|error| {
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
            ("https:x.upstash.io", token, "must start with https:// and then the host"),
            ("https:canary/https://x", token, "must start with https:// and then the host"),
            ("HTTPS:///x.upstash.io", token, "must start with https:// and then the host"),
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
        assert!(!parse("HTTPS://eu1-x-1.upstash.io", "AX==").unwrap().local);
        assert!(parse("http://127.0.0.1:8080/", "AX==").unwrap().local);
        assert!(parse("http://[::1]:8080", "AX==").unwrap().local);
        let remote =
            Address::parse("http://redis.internal", &Secret::new("AX=="), true, &NAMES).unwrap();
        assert!(!remote.local);
        assert!(!format!("{remote:?}").contains("AX=="));
    }
}
