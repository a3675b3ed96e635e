//! Shows the queue at a glance, for people, at a bounded price.
//!
//! There is more to see than [`MOST_COMMANDS`] commands can ask for. So a look reads what matters now: what
//! is paused, limited, waiting, active and failed. What is left of the price is spent on the rest, which the look
//! before told, what is most overdue first. Each such figure says when it was read.

mod ask;
mod plan;

use serde::Serialize;

use crate::answer::strings;
use crate::error::Error;
use crate::heartbeat::Heartbeat;
use crate::look::hold::Hold;
use crate::look::throughput::{Throughput, counted, told};
use crate::operate::limits::Limits;
use crate::queue::Queue;
use batchmq_redis::Value;

/// What a look costs at most, in billed commands.
pub const MOST_COMMANDS: u64 = 10;

/// Schedules that are shown.
pub const MOST_SCHEDULES: usize = 50;

/// The minutes that are told of what ended.
const SPANS: [u32; 2] = [1, 60];

/// A figure, and when it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figure<T> {
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// The figure.
    pub value: T,
}

/// Jobs per state, as far as looks have read them: `None` where none has had a command left for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CountsSeen {
    /// In `wait`.
    pub wait: u64,
    /// In `paused`, where what waits is kept while the queue is paused.
    pub paused: u64,
    /// In `prioritized`.
    pub prioritized: Option<Figure<u64>>,
    /// In `delayed`.
    pub delayed: Option<Figure<u64>>,
    /// In `active`.
    pub active: u64,
    /// In `waiting-children`.
    pub waiting_children: Option<Figure<u64>>,
    /// In `completed`.
    pub completed: Option<Figure<u64>>,
    /// In `failed`.
    pub failed: u64,
}

/// A job scheduler and when its next job is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Upcoming {
    /// The scheduler's id.
    pub id: String,
    /// Milliseconds since the epoch. Past where its job waits to be claimed, or its schedule is dead.
    pub next_ms: i64,
}

/// The queue at a glance.
///
/// ```no_run
/// use batchmq::{Error, Queue, State};
///
/// # async fn example(queue: &Queue) -> Result<(), Error> {
/// let overview = queue.overview(None).await?;
/// println!("{} wait, {} are active", overview.counts.wait, overview.counts.active);
/// // A later look goes on where this one had to stop.
/// let overview = queue.overview(Some(&overview)).await?;
/// println!("{:?} completed in an hour", overview.throughput(60).map(|hour| hour.completed));
/// println!("{} failed, next due {:?}", queue.counts().await?.failed, queue.next_due_ms().await?);
/// let [short, long] = queue.throughputs([5, 60]).await?;
/// println!("{} of {}", short.completed + queue.throughput(1).await?.completed, long.completed);
/// for line in queue.jobs(State::Failed, 0, 10).await? {
///     println!("{}: {:?}", line.id, line.failed_reason);
/// }
/// for of in queue.priorities(10).await? {
///     println!("{} jobs at priority {}", of.jobs, of.priority);
/// }
/// if let Some(job) = queue.job("1").await? {
///     println!("{} {}: {:?}", job.id, State::told(job.state), queue.logs("1", 0, 10).await?);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Overview {
    /// When it was read: milliseconds since the epoch.
    pub at_ms: i64,
    /// Jobs per state.
    pub counts: CountsSeen,
    /// The queue's limits, and how much of them is used.
    pub limits: Limits,
    /// Why nothing can be claimed.
    pub hold: Option<Hold>,
    /// When the job that waits longest was added, in milliseconds since the epoch; the value is `None` where none
    /// waits. At most the hundred jobs that are next are looked at, and the first of the prioritized ones.
    pub oldest_waiting_ms: Option<Figure<Option<i64>>>,
    /// What those who work on the queue told, and the newest sign of life that any look has seen.
    pub heartbeat: Option<Figure<Heartbeat>>,
    /// The job schedulers, the next due first: the first [`MOST_SCHEDULES`].
    pub schedules: Option<Figure<Vec<Upcoming>>>,
    /// BullMQ's metrics of what completed and of what failed, as they stand: sums and rises.
    metrics: [Option<Figure<[Value; 2]>>; 2],
    /// What completed and what failed within each of [`SPANS`] and is kept.
    kept: [Option<Figure<[u64; SPANS.len()]>>; 2],
    /// When the eldest of the next jobs of the list was added.
    head: Option<Figure<Option<i64>>>,
    /// When the first of the prioritized jobs was added.
    first: Option<Figure<Option<i64>>>,
    /// When the lock of the job that has been active longest was looked at. How long it lives is told at once or never:
    /// it may have been renewed since.
    lock_read_ms: Option<i64>,
    /// When the signs of life without a report were looked at, and the newest of them.
    signs_read_ms: Option<i64>,
    sign_ms: Option<i64>,
}

impl Overview {
    /// What ended within the `minutes`, 1 or 60, before it was read: by the metrics where there are some, else by the
    /// jobs that are kept. `None` where neither was read.
    pub fn throughput(&self, minutes: u32) -> Option<Throughput> {
        let metrics = match &self.metrics {
            [Some(completed), Some(failed)] => Some([completed, failed].map(|metric| {
                let [sums, rises] = &metric.value;
                counted(metric.at_ms, minutes, sums, rises).unwrap_or_default()
            })),
            _ => None,
        };
        let place = SPANS.iter().position(|span| *span == minutes);
        let kept = match (place, self.kept) {
            (Some(place), [Some(completed), Some(failed)]) => {
                Some([completed.value[place], failed.value[place]])
            }
            _ => None,
        };
        (metrics.is_some() || kept.is_some()).then(|| told(minutes, kept, metrics))
    }
}

/// The schedulers out of a range with its scores.
fn upcoming(range: &Value) -> Result<Vec<Upcoming>, Error> {
    let range = strings(range).ok_or(Error::Protocol("ZRANGE"))?;
    let upcoming = range.chunks_exact(2).filter_map(|pair| {
        let next_ms = pair[1].parse::<f64>().ok()? as i64;
        Some(Upcoming { id: pair[0].clone(), next_ms })
    });
    Ok(upcoming.collect())
}

impl Queue {
    /// Looks at everything that at most [`MOST_COMMANDS`] commands tell, in three round trips at most. What
    /// it leaves out is what `before`, the look before, told.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn overview(&self, before: Option<&Overview>) -> Result<Overview, Error> {
        plan::look(self, before.cloned().unwrap_or_default()).await
    }
}
