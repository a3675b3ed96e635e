//! Reads typed settings, once at start.
//!
//! Every variable is declared once, in `variables`; `read` turns the environment into a [`Config`]
//! or one sentence about what is wrong, and `summary` says what was resolved.

mod drops;
mod env;
mod finding;
mod jobs;
mod kind;
mod origins;
mod queues;
mod read;
mod snapshots;
mod spelling;
mod summary;
mod table;
mod variables;

use std::time::Duration;

use crate::engine::Budget;
use crate::http::Secrets;
pub use crate::queue::{Events, Limiter, QueueOptions};
use crate::redis::{self, Names, Redis};
pub use crate::redis::{Endpoint, Secret};
pub use drops::{AwsConfig, DropsConfig};
pub use env::{Env, ProcessEnv};
pub use finding::{Finding, Severity};
pub use jobs::{JobDefaults, Retention};
pub use kind::{Kind, Variable};
pub use queues::ServedQueue;
pub use read::ConfigError;
pub use snapshots::{SnapshotRetention, UnknownRetention};
pub(crate) use spelling::spelling;
pub use spelling::written;
pub use summary::Summary;
pub use table::markdown;
pub(crate) use variables::ALIASES;
pub use variables::VARIABLES;

/// The name of the queue whose jobs ask for scores.
pub const QUEUE_NAME: &str = "deo_score_queue";

/// What errors of the Redis client call its settings.
pub(crate) const REDIS_NAMES: Names = Names {
    rest_url: variables::REST_URL.name,
    rest_token: variables::REST_TOKEN.name,
    redis_url: variables::REDIS_URL.name,
    allow_plaintext: "set REDIS_ALLOW_PLAINTEXT=true",
    authorities: variables::REDIS_CA.name,
    prefix: variables::PREFIX.name,
};

/// Everything the environment says.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to reach Redis; `None` when no Redis is configured.
    pub redis: Option<Endpoint>,
    /// What its settings are called: those of the REST API have two names.
    pub redis_names: Names,
    /// `REDIS_CA`: whom to trust there instead of Mozilla's authorities.
    pub redis_ca: Option<String>,
    /// `DATABASE_URL`.
    pub database_url: Option<Secret>,
    /// `DATABASE_CA`: whom to trust there instead of Mozilla's authorities.
    pub database_ca: Option<String>,
    /// `JWT_SECRET`.
    pub jwt_secret: Option<Secret>,
    /// `JWT_SECRET_PREVIOUS`, never without the other.
    pub previous_jwt_secret: Option<Secret>,
    /// `API_POSTS_PER_MINUTE`: how many POST requests a user may make a minute; `None` as many as they like.
    pub posts_per_minute: Option<u64>,
    /// `CORS_ORIGINS`: the web application's.
    pub origins: Vec<String>,
    /// `API_QUEUE_OPERATIONS`: whether administrators may operate the queue over the API.
    pub queue_operations: bool,
    /// How the queue is used.
    pub queue: QueueOptions,
    /// What the jobs have that we add to it.
    pub jobs: JobDefaults,
    /// The drain.
    pub drain: DrainConfig,
    /// How the drain is woken.
    pub wake: WakeConfig,
    /// Queues whose jobs are done by HTTPS servers.
    pub forward: ForwardConfig,
    /// Events of scores that fall.
    pub drops: DropsConfig,
    /// The nightly recompute.
    pub cron: CronConfig,
    /// The month's billed commands.
    pub budget: BudgetConfig,
    /// `ENABLE_QUEUE_SCHEDULERS`: whether job schedulers may be changed from here.
    pub schedulers: bool,
    /// `CLOUDWATCH_METRICS`: whether all of a tick's figures become metrics, and not the ten basic ones alone.
    pub all_metrics: bool,
}

impl Config {
    /// Makes a client of the configured Redis, whose errors name our variables; `None` when none is
    /// configured. Opens no connection.
    ///
    /// # Errors
    /// When the URL, the token or the authorities cannot be used.
    pub fn redis_client(&self) -> Result<Option<Redis>, redis::Error> {
        self.redis_client_with(redis::Options::default())
    }

    /// As [`Config::redis_client`], with other time limits or a name.
    ///
    /// # Errors
    /// When the URL, the token or the authorities cannot be used.
    pub fn redis_client_with(
        &self,
        options: redis::Options,
    ) -> Result<Option<Redis>, redis::Error> {
        let Some(endpoint) = &self.redis else { return Ok(None) };
        let (names, authorities) = (self.redis_names, self.redis_ca.clone());
        let options = redis::Options { names, authorities, ..options };
        Redis::with_options(endpoint, options).map(Some)
    }
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
    /// `QUEUES`: the queues that it serves, each once.
    pub queues: Vec<ServedQueue>,
    /// Jobs a batch.
    pub batch_size: u32,
    /// `DRAIN_LANES`: batches of a queue that are under way at once.
    pub lanes: usize,
    /// `DRAIN_PATIENCE`: how long jobs with a priority gather; zero: not at all.
    pub patience: Duration,
    /// `DRAIN_EVERY_SECONDS`: how often ticks come.
    pub every: Duration,
    /// [`Config::budget`], where there is one.
    pub budget: Option<Budget>,
    /// `SNAPSHOT_RETENTION`: which snapshots of the projects that it scores stay.
    pub snapshots: SnapshotRetention,
}

/// How many billed commands a month may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetConfig {
    /// `COMMAND_BUDGET`; `None`: as many as are needed, and they are not counted.
    pub commands: Option<u64>,
    /// `COMMAND_BUDGET_SHARE`: from which part of them on bulk has to wait.
    pub share: f64,
    /// `DRAIN_EVERY_SECONDS`.
    pub every: Duration,
}

impl BudgetConfig {
    /// Returns the budget, where there is one.
    pub fn budget(self) -> Option<Budget> {
        let Self { share, every, .. } = self;
        self.commands.map(|commands| Budget { commands, share, every })
    }
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

/// Queues whose jobs are done by HTTPS servers.
#[derive(Clone, Debug, Default)]
pub struct ForwardConfig {
    /// `QUEUE_HTTP_SECRET`; `None` where nothing is forwarded.
    pub secrets: Option<Secrets>,
    /// The queues' names: those of which callbacks are taken.
    pub queues: Vec<String>,
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
