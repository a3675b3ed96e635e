//! Describes a job to be added, and what became of it.

use std::time::Duration;

use crate::clock::millis;

/// A job to be added.
///
/// ```
/// use std::time::Duration;
///
/// use batchmq::{Backoff, NewJob};
///
/// let job = NewJob::new("resize", r#"{"image":"cat.png"}"#)
///     .priority(5)
///     .delay(Duration::from_secs(60))
///     .attempts(3)
///     .backoff(Backoff::exponential(Duration::from_secs(5)))
///     .deduplicated_by("cat.png");
/// assert_eq!(job.opts.delay_ms, 60_000);
/// ```
#[derive(Clone, Debug, Default)]
pub struct NewJob {
    /// BullMQ's job name.
    pub name: String,
    /// JSON text, stored as it is.
    pub data: String,
    /// The options.
    pub opts: JobOptions,
    /// When deduplicated against a job that waits in the prioritized or delayed set: move that job
    /// to `wait`, so that whoever asked by hand does not wait behind a night's jobs.
    pub promote_duplicate: bool,
}

impl NewJob {
    /// Returns a job with BullMQ's own defaults: it runs once, is not repeated and stays for ever.
    /// `data` is JSON text.
    pub fn new(name: impl Into<String>, data: impl Into<String>) -> Self {
        Self { name: name.into(), data: data.into(), ..Self::default() }
    }

    /// Takes all of `opts` in place of the options so far.
    #[must_use]
    pub fn options(self, opts: JobOptions) -> Self {
        Self { opts, ..self }
    }

    /// Gives the job an id of its own instead of the queue's next number.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.opts.job_id = Some(id.into());
        self
    }

    /// Puts it behind jobs of a lower priority: 1 to 2,097,151. Jobs without one (0) run first.
    #[must_use]
    pub fn priority(mut self, priority: u32) -> Self {
        self.opts.priority = priority;
        self
    }

    /// Lets it wait before its turn, in whole milliseconds.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.opts.delay_ms = millis(delay);
        self
    }

    /// Tries it so often in all.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.opts.attempts = attempts;
        self
    }

    /// Waits between its tries.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.opts.backoff = Some(backoff);
        self
    }

    /// Lets it stand for all later jobs with the same deduplication id, until it has ended.
    #[must_use]
    pub fn deduplicated_by(mut self, id: impl Into<String>) -> Self {
        self.opts.deduplication = Some(Deduplication { id: id.into(), ..Deduplication::default() });
        self
    }
}

/// BullMQ's job options, the ones that a producer sets.
///
/// ```
/// use std::time::Duration;
///
/// use batchmq::{Backoff, Deduplication, JobOptions, KeepJobs, NewJob};
///
/// let opts = JobOptions {
///     deduplication: Some(Deduplication { id: "ada".to_owned(), ..Deduplication::default() }),
///     remove_on_complete: Some(KeepJobs::Bounded { count: Some(1_000), age_s: None, limit: None }),
///     backoff: Some(Backoff::fixed(Duration::from_secs(5))),
///     ..JobOptions::default()
/// };
/// let job = NewJob::new("welcome", "{}").options(opts).id("welcome-ada");
/// assert!(job.opts.deduplication.is_some());
/// ```
#[derive(Clone, Debug, Default)]
pub struct JobOptions {
    /// A custom id; `None` takes the queue's counter.
    pub job_id: Option<String>,
    /// 0 (none) to 2,097,151; lower runs first, 0 before all.
    pub priority: u32,
    /// Milliseconds.
    pub delay_ms: u64,
    /// Tries in all; 0 and 1 both mean one.
    pub attempts: u32,
    /// Between tries.
    pub backoff: Option<Backoff>,
    /// Put it in front of the queue.
    pub lifo: bool,
    /// At most one waiting job an id.
    pub deduplication: Option<Deduplication>,
    /// What to keep of completed jobs; `None` keeps all.
    pub remove_on_complete: Option<KeepJobs>,
    /// What to keep of failed jobs; `None` keeps all.
    pub remove_on_fail: Option<KeepJobs>,
    /// Milliseconds since the epoch; `None` takes the queue's clock.
    pub timestamp_ms: Option<i64>,
    /// Refuse the job if its data is longer than so many bytes of UTF-8; 0 is no limit.
    pub size_limit: Option<usize>,
    /// Opaque trace context for the consumer (`tm`).
    pub telemetry: Option<String>,
}

/// How long to wait between tries.
#[derive(Clone, Debug, PartialEq)]
pub enum Backoff {
    /// Always the same.
    Fixed {
        /// Milliseconds.
        delay_ms: u64,
        /// 0..=1: the part of the delay that is random.
        jitter: Option<f64>,
    },
    /// Doubling.
    Exponential {
        /// Milliseconds, the first delay.
        delay_ms: u64,
        /// 0..=1: the part of the delay that is random.
        jitter: Option<f64>,
    },
}

impl Backoff {
    /// Returns the same wait between all tries.
    pub fn fixed(delay: Duration) -> Self {
        Self::Fixed { delay_ms: millis(delay), jitter: None }
    }

    /// Returns waits that double, the first being `delay`.
    pub fn exponential(delay: Duration) -> Self {
        Self::Exponential { delay_ms: millis(delay), jitter: None }
    }
}

/// BullMQ's deduplication options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deduplication {
    /// The deduplication id.
    pub id: String,
    /// Milliseconds.
    pub ttl_ms: Option<u64>,
    /// Every add renews the time to live.
    pub extend: bool,
    /// A newer add replaces a delayed job.
    pub replace: bool,
    /// A duplicate of an active job is a job of its own.
    pub keep_last_if_active: bool,
    /// A newer add gives a delayed job its own delay, counted from its own timestamp; without effect
    /// beside `replace`. BullMQ knows it since 6.7.
    pub reschedule: bool,
}

/// What to keep of finished jobs (`removeOnComplete`, `removeOnFail`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepJobs {
    /// All (`false`).
    All,
    /// None (`true`).
    None,
    /// A bound by number, by age or by both.
    Bounded {
        /// The newest so many.
        count: Option<u64>,
        /// Seconds.
        age_s: Option<u64>,
        /// At most so many removals a finish.
        limit: Option<u64>,
    },
}

/// What became of a job that was added.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Added {
    /// The job's id, or that of the job that stands for it.
    pub id: String,
    /// How.
    pub outcome: Outcome,
}

/// What became of a call's jobs.
///
/// ```no_run
/// use batchmq::{Error, NewJob, Outcome, Queue};
///
/// # async fn example(queue: &Queue) -> Result<(), Error> {
/// let jobs = [NewJob::new("welcome", "{}").id("1"), NewJob::new("welcome", "{}").id("2")];
/// let enqueued = queue.add(&jobs, Some("request-7")).await?;
/// if enqueued.first {
///     println!("nobody may be at work: wake a worker");
/// }
/// // The same request once more adds nothing, and is told the same.
/// let added = queue.enqueue_once(&jobs, "request-7").await?;
/// assert!(added.iter().all(|job| job.outcome == Outcome::Added));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enqueued {
    /// One a job, in order.
    pub added: Vec<Added>,
    /// No job waited before these in a queue that runs, so that maybe nobody is at work. Known from
    /// what the writes answer, at no command: a lone prioritized job that was removed by hand may
    /// hide it.
    pub first: bool,
}

/// How an add ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new job.
    Added,
    /// The custom id existed already; nothing changed.
    Duplicate,
    /// A waiting job with the same deduplication id stands for it.
    Deduplicated,
    /// A new job, although one with the same deduplication id is being processed.
    AfterActive,
}
