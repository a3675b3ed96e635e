//! What a request may bring: ids in the path, a body, a query, an idempotency key. Everything is
//! checked here, before anything else is touched.

use std::ops::RangeInclusive;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};
use shared::store::{MAX_ID_CHARS, ProjectId, is_id};

use crate::encoding::unpacked;
use crate::error::Error;

/// The largest body that is read.
pub(crate) const MAX_BODY: usize = 256 * 1024;

/// The longest idempotency key, in characters.
const MAX_IDEMPOTENCY_KEY: usize = 255;

/// The `{id}` of a route, percent-decoded.
pub(crate) struct Id(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) if is_id(&id) => Ok(Self(id)),
            _ => Err(no_id()),
        }
    }
}

/// The `{id}` of a route about a project that gets a job, percent-decoded.
pub(crate) struct Project(pub(crate) ProjectId);

impl<S: Send + Sync> FromRequestParts<S> for Project {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Id(id) = Id::from_request_parts(parts, state).await?;
        ProjectId::parse(id).map(Self).map_err(|_| no_id())
    }
}

fn no_id() -> Error {
    let must = "The id in the path must be";
    Error::BadRequest(format!("{must} 1 to {MAX_ID_CHARS} characters of UTF-8 without NUL").into())
}

/// A body that is JSON or empty, and may come as gzip.
pub(crate) struct Body<T>(pub(crate) Option<T>);

/// The form of a body.
pub(crate) trait Form: DeserializeOwned {
    /// Says what the body must look like.
    const EXPECTED: &'static str;

    /// Whether its parts are as that says, where their types do not tell.
    fn is_valid(&self) -> bool {
        true
    }
}

impl<T: Form> Body<T> {
    /// What it holds.
    ///
    /// # Errors
    /// It is empty.
    pub(crate) fn required(self) -> Result<T, Error> {
        self.0.ok_or(Error::bad_request(T::EXPECTED))
    }
}

impl<S: Send + Sync, T: Form> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let headers = request.headers().clone();
        // The limit is the router's `DefaultBodyLimit`.
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Error::TooLarge
            } else {
                Error::bad_request("The body ended before its announced length")
            }
        })?;
        parse(&unpacked(&headers, body)?).map(Self)
    }
}

fn parse<T: Form>(body: &[u8]) -> Result<Option<T>, Error> {
    let body = body.trim_ascii();
    if body.is_empty() {
        return Ok(None);
    }
    if serde_json::from_slice::<IgnoredAny>(body).is_err() {
        return Err(Error::bad_request("The body is not valid JSON"));
    }
    // serde would take an array for a struct.
    let object = body.first() == Some(&b'{');
    let form = if object { serde_json::from_slice(body).ok() } else { None };
    form.filter(T::is_valid).map(Some).ok_or(Error::bad_request(T::EXPECTED))
}

/// The query's parameters, decoded; a parameter may come once.
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// The value of `name`, if it was given.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, Error> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (value, None) => Ok(value.map(String::as_str)),
            _ => Err(Error::bad_request("A query parameter was given more than once")),
        }
    }
}

/// The number that a parameter's text holds; `None` where it is none of `range`.
pub(crate) fn number(text: Option<&str>, default: u32, range: RangeInclusive<u32>) -> Option<u32> {
    let Some(text) = text else { return Some(default) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && range.contains(number))
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(_) => Err(Error::bad_request("The query cannot be read")),
        }
    }
}

/// The `Idempotency-Key` header, if there is one.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(Self(None)),
            (Some(value), None) => match value.to_str() {
                Ok(key) if is_idempotency_key(key) => Ok(Self(Some(key.to_owned()))),
                _ => Err(Error::bad_request(
                    "Idempotency-Key must be 1 to 255 visible ASCII characters",
                )),
            },
            _ => Err(Error::bad_request("Idempotency-Key was given more than once")),
        }
    }
}

fn is_idempotency_key(key: &str) -> bool {
    (1..=MAX_IDEMPOTENCY_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Sample {
        n: Option<u8>,
    }

    impl Form for Sample {
        const EXPECTED: &'static str = "expected";
    }

    #[test]
    fn a_body_is_an_object_or_nothing() {
        assert_eq!(parse::<Sample>(b""), Ok(None));
        assert_eq!(parse::<Sample>(b" \r\n"), Ok(None));
        assert_eq!(parse(b" {\"n\": 3, \"more\": []}"), Ok(Some(Sample { n: Some(3) })));
        assert_eq!(parse(b"{\"n\": null}"), Ok(Some(Sample { n: None })));
        for wrong in ["[3]", "[]", "null", "3", "\"x\"", "{\"n\": \"3\"}", "{\"n\": 256}"] {
            let error = parse::<Sample>(wrong.as_bytes()).unwrap_err();
            assert_eq!(error, Error::bad_request("expected"), "{wrong}");
        }
        let deep = "[".repeat(100_000);
        for bad in ["{", "{'n': 3}", "[3", "{\"n\": 3} {", "\u{feff}{}", "x", &deep] {
            let error = parse::<Sample>(bad.as_bytes()).unwrap_err();
            assert_eq!(error, Error::bad_request("The body is not valid JSON"), "{bad:.20}");
        }
        assert!(parse::<Sample>(b"{\"n\": \xff}").is_err());
    }

    #[test]
    fn a_parameter_comes_once() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let params = Params(vec![pair("a", "1"), pair("b", ""), pair("c", "1"), pair("c", "1")]);
        assert_eq!(params.get("a"), Ok(Some("1")));
        assert_eq!(params.get("b"), Ok(Some("")));
        assert_eq!(params.get("z"), Ok(None));
        assert!(params.get("c").is_err());
    }
}
