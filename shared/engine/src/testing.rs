//! A kit for testing handlers in memory: jobs as a claim gives them, and what a handler makes of a
//! batch, without a queue or a server.
//!
//! ```
//! # use std::convert::Infallible;
//! # use batchmq::{ClaimedJob, Settlement};
//! # use batchmq_engine::{Context, Handler};
//! # struct Doubler;
//! # impl Handler for Doubler {
//! #     type Error = Infallible;
//! #     async fn handle(
//! #         &self,
//! #         jobs: &[ClaimedJob],
//! #         context: &Context<'_>,
//! #     ) -> Result<Vec<Settlement>, Infallible> {
//! #         context.count("doubled", jobs.len() as u64);
//! #         Ok(jobs
//! #             .iter()
//! #             .map(|job| match job.data.parse::<i64>() {
//! #                 Ok(number) => Settlement::Complete((2 * number).to_string()),
//! #                 Err(_) => Settlement::Unrecoverable("not a number".to_owned()),
//! #             })
//! #             .collect())
//! #     }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use std::time::Duration;
//!
//! use batchmq_engine::Stop;
//! use batchmq_engine::testing::{job, run, run_until};
//! use tokio::time::Instant;
//!
//! let jobs = [job("1", "21"), job("2", "\"x\"")];
//! let ran = run(&Doubler, &jobs).await.unwrap();
//! assert_eq!(ran.settlements[0], Settlement::Complete("42".to_owned()));
//! assert_eq!(ran.settlements[1], Settlement::Unrecoverable("not a number".to_owned()));
//! assert_eq!(ran.counters.get("doubled"), 2);
//! // With a deadline, and an end that is asked for.
//! let soon = Instant::now() + Duration::from_secs(1);
//! let same = run_until(&Doubler, &jobs, soon, &Stop::never()).await.unwrap();
//! assert_eq!(ran, same);
//! # }
//! ```

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use batchmq::{ClaimedJob, QueueOptions, Settlement, StoredOptions};
use tokio::time::Instant;

use crate::batch::{Handled, handle};
use crate::counters::Counters;
use crate::handler::{Context, Handler};
use crate::stop::Stop;

/// What a handler made of a batch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ran {
    /// One a job, in their order, as a ticker would settle them.
    pub settlements: Vec<Settlement>,
    /// What the handler counted.
    pub counters: Counters,
}

/// Returns a claimed job in its first attempt; other fields may be set afterwards.
pub fn job(id: &str, data: &str) -> ClaimedJob {
    ClaimedJob {
        id: id.to_owned(),
        raw_id: None,
        name: "job".to_owned(),
        data: data.to_owned(),
        opts: StoredOptions::default(),
        timestamp_ms: 0,
        priority: 0,
        attempts_made: 0,
        attempts_counted: 0,
        stalled: 0,
        deduplication_id: None,
        parent_key: None,
        scheduler_id: None,
        stored_opts: None,
        deferred_failure: None,
        stacktrace: Vec::new(),
    }
}

/// Runs `handler` on a batch as a ticker does, with a minute's time.
///
/// # Errors
/// The handler's own, when it could handle no job.
pub async fn run<H: Handler>(handler: &H, jobs: &[ClaimedJob]) -> Result<Ran, H::Error> {
    let deadline = Instant::now() + Duration::from_secs(60);
    run_until(handler, jobs, deadline, &Stop::never()).await
}

/// As [`run`], until `deadline`, or until `stop` asks for the end: the jobs of a batch that is cut short
/// go back to the queue ([`Settlement::Postpone`]).
///
/// # Errors
/// The handler's own, when it could handle no job.
pub async fn run_until<H: Handler>(
    handler: &H,
    jobs: &[ClaimedJob],
    deadline: Instant,
    stop: &Stop,
) -> Result<Ran, H::Error> {
    let counters = Mutex::new(Counters::of(H::COUNTERS));
    let queue = QueueOptions::new("test");
    let context = Context { claim: "claim", queue: &queue, deadline, stop, counters: &counters };
    let settlements = match handle(handler, jobs, &context).await {
        Handled::Done(settlements) => settlements,
        Handled::Failed(error) => return Err(error),
        Handled::Late => vec![Settlement::Postpone; jobs.len()],
    };
    let counters = counters.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Ran { settlements, counters })
}
