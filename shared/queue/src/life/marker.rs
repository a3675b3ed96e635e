//! Sleeps until there is work, as BullMQ's workers do: blocked on the marker that every add leaves.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::error::Error;

use crate::queue::Queue;
use batchmq_redis::Command;

impl Queue {
    /// Sleeps until the marker tells of work, at most for `limit`; when it tells of a delayed job,
    /// the time at which that falls due. One command, which takes the marker away: whoever asks must
    /// look for work then, or at the time told.
    ///
    /// It blocks the connection, so the queue must be over one of its own, with limits beyond
    /// `limit`. Upstash's REST API refuses blocking commands.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn wait_for_work(&self, limit: Duration) -> Result<Waited, Error> {
        // 0 would be for ever, and Redis before 7.0.8 takes 1 ms for 0.
        let seconds = limit.as_secs_f64().max(0.002);
        let command =
            Command::new("BZPOPMIN").arg(self.keys.of("marker")).arg(format!("{seconds:.3}"));
        let answer = self.redis.call(command).await?;
        let Some(found) = answer.as_array() else { return Ok(Waited::Long) };
        // The key, the member, its score: 0, or a time in milliseconds.
        let score = found.get(2).and_then(|score| score.as_str()?.parse::<f64>().ok());
        match score {
            Some(0.0) => Ok(Waited::Work),
            Some(due) => Ok(Waited::Due(due.ceil() as i64)),
            None => Err(Error::Protocol("BZPOPMIN")),
        }
    }

    /// The name of the connection of a worker that waits for work: by it BullMQ's `getWorkers`, and
    /// dashboards with it, find the workers in the server's list of clients.
    pub fn worker_name(&self) -> String {
        format!("{}:{}", self.options.prefix, BASE64_STANDARD.encode(&self.options.name))
    }

    /// Leaves a marker for the next worker, where a job waits: what [`Queue::wait_for_work`] took
    /// away, for who ends now. At most 3 commands.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn mark(&self) -> Result<(), Error> {
        let occupied = self.peek().await?;
        let (score, member) = match occupied.is_waiting() {
            true => (0, "0"),
            false if !occupied.delayed => return Ok(()),
            false => match self.next_due_ms().await? {
                Some(due) => (due, "1"),
                None => return Ok(()),
            },
        };
        let command = Command::new("ZADD").arg(self.keys.of("marker"));
        self.redis.call(command.arg(score.to_string()).arg(member).replay_safe()).await?;
        Ok(())
    }
}

/// How [`Queue::wait_for_work`] ended.
///
/// ```no_run
/// use std::time::Duration;
///
/// use batchmq::{Error, Queue, Waited};
///
/// # async fn example(queue: &Queue) -> Result<(), Error> {
/// println!("{} waits", queue.worker_name());
/// match queue.wait_for_work(Duration::from_secs(60)).await? {
///     Waited::Work => println!("claim it"),
///     Waited::Due(at) => println!("a job falls due at {at}"),
///     Waited::Long => println!("nothing came"),
/// }
/// // Whoever leaves work behind wakes another one.
/// queue.mark().await
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// There is work, or was a moment ago.
    Work,
    /// A delayed job falls due at this time, in milliseconds since the epoch; maybe it has already.
    Due(i64),
    /// The time is up.
    Long,
}
