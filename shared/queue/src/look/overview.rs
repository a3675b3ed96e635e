//! Shows the queue at a glance, for people, at a bounded price.
//!
//! There is more to see than [`MOST_COMMANDS`] commands can ask for. So a look reads what matters now: what
//! is paused, limited, waiting and active, and since when. What is left of the price is spent on what is out
//! of date of the rest, which the look before told. Each such figure says when it was read.

mod plan;

use serde::Serialize;

use crate::answer::strings;
use crate::error::Error;
use crate::heartbeat::Heartbeat;
use crate::look::counts::Counts;
use crate::look::hold::Hold;
use crate::look::throughput::{Counted, Throughput, counted};
use crate::operate::limits::Limits;
use crate::queue::Queue;
use batchmq_redis::Value;

/// What a look costs at most, in billed commands.
pub const MOST_COMMANDS: u64 = 10;

/// Schedules that are shown.
pub const MOST_SCHEDULES: usize = 50;

/// A figure, and when it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figure<T> {
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// The figure.
    pub value: T,
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
    /// Jobs per state; those that are completed stand in [`Overview::completed`].
    pub counts: Counts,
    /// Jobs that are kept in `completed`.
    pub completed: Option<Figure<u64>>,
    /// The queue's limits, and how much of them is used.
    pub limits: Limits,
    /// Why nothing can be claimed.
    pub hold: Option<Hold>,
    /// When the job that waits longest was added, in milliseconds since the epoch. At most the hundred jobs
    /// that are next are looked at, and the first of the prioritized ones.
    pub oldest_waiting_ms: Option<i64>,
    /// What those who work on the queue told.
    pub heartbeat: Option<Figure<Heartbeat>>,
    /// The job schedulers, the next due first: the first [`MOST_SCHEDULES`].
    pub schedules: Option<Figure<Vec<Upcoming>>>,
    /// BullMQ's metrics of what completed and of what failed, as they stand: sums and rises.
    metrics: [Option<Figure<[Value; 2]>>; 2],
    /// What ended in the last minute and in the last hour and is kept.
    kept: Option<Figure<[Throughput; 2]>>,
}

impl Overview {
    /// What ended within the last `minutes`, 1 or 60: by the metrics where there are some, else by the jobs
    /// that are kept. `None` where neither was read.
    pub fn throughput(&self, minutes: u32) -> Option<Throughput> {
        if let [Some(completed), Some(failed)] = &self.metrics {
            let [completed, failed] = [completed, failed].map(|metric| {
                let [sums, rises] = &metric.value;
                counted(self.at_ms, minutes, sums, rises).unwrap_or_default()
            });
            return Some(Throughput { minutes, completed, failed, counted: Counted::Metrics });
        }
        self.kept?.value.into_iter().find(|kept| kept.minutes == minutes)
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
