//! What `deo permissions` prints is enough, and none of it too much: the functions at work as users and roles
//! that may do exactly that.

mod postgres;
mod redis;

use std::collections::BTreeMap;
use std::time::Duration;

use api::{Api, Claims};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use cron::Cron;
use drain::Drain;
use fixture::config;
use lambda_http::tower::ServiceExt as _;
use serde_json::Value;
use shared::clock::Clock;
use shared::config::Secret;
use tokio::time::Instant;

const SECRET: &str = "a secret of this test";

/// A request to an API with these settings, by `user`.
struct Asked<'a> {
    user: &'a str,
    method: &'a str,
    path: &'a str,
    headers: Vec<(&'a str, String)>,
    body: String,
}

impl<'a> Asked<'a> {
    fn new(user: &'a str, method: &'a str, path: &'a str) -> Self {
        Self { user, method, path, headers: Vec::new(), body: String::new() }
    }

    /// The status and the body.
    async fn of(self, api: &Api) -> (u16, Value) {
        let now = Clock::System.now_ms() / 1000;
        let claims = Claims {
            sub: self.user.to_owned(),
            email: String::new(),
            role: String::new(),
            iat: now,
            exp: now + 600,
        };
        let token = api::sign(&Secret::new(SECRET), &claims).unwrap();
        let mut request = Request::builder().method(self.method).uri(self.path);
        request = request.header("authorization", format!("Bearer {token}"));
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(self.body)).unwrap();
        let response = api::router(api.clone()).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }
}

fn api(env: &BTreeMap<String, String>) -> Api {
    Api::new(&config(env)).unwrap()
}

/// One tick of a new drain.
async fn tick(env: &BTreeMap<String, String>) -> shared::engine::Report {
    Drain::new(&config(env)).unwrap().tick(Instant::now() + Duration::from_secs(20)).await
}

/// One night of a new `cron`, which has this much time.
async fn night(env: &BTreeMap<String, String>, time: Duration) -> cron::Report {
    Cron::new(&config(env)).unwrap().tick(Instant::now() + time).await
}
