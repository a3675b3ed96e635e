//! The servers, far away, and projects with rows.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use shared::clock::Clock;
use shared::config::Config;

use super::commits::Commits;
use super::secured::{self, Secured, USER};
use crate::bench::jobs::port_of;
use crate::delay::{DelayedRelay, Trip};
use crate::seed::{self, Plan};
use crate::servers::{PostgresServer, RedisServer};
use crate::settings::Settings;
use crate::{DEVELOPMENT_SECRET, Failure};

/// BullMQ's key prefix.
pub(super) const PREFIX: &str = "bench";

/// Projects that take turns.
const PROJECTS: u32 = 20;

/// A private Redis and a private Postgres behind relays.
pub(super) struct World {
    _redis: RedisServer,
    _postgres: PostgresServer,
    relays: [DelayedRelay; 2],
    /// Where it was asked for.
    secured: Option<Secured>,
    pub(super) round_trip: Duration,
    pub(super) redis_url: String,
    pub(super) database_url: String,
    pub(super) user: String,
    pub(super) commits: Commits,
    projects: Vec<String>,
    next: usize,
}

impl World {
    pub(super) async fn start(round_trip: Duration, tls: bool) -> Result<Self, Failure> {
        let (redis, postgres) = tokio::try_join!(RedisServer::start(), PostgresServer::start())?;
        let url = postgres.create_database().await?;
        let plan = Plan {
            projects: PROJECTS,
            pages: 30,
            products: 20,
            seed: 1,
            now_ms: Clock::System.now_ms(),
        };
        seed::into_empty(&url, &plan).await?;
        let relay = |port| {
            DelayedRelay::remembering(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), round_trip)
        };
        let mut ports = [redis.port(), port_of(&postgres.url())?];
        let mut secured = None;
        if tls {
            secured::prove_passwords(&url).await?;
            let both = Secured::before(ports[0], ports[1]).await?;
            ports = both.ports();
            secured = Some(both);
        }
        let relays = [relay(ports[0])?, relay(ports[1])?];
        let [redis_place, place] = relays.each_ref().map(DelayedRelay::address);
        let who = url.split('@').next().unwrap_or_default();
        let name = url.rsplit('/').next().unwrap_or_default();
        let (redis_url, database_url) = match &secured {
            None => (format!("redis://{redis_place}"), format!("{who}@{place}/{name}")),
            Some(it) => {
                let options = "sslmode=require&sslnegotiation=direct&sslrootcert";
                let trusted = it.certificate_file();
                let at = format!("localhost:{}/{name}", place.port());
                let url = format!("postgres://{USER}@{at}?{options}={}", trusted.display());
                (format!("rediss://localhost:{}", redis_place.port()), url)
            }
        };
        Ok(Self {
            redis_url,
            database_url,
            secured,
            commits: Commits::listen(&url).await?,
            user: plan.user_id(),
            projects: plan.project_ids().collect(),
            next: 0,
            relays,
            round_trip,
            _redis: redis,
            _postgres: postgres,
        })
    }

    /// The settings of ours, with servers far away.
    pub(super) fn config(&self, wake: &str) -> Result<Config, Failure> {
        let trusted = self.secured.as_ref().map(|it| it.certificate_file().display().to_string());
        let settings = Settings::default()
            .with("REDIS_CA", trusted.unwrap_or_default())
            .without("UPSTASH_REDIS_REST_URL")
            .without("UPSTASH_REDIS_REST_TOKEN")
            .with("REDIS_TRANSPORT", "tcp")
            .with("REDIS_URL", &*self.redis_url)
            .with("REDIS_PREFIX", PREFIX)
            .with("DATABASE_URL", &*self.database_url)
            .with("JWT_SECRET", DEVELOPMENT_SECRET)
            .with("DRAIN_WAKE_URL", wake);
        Ok(Config::from_env(&settings)?)
    }

    /// The project whose turn it is.
    pub(super) fn project(&mut self) -> String {
        self.next = (self.next + 1) % self.projects.len();
        self.projects[self.next].clone()
    }

    /// Round trips to both servers that began at `from` or later, or were under way.
    pub(super) fn trips(&self, from: Instant) -> Vec<Trip> {
        let trips = self.relays.iter().flat_map(DelayedRelay::trips);
        trips.filter(|trip| trip.ended.is_none_or(|end| end > from)).collect()
    }
}
