//! The drain: one scheduled invocation works through the queue.

mod event;
mod metrics;

use std::sync::Arc;
use std::time::Duration;

use shared::clock::{Clock, millis};
use shared::config::{Config, QUEUE_NAME};
use shared::drops::Delivery;
use shared::engine::{Report, Stop, StoppedBecause, Ticker};
use shared::http::{Forward, ForwardOptions};
use shared::queue::{Queue, QueueOptions};
use shared::recompute::{Recompute, open_store, tick_options};
use shared::store::Store;
use tokio::time::Instant;

pub use event::{Asked, answer, refusal};
pub use metrics::{ALL as ALL_METRICS, BASIC, figures, metrics};
pub use shared::recompute::StartError;

/// The drain, ready to tick. Connections open when they are first needed and are kept.
#[derive(Clone, Debug)]
pub struct Drain {
    ticker: Ticker,
    /// Where it scores.
    store: Option<Store>,
    /// How it tells of scores that fell, if it does.
    delivery: Option<Arc<Delivery>>,
    /// The longest that a tick may run.
    timeout: Duration,
}

/// Time left when nothing more is sent: for the answer to the tick itself.
const ANSWERING: Duration = Duration::from_millis(500);

impl Drain {
    /// A drain as `config` says. Opens no connection.
    ///
    /// # Errors
    /// [`StartError`], which names the variable to set.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        let redis = config.redis_client()?.ok_or(StartError::NoRedis)?;
        let (drain, clock) = (&config.drain, Clock::System);
        let mut ticker = Ticker::empty(tick_options(drain), clock.clone());
        let mut scores_in = None;
        for served in &drain.queues {
            let options = QueueOptions { name: served.name.clone(), ..config.queue.clone() };
            let queue = Queue::new(redis.clone(), &options, clock.clone());
            ticker = match &served.url {
                Some(url) => {
                    let secrets = config.forward.secrets.clone().ok_or(StartError::NoHttpSecret)?;
                    let options = ForwardOptions::new(url.clone(), secrets);
                    // A second try with fewer jobs is to fit into the tick.
                    let timeout = options.timeout.min(drain.timeout / 2);
                    let forward = Forward::new(ForwardOptions { timeout, ..options })?;
                    ticker.with(queue, forward, served.weight)
                }
                None => {
                    let store = open_store(config, drain.lanes)?;
                    let handler = Recompute::new(store.clone(), drain, clock.clone());
                    scores_in = Some(store);
                    ticker.with(queue, handler, served.weight)
                }
            };
        }
        let delivery = match &scores_in {
            Some(store) => Delivery::new(&config.drops, store.clone(), clock)?.map(Arc::new),
            None => None,
        };
        Ok(Self { ticker, store: scores_in, delivery, timeout: drain.timeout })
    }

    /// Tells that the process lives for many ticks, and not for one as on Lambda: see [`Ticker::living_long`].
    #[must_use]
    pub fn living_long(self) -> Self {
        Self { ticker: self.ticker.living_long(), ..self }
    }

    /// Opens the connection to Redis ahead of the first tick; Postgres is left alone.
    pub async fn connect(&self) {
        self.ticker.connect().await;
    }

    /// Runs one tick, at most until `deadline`. What goes wrong stands in the report.
    pub async fn tick(&self, deadline: Instant) -> Report {
        self.tick_until(deadline, &Stop::never()).await
    }

    /// As [`Drain::tick`], for a caller who knows that a job waits: see [`Ticker::tick_woken`].
    pub async fn tick_woken(&self, deadline: Instant) -> Report {
        let began = Instant::now();
        let ticked = self.ticker.tick_woken(deadline).await;
        self.go_on(ticked, began, deadline, &Stop::never()).await
    }

    /// As [`Drain::tick`]; ends sooner when `stop` asks for it.
    pub async fn tick_until(&self, deadline: Instant, stop: &Stop) -> Report {
        let began = Instant::now();
        let ticked = self.ticker.tick_until(deadline, stop).await;
        self.go_on(ticked, began, deadline, stop).await
    }

    /// Sends events of scores that fell, in the time that a tick leaves which began then. Jobs may have come
    /// meanwhile, and who woke the drain for them was turned away while it was busy: it looks for them.
    async fn go_on(
        &self,
        mut report: Report,
        began: Instant,
        deadline: Instant,
        stop: &Stop,
    ) -> Report {
        let end = deadline.min(began + self.timeout);
        let mut is_scored = has_scored(&report);
        while let Some(delivery) = self.delivery.as_ref().filter(|_| is_scored) {
            let delivering = delivery.deliver(end.checked_sub(ANSWERING).unwrap_or(end));
            let sent = tokio::select! {
                biased;
                // What is not sent now goes another time.
                () = stop.asked() => break,
                sent = delivering => sent,
            };
            for (name, count) in sent.counts() {
                report.counters.add(name, count);
            }
            if !sent.is_any() || !may_go_on(&report) {
                break;
            }
            let next = self.ticker.tick_until(end, stop).await;
            is_scored = has_scored(&next);
            report.go_on(next);
        }
        if self.delivery.is_some() {
            report.duration_ms = millis(began.elapsed());
        }
        report
    }

    /// The queues that it works on.
    pub fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.ticker.queues()
    }

    /// The database in which it scores, if it serves the queue of scores.
    pub fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }
}

/// Whether a tick scored anything: another one lets Postgres sleep.
fn has_scored(report: &Report) -> bool {
    let of_scores = match report.queues.is_empty() {
        true => Some(report),
        false => report.queues.get(QUEUE_NAME),
    };
    // Where that failed, the database may be away.
    of_scores.is_some_and(|it| it.batches > 0 && it.error.is_none())
}

/// Whether another look after a tick may find what that did not.
fn may_go_on(report: &Report) -> bool {
    let ended = [StoppedBecause::Deadline, StoppedBecause::Disabled, StoppedBecause::Error];
    !ended.contains(&report.stopped_because)
}
