//! The use case as whoever ticks holds it: what one tick after another shares, and each one's report.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tracing::error;

use super::pulse::Pulse;
use super::report::{Report, StoppedBecause};
use super::stop::Stop;
use super::tick::{Failure, Tick};
use crate::clock::{Clock, millis};
use crate::config::DrainConfig;
use crate::queue::Queue;
use crate::store::Store;

/// The use case, ready to tick. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recompute {
    queue: Queue,
    store: Store,
    config: DrainConfig,
    clock: Clock,
    pulse: Arc<Pulse>,
    /// When schedules were last looked after.
    schedules_at: Arc<Mutex<Option<Instant>>>,
}

impl Recompute {
    /// A recompute over `queue` and `store`.
    pub fn new(queue: Queue, store: Store, config: &DrainConfig, clock: Clock) -> Self {
        Self {
            queue,
            store,
            config: config.clone(),
            clock,
            pulse: Arc::default(),
            schedules_at: Arc::default(),
        }
    }

    /// Opens the connection to Redis ahead of the first tick, as [`Redis::connect`] does, unless ticks are
    /// switched off.
    ///
    /// [`Redis::connect`]: crate::redis::Redis::connect
    pub async fn connect(&self) {
        if self.config.enabled {
            self.queue.redis().connect().await;
        }
    }

    /// Runs one tick, at most until `deadline` and at most for the configured time. Never fails:
    /// what goes wrong stands in the report.
    ///
    /// An empty queue costs one billed command, one more in 10 minutes as a sign of life, and where
    /// there are job schedulers those of [`Queue::reschedule`]. Postgres is opened only for a claimed job.
    pub async fn tick(&self, deadline: Instant) -> Report {
        self.tick_until(deadline, &Stop::never()).await
    }

    /// As [`Recompute::tick`], and when `stop` asks for the end: then the batch under way is finished
    /// within 5 s or given back, and the tick ends as at its deadline.
    pub async fn tick_until(&self, deadline: Instant, stop: &Stop) -> Report {
        let started = Instant::now();
        let deadline = deadline.min(started + self.config.timeout);
        let redis = self.queue.redis().metered().until(deadline);
        let mut tick = Tick {
            queue: self.queue.over(redis),
            store: &self.store,
            clock: &self.clock,
            stop,
            retention: self.config.snapshots,
            schedules_at: &self.schedules_at,
            claim_until: deadline.checked_sub(self.config.margin).unwrap_or(started),
            locked_until: deadline + self.queue.config().lock.saturating_sub(self.config.timeout),
            slowest: Duration::ZERO,
            postponed: HashSet::new(),
            report: Report::default(),
        };
        let stopped =
            // Boxed: as a part of its callers' futures it would be too deep for the compiler.
            if self.config.enabled { Box::pin(tick.run()).await } else { Ok(StoppedBecause::Disabled) };
        let reaches_redis = !matches!(stopped, Err(Failure::Queue(_)));
        let mut report = std::mem::take(&mut tick.report);
        match stopped {
            Ok(reason) => report.stopped_because = reason,
            Err(failure) => {
                error!(error = %failure, "tick failed");
                report.stopped_because = StoppedBecause::Error;
                report.error = Some(failure.to_string());
            }
        }
        let count = |report: &mut Report| {
            let usage = tick.queue.redis().usage();
            report.billed_commands = usage.billed;
            report.round_trips = usage.round_trips;
            report.duration_ms = millis(started.elapsed());
        };
        count(&mut report);
        if reaches_redis && report.stopped_because != StoppedBecause::Disabled {
            self.pulse.beat(&tick.queue, &report, self.clock.now_ms()).await;
            count(&mut report);
        }
        report
    }
}
