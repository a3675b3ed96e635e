//! Walks over all projects, a page at a time.

use std::sync::Arc;
use std::time::Duration;

use shared::clock::{Clock, millis};
use shared::config::{Config, CronConfig, Scope};
use shared::drops::Delivery;
use shared::engine::{Budget, Purse};
use shared::queue::{NewJob, Occupied, Outcome, Queue};
use shared::recompute::{JobData, Reason, StartError, open, recompute_job};
use shared::store::{ProjectId, ProjectPage, Store, Stretch};
use shared::wake::Wake;
use tokio::time::{Instant, timeout_at};
use tracing::{error, warn};

use crate::report::{Report, StoppedBecause};
use crate::round::Walk;

/// Projects looked at a page: one statement and at most one script call, and all that is held in
/// memory.
const PAGE: u32 = 500;

/// By this factor fewer projects are looked at after a page that failed, and more after one that did
/// not.
const FEWER: u32 = 8;

/// Time left when a tick starts no further page.
const MARGIN: Duration = Duration::from_secs(5);

/// Time left when the page under way is given up, for keeping the place.
const KEEPING: Duration = Duration::from_secs(3);

/// The nightly recompute, ready to tick.
#[derive(Clone, Debug)]
pub struct Cron {
    queue: Queue,
    store: Store,
    wake: Wake,
    config: CronConfig,
    budget: Option<Budget>,
    purse: Arc<Purse>,
    /// How events are sent that no tick of the drain has delivered, if there are any.
    delivery: Option<Arc<Delivery>>,
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
        let budget = config.budget.budget();
        let delivery = Delivery::new(&config.drops, store.clone(), Clock::System)?.map(Arc::new);
        let (config, purse) = (config.cron.clone(), Arc::default());
        Ok(Self { queue, store, wake, config, budget, purse, delivery })
    }

    /// Opens the connection to Redis ahead of the first tick, unless ticks are switched off; Postgres is
    /// left alone.
    pub async fn connect(&self) {
        if self.config.enabled {
            self.queue.redis().connect().await;
        }
    }

    /// Sends events of scores that fell, and then enqueues projects that are due until all are walked, too many jobs
    /// wait, or `deadline` is near. What goes wrong stands in the report.
    pub async fn tick(&self, deadline: Instant) -> Report {
        let started = Instant::now();
        let queue = self.queue.over(self.queue.redis().metered().until(deadline));
        let mut report = Report::default();
        // First, or a walk that takes all of its time each night would leave none for it.
        if let Some(delivery) = self.delivery.as_ref().filter(|_| self.config.enabled) {
            let half = started + deadline.saturating_duration_since(started) / 2;
            let until = deadline.checked_sub(MARGIN).unwrap_or(started).min(half);
            report.drops = delivery.deliver(until).await;
        }
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
        if self.budget.is_some() && self.config.enabled {
            self.purse.pay(&queue, queue.redis().usage().billed, true).await;
        }
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
        if let Some(budget) = self.budget {
            let spent = queue.spent().await?.unwrap_or(0);
            if budget.is_tight(spent) {
                warn!(
                    spent,
                    budget = budget.commands,
                    "no job is added: the month's budget is nearly spent"
                );
                report.spent_commands = Some(spent);
                return Ok(StoppedBecause::Budget);
            }
        }
        let room = self.room(queue).await?;
        if room == 0 {
            return Ok(StoppedBecause::HighWater);
        }
        let mut walk = Walk::begin(queue, Clock::System.now_ms()).await?;
        let end = deadline.checked_sub(KEEPING).unwrap_or(deadline);
        let pages = queue.over(queue.redis().until(end));
        let stopped = self.pages(&pages, &mut walk, room, deadline, report).await;
        // However it ended: ticks that all end in the same long stretch of fresh projects would never get
        // to the stale ones behind it.
        let soon = queue.redis().until(deadline.min(Instant::now() + KEEPING));
        match (stopped, walk.keep(&queue.over(soon)).await) {
            (Ok(reason), kept) => kept.map(|()| reason).map_err(Failure::from),
            (Err(failure), kept) => {
                if let Err(error) = kept {
                    warn!(%error, "the place is not kept");
                }
                Err(failure)
            }
        }
    }

    /// Enqueues page after page; `room` is for how many jobs there is room.
    async fn pages(
        &self,
        queue: &Queue,
        walk: &mut Walk,
        mut room: u64,
        deadline: Instant,
        report: &mut Report,
    ) -> Result<StoppedBecause, Failure> {
        // With less room than this no tick goes on: it would follow the drain job by job.
        let worth_a_page = (self.config.max_waiting / 2).clamp(1, PAGE.into());
        let mut look_at = PAGE;
        loop {
            if Instant::now() + MARGIN >= deadline {
                return Ok(StoppedBecause::Deadline);
            }
            // Never more than fits below the mark.
            let take = u32::try_from(room).unwrap_or(u32::MAX).min(PAGE);
            let Some(page) = self.page(walk, &mut look_at, take, deadline).await? else {
                return Ok(StoppedBecause::Deadline);
            };
            let jobs: Vec<NewJob> = page.ids.into_iter().filter_map(|id| job(queue, id)).collect();
            let enqueued = queue.add(&jobs, None).await?;
            self.wake.ring(enqueued.first).await;
            let added = enqueued.added.iter();
            let new = added.filter(|added| added.outcome == Outcome::Added).count() as u64;
            report.pages += 1;
            report.projects += jobs.len() as u64;
            report.enqueued += new;
            report.deduplicated += jobs.len() as u64 - new;
            let was_cut = jobs.len() as u64 >= room;
            room = room.saturating_sub(new);
            if !walk.advance(queue, page.next, jobs.len() as u64).await? {
                return Ok(StoppedBecause::Done);
            }
            // The drain may have made room meanwhile.
            if was_cut {
                room = self.room(queue).await?;
                if room < worth_a_page {
                    return Ok(StoppedBecause::HighWater);
                }
            }
        }
    }

    /// The next page: of `look_at` projects, and fewer where that fails, since projects with very many
    /// rows may take too long, and a damaged one fails however often it is looked at. Every tick would
    /// end there, and none get past it. `None` when the time is up before it is there.
    async fn page(
        &self,
        walk: &Walk,
        look_at: &mut u32,
        take: u32,
        deadline: Instant,
    ) -> Result<Option<ProjectPage>, shared::store::Error> {
        let end = deadline.checked_sub(KEEPING).unwrap_or(deadline);
        let (after, until) = walk.ahead();
        let page = async |scope, look_at| {
            let stretch = Stretch { after, until, look_at, take };
            let days = self.config.max_age_days;
            let page = self.store.projects_page(scope, stretch, days);
            timeout_at(end, page).await.ok().transpose()
        };
        loop {
            match page(self.config.scope, *look_at).await {
                // Nor can it look at fewer.
                Err(error) if error.is_unavailable() => return Err(error),
                Err(error) if *look_at > 1 => {
                    warn!(%error, projects = *look_at, "a page failed: fewer projects are looked at");
                    *look_at = (*look_at / FEWER).max(1);
                }
                // Nobody knows whether it is stale. If it cannot be scored, it fails alone.
                Err(error) => {
                    warn!(%error, "a project that cannot be looked at is enqueued");
                    return page(Scope::All, 1).await;
                }
                Ok(found) => {
                    *look_at = PAGE.min(*look_at * FEWER);
                    return Ok(found);
                }
            }
        }
    }

    /// How many jobs more may wait. One command, and one for each state in which jobs wait.
    async fn room(&self, queue: &Queue) -> Result<u64, Failure> {
        let occupied = Occupied { active: false, ..queue.peek().await? };
        let counts = queue.counts_of(occupied).await?;
        let waiting = counts.wait + counts.paused + counts.prioritized + counts.delayed;
        Ok(self.config.max_waiting.saturating_sub(waiting))
    }
}

/// The job for a project, unless its id is one that no job could be run with.
fn job(queue: &Queue, id: String) -> Option<NewJob> {
    match ProjectId::parse(id.as_str()) {
        Ok(id) => Some(recompute_job(&JobData::new(id, Reason::Scheduled), queue.options())),
        Err(error) => {
            warn!(project = id, %error, "a project is left out");
            None
        }
    }
}
