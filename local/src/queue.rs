//! The queue that the settings name, and walks over its keys.

mod scan;

use shared::clock::Clock;
use shared::config::Config;
use shared::queue::Queue;
use shared::recompute::StartError;

use crate::Failure;
pub(crate) use scan::{Scan, escaped};

/// Returns the queue that these settings name. Nothing is sent yet.
///
/// # Errors
/// When no Redis is configured, or not as it may be used.
pub(crate) fn connect(config: &Config) -> Result<Queue, Failure> {
    let redis = config.redis_client()?.ok_or(StartError::NoRedis)?;
    Ok(Queue::new(redis, &config.queue, Clock::System))
}
