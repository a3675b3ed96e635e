//! Typed settings, read once at start.
//!
//! Every variable is declared once, in `variables`; `read` turns the environment into a [`Config`]
//! or one sentence about what is wrong, and `summary` says what was resolved.

mod env;
mod plaintext;
mod read;
mod redis_url;
mod rest_url;
mod secret;
mod snapshots;
mod summary;
mod variables;

use std::time::Duration;

pub use env::{Env, ProcessEnv};
pub(crate) use plaintext::is_loopback;
pub use read::ConfigError;
pub(crate) use redis_url::redis_url;
pub(crate) use rest_url::rest_url;
pub use secret::Secret;
pub use snapshots::{SnapshotRetention, UnknownRetention};
pub use summary::Summary;
pub use variables::{Kind, VARIABLES, Variable, markdown};

/// The name of the queue that every peer shares.
pub const QUEUE_NAME: &str = "deo_score_queue";

/// Everything the environment says.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to reach Redis; `None` when no Redis is configured.
    pub redis: Option<RedisConfig>,
    /// `DATABASE_URL`.
    pub database_url: Option<Secret>,
    /// `JWT_SECRET`.
    pub jwt_secret: Option<Secret>,
    /// The queue and the jobs that we add to it.
    pub queue: QueueConfig,
    /// The drain.
    pub drain: DrainConfig,
    /// How the drain is woken.
    pub wake: WakeConfig,
    /// The nightly recompute.
    pub cron: CronConfig,
    /// `ENABLE_QUEUE_SCHEDULERS`: whether job schedulers may be changed from here.
    pub schedulers: bool,
}

/// How to reach Redis.
#[derive(Clone, Debug)]
pub enum RedisConfig {
    /// Upstash's REST API.
    Rest {
        /// `UPSTASH_REDIS_REST_URL`, without a trailing slash.
        url: String,
        /// `UPSTASH_REDIS_REST_TOKEN`.
        token: Secret,
        /// `REDIS_ALLOW_PLAINTEXT`: whether `http://` may go to another machine.
        allow_plaintext: bool,
    },
    /// The Redis protocol.
    Tcp {
        /// `REDIS_URL`: `redis://` or `rediss://`; it may hold a password.
        url: Secret,
        /// `REDIS_ALLOW_PLAINTEXT`: whether `redis://` may go to another machine.
        allow_plaintext: bool,
    },
}

/// Which queue events we write (`ENABLE_QUEUE_EVENTS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Events {
    /// None.
    Off,
    /// Only completed, failed and stalled, so that BullMQ's `waitUntilFinished` works.
    Final,
    /// All that BullMQ writes.
    All,
}

/// How many finished jobs stay in Redis: at most `count`, none older than `age`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Seconds.
    pub age_s: Option<u64>,
    /// Jobs.
    pub count: Option<u64>,
}

/// BullMQ's limiter of a worker: at most `max` jobs start within `duration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limiter {
    /// Jobs; `None` sets no limit.
    pub max: Option<u64>,
    /// From the first of them on.
    pub duration: Duration,
}

/// The queue and the jobs that we add to it.
#[derive(Clone, Debug)]
pub struct QueueConfig {
    /// `REDIS_PREFIX`.
    pub prefix: String,
    /// [`QUEUE_NAME`], unless a test takes another.
    pub name: String,
    /// `ENABLE_QUEUE_EVENTS`.
    pub events: Events,
    /// For how many minutes BullMQ's metrics are kept; 0 writes none.
    pub metrics_minutes: u32,
    /// Jobs a batch.
    pub batch_size: u32,
    /// How many jobs may start; a limit of the queue itself goes before.
    pub limiter: Limiter,
    /// Tries a job has in all.
    pub attempts: u32,
    /// The first delay of the exponential backoff.
    pub backoff: Duration,
    /// The part of a backoff that is random: 0 to 1.
    pub backoff_jitter: f64,
    /// How long a claim stays ours without renewal.
    pub lock: Duration,
    /// Whether a claim frees its jobs' deduplication ids that have no time to live: a duplicate that
    /// comes while its job is active is then added by every producer, also by those of BullMQ before
    /// 5.72, which drop it otherwise. One command a deduplicated job.
    pub open_deduplication: bool,
    /// Retention of completed jobs that we enqueue.
    pub keep_completed: Retention,
    /// Retention of failed jobs that we enqueue.
    pub keep_failed: Retention,
}

/// The drain.
#[derive(Clone, Debug)]
pub struct DrainConfig {
    /// `ENABLE_QUEUE_PROCESSORS`: `false` makes every tick return at once.
    pub enabled: bool,
    /// The longest a tick may run.
    pub timeout: Duration,
    /// How long before its deadline a tick stops claiming.
    pub margin: Duration,
    /// `SNAPSHOT_RETENTION`: which snapshots of the projects that it scores stay.
    pub snapshots: SnapshotRetention,
}

/// How the drain is woken when jobs are added.
#[derive(Clone, Debug, Default)]
pub struct WakeConfig {
    /// `DRAIN_WAKE_URL`; `None` where the drain just ticks.
    pub url: Option<Secret>,
    /// `DRAIN_WAKE_TOKEN`.
    pub token: Option<Secret>,
    /// `QSTASH_TOKEN`.
    pub qstash: Option<Secret>,
}

/// Which projects the nightly recompute takes (`CRON_SCOPE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Never scored, scored too long ago, or with data that their score may lack.
    Stale,
    /// All.
    All,
}

/// The nightly recompute.
#[derive(Clone, Debug)]
pub struct CronConfig {
    /// `ENABLE_CRON`.
    pub enabled: bool,
    /// `CRON_SCOPE`.
    pub scope: Scope,
    /// `CRON_MAX_AGE_DAYS`: a score older than this is stale.
    pub max_age_days: u32,
    /// `CRON_MAX_WAITING`: stop enqueueing at this many waiting jobs.
    pub max_waiting: u64,
}
