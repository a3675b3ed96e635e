//! The REST gateway, at the level of bytes, against a real Redis.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod connection_state;
mod cross_site;
mod exchange;
mod faults;
mod forms;
mod http;
mod limits;
mod live;
mod memory;
mod read_only;
mod streams;
mod transactions;
mod upstream;

use std::collections::BTreeMap;

use gateway::{Gateway, GatewayConfig};
use servers::RedisServer;
use shared::config::Secret;

const TOKEN: &str = "full-token";
const READ_TOKEN: &str = "read-token";

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
        // Valkey counts what it asks itself while it starts.
        let mut own = connection(&redis).await;
        redis::cmd("CONFIG").arg("RESETSTAT").exec_async(&mut own).await.unwrap();
        let mut config = GatewayConfig::new(redis.url(), TOKEN);
        config.read_only_token = Some(Secret::new(READ_TOKEN));
        change(&mut config);
        let gateway = Gateway::start(config).await.unwrap();
        Self { redis, gateway }
    }

    fn url(&self) -> String {
        self.gateway.url()
    }

    /// Sends JSON with the full token, as it would be sent by a client that waits for the answer.
    async fn try_send(
        &self,
        method: &str,
        path: &str,
        json: &serde_json::Value,
    ) -> std::io::Result<http::Answer> {
        let authorization = format!("Bearer {TOKEN}");
        let headers = [("Authorization", authorization.as_str())];
        let request = http::request(method, path, &headers, json.to_string().as_bytes());
        http::exchange(&self.url(), &request).await
    }

    /// Posts JSON with the full token.
    async fn post(&self, path: &str, json: serde_json::Value) -> http::Answer {
        self.try_send("POST", path, &json).await.unwrap()
    }

    /// The result of one command.
    async fn run(&self, command: serde_json::Value) -> serde_json::Value {
        let answer = self.post("/", command).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["result"].clone()
    }

    /// A connection to Redis that bypasses the gateway.
    async fn redis(&self) -> redis::aio::MultiplexedConnection {
        connection(&self.redis).await
    }

    /// How often Redis has executed each command since the gateway was started, by its own counters.
    async fn executed(&self) -> BTreeMap<String, u64> {
        let mut connection = self.redis().await;
        let info: String =
            redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.unwrap();
        let calls = info.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            // The test's own connections; Redis before 7 counts no subcommands.
            let own = matches!(name, "info" | "client|setinfo" | "client|setname" | "hello")
                || matches!(name, "config|resetstat" | "client" | "config");
            Some((name.to_owned(), rest.split(',').next()?.parse().ok()?)).filter(|_| !own)
        });
        calls.collect()
    }
}

async fn connection(redis: &RedisServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(redis.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}
