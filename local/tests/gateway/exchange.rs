//! One HTTP exchange of a table: what is sent, and what must come back.

use serde_json::Value;

use crate::http::{self, Answer};

/// What the body must be.
pub(crate) enum Body {
    Any,
    Json(Value),
    /// `{"error": ...}` with exactly this message.
    Error(&'static str),
    /// An error with this code, in whatever words: Redis and Valkey have their own.
    Code(&'static str),
    Bytes(&'static [u8]),
}

/// A request and its answer. In path, headers and body `{p}` is the prefix of all keys.
pub(crate) struct Exchange {
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    status: u16,
    expected: Body,
    expected_headers: Vec<(&'static str, &'static str)>,
    pub(crate) gateway_only: bool,
    token: bool,
}

pub(crate) fn request(method: &'static str, path: &'static str) -> Exchange {
    Exchange {
        method,
        path,
        headers: Vec::new(),
        body: Vec::new(),
        status: 200,
        expected: Body::Any,
        expected_headers: Vec::new(),
        gateway_only: false,
        token: true,
    }
}

/// `POST /` with a command.
pub(crate) fn command(json: &str) -> Exchange {
    request("POST", "/").body(json)
}

pub(crate) fn pipeline(json: &str) -> Exchange {
    request("POST", "/pipeline").body(json)
}

pub(crate) fn transaction(json: &str) -> Exchange {
    request("POST", "/multi-exec").body(json)
}

impl Exchange {
    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn base64(self) -> Self {
        self.with("Upstash-Encoding", "base64")
    }

    pub(crate) fn resp2(self) -> Self {
        self.with("Upstash-Response-Format", "resp2")
    }

    /// Sends no `Authorization` of its own.
    pub(crate) fn without_token(mut self) -> Self {
        self.token = false;
        self
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Expects a result.
    pub(crate) fn gives(self, result: Value) -> Self {
        self.json(serde_json::json!({ "result": result }))
    }

    pub(crate) fn json(mut self, json: Value) -> Self {
        self.expected = Body::Json(json);
        self.header("content-type", "application/json")
    }

    /// Expects a 400 whose message begins with this code.
    pub(crate) fn fails_with_code(mut self, code: &'static str) -> Self {
        self.expected = Body::Code(code);
        self.status(400).header("content-type", "application/json")
    }

    /// Expects a 400 with this message.
    pub(crate) fn fails(mut self, message: &'static str) -> Self {
        self.expected = Body::Error(message);
        self.status(400).header("content-type", "application/json")
    }

    pub(crate) fn bytes(mut self, bytes: &'static [u8]) -> Self {
        self.expected = Body::Bytes(bytes);
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.expected_headers.push((name, value));
        self
    }

    /// The documentation leaves open what is expected here (mostly the words).
    pub(crate) fn gateway_only(mut self) -> Self {
        self.gateway_only = true;
        self
    }

    /// Sends the request and checks the answer.
    pub(crate) async fn check(&self, url: &str, token: &str, prefix: &str) {
        let fill = |text: &str| text.replace("{p}", prefix).replace("{token}", token);
        let mut headers: Vec<(&str, String)> =
            self.headers.iter().map(|(name, value)| (*name, fill(value))).collect();
        let host = url.split("://").nth(1).unwrap().trim_end_matches('/').to_owned();
        headers.push(("Host", host));
        if self.token {
            headers.push(("Authorization", format!("Bearer {token}")));
        }
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = match std::str::from_utf8(&self.body) {
            Ok(text) => fill(text).into_bytes(),
            Err(_) => self.body.clone(),
        };
        let bytes = http::request(self.method, &fill(self.path), &headers, &body);
        let answer = http::exchange(url, &bytes).await.unwrap();
        self.compare(&answer, &fill);
    }

    fn compare(&self, answer: &Answer, fill: &impl Fn(&str) -> String) {
        let sent = String::from_utf8_lossy(&self.body);
        let name = format!("{} {} {sent}: {}", self.method, self.path, answer.text());
        assert_eq!(answer.status, self.status, "{name}");
        assert!(answer.header("upstash-sync-token").is_some(), "{name}");
        for (header, value) in &self.expected_headers {
            let found = answer.header(header).unwrap_or_default();
            // A live database adds `; charset=utf-8`.
            let found = found.split(';').next().unwrap_or_default();
            assert_eq!(found, *value, "{header} of {name}");
        }
        match &self.expected {
            Body::Any => {}
            Body::Json(json) => {
                let json: Value = serde_json::from_str(&fill(&json.to_string())).unwrap();
                assert_eq!(answer.json(), json, "{name}");
            }
            Body::Error(message) => {
                assert_eq!(answer.json(), serde_json::json!({ "error": message }), "{name}");
            }
            Body::Code(code) => {
                let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
                assert_eq!(error.split(' ').next(), Some(*code), "{name}");
            }
            Body::Bytes(bytes) => assert_eq!(answer.body, *bytes, "{name}"),
        }
    }
}
