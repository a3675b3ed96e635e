//! Implements the HTTP API: the platform's routes for the DEO score, and a few of its own.
//!
//! [`router`] is all there is: the Lambda function, the local server and the tests run the same.
//! A request passes the envelope (errors get their body, a panic becomes a 500, and what does not say otherwise
//! is stored by no cache), its token is checked (`caller`, `token`), then its input (`input`), then what it is about and whether the
//! user may (`access`); only then the queue or the store is asked. One file a route, or a pair.

mod access;
mod caller;
mod compare;
mod console;
mod cors;
mod described;
mod edge;
mod encoding;
mod envelope;
mod error;
mod etag;
mod export;
mod fleet;
mod health;
mod history;
mod hs256;
mod input;
mod job;
mod looks;
mod once;
mod openapi;
mod operate;
mod queue;
mod rate;
mod recompute;
mod refused;
mod routes;
mod score;
mod series;
mod settle;
mod signals;
mod sync;
mod timing;
mod token;

use std::iter;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use shared::clock::Clock;
use shared::config::{Config, ForwardConfig, QueueOptions, SnapshotRetention};
use shared::engine::{Budget, Purse};
use shared::http::Secrets;
use shared::queue::Queue;
use shared::redis::{self, Redis};
use shared::store::{self, Database, Store};
use shared::wake::{Wake, WakeError};
use tokio::time::Instant;

pub use edge::lambda;
pub use openapi::openapi;
pub use token::{Claims, sign};

use error::Error;
use looks::Looks;
use rate::Rate;
use refused::LastWrite;
use sync::UnderWay;
use token::Tokens;

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The Redis settings.
    #[error(transparent)]
    Redis(#[from] redis::Error),
    /// The database settings.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The settings for waking the drain.
    #[error(transparent)]
    Wake(#[from] WakeError),
}

/// Everything the routes need. Clones share one connection each to Redis and to Postgres.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

struct Parts {
    clock: Clock,
    /// `None` where `JWT_SECRET` is not set: then nobody can be let in.
    tokens: Option<Tokens>,
    redis: Option<Redis>,
    queue: QueueOptions,
    store: Option<Store>,
    wake: Wake,
    budget: Option<Budget>,
    purse: Purse,
    last_write: LastWrite,
    forward: ForwardConfig,
    /// `None` where POST requests are not counted.
    rate: Option<Rate>,
    under_way: UnderWay,
    looks: Looks,
    retention: SnapshotRetention,
    /// Scores that are older count as stale.
    max_age_days: u32,
    /// The web application's.
    origins: Vec<String>,
    /// Whether the queue may be operated.
    queue_operations: bool,
}

impl Api {
    /// The API that `config` describes. Opens no connection.
    ///
    /// # Errors
    /// A URL that cannot be used.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        Self::with_clock(config, Clock::System)
    }

    /// As [`Api::new`], with a clock of the caller's.
    ///
    /// # Errors
    /// A URL that cannot be used.
    pub fn with_clock(config: &Config, clock: Clock) -> Result<Self, StartError> {
        let points = config.drops.points;
        let store = Database::configured(config)?
            .map(|database| Store::announcing_drops(database, 1, points));
        let tokens = config.jwt_secret.as_ref().map(|secret| {
            Tokens::new(iter::once(secret).chain(config.previous_jwt_secret.as_ref()))
        });
        if tokens.is_none() {
            tracing::error!("JWT_SECRET is not set: every request with a token gets a 500");
        }
        Ok(Self(Arc::new(Parts {
            tokens,
            redis: config.redis_client()?,
            queue: config.queue.clone(),
            wake: Wake::new(&config.wake)?,
            budget: config.budget.budget(),
            purse: Purse::default(),
            last_write: LastWrite::default(),
            forward: config.forward.clone(),
            rate: config.posts_per_minute.map(Rate::new),
            under_way: UnderWay::default(),
            looks: Looks::default(),
            retention: config.drain.snapshots,
            max_age_days: config.cron.max_age_days,
            origins: config.origins.clone(),
            queue_operations: config.queue_operations,
            store,
            clock,
        })))
    }

    /// Opens the connection to Redis ahead of the first request, as [`Redis::connect`] does. Postgres is
    /// left alone: a monitor that asks how we are should not wake it.
    pub async fn connect(&self) {
        if let Some(redis) = self.redis() {
            redis.connect().await;
        }
    }

    fn max_age_days(&self) -> u32 {
        self.0.max_age_days
    }

    fn origins(&self) -> &[String] {
        &self.0.origins
    }

    /// Whether administrators may operate the queue.
    fn queue_operations(&self) -> bool {
        self.0.queue_operations
    }

    fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn tokens(&self) -> Result<&Tokens, Error> {
        self.0.tokens.as_ref().ok_or_else(|| Error::internal(&"JWT_SECRET is not set"))
    }

    fn redis(&self) -> Option<&Redis> {
        self.0.redis.as_ref()
    }

    /// What asks for a drain. Who stops answering [finishes](Wake::finish) it: the answer to a request
    /// does not wait for a wake-up that was put off.
    pub fn wake(&self) -> &Wake {
        &self.0.wake
    }

    fn budget(&self) -> Option<Budget> {
        self.0.budget
    }

    /// What its requests for recomputes have spent.
    fn purse(&self) -> &Purse {
        &self.0.purse
    }

    /// Whether Redis refused the last write.
    fn last_write(&self) -> &LastWrite {
        &self.0.last_write
    }

    /// The newest looks at the queue.
    fn looks(&self) -> &Looks {
        &self.0.looks
    }

    fn store(&self) -> Option<&Store> {
        self.0.store.as_ref()
    }

    fn queue_options(&self) -> &QueueOptions {
        &self.0.queue
    }

    /// The queue, for one request: no call through it outlives the request. `None` where no Redis
    /// is configured.
    fn queue(&self) -> Option<Queue> {
        self.queue_of(&self.0.queue)
    }

    /// As [`Api::queue`], for who tells afterwards what was spent.
    fn metered_queue(&self) -> Option<Queue> {
        self.queue().map(|queue| queue.over(queue.redis().metered()))
    }

    /// Another queue, used as ours is.
    fn queue_named(&self, name: &str) -> Option<Queue> {
        self.queue_of(&QueueOptions { name: name.to_owned(), ..self.0.queue.clone() })
    }

    fn queue_of(&self, options: &QueueOptions) -> Option<Queue> {
        let redis = self.redis()?.until(Instant::now() + envelope::REDIS_LIMIT);
        Some(Queue::new(redis, options, self.clock().clone()))
    }

    /// Counts a POST request of the user, where that is wanted.
    ///
    /// # Errors
    /// A 429 past the limit; a 503 when it cannot be counted.
    async fn admit(&self, user_id: &str) -> Result<(), Error> {
        let Some(rate) = &self.0.rate else { return Ok(()) };
        let queue = self.metered_queue();
        let now = self.clock().now_ms();
        let admitted = rate.admit(queue.as_ref(), self.last_write(), user_id, now).await;
        if let Some(queue) = queue.filter(|_| self.budget().is_some()) {
            self.purse().pay(&queue, queue.redis().usage().billed, false).await;
        }
        admitted
    }

    /// What callbacks of receivers are signed with.
    fn secrets(&self) -> Option<&Secrets> {
        self.0.forward.secrets.as_ref()
    }

    /// Whether a receiver does the jobs of this queue.
    fn is_forwarded(&self, queue: &str) -> bool {
        self.0.forward.queues.iter().any(|name| name == queue)
    }
}

/// All routes over `api`.
pub fn router(api: Api) -> Router {
    let cors = cors::layer(api.origins());
    let router = routes::router()
        .merge(console::routes())
        .fallback(envelope::no_route)
        .method_not_allowed_fallback(envelope::no_method)
        .layer(DefaultBodyLimit::max(input::MAX_BODY))
        .layer(from_fn(encoding::pack))
        .layer(from_fn_with_state(api.clone(), envelope::envelope))
        .with_state(api);
    match cors {
        Some(cors) => router.layer(cors),
        None => router,
    }
}
