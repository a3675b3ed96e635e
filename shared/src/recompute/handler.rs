//! The queue's handler: scores the projects that a batch of jobs asks for.

use tracing::{info, warn};

use super::batch::{COALESCED, DATABASE_MS, MALFORMED_ROWS, Scored, score};
use crate::clock::Clock;
use crate::config::{DrainConfig, SnapshotRetention};
use crate::engine::{Context, Handler, TickOptions, Ticker};
use crate::queue::{ClaimedJob, Queue, Settlement};
use crate::store::{Error, Store};

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
pub fn ticker(queue: Queue, store: Store, config: &DrainConfig, clock: Clock) -> Ticker<Recompute> {
    let handler = Recompute { store, clock: clock.clone(), retention: config.snapshots };
    let options = TickOptions {
        enabled: config.enabled,
        timeout: config.timeout,
        margin: config.margin,
        batch_size: config.batch_size,
    };
    Ticker::new(queue, handler, options, clock)
}

impl Handler for Recompute {
    /// What fails, and what takes too long, is the database.
    type Error = Error;

    const COUNTERS: &'static [&'static str] = &[COALESCED, MALFORMED_ROWS, DATABASE_MS];

    async fn handle(
        &self,
        jobs: &[ClaimedJob],
        context: &Context<'_>,
    ) -> Result<Vec<Settlement>, Error> {
        let Scored { settlements, projects } =
            score(jobs, &self.store, &self.clock, context).await?;
        self.prune(&projects, context).await;
        Ok(settlements)
    }
}

impl Recompute {
    /// Deletes snapshots that retention no longer keeps. What it does not get done today goes another
    /// day: no job fails with it.
    async fn prune(&self, projects: &[String], context: &Context<'_>) {
        let now_ms = self.clock.now_ms();
        let pruned = self.store.prune_snapshots(projects, self.retention, now_ms);
        match context.in_time(pruned).await {
            Some(Ok(0)) | None => {}
            Some(Ok(gone)) => info!(snapshots = gone, "old snapshots deleted"),
            Some(Err(error)) => warn!(%error, "old snapshots cannot be deleted"),
        }
    }
}
