//! Content codings: request bodies come plain or as gzip, and long answers go as gzip to who takes it.

use std::io::{self, Read as _, Write as _};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::error::Error;
use crate::input::MAX_BODY;

/// Shorter answers go as they are: a packet holds one.
const WORTH_PACKING: usize = 2_048;

/// The body of a request with these headers, as it was before it was coded.
///
/// # Errors
/// A 415 for a coding that is not gzip, a 400 for what is no gzip, a 413 for what is too long unpacked.
pub(crate) fn unpacked(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Error> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let coding = codings.next().map(HeaderValue::as_bytes).unwrap_or(b"identity");
    if codings.next().is_some() {
        return Err(Error::UnknownCoding);
    }
    if body.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
        return Ok(body);
    }
    if !coding.eq_ignore_ascii_case(b"gzip") {
        return Err(Error::UnknownCoding);
    }
    let mut text = Vec::new();
    // No further than it takes to know that it is too long.
    let mut inflated = MultiGzDecoder::new(&body[..]).take(MAX_BODY as u64 + 1);
    match inflated.read_to_end(&mut text) {
        Ok(length) if length > MAX_BODY => Err(Error::TooLarge),
        Ok(_) => Ok(text.into()),
        Err(_) => Err(Error::bad_request("The body is not the gzip that Content-Encoding says")),
    }
}

/// The middleware that packs answers.
pub(crate) async fn pack(request: Request, next: Next) -> Response {
    let wanted = takes_gzip(request.headers());
    let response = next.run(request).await;
    let is_packed = response.headers().contains_key(header::CONTENT_ENCODING);
    if is_packed || !response.headers().contains_key(header::CONTENT_TYPE) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // All of our answers are in memory already.
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return Error::internal(&"an answer ended early").into_response();
    };
    if body.len() < WORTH_PACKING {
        return Response::from_parts(parts, body.into());
    }
    parts.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    let packed = if wanted { gzip(&body).ok() } else { None };
    let Some(packed) = packed else { return Response::from_parts(parts, body.into()) };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    // A strong one stands for the same bytes.
    let tag = parts.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    if let Some(Ok(weak)) = tag.map(|tag| HeaderValue::from_str(&format!("W/{tag}"))) {
        parts.headers.insert(header::ETAG, weak);
    }
    Response::from_parts(parts, Body::from(packed))
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(body)?;
    packed.finish()
}

/// Whether `Accept-Encoding` has gzip, and not as what it refuses.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|coding| coding.split_once(';').unwrap_or((coding, "")))
        .any(|(coding, weight)| {
            let weight = weight.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse().ok());
            coding.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|q: f32| q > 0.0)
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn gzip_is_sent_to_who_takes_it() {
        let takes = |value: &str| {
            let headers = [(header::ACCEPT_ENCODING, value.parse().unwrap())];
            takes_gzip(&HeaderMap::from_iter(headers))
        };
        for yes in ["gzip", "br, gzip", "deflate,GZIP;q=0.5"] {
            assert!(takes(yes), "{yes}");
        }
        for no in ["", "br", "gzip;q=0", "identity, gzip;q=0.0", "x-gzip"] {
            assert!(!takes(no), "{no}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_body_is_unpacked_as_far_as_it_may_go() {
        let unpack = |coding: &str, body: &[u8]| {
            let headers = [(header::CONTENT_ENCODING, coding.parse().unwrap())];
            unpacked(&HeaderMap::from_iter(headers), Bytes::copy_from_slice(body))
        };
        let packed = gzip(b"{}").unwrap();
        for coding in ["gzip", "GZIP"] {
            assert_eq!(unpack(coding, &packed).unwrap(), "{}");
        }
        assert_eq!(unpack("gzip", &packed.repeat(2)).unwrap(), "{}{}");
        assert_eq!(unpack("identity", b"{}").unwrap(), "{}");
        assert_eq!(unpack("gzip", b"").unwrap(), "", "there is none");
        for coding in ["br", "", "gzip, gzip", "x-gzip", "deflate"] {
            assert_eq!(unpack(coding, &packed), Err(Error::UnknownCoding), "{coding}");
        }
        let longest = vec![b' '; MAX_BODY];
        assert_eq!(unpack("gzip", &gzip(&longest).unwrap()).unwrap().len(), MAX_BODY);
        let bomb = gzip(&vec![b' '; 4 << 20]).unwrap();
        assert_eq!(unpack("gzip", &bomb), Err(Error::TooLarge));
        for broken in [&packed[..packed.len() - 1], b"{}"] {
            assert!(matches!(unpack("gzip", broken), Err(Error::BadRequest(_))), "{broken:?}");
        }
    }
}
