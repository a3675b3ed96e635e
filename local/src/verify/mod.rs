//! Proves, from Redis and Postgres after a run and from the log of accepted jobs, that the invariants hold, or
//! names the jobs that break them.
//!
//! [`Accepted`] is the log, [`Evidence`] what no state can tell. [`verify`] reads everything past the code that
//! is tested ([`queue`] and [`scores`]), looks at it ([`places`], [`effects`], [`form`]) and returns a
//! [`Verdict`]. It writes nothing.

mod accepted;
mod drops;
mod effects;
mod evidence;
mod form;
mod invariant;
mod places;
mod queue;
mod scores;
mod verdict;

use shared::clock::Clock;
use shared::redis::Redis;
use shared::store::{self, Database, Store};

pub use accepted::{Accepted, AcceptedJob, LineError};
pub use evidence::{Evidence, EvidenceError};
pub use invariant::Invariant;
pub use verdict::{Finding, Verdict, Violation};

use self::places::Look;
use self::queue::QueueState;
use self::verdict::Findings;

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Redis cannot be read.
    #[error(transparent)]
    Redis(#[from] shared::queue::Error),
    /// Postgres cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A statement was refused.
    #[error("reading snapshots: {0}")]
    Postgres(#[from] tokio_postgres::Error),
}

/// The names of a queue.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// Its key prefix.
    pub prefix: &'a str,
    /// Its name.
    pub queue: &'a str,
}

/// The time that a run took: what is older is not its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Period {
    /// Its beginning, in milliseconds since the Unix epoch; `None`: all that is there belongs to it.
    pub since_ms: Option<i64>,
}

impl Period {
    fn is_before(self, timestamp_ms: Option<i64>) -> bool {
        self.since_ms.zip(timestamp_ms).is_some_and(|(since, timestamp)| timestamp < since)
    }
}

/// What is asked of the state.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What belongs to the run.
    pub period: Period,
    /// Whether every job must have ended.
    pub all_ended: bool,
    /// Whether jobs may be active still.
    pub may_be_active: bool,
    /// Whether snapshots are deleted after a time, so that one may be gone.
    pub snapshots_are_pruned: bool,
    /// How often a job that waits may have been started at most.
    pub most_starts: i64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            period: Period::default(),
            all_ended: false,
            may_be_active: false,
            snapshots_are_pruned: false,
            most_starts: 50,
        }
    }
}

/// Looks at the queue of these names and at the scores in `database`.
///
/// # Errors
/// When Redis or Postgres cannot be read.
pub async fn verify(
    redis: &Redis,
    names: Names<'_>,
    database: &Database,
    accepted: &Accepted,
    evidence: &[Evidence],
    rules: &Rules,
) -> Result<Verdict, Error> {
    let queue = QueueState::read(redis, names.prefix, names.queue).await?;
    let client = database.in_its_schema().connect().await?;
    let snapshots = scores::snapshots(&client, rules.period).await?;
    let mut findings = Findings::new();
    let look = Look {
        names,
        rules,
        accepted,
        queue: &queue,
        snapshots: &snapshots,
        now_ms: Clock::System.now_ms(),
    };
    look.check(&mut findings);
    look.form(&mut findings);
    let named = look.effects(&mut findings);
    scores::check(&client, &Store::over(database.clone()), rules.period, &named, &mut findings)
        .await?;
    let events = drops::events(&client, rules.period).await?;
    drops::check(&events, &look, &named, evidence, &mut findings);
    findings.hear(evidence);
    let mut findings = findings.into_inner();
    for finding in &mut findings {
        finding.violations.sort_unstable_by(|a, b| (&a.job, &a.what).cmp(&(&b.job, &b.what)));
    }
    Ok(Verdict {
        holds: findings.iter().all(|finding| finding.violations.is_empty()),
        accepted: accepted.len(),
        states: look.count(),
        snapshots: snapshots.len(),
        leftovers: queue.leftovers,
        readable: look.readable(),
        findings,
    })
}
