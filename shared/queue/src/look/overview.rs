//! Shows the queue at a glance, for people.

use crate::error::Error;
use crate::look::counts::Counts;
use crate::look::throughput::Throughput;
use crate::queue::Queue;

/// The queue at a glance.
///
/// ```no_run
/// use batchmq::{Error, Queue, State};
///
/// # async fn example(queue: &Queue) -> Result<(), Error> {
/// let overview = queue.overview().await?;
/// println!("{} in an hour, {} wait", overview.last_hour.completed, overview.counts.wait);
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overview {
    /// Jobs per state.
    pub counts: Counts,
    /// Whether it is paused.
    pub paused: bool,
    /// When the job that waits longest was added, in milliseconds since the epoch.
    pub oldest_waiting_ms: Option<i64>,
    /// What was finished in the last minute.
    pub last_minute: Throughput,
    /// What was finished in the last hour.
    pub last_hour: Throughput,
}

impl Queue {
    /// Looks at everything. 14 commands, 4 more where a worker writes metrics, and those of
    /// [`Queue::oldest_waiting_ms`]; some of its round trips are made at the same time.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn overview(&self) -> Result<Overview, Error> {
        let (paused, counts, [last_minute, last_hour]) =
            tokio::try_join!(self.is_paused(), self.counts(), self.throughputs([1, 60]))?;
        let oldest_waiting_ms = self.oldest_waiting_ms(counts.into()).await?;
        Ok(Overview { counts, paused, oldest_waiting_ms, last_minute, last_hour })
    }
}
