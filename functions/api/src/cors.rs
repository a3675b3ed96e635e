//! Requests of the web application's pages, which have another origin than the API.
//!
//! Where API Gateway stands in front, it answers preflights itself and writes these headers anew, by the settings
//! of `template.yaml`. On a developer's machine and behind a function URL it is this that does.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::CorsLayer;

/// What a request may bring.
const ALLOWED: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    HeaderName::from_static("idempotency-key"),
    header::IF_NONE_MATCH,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// What a page may read of an answer.
const EXPOSED: [HeaderName; 5] = [
    header::ETAG,
    header::LINK,
    header::RETRY_AFTER,
    HeaderName::from_static("x-job-id"),
    HeaderName::from_static("x-deduplicated"),
];

/// How long a browser remembers the answer to a preflight.
const MAX_AGE: Duration = Duration::from_secs(3_600);

/// What lets pages of `origins` in; `None` where there are no such pages.
pub(crate) fn layer(origins: &[String]) -> Option<CorsLayer> {
    // An origin is ASCII.
    let origins: Vec<_> = origins.iter().filter_map(|it| HeaderValue::from_str(it).ok()).collect();
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::OPTIONS])
        .allow_headers(ALLOWED)
        .expose_headers(EXPOSED)
        .max_age(MAX_AGE);
    if origins.is_empty() { None } else { Some(layer.allow_origin(origins)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_gateway_has_the_same_settings() {
        let template = include_str!("../../../template.yaml");
        for (setting, headers) in [("AllowHeaders", &ALLOWED[..]), ("ExposeHeaders", &EXPOSED[..])]
        {
            let names: Vec<&str> = headers.iter().map(HeaderName::as_str).collect();
            let line = format!("{setting}: [{}]", names.join(", "));
            assert!(template.contains(&line), "{line}");
        }
        assert!(template.contains(&format!("MaxAge: {}", MAX_AGE.as_secs())));
        assert!(template.contains("AllowMethods: [GET, HEAD, POST, OPTIONS]"));
    }
}
