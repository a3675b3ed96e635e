//! The servers that the measured functions talk to.

use std::net::{Ipv4Addr, SocketAddr};

use shared::clock::Clock;
use tokio::time::Instant;

use crate::gateway::{Gateway, GatewayConfig};
use crate::relay::Relay;
use crate::seed::{self, Plan};
use crate::servers::{PostgresServer, RedisServer};
use crate::{DEVELOPMENT_SECRET, Failure};

/// The gateway's token.
const TOKEN: &str = "measured";

/// Pages and products of each project.
const ROWS: u32 = 20;

/// A private Redis behind Upstash's REST API, and a private Postgres.
pub(crate) struct World {
    /// In front of the gateway, for our functions.
    rest: Relay,
    /// In front of Redis itself, for Node.
    tcp: Relay,
    database_url: String,
    _gateway: Gateway,
    pub(crate) redis: RedisServer,
    postgres: PostgresServer,
}

impl World {
    /// With so many projects.
    pub(crate) async fn start(projects: u32) -> Result<Self, Failure> {
        let (redis, postgres) = tokio::try_join!(RedisServer::start(), PostgresServer::start())?;
        let gateway = Gateway::start(GatewayConfig::new(redis.url(), TOKEN)).await?;
        let rest = gateway.url().trim_start_matches("http://").parse()?;
        let rest = Relay::to(rest).await?;
        let tcp = Relay::to(SocketAddr::from((Ipv4Addr::LOCALHOST, redis.port()))).await?;
        let mut world =
            Self { rest, tcp, database_url: String::new(), _gateway: gateway, redis, postgres };
        world.database_url = world.database(projects).await?;
        Ok(world)
    }

    /// A database with so many projects.
    pub(crate) async fn database(&self, projects: u32) -> Result<String, Failure> {
        let url = self.postgres.create_database().await?;
        let plan =
            Plan { projects, pages: ROWS, products: ROWS, seed: 1, now_ms: Clock::System.now_ms() };
        seed::into_empty(&url, &plan).await?;
        Ok(url)
    }

    /// What a function of ours gets to know.
    pub(crate) fn settings(&self, prefix: &str) -> Vec<(String, String)> {
        settings([
            ("UPSTASH_REDIS_REST_URL", format!("http://{}", self.rest.address())),
            ("UPSTASH_REDIS_REST_TOKEN", TOKEN.to_owned()),
            ("DATABASE_URL", self.database_url.clone()),
            ("JWT_SECRET", DEVELOPMENT_SECRET.to_owned()),
            ("REDIS_PREFIX", prefix.to_owned()),
        ])
    }

    /// What the function on Node gets to know.
    pub(crate) fn node_settings(&self, prefix: &str) -> Vec<(String, String)> {
        settings([
            ("REDIS_URL", format!("redis://{}", self.tcp.address())),
            ("DATABASE_URL", self.database_url.clone()),
            ("REDIS_PREFIX", prefix.to_owned()),
        ])
    }

    /// From now on [`World::connected`] tells of later connections.
    pub(crate) fn forget_connections(&self) {
        self.rest.take_first();
        self.tcp.take_first();
    }

    /// Bytes that functions have sent to Redis so far.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.rest.sent_bytes() + self.tcp.sent_bytes()
    }

    /// When the first bytes came from a function.
    pub(crate) fn connected(&self) -> Option<Instant> {
        self.rest.take_first().or(self.tcp.take_first())
    }
}

fn settings<const N: usize>(settings: [(&str, String); N]) -> Vec<(String, String)> {
    settings.map(|(name, value)| (name.to_owned(), value)).into()
}
