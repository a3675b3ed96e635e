//! The REST gateway, at the level of bytes, against a real Redis.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod http;
mod transactions;

use local::{
    gateway::{Gateway, GatewayConfig},
    servers::RedisServer,
};

/// A Redis and a gateway in front of it.
struct Bench {
    redis: RedisServer,
    gateway: Gateway,
}

impl Bench {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut GatewayConfig)) -> Self {
        let redis = RedisServer::start().await.unwrap();
        let mut config = GatewayConfig::new(redis.url(), "full-token");
        config.read_only_token = Some(shared::config::Secret::new("read-token"));
        change(&mut config);
        let gateway = Gateway::start(config).await.unwrap();
        Self { redis, gateway }
    }

    /// `127.0.0.1:PORT`.
    fn address(&self) -> String {
        self.gateway.url().trim_start_matches("http://").to_owned()
    }

    /// Posts JSON with the full token.
    async fn post(&self, path: &str, json: serde_json::Value) -> http::Answer {
        let headers = [("Authorization", "Bearer full-token")];
        let request = http::request("POST", path, &headers, json.to_string().as_bytes());
        http::exchange(&self.address(), &request).await.unwrap()
    }
}
