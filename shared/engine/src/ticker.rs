//! Queues and their handlers, ready to tick: what one tick after another shares, and each one's report.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use batchmq::Queue;
use batchmq::clock::{Clock, millis};
use batchmq_redis::Redis;
use futures_util::future::join_all;
use tokio::time::Instant;
use tracing::{Instrument as _, error, info, info_span};

use crate::budget::{Budget, Purse};
use crate::counters::Counters;
use crate::erased::AnyHandler;
use crate::handler::Handler;
use crate::line::{Failure, Line, State};
use crate::look::{Memory, Seen, look};
use crate::patience::{Gate, Patience};
use crate::pulse::Pulse;
use crate::report::{Report, StoppedBecause};
use crate::stop::Stop;
use crate::turns::Turns;

/// How much longer than its tick a lock lives at least, so that no late write finds it gone.
const LOCK_MARGIN: Duration = Duration::from_secs(30);

/// How ticks go about their queues.
#[derive(Clone, Debug)]
pub struct TickOptions {
    /// Whether they do anything; `false` makes every tick return at once.
    pub enabled: bool,
    /// The longest that a tick may run.
    pub timeout: Duration,
    /// How long before its deadline a tick stops claiming, and cuts short what it works on.
    pub margin: Duration,
    /// Jobs a batch at most. There are fewer in it while jobs are slow or the time is short.
    pub batch_size: u32,
    /// Batches of one queue that are under way at once, at most: while one is with the handler, the
    /// next is claimed or settled.
    pub lanes: usize,
    /// Windows in which jobs with a priority gather; `None` takes them at once.
    pub patience: Option<Patience>,
    /// How many commands a month may take; `None` counts none.
    pub budget: Option<Budget>,
}

/// Ticks of 55 seconds at most that stop claiming 3 seconds before their end, batches of 100, four at once,
/// and no patience.
impl Default for TickOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            timeout: Duration::from_secs(55),
            margin: Duration::from_secs(3),
            batch_size: 100,
            lanes: 4,
            patience: None,
            budget: None,
        }
    }
}

/// Queues and their handlers, ready to tick. Clones share the handlers.
///
/// ```no_run
/// use std::time::Duration;
///
/// use batchmq::Queue;
/// use batchmq::clock::Clock;
/// use batchmq_engine::{Budget, Handler, Patience, Stopper, TickOptions, Ticker, alive};
/// use tokio::time::Instant;
///
/// # async fn example(
/// #     mail: Queue, crawl: Queue, mailer: impl Handler + 'static, crawler: impl Handler + 'static,
/// # ) -> Result<(), batchmq::Error> {
/// let every = Duration::from_secs(60);
/// let options = TickOptions {
///     lanes: 4,
///     // Jobs with a priority gather for half an hour.
///     patience: Some(Patience { window: Duration::from_secs(1_800), every }),
///     // Past 80 % of these commands they gather longer.
///     budget: Some(Budget { commands: 10_000_000, share: 0.8, every }),
///     ..TickOptions::default()
/// };
/// // Where both have jobs, mail gets three quarters of the time.
/// let ticker = Ticker::empty(options, Clock::System).with(mail, mailer, 3).with(crawl, crawler, 1);
/// ticker.connect().await;
/// let (stopper, stop) = Stopper::new();
/// tokio::spawn(async move {
///     tokio::time::sleep(every / 2).await;
///     stopper.stop();
/// });
/// let report = ticker.tick_until(Instant::now() + every, &stop).await;
/// println!("{} jobs completed; {:?}", report.completed, report.stopped_because);
/// for queue in ticker.queues() {
///     println!("{}: {:?}", queue.options().name, alive(queue).await?.last_seen);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Ticker {
    served: Vec<Arc<Served>>,
    options: TickOptions,
    clock: Clock,
    purse: Arc<Purse>,
    lives_long: bool,
}

/// Why there is a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// It was time for one.
    Schedule,
    /// A job waits.
    Wake,
}

/// A queue, its handler, and what a process keeps of it between ticks.
struct Served {
    queue: Queue,
    handler: Box<dyn AnyHandler>,
    weight: u32,
    pulse: Pulse,
    memory: Memory,
    gate: Gate,
    /// When schedules were last looked after.
    schedules_at: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Ticker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let queues = self.queues().map(|queue| queue.options().name.as_str());
        let queues: Vec<&str> = queues.collect();
        f.debug_struct("Ticker").field("queues", &queues).finish_non_exhaustive()
    }
}

impl Ticker {
    /// Returns a ticker of `queue`. Sends nothing.
    pub fn new(
        queue: Queue,
        handler: impl Handler + 'static,
        options: TickOptions,
        clock: Clock,
    ) -> Self {
        Self::empty(options, clock).with(queue, handler, 1)
    }

    /// Returns a ticker without queues, for [`Ticker::with`] to add some.
    pub fn empty(options: TickOptions, clock: Clock) -> Self {
        Self { served: Vec::new(), options, clock, purse: Arc::default(), lives_long: false }
    }

    /// Adds a queue on the same Redis as the others. Where several have jobs, each gets a share of a tick's
    /// time by its `weight` (at least 1), and jobs without a priority, which somebody waits for, go
    /// before those with one: for half of the tick's time, so that those are not put off for ever.
    #[must_use]
    pub fn with(mut self, queue: Queue, handler: impl Handler + 'static, weight: u32) -> Self {
        self.served.push(Arc::new(Served {
            queue,
            handler: Box::new(handler),
            weight,
            pulse: Pulse::default(),
            memory: Memory::default(),
            gate: Gate::default(),
            schedules_at: Mutex::default(),
        }));
        self
    }

    /// Tells that the process lives for many ticks: then the first one without work gives a sign of life, which costs a
    /// command a queue, and not only the one 10 minutes later.
    #[must_use]
    pub fn living_long(mut self) -> Self {
        self.lives_long = true;
        self
    }

    /// Returns the queues, in the order in which they were added.
    pub fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.served.iter().map(|served| &served.queue)
    }

    /// Opens the connection to Redis ahead of the first tick, as [`Redis::connect`] does, unless ticks are
    /// switched off.
    pub async fn connect(&self) {
        if let Some(served) = self.served.first().filter(|_| self.options.enabled) {
            served.queue.redis().connect().await;
        }
    }

    /// Runs one tick, at most until `deadline` and at most for the configured time. Never fails:
    /// what goes wrong stands in the report.
    ///
    /// Queues that are all empty cost one billed command together, each one more in 10 minutes as a
    /// sign of life, and where there are job schedulers those of [`Queue::reschedule`]. Where one holds
    /// nothing but jobs for later, that costs one more. With a [`Budget`] the
    /// sign of life and a tick that works cost one more, and a process' first tick. A handler is called only for claimed jobs.
    pub async fn tick(&self, deadline: Instant) -> Report {
        self.tick_until(deadline, &Stop::never()).await
    }

    /// As [`Ticker::tick`], and when `stop` asks for the end: then the batches under way are finished
    /// within 5 s or given back, and the tick ends as at its deadline.
    pub async fn tick_until(&self, deadline: Instant, stop: &Stop) -> Report {
        // Boxed: the compiler follows a future only so deep, and callers nest it.
        Box::pin(self.tick_as(Cause::Schedule, deadline, stop)).await
    }

    /// As [`Ticker::tick`], for a caller who knows that a job waits: it is claimed at once, without a look
    /// before, while its handler gets ready ([`Handler::prepare`]). One command and one round trip fewer, if
    /// that is so; if it is not, a command more, and the tick goes on as any other.
    ///
    /// With several queues, of which the caller does not say which, they are looked into as ever.
    pub async fn tick_woken(&self, deadline: Instant) -> Report {
        let stop = Stop::never();
        Box::pin(self.tick_as(Cause::Wake, deadline, &stop)).await
    }

    async fn tick_as(&self, cause: Cause, deadline: Instant, stop: &Stop) -> Report {
        let started = Instant::now();
        if !self.options.enabled {
            return Report { stopped_because: StoppedBecause::Disabled, ..Report::default() };
        }
        let deadline = deadline.min(started + self.options.timeout);
        let claim_until = deadline.checked_sub(self.options.margin).unwrap_or(started);
        // The month's count stands in the first queue, for all of them.
        let counted = self.options.budget.zip(self.served.first()).map(|(budget, served)| {
            (budget, served.queue.over(served.queue.redis().metered().until(deadline)))
        });
        let (mut patience, mut is_thrifty) = (self.options.patience, false);
        if let Some((budget, queue)) = &counted
            && self.purse.is_tight(queue, *budget).await
        {
            (patience, is_thrifty) = (Some(budget.patience(patience)), true);
        }
        let now_ms = self.clock.now_ms();
        let bulk_from = started + claim_until.saturating_duration_since(started) / 2;
        let turns = Turns::new(self.served.iter().map(|served| served.weight), bulk_from);
        let lines: Vec<Line<'_>> = self
            .served
            .iter()
            .enumerate()
            .map(|(place, served)| {
                let is_open = patience.is_none_or(|patience| served.gate.is_open(patience, now_ms));
                Line {
                    queue: served.queue.over(served.queue.redis().metered().until(deadline)),
                    handler: &*served.handler,
                    clock: &self.clock,
                    stop,
                    options: &self.options,
                    schedules_at: &served.schedules_at,
                    place,
                    turns: &turns,
                    claim_until,
                    locked_until: deadline + self.lock_margin(&served.queue),
                    is_patient: patience.is_some(),
                    gathers_at_first: !is_open,
                    counters: Mutex::new(Counters::of(served.handler.counters())),
                    state: Mutex::new(State { gathers: !is_open, ..State::default() }),
                }
            })
            .collect();
        let memories: Vec<&Memory> = self.served.iter().map(|served| &served.memory).collect();
        let seen = match (cause, &lines[..]) {
            (Cause::Wake, [_]) => Ok(vec![Seen::TOLD]),
            _ => look(&lines, &memories).await.map_err(Arc::new),
        };
        let work = lines.iter().zip(&self.served).map(|(line, served)| {
            let seen = match &seen {
                Ok(seen) => Ok(seen[line.place]),
                Err(error) => Err(Failure::Queue(error.clone())),
            };
            let name = served.queue.options().name.as_str();
            self.work(line, served, seen, started).instrument(info_span!("queue", name))
        });
        let worked = join_all(work).await;
        let has_beaten = worked.iter().any(|(_, has_beaten)| *has_beaten);
        for ((line, served), (report, _)) in lines.iter().zip(&self.served).zip(&worked) {
            if let Some(patience) = patience {
                let is_open = !line.gathers_at_first;
                let is_unfinished = is_open && report.stopped_because != StoppedBecause::Empty;
                served.gate.passed(patience, now_ms, is_unfinished);
            }
        }
        let names = self.queues().map(|queue| queue.options().name.clone());
        let reports = names.zip(worked.into_iter().map(|(report, _)| report)).collect();
        let mut report = Report::of_queues(reports, millis(started.elapsed()));
        report.is_thrifty = is_thrifty;
        if let Some((_, queue)) = &counted {
            let asked = queue.redis().usage().billed;
            self.purse.pay(queue, report.billed_commands + asked, has_beaten).await;
            let usage = queue.redis().usage();
            report.billed_commands += usage.billed;
            report.round_trips += usage.round_trips;
        }
        report
    }

    /// Works through one queue, and leaves a sign of life there; tells whether it was time for that.
    async fn work(
        &self,
        line: &Line<'_>,
        served: &Served,
        seen: Result<Seen, Failure>,
        started: Instant,
    ) -> (Report, bool) {
        let stopped = match seen {
            Ok(seen) => line.run(seen).await,
            Err(failure) => Err(failure),
        };
        let reaches_redis = !matches!(stopped, Err(Failure::Queue(_)));
        let mut report = std::mem::take(&mut line.state().report);
        report.counters =
            std::mem::take(&mut *line.counters.lock().unwrap_or_else(PoisonError::into_inner));
        match stopped {
            Ok(reason) => report.stopped_because = reason,
            Err(failure) => {
                error!(error = %failure, "tick failed");
                report.stopped_because = StoppedBecause::Error;
                report.error = Some(failure.to_string());
            }
        }
        report.hold = report.held();
        if let Some(hold) = report.hold {
            let queue = line.queue.options().name.as_str();
            info!(queue, %hold, "the tick was held back");
        }
        count(&mut report, line.queue.redis(), started);
        let now_ms = self.clock.now_ms();
        let has_beaten =
            reaches_redis && served.pulse.beat(&line.queue, &report, now_ms, self.lives_long).await;
        count(&mut report, line.queue.redis(), started);
        (report, has_beaten)
    }

    /// How long after a tick's deadline the locks of a queue's jobs end.
    fn lock_margin(&self, queue: &Queue) -> Duration {
        queue.options().lock.saturating_sub(self.options.timeout).max(LOCK_MARGIN)
    }
}

fn count(report: &mut Report, redis: &Redis, started: Instant) {
    let usage = redis.usage();
    report.billed_commands = usage.billed;
    report.round_trips = usage.round_trips;
    report.duration_ms = millis(started.elapsed());
}
