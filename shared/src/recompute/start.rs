//! Makes a queue and a store of the settings, for whoever needs both.

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
    /// Jobs are to be posted to a URL, and nothing to sign that with is configured.
    #[error("QUEUES has a URL: set QUEUE_HTTP_SECRET, with which what is posted there is signed")]
    NoHttpSecret,
    /// Jobs cannot be posted to a URL as the settings say.
    #[error("QUEUES: {0}")]
    Http(#[from] crate::http::Error),
    /// The drain cannot be woken as the settings say.
    #[error(transparent)]
    Wake(#[from] crate::wake::WakeError),
    /// Events of scores that fall cannot be sent as the settings say.
    #[error(transparent)]
    Drops(#[from] crate::drops::DropsError),
}

/// The queue and the store that `config` names, the latter with up to `connections` of its own. Opens none
/// of them.
///
/// # Errors
/// [`StartError`], which names the variable to set.
pub fn open(config: &Config, clock: Clock) -> Result<(Queue, Store), StartError> {
    let redis = config.redis_client()?.ok_or(StartError::NoRedis)?;
    Ok((Queue::new(redis, &config.queue, clock), open_store(config, 1)?))
}

/// The store that `config` names, with so many connections at most. Opens none.
///
/// # Errors
/// [`StartError`], which names the variable to set.
pub fn open_store(config: &Config, connections: usize) -> Result<Store, StartError> {
    let database = Database::configured(config)?.ok_or(StartError::NoDatabase)?;
    Ok(Store::announcing_drops(database, connections, config.drops.points))
}
