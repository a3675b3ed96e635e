//! The drain: one scheduled invocation works through the queue.

mod event;
mod metrics;

use shared::clock::Clock;
use shared::config::Config;
use shared::engine::{Report, Stop, Ticker};
use shared::queue::Queue;
use shared::recompute::{Recompute, open, ticker};
use shared::store::Store;
use tokio::time::Instant;

pub use event::{Asked, answer, refusal};
pub use metrics::metrics;
pub use shared::recompute::StartError;

/// The drain, ready to tick. Connections open when they are first needed and are kept.
#[derive(Clone, Debug)]
pub struct Drain(Ticker<Recompute>);

impl Drain {
    /// A drain as `config` says. Opens no connection.
    ///
    /// # Errors
    /// [`StartError`], which names the variable to set.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        let (queue, store) = open(config, config.drain.connections, Clock::System)?;
        Ok(Self(ticker(queue, store, &config.drain, Clock::System)))
    }

    /// Opens the connection to Redis ahead of the first tick; Postgres is left alone.
    pub async fn connect(&self) {
        self.0.connect().await;
    }

    /// Runs one tick, at most until `deadline`. What goes wrong stands in the report.
    pub async fn tick(&self, deadline: Instant) -> Report {
        self.0.tick(deadline).await
    }

    /// As [`Drain::tick`]; ends sooner when `stop` asks for it.
    pub async fn tick_until(&self, deadline: Instant, stop: &Stop) -> Report {
        self.0.tick_until(deadline, stop).await
    }

    /// The queue that it works on.
    pub fn queue(&self) -> &Queue {
        self.0.queue()
    }

    /// The database that it works with.
    pub fn store(&self) -> &Store {
        self.0.handler().store()
    }
}
