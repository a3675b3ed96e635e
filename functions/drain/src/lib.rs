//! The drain: one scheduled invocation works through the queue.

mod event;
mod metrics;

use shared::clock::Clock;
use shared::config::Config;
use shared::recompute::{Recompute, Report, open};
use tokio::time::Instant;

pub use event::{Asked, answer, refusal};
pub use metrics::metrics;
pub use shared::recompute::StartError;

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
        let (queue, store) = open(config, Clock::System)?;
        Ok(Self { recompute: Recompute::new(queue, store, &config.drain, Clock::System) })
    }

    /// Runs one tick, at most until `deadline`. What goes wrong stands in the report.
    pub async fn tick(&self, deadline: Instant) -> Report {
        self.recompute.tick(deadline).await
    }
}
