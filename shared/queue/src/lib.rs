//! Works BullMQ's queue in batches: one script call adds, claims or settles many jobs.
//!
//! The layout in Redis is BullMQ's own (versions 5 and 6), so that its producers, workers and
//! dashboards work on the same queue at the same time. What differs is the price: variadic
//! commands over a whole batch, and one round trip where BullMQ needs one a job.
//!
//! - [`Queue::enqueue`]: [`NewJob`]s in, one [`Added`] each out; [`Queue::add`] also tells whether
//!   a sleeping drain should be woken.
//! - [`Queue::peek`]: which states hold jobs, for one billed command.
//! - [`Queue::claim`], [`Queue::settle`], [`Queue::settle_and_claim`]: the work.
//! - [`Queue::wait_for_work`]: sleeping until there is some, over TCP.
//! - [`Queue::renew`]: locks that must outlast a long batch; [`Queue::held`]: the jobs under them, read
//!   anew.
//! - [`Queue::recover`]: jobs whose owner died go back.
//! - [`Queue::overview`], [`Queue::counts`], [`Queue::jobs`], [`Queue::job`]: looking in from
//!   outside.
//! - [`Queue::pause`], [`Queue::retry`], [`Queue::promote`], [`Queue::remove`], [`Queue::clean`],
//!   [`Queue::obliterate`], [`Queue::limit_concurrency`], [`Queue::limit_rate`]: an operator's hand.
//! - [`Queue::beat`], [`Queue::heartbeat`]: signs of life of those who work.
//! - [`Queue::spend`], [`Queue::spent`]: the month's billed commands; [`Queue::probe`]: whether Redis takes writes.
//! - [`Queue::first_asked`], [`Queue::count_asked`]: what callers of a producer asked for, and how often.
//! - [`schedule`]: job schedulers.

mod answer;
mod asked;
mod bookmark;
pub mod clock;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod heartbeat;
mod job;
mod keys;
mod life;
mod look;
mod operate;
mod options;
mod probe;
mod queue;
pub mod schedule;
mod script;
mod spent;

pub use error::Error;
pub use heartbeat::{Beat, Heartbeat, MOST_BEATS};
pub use job::new::{
    Added, Backoff, Deduplication, Enqueued, JobOptions, KeepJobs, NewJob, Outcome,
};
pub use job::policy::{Ending, StoredOptions};
pub use life::claim::{Claim, ClaimRequest, ClaimStatus, ClaimedJob};
pub use life::marker::Waited;
pub use life::recover::Recovered;
pub use life::settlement::{Code, Settled, Settlement};
pub use look::browse::{JobLine, Logs, MOST_PER_PAGE, PriorityCount};
pub use look::counts::Counts;
pub use look::failures::{FailureGroup, Failures, MOST_FAILURES};
pub use look::hold::Hold;
pub use look::inspect::JobView;
pub use look::overview::{CountsSeen, Figure, MOST_COMMANDS, MOST_SCHEDULES, Overview, Upcoming};
pub use look::owner::{Holder, Lock};
pub use look::peek::Occupied;
pub use look::state::{State, UnknownState};
pub use look::throughput::{Counted, Throughput};
pub use operate::by_reason::{NotAPlace, RetryFrom, Step};
pub use operate::limits::{Flow, Limits, RateLimit, StoredRate};
pub use operate::refusal::Refusal;
pub use operate::revive::Ended;
pub use options::{Events, Limiter, QueueOptions};
pub use queue::Queue;
pub use script::library::{script_commands, script_sizes};

// Its example is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
