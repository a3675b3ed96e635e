//! A database with a few users and projects, a queue of its own, and the API in front of both,
//! listening on a real port.

use std::ops::Deref;

use api::{Api, Claims};
use fixture::PEOPLE;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use shared::clock::Clock;
use shared::config::{Config, Endpoint, Secret};
use shared::queue::{Claim, ClaimRequest, Queue, Settlement};
use shared::redis::{Command, Redis};
use tokio::net::TcpListener;

pub(crate) const SECRET: &str = "a secret of this test";

/// One API with its own database and its own prefix in Redis.
pub(crate) struct World {
    servers: fixture::World,
    pub(crate) base: String,
    pub(crate) config: Config,
    http: reqwest::Client,
}

impl Deref for World {
    type Target = fixture::World;

    fn deref(&self) -> &fixture::World {
        &self.servers
    }
}

/// What the API answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl World {
    /// Users `owner`, `other`, `viewer`, `editor`, `admin`; projects `p1` to `p3` of `owner`, `q1`
    /// of `other`.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same with other settings; an empty one is taken away.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        Self::of(fixture::World::builder().redis(), settings).await
    }

    /// The same with a Redis of its own, which may be filled, demoted or broken.
    pub(crate) async fn with_own_redis() -> Self {
        Self::with_own_redis_and(&[]).await
    }

    pub(crate) async fn with_own_redis_and(settings: &[(&str, &str)]) -> Self {
        Self::of(fixture::World::builder().own_redis(), settings).await
    }

    async fn of(builder: fixture::Builder, settings: &[(&str, &str)]) -> Self {
        let mut servers = builder.database(PEOPLE).set("JWT_SECRET", SECRET);
        for (name, value) in settings {
            servers = servers.set(name, value);
        }
        let servers = servers.start().await;
        let config = servers.config();
        let base = serve(Api::new(&config).unwrap()).await;
        Self { servers, base, config, http: reqwest::Client::new() }
    }

    /// Serves the same as this user of Redis, who has these rules beside `~* +@all`.
    pub(crate) async fn serve_as(&mut self, user: &str, rules: &[&str]) {
        let acl = ["SETUSER", user, "on", ">pw", "~*", "+@all"];
        let acl = acl.iter().chain(rules).copied();
        self.redis().call(Command::new("ACL").args(acl)).await.unwrap();
        let Some(Endpoint::Tcp { url, .. }) = &self.config.redis else { panic!("not TCP") };
        let url = url.expose().replace("redis://", &format!("redis://{user}:pw@"));
        let redis = Endpoint::Tcp { url: Secret::new(url), allow_plaintext: false };
        let config = Config { redis: Some(redis), ..self.config.clone() };
        self.base = serve(Api::new(&config).unwrap()).await;
    }

    /// Serves the same from a process that remembers nothing.
    pub(crate) async fn serve_anew(&mut self) {
        self.base = serve(Api::new(&self.config).unwrap()).await;
    }

    /// A client of its Redis.
    pub(crate) fn redis(&self) -> Redis {
        Redis::new(self.config.redis.as_ref().unwrap()).unwrap()
    }

    pub(crate) fn queue(&self) -> Queue {
        Queue::new(self.redis(), &self.config.queue, Clock::System)
    }

    /// Makes the next waiting job active.
    pub(crate) async fn claim(&self) -> Claim {
        let one =
            ClaimRequest { count: 1, wait: true, delayed: false, prioritized: false, lock: None };
        self.queue().claim(one).await.unwrap()
    }

    /// Ends what [`World::claim`] gave.
    pub(crate) async fn settle(&self, claim: Claim, how: Settlement) {
        let job = claim.jobs.into_iter().next().unwrap();
        self.queue().settle(&claim.token, &[(job, how)]).await.unwrap();
    }

    /// The keys of this world in Redis.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let pattern = format!("{}:*", self.config.queue.prefix);
        let keys = self.redis().call(Command::new("KEYS").arg(pattern)).await.unwrap();
        keys.as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect()
    }

    /// A field of a job's hash.
    pub(crate) async fn job_field(&self, id: &str, field: &str) -> Option<String> {
        let key = format!("{}:{}:{id}", self.config.queue.prefix, self.config.queue.name);
        let value = self.redis().call(Command::new("HGET").arg(key).arg(field)).await.unwrap();
        value.as_str().map(str::to_owned)
    }

    pub(crate) async fn get(&self, user: &str, path: &str) -> Answer {
        self.send(Method::GET, user, path, &[], "").await
    }

    pub(crate) async fn post(&self, user: &str, path: &str, body: &str) -> Answer {
        self.send(Method::POST, user, path, &[], body.to_owned()).await
    }

    /// A request of `user`, or of nobody where that is empty.
    pub(crate) async fn send(
        &self,
        method: Method,
        user: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).body(body);
        if !user.is_empty() {
            request = request.bearer_auth(token(user));
        }
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request = request.header(name.parse::<HeaderName>().unwrap(), value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }
}

/// A valid token of `user`.
pub(crate) fn token(user: &str) -> String {
    let now = Clock::System.now_ms() / 1000;
    let claims = Claims {
        sub: user.to_owned(),
        email: format!("{user}@example.com"),
        role: "USER".to_owned(),
        iat: now,
        exp: now + 600,
    };
    api::sign(&Secret::new(SECRET), &claims).unwrap()
}

pub(crate) async fn serve(api: Api) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, api::router(api)).await.unwrap() });
    base
}

/// Checks that `answer` is the documented error, in every part.
#[track_caller]
pub(crate) fn assert_error(answer: &Answer, status: u16, error: &str, message: &str, path: &str) {
    let mut body = answer.json();
    let timestamp = body["timestamp"].take();
    let timestamp = timestamp.as_str().unwrap();
    let at = shared::clock::from_iso8601(timestamp).unwrap();
    assert_eq!(shared::clock::to_iso8601(at), timestamp);
    assert!((Clock::System.now_ms() - at).abs() < 60_000, "{timestamp}");
    let code = match status {
        409 => "RECOMPUTE_UNDER_WAY",
        422 => "IDEMPOTENCY_KEY_REUSED",
        429 => "TOO_MANY_REQUESTS",
        500 => "INTERNAL_ERROR",
        _ => "HTTP_ERROR",
    };
    assert_eq!(
        body,
        serde_json::json!({
            "statusCode": status,
            "error": error,
            "message": message,
            "code": code,
            "path": path,
            "timestamp": null,
        }),
    );
    assert_eq!(answer.status, status);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(StatusCode::from_u16(status).unwrap().is_client_error() || status >= 500);
}
