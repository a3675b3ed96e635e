//! The drain: one scheduled invocation works through the queue.

mod metrics;

use shared::clock::Clock;
use shared::config::Config;
use shared::queue::Queue;
use shared::recompute::{Recompute, Report};
use shared::redis::Redis;
use shared::store::Store;
use tokio::time::Instant;

pub use metrics::metrics;

/// Why a drain cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No Redis is configured.
    #[error(
        "no Redis is configured: set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or REDIS_URL"
    )]
    NoRedis,
    /// No database is configured.
    #[error("no database is configured: set DATABASE_URL")]
    NoDatabase,
    /// The Redis settings cannot work.
    #[error(transparent)]
    Redis(#[from] shared::redis::Error),
    /// The database settings cannot work.
    #[error(transparent)]
    Store(#[from] shared::store::Error),
}

/// The drain, ready to tick. Connections open when they are first needed and are kept.
#[derive(Clone, Debug)]
pub struct Drain {
    recompute: Recompute,
}

impl Drain {
    /// A drain as `config` says. Opens no connection.
    ///
    /// # Errors
    /// [`StartError`], which names the variable to set.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        let redis = Redis::new(config.redis.as_ref().ok_or(StartError::NoRedis)?)?;
        let store = Store::new(config.database_url.as_ref().ok_or(StartError::NoDatabase)?)?;
        let queue = Queue::new(redis, &config.queue, Clock::System);
        Ok(Self { recompute: Recompute::new(queue, store, &config.drain, Clock::System) })
    }

    /// Runs one tick, at most until `deadline`. What goes wrong stands in the report.
    pub async fn tick(&self, deadline: Instant) -> Report {
        self.recompute.tick(deadline).await
    }
}
