//! Serves the console: one page and its script, which ask the routes of this API from the browser.
//!
//! The page is asked for each time and answered with 304 while it has not changed. Its script, with the style
//! sheet in it, has its digest in its name and is kept for a year: what a visit costs is one request. Nothing
//! else may run, by the digest in the page's policy, and nothing may frame the page but the web application.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{Digest, SHA256, digest};

use crate::Api;
use crate::encoding::takes_gzip;
use crate::etag::tagged_text;

const PAGE: &str = include_str!("../console/index.html");

/// Made by `build.rs`.
const SCRIPT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/console.js"));
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/console.js.gz"));

static DIGEST: LazyLock<Digest> = LazyLock::new(|| digest(&SHA256, SCRIPT));

/// Where the script is, which changes as it does.
static SCRIPT_PATH: LazyLock<String> =
    LazyLock::new(|| format!("/console/{}.js", URL_SAFE_NO_PAD.encode(&DIGEST.as_ref()[..12])));

/// How browsers and policies name the script.
static INTEGRITY: LazyLock<String> =
    LazyLock::new(|| format!("sha256-{}", STANDARD.encode(DIGEST.as_ref())));

/// The console's routes. They take no token: there is nothing of anybody in the page.
pub(crate) fn routes() -> Router<Api> {
    let router = Router::new().route("/console", get(page)).route("/console/", get(page));
    router.route(&SCRIPT_PATH, get(script))
}

/// Who may frame the page and hand it a token is in the page, and in its policy.
async fn page(State(api): State<Api>, headers: HeaderMap) -> Response {
    let origins = api.origins().join(" ");
    let body = PAGE
        .replace("{origins}", &origins)
        .replace("{script}", &SCRIPT_PATH)
        .replace("{integrity}", &INTEGRITY);
    let frames = if origins.is_empty() { "'none'" } else { &origins };
    let policy = format!(
        "default-src 'none'; script-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors {frames}; require-trusted-types-for 'script'",
        *INTEGRITY
    );
    let mut response = tagged_text(&headers, "text/html; charset=utf-8", body.into_bytes());
    secure(response.headers_mut());
    // Origins are ASCII.
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

async fn script(headers: HeaderMap) -> Response {
    let packed = takes_gzip(&headers);
    let body = if packed { PACKED } else { SCRIPT };
    let mut response = tagged_text(&headers, "text/javascript; charset=utf-8", body);
    let headers = response.headers_mut();
    secure(headers);
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, forever);
    // Packed better, and once, than each answer is.
    if packed {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assets_stay_small() {
        let packed = PACKED.len() + PAGE.len();
        assert!(packed <= 40_000, "{packed} bytes");
    }
}
