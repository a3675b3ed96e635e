//! The walk over all projects, a page at a time.

use std::time::Duration;

use shared::clock::{Clock, millis};
use shared::config::{Config, CronConfig};
use shared::queue::{NewJob, Outcome, Queue};
use shared::recompute::{JobData, Reason, StartError, open, recompute_job};
use shared::store::Store;
use shared::wake::Wake;
use tokio::time::Instant;
use tracing::error;

use crate::report::{Report, StoppedBecause};

/// Projects looked at a page: one statement and at most one script call, and all that is held in
/// memory.
const PAGE: u32 = 500;

/// The name under which the queue keeps our place.
const BOOKMARK: &str = "cron-cursor";

/// Time left when a tick starts no further page.
const MARGIN: Duration = Duration::from_secs(5);

/// The nightly recompute, ready to tick.
#[derive(Clone, Debug)]
pub struct Cron {
    queue: Queue,
    store: Store,
    wake: Wake,
    config: CronConfig,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Queue(#[from] shared::queue::Error),
    #[error(transparent)]
    Store(#[from] shared::store::Error),
}

impl Cron {
    /// A cron as `config` says. Opens no connection.
    ///
    /// # Errors
    /// [`StartError`], which names the variable to set.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        let (queue, store) = open(config, Clock::System)?;
        let wake = Wake::new(&config.wake)?;
        Ok(Self { queue, store, wake, config: config.cron.clone() })
    }

    /// Opens the connection to Redis ahead of the first tick, unless ticks are switched off; Postgres is
    /// left alone.
    pub async fn connect(&self) {
        if self.config.enabled {
            self.queue.redis().connect().await;
        }
    }

    /// Enqueues projects that are due until all are walked, too many jobs wait, or `deadline` is
    /// near. What goes wrong stands in the report.
    pub async fn tick(&self, deadline: Instant) -> Report {
        let started = Instant::now();
        let queue = self.queue.over(self.queue.redis().metered().until(deadline));
        let mut report = Report::default();
        let stopped = if self.config.enabled {
            self.walk(&queue, deadline, &mut report).await
        } else {
            Ok(StoppedBecause::Disabled)
        };
        report.stopped_because = stopped.unwrap_or_else(|failure| {
            error!(error = %failure, "cron tick failed");
            report.error = Some(failure.to_string());
            StoppedBecause::Error
        });
        self.wake.finish().await;
        let usage = queue.redis().usage();
        report.billed_commands = usage.billed;
        report.round_trips = usage.round_trips;
        report.duration_ms = millis(started.elapsed());
        report
    }

    async fn walk(
        &self,
        queue: &Queue,
        deadline: Instant,
        report: &mut Report,
    ) -> Result<StoppedBecause, Failure> {
        let occupied = queue.peek().await?;
        let counts = queue.counts_of(occupied).await?;
        let mut waiting = counts.wait + counts.paused + counts.prioritized + counts.delayed;
        let mut place = queue.bookmark(BOOKMARK).await?;
        loop {
            if waiting >= self.config.max_waiting {
                return Ok(StoppedBecause::HighWater);
            }
            if Instant::now() + MARGIN >= deadline {
                return Ok(StoppedBecause::Deadline);
            }
            // Never more than fits below the mark.
            let room = u32::try_from(self.config.max_waiting - waiting).unwrap_or(u32::MAX);
            let page = self
                .store
                .projects_page(
                    self.config.scope,
                    place.as_deref(),
                    PAGE.min(room),
                    self.config.max_age_days,
                )
                .await?;
            let jobs: Vec<NewJob> = page.ids.iter().map(|id| self.job(queue, id)).collect();
            let enqueued = queue.add(&jobs, None).await?;
            self.wake.ring(enqueued.first).await;
            let added = enqueued.added.iter();
            let new = added.filter(|added| added.outcome == Outcome::Added).count() as u64;
            waiting += new;
            report.pages += 1;
            report.projects += jobs.len() as u64;
            report.enqueued += new;
            report.deduplicated += jobs.len() as u64 - new;
            let done = page.next.is_none();
            if done || !jobs.is_empty() {
                queue.keep_bookmark(BOOKMARK, page.next.as_deref()).await?;
            }
            if done {
                return Ok(StoppedBecause::Done);
            }
            place = page.next;
        }
    }

    fn job(&self, queue: &Queue, project_id: &str) -> NewJob {
        let data = JobData {
            project_id: project_id.to_owned(),
            triggered_by_user_id: None,
            reason: Reason::Scheduled,
        };
        recompute_job(&data, queue.options())
    }
}
