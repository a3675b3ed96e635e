//! Handles the queue's jobs: scores the projects that a batch asks for.

use tracing::{debug, info, warn};

use super::batch::{COALESCED, DATABASE_MS, MALFORMED_ROWS, score};
use crate::clock::Clock;
use crate::config::{DrainConfig, SnapshotRetention};
use crate::engine::{Context, Handler, Patience, TickOptions, Ticker};
use crate::queue::{ClaimedJob, Queue, Settlement};
use crate::store::{Error, ProjectId, Store};

/// Scores projects and saves their snapshots.
///
/// A job that runs twice has one effect: a snapshot's id is derived from its job, so that the second
/// run updates the row of the first.
#[derive(Debug)]
pub struct Recompute {
    store: Store,
    clock: Clock,
    retention: SnapshotRetention,
}

/// Returns the recompute of `store` over `queue`, ready to tick as `config` says. Opens no connection.
pub fn ticker(queue: Queue, store: Store, config: &DrainConfig, clock: Clock) -> Ticker {
    let handler = Recompute::new(store, config, clock.clone());
    Ticker::new(queue, handler, tick_options(config), clock)
}

/// Returns how ticks go that `config` is for.
pub fn tick_options(config: &DrainConfig) -> TickOptions {
    TickOptions {
        enabled: config.enabled,
        timeout: config.timeout,
        margin: config.margin,
        batch_size: config.batch_size,
        lanes: config.lanes,
        patience: (!config.patience.is_zero())
            .then_some(Patience { window: config.patience, every: config.every }),
        budget: config.budget,
    }
}

impl Handler for Recompute {
    /// What fails, and what takes too long, is the database.
    type Error = Error;

    const COUNTERS: &'static [&'static str] = &[COALESCED, MALFORMED_ROWS, DATABASE_MS];

    /// Opens a connection to the database.
    async fn prepare(&self) {
        // The first statement tells what is wrong, and to whom it matters.
        if let Err(error) = self.store.connect().await {
            debug!(%error, "no connection ahead of the first batch");
        }
    }

    async fn handle(
        &self,
        jobs: &[ClaimedJob],
        context: &Context<'_>,
    ) -> Result<Vec<Settlement>, Error> {
        let scored = score(jobs, &self.store, &self.clock, context).await?;
        if let Some(now_ms) = scored.read_at_ms {
            self.prune(&scored.projects, now_ms, context).await;
        }
        Ok(scored.settlements)
    }
}

impl Recompute {
    /// Returns the handler that scores what is in `store`, and keeps snapshots as `config` says. Opens no
    /// connection.
    pub fn new(store: Store, config: &DrainConfig, clock: Clock) -> Self {
        Self { store, clock, retention: config.snapshots }
    }

    /// Deletes snapshots that retention no longer keeps at `now_ms` by the clock that they are stamped
    /// with, the database's. What it does not get done today goes another day: no job fails with it.
    async fn prune(&self, projects: &[ProjectId], now_ms: i64, context: &Context<'_>) {
        let pruned = self.store.prune_snapshots(projects, self.retention, now_ms);
        match context.in_time(pruned).await {
            Some(Ok(0)) | None => {}
            Some(Ok(gone)) => info!(snapshots = gone, "old snapshots deleted"),
            Some(Err(error)) => warn!(%error, "old snapshots cannot be deleted"),
        }
    }
}
