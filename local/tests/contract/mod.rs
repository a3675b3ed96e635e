//! The contract with the platform's web client, as a table of recorded request and response pairs:
//! `pairs.jsonl`, one a line, in the order in which they are asked. It is held against the API on a
//! socket (`api`) and against the function behind API Gateway's events (`lambda`).
//!
//! A pair's `as` says whose token the request carries (see [`token`]). What differs from run to run
//! stands in a response as `<time>`, `<number>`, `<text>` or `<object>`; a header that must not be there
//! is `null`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::clock::{Clock, from_iso8601};

/// What the pairs are about, beside the people of `api/people.sql`.
pub(crate) const ROWS: &str = include_str!("rows.sql");

/// What the API signs its tokens with.
pub(crate) const SECRET: &str = "the contract's secret";

/// A recorded pair.
#[derive(Deserialize)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) request: Request,
    pub(crate) response: Response,
}

#[derive(Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    #[serde(rename = "as")]
    caller: Option<String>,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: String,
    /// A body that is no text.
    base64: Option<String>,
    /// A body of so many spaces.
    spaces: Option<usize>,
}

#[derive(Deserialize)]
pub(crate) struct Response {
    status: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    /// `null`: empty.
    body: Value,
}

/// All pairs.
pub(crate) fn pairs() -> Vec<Pair> {
    let lines = include_str!("pairs.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

impl Request {
    /// The headers, token included.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let own = self.headers.iter().map(|(name, value)| (name.clone(), text(value)));
        let bearer = self.caller.as_deref().map(|caller| format!("Bearer {}", token(caller)));
        own.chain(bearer.map(|value| ("authorization".to_owned(), value))).collect()
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        match (&self.base64, self.spaces) {
            (Some(encoded), _) => STANDARD.decode(encoded).unwrap(),
            (None, Some(spaces)) => vec![b' '; spaces],
            (None, None) => self.body.clone().into_bytes(),
        }
    }
}

impl Pair {
    /// Checks an answer against the recorded one.
    pub(crate) fn check(&self, status: u16, header: impl Fn(&str) -> Option<String>, body: &str) {
        let name = &self.name;
        assert_eq!(status, self.response.status, "{name}: {body}");
        for (key, expected) in &self.response.headers {
            let actual = header(key).map_or(Value::Null, Value::from);
            assert!(matches(expected, &actual), "{name}: {key} is {actual} and not {expected}");
        }
        let actual = match body {
            "" => Value::Null,
            body => {
                serde_json::from_str(body).unwrap_or_else(|_| panic!("{name}: no JSON: {body}"))
            }
        };
        let expected = &self.response.body;
        assert!(matches(expected, &actual), "{name}:\n  is       {actual}\n  and not  {expected}");
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn matches(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(kind), actual) if kind.starts_with('<') && kind.ends_with('>') => {
            match kind.as_str() {
                "<time>" => actual.as_str().is_some_and(|text| from_iso8601(text).is_some()),
                "<number>" => actual.is_number(),
                "<text>" => actual.is_string(),
                "<object>" => actual.is_object(),
                _ => panic!("an unknown placeholder: {kind}"),
            }
        }
        (Value::Object(expected), Value::Object(actual)) => {
            expected.len() == actual.len()
                && expected.iter().all(|(key, value)| {
                    actual.get(key).is_some_and(|actual| matches(value, actual))
                })
        }
        (Value::Array(expected), Value::Array(actual)) => {
            expected.len() == actual.len()
                && expected.iter().zip(actual).all(|(expected, actual)| matches(expected, actual))
        }
        (expected, actual) => expected == actual,
    }
}

/// A token: of a user, or one that must not count.
fn token(caller: &str) -> String {
    let now = Clock::System.now_ms() / 1000;
    let claims = |user: &str, exp: i64| json!({ "sub": user, "email": format!("{user}@example.com"), "role": "USER", "iat": exp - 600, "exp": exp });
    let good = claims("owner", now + 600);
    let half_way = {
        let mut claims = good.clone();
        claims["twoFactor"] = true.into();
        claims
    };
    match caller {
        "malformed" => "a.b.c".to_owned(),
        "expired" => sign("HS256", &claims("owner", now - 1), SECRET, hmac::HMAC_SHA256),
        "half-way" => sign("HS256", &half_way, SECRET, hmac::HMAC_SHA256),
        "forged" => sign("HS256", &good, "another secret", hmac::HMAC_SHA256),
        "hs512" => sign("HS512", &good, SECRET, hmac::HMAC_SHA512),
        "unsigned" => {
            let signed = sign("none", &good, SECRET, hmac::HMAC_SHA256);
            format!("{}.", signed.rsplit_once('.').unwrap().0)
        }
        user => sign("HS256", &claims(user, now + 600), SECRET, hmac::HMAC_SHA256),
    }
}

fn sign(algorithm: &str, claims: &Value, secret: &str, with: hmac::Algorithm) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}", part(&json!({ "alg": algorithm, "typ": "JWT" })), part(claims));
    let key = hmac::Key::new(with, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, unsigned.as_bytes()));
    format!("{unsigned}.{signature}")
}
