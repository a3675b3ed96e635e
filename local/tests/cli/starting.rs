//! The real functions between their start and their first event.

use fixture::{World, built};
use local::relay::Relay;
use local::runtime_api::Function;
use shared::config::{Endpoint, Secret};
use shared::redis::{Command, Redis};

/// Redis behind a gateway, and what tells whether anybody talked to the gateway or to Postgres.
struct Start {
    world: World,
    rest: Relay,
    postgres: Relay,
}

impl Start {
    async fn start() -> Self {
        let world = World::builder().own_redis().gateway(|_| {}).start().await;
        let target = world.gateway.url().trim_start_matches("http://").parse().unwrap();
        let rest = Relay::to(target).await.unwrap();
        let postgres = Relay::to(target).await.unwrap();
        Self { world, rest, postgres }
    }

    /// Starts a function until it asks for its first event; whether it had talked to REST by then.
    async fn connects(&self, name: &str, settings: &[(&str, &str)]) -> bool {
        let folder = tokio::task::spawn_blocking(built::functions).await.unwrap();
        let usual = [
            ("UPSTASH_REDIS_REST_URL", format!("http://{}", self.rest.address())),
            ("UPSTASH_REDIS_REST_TOKEN", "token".to_owned()),
            ("DATABASE_URL", format!("postgres://u:p@{}/d", self.postgres.address())),
            ("JWT_SECRET", "secret".to_owned()),
        ];
        let other = settings.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let settings: Vec<(String, String)> =
            usual.into_iter().chain(other).map(|(name, value)| (name.to_owned(), value)).collect();
        let none: [&str; 0] = [];
        let function = Function::start(name, folder.join(name), &none, &settings).await.unwrap();
        let connected = self.rest.take_first().is_some();
        function.stop().await;
        assert!(self.postgres.take_first().is_none(), "{name} woke Postgres");
        connected
    }

    /// Commands that Redis has executed.
    async fn executed(&self) -> u64 {
        let url = Secret::new(self.world.redis.url());
        let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap();
        let info = redis.call(Command::new("INFO").arg("stats")).await.unwrap();
        let line = info.as_str().unwrap().lines().find_map(|line| {
            line.strip_prefix("total_commands_processed:").map(|count| count.parse().unwrap())
        });
        line.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_connects_to_redis_before_its_first_event_and_asks_it_nothing() {
    let start = Start::start().await;
    let own = start.executed().await;
    let own = start.executed().await - own;
    let before = start.executed().await;
    for name in ["api", "drain", "cron"] {
        assert!(start.connects(name, &[]).await, "{name}");
    }
    assert_eq!(start.executed().await - before, own, "commands");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_switched_off_connects_to_nothing() {
    let start = Start::start().await;
    assert!(!start.connects("drain", &[("ENABLE_QUEUE_PROCESSORS", "false")]).await);
    assert!(!start.connects("cron", &[("ENABLE_CRON", "false")]).await);
}
