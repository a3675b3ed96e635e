//! A queue and its handler, ready to tick: what one tick after another shares, and each one's report.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use batchmq::Queue;
use batchmq::clock::{Clock, millis};
use tokio::time::Instant;
use tracing::error;

use crate::budget::{Budget, Purse};
use crate::counters::Counters;
use crate::handler::Handler;
use crate::patience::{Gate, Patience};
use crate::pulse::Pulse;
use crate::report::{Report, StoppedBecause};
use crate::stop::Stop;
use crate::tick::{Failure, Tick};

/// How much longer than its tick a lock lives at least, so that no late write finds it gone.
const LOCK_MARGIN: Duration = Duration::from_secs(30);

/// How ticks go about a queue.
#[derive(Clone, Debug)]
pub struct TickOptions {
    /// Whether they do anything; `false` makes every tick return at once.
    pub enabled: bool,
    /// The longest that a tick may run.
    pub timeout: Duration,
    /// How long before its deadline a tick stops claiming, and cuts short what it works on.
    pub margin: Duration,
    /// Jobs a batch.
    pub batch_size: u32,
    /// Windows in which jobs with a priority gather; `None` takes them at once.
    pub patience: Option<Patience>,
    /// How many commands a month may take; `None` counts none.
    pub budget: Option<Budget>,
}

/// Ticks of 55 seconds at most that stop claiming 3 seconds before their end, batches of 100, and no patience.
impl Default for TickOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            timeout: Duration::from_secs(55),
            margin: Duration::from_secs(3),
            batch_size: 100,
            patience: None,
            budget: None,
        }
    }
}

/// A queue and its handler, ready to tick. Clones share the handler.
#[derive(Debug)]
pub struct Ticker<H> {
    queue: Queue,
    handler: Arc<H>,
    options: TickOptions,
    clock: Clock,
    pulse: Arc<Pulse>,
    gate: Arc<Gate>,
    purse: Arc<Purse>,
    /// When schedules were last looked after.
    schedules_at: Arc<Mutex<Option<Instant>>>,
}

impl<H> Clone for Ticker<H> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            handler: self.handler.clone(),
            options: self.options.clone(),
            clock: self.clock.clone(),
            pulse: self.pulse.clone(),
            gate: self.gate.clone(),
            purse: self.purse.clone(),
            schedules_at: self.schedules_at.clone(),
        }
    }
}

impl<H: Handler> Ticker<H> {
    /// Makes a ticker of `queue`. Sends nothing.
    pub fn new(queue: Queue, handler: H, options: TickOptions, clock: Clock) -> Self {
        Self {
            queue,
            handler: Arc::new(handler),
            options,
            clock,
            pulse: Arc::default(),
            gate: Arc::default(),
            purse: Arc::default(),
            schedules_at: Arc::default(),
        }
    }

    /// Returns the queue.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Returns the handler.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// Opens the connection to Redis ahead of the first tick, as [`Redis::connect`] does, unless ticks are
    /// switched off.
    ///
    /// [`Redis::connect`]: batchmq_redis::Redis::connect
    pub async fn connect(&self) {
        if self.options.enabled {
            self.queue.redis().connect().await;
        }
    }

    /// Runs one tick, at most until `deadline` and at most for the configured time. Never fails:
    /// what goes wrong stands in the report.
    ///
    /// An empty queue costs one billed command, one more in 10 minutes as a sign of life, and where
    /// there are job schedulers those of [`Queue::reschedule`]. With a [`Budget`] the sign of life and a tick that
    /// works cost one more, and a process' first tick. The handler is called only for claimed jobs.
    pub async fn tick(&self, deadline: Instant) -> Report {
        self.tick_until(deadline, &Stop::never()).await
    }

    /// As [`Ticker::tick`], and when `stop` asks for the end: then the batch under way is finished
    /// within 5 s or given back, and the tick ends as at its deadline.
    pub async fn tick_until(&self, deadline: Instant, stop: &Stop) -> Report {
        let started = Instant::now();
        let deadline = deadline.min(started + self.options.timeout);
        let redis = self.queue.redis().metered().until(deadline);
        let queue = self.queue.over(redis);
        let budget = self.options.budget.filter(|_| self.options.enabled);
        let (mut patience, mut is_thrifty) = (self.options.patience, false);
        if let Some(budget) = budget
            && self.purse.is_tight(&queue, budget).await
        {
            (patience, is_thrifty) = (Some(budget.patience(patience)), true);
        }
        let now_ms = self.clock.now_ms();
        let is_open = patience.is_none_or(|patience| self.gate.is_open(patience, now_ms));
        let counters = Mutex::new(Counters::of(H::COUNTERS));
        let mut tick = Tick {
            queue,
            handler: &*self.handler,
            clock: &self.clock,
            stop,
            counters: &counters,
            batch_size: self.options.batch_size,
            is_patient: patience.is_some(),
            gathers: !is_open,
            schedules_at: &self.schedules_at,
            claim_until: deadline.checked_sub(self.options.margin).unwrap_or(started),
            locked_until: deadline + self.lock_margin(),
            slowest: Duration::ZERO,
            postponed: HashSet::new(),
            report: Report { is_thrifty, ..Report::default() },
        };
        let stopped = match self.options.enabled {
            true => tick.run().await,
            false => Ok(StoppedBecause::Disabled),
        };
        let reaches_redis = !matches!(stopped, Err(Failure::Queue(_)));
        let mut report = std::mem::take(&mut tick.report);
        report.counters =
            std::mem::take(&mut *counters.lock().unwrap_or_else(PoisonError::into_inner));
        match stopped {
            Ok(reason) => report.stopped_because = reason,
            Err(failure) => {
                error!(error = %failure, "tick failed");
                report.stopped_because = StoppedBecause::Error;
                report.error = Some(failure.to_string());
            }
        }
        if let Some(patience) = patience {
            let is_unfinished = is_open && report.stopped_because != StoppedBecause::Empty;
            self.gate.passed(patience, now_ms, is_unfinished);
        }
        let count = |report: &mut Report| {
            let usage = tick.queue.redis().usage();
            report.billed_commands = usage.billed;
            report.round_trips = usage.round_trips;
            report.duration_ms = millis(started.elapsed());
        };
        count(&mut report);
        if reaches_redis && report.stopped_because != StoppedBecause::Disabled {
            let has_beaten = self.pulse.beat(&tick.queue, &report, self.clock.now_ms()).await;
            count(&mut report);
            if budget.is_some() {
                self.purse.pay(&tick.queue, report.billed_commands, has_beaten).await;
                count(&mut report);
            }
        }
        report
    }

    /// How long after a tick's deadline the locks of its jobs end.
    fn lock_margin(&self) -> Duration {
        self.queue.options().lock.saturating_sub(self.options.timeout).max(LOCK_MARGIN)
    }
}
