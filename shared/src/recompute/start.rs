//! From the settings to a queue and a store, for whoever needs both.

use crate::clock::Clock;
use crate::config::Config;
use crate::queue::Queue;
use crate::store::{Database, Store};

/// Why a function cannot start.
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
    Redis(#[from] crate::redis::Error),
    /// The database settings cannot work.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// The drain cannot be woken as the settings say.
    #[error(transparent)]
    Wake(#[from] crate::wake::WakeError),
}

/// The queue and the store that `config` names, the latter with up to `connections` of its own. Opens none
/// of them.
///
/// # Errors
/// [`StartError`], which names the variable to set.
pub fn open(
    config: &Config,
    connections: usize,
    clock: Clock,
) -> Result<(Queue, Store), StartError> {
    let redis = config.redis_client()?.ok_or(StartError::NoRedis)?;
    let url = config.database_url.as_ref().ok_or(StartError::NoDatabase)?;
    let store = Store::with_connections(Database::parse(url)?, connections);
    Ok((Queue::new(redis, &config.queue, clock), store))
}
