//! Answers conditional reads: a strong tag over the body, and 304 when the client has it already.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use serde::Serialize;

use crate::error::Error;

/// Answers `body` as JSON with its tag, or 304 without it. The answer is one user's, and a cache
/// must ask each time.
pub(crate) fn tagged<T: Serialize>(request: &HeaderMap, body: &T) -> Result<Response, Error> {
    let body = serde_json::to_vec(body).map_err(|error| Error::internal(&error))?;
    Ok(tagged_text(request, "application/json", body))
}

/// The same of a body of another type.
pub(crate) fn tagged_text(
    request: &HeaderMap,
    kind: &'static str,
    body: impl AsRef<[u8]> + IntoResponse,
) -> Response {
    let digest = digest::digest(&digest::SHA256, body.as_ref());
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16]));
    let mut response = if matches(request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], body).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Whether `If-None-Match` names `tag`, weakly compared as RFC 9110 has it for reads.
fn matches(request: &HeaderMap, tag: &str) -> bool {
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn status(if_none_match: Option<&str>, body: &str) -> (StatusCode, String) {
        let mut request = HeaderMap::new();
        if let Some(value) = if_none_match {
            request.insert(header::IF_NONE_MATCH, value.parse().unwrap());
        }
        let response = tagged(&request, &body).unwrap();
        let tag = response.headers()[header::ETAG].to_str().unwrap().to_owned();
        (response.status(), tag)
    }

    #[test]
    fn a_known_body_is_not_sent_again() {
        let (first, tag) = status(None, "a");
        assert_eq!(first, StatusCode::OK);
        for known in [&tag, "*", &format!("W/{tag}"), &format!("\"x\", {tag}")] {
            assert_eq!(status(Some(known), "a").0, StatusCode::NOT_MODIFIED, "{known}");
        }
        for other in ["\"x\"", "", &tag.replace('"', "")] {
            assert_eq!(status(Some(other), "a").0, StatusCode::OK, "{other}");
        }
        assert_eq!(status(Some(&tag), "b").0, StatusCode::OK);
    }
}
