//! Finds which states hold jobs, and whether there are job schedulers, for one billed command.

use crate::look::counts::Counts;

use crate::error::Error;

use crate::queue::Queue;
use batchmq_redis::Command;

/// The keys that tell which states hold jobs, and the last one whether there is a job scheduler.
const SIX: [&str; 6] = ["wait", "paused", "prioritized", "delayed", "active", "repeat"];

/// The states that hold at least one job, and whether there is a job scheduler.
///
/// ```no_run
/// use batchmq::{Error, Occupied, Queue};
///
/// # async fn example(queue: &Queue, other: &Queue) -> Result<(), Error> {
/// if Queue::count_keys(queue, &[queue, other]).await? == 0 {
///     println!("both are empty");
/// }
/// let occupied = queue.peek().await?;
/// if occupied.is_waiting() && !occupied.is_only_prioritized() {
///     println!("somebody waits since {:?}", queue.oldest_waiting_ms(occupied).await?);
/// }
/// // Counts only where there is something.
/// let waiting = queue.counts_of(Occupied { active: false, ..occupied }).await?.wait;
/// let (later, ids) = queue.pulse().await?;
/// println!("{waiting} wait, {ids} ids were given, {} keys exist", later.keys());
/// assert!(!later.is_empty() || !later.is_future());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupied {
    /// `wait`.
    pub wait: bool,
    /// `paused`, where what waits is kept while the queue is paused.
    pub paused: bool,
    /// `prioritized`.
    pub prioritized: bool,
    /// `delayed`.
    pub delayed: bool,
    /// `active`.
    pub active: bool,
    /// `repeat`: there is a job scheduler, which is no job.
    pub schedulers: bool,
}

impl Occupied {
    /// Any state may hold jobs.
    pub const ANY: Self = Self {
        wait: true,
        paused: true,
        prioritized: true,
        delayed: true,
        active: true,
        schedulers: false,
    };

    /// Out of the sum of 1, 2, 4, 8 and 16 for each state in turn, and 32 for schedulers.
    pub(crate) fn of(sum: i64) -> Self {
        Self {
            wait: sum & 1 != 0,
            paused: sum & 2 != 0,
            prioritized: sum & 4 != 0,
            delayed: sum & 8 != 0,
            active: sum & 16 != 0,
            schedulers: sum & 32 != 0,
        }
    }

    /// No job in any of them.
    pub fn is_empty(self) -> bool {
        self == Self { schedulers: self.schedulers, ..Self::default() }
    }

    /// Returns whether there are delayed jobs and no others.
    pub fn is_future(self) -> bool {
        self == Self { delayed: true, schedulers: self.schedulers, ..Self::default() }
    }

    /// Returns how many of the six keys there are.
    pub fn keys(self) -> u64 {
        let Self { wait, paused, prioritized, delayed, active, schedulers } = self;
        [wait, paused, prioritized, delayed, active, schedulers].map(u64::from).iter().sum()
    }

    /// Prioritized jobs, and no others.
    pub fn is_only_prioritized(self) -> bool {
        let only = Self { prioritized: true, ..Self::default() };
        self == Self { schedulers: self.schedulers, ..only }
    }

    /// A job that could be claimed now, unless the queue is paused.
    pub fn is_waiting(self) -> bool {
        self.wait || self.prioritized
    }
}

impl From<Counts> for Occupied {
    fn from(counts: Counts) -> Self {
        Self {
            wait: counts.wait > 0,
            paused: counts.paused > 0,
            prioritized: counts.prioritized > 0,
            delayed: counts.delayed > 0,
            active: counts.active > 0,
            schedulers: false,
        }
    }
}

impl Queue {
    /// Asks which states hold jobs, and whether there are schedulers.
    ///
    /// `EXISTS` counts a key as often as it is named. Naming the six keys 1, 2, 4, 8, 16 and 32 times
    /// makes the sum tell which of them exist, for the price of one command.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn peek(&self) -> Result<Occupied, Error> {
        let sum = self.redis.call(self.six_keys()).await?;
        Ok(Occupied::of(sum.as_int().ok_or(Error::Protocol("EXISTS"))?))
    }

    /// As [`Queue::peek`], and how often a job was ever asked for: whoever looks again and again sees
    /// by both whether anything happened meanwhile. Two commands, one round trip.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn pulse(&self) -> Result<(Occupied, u64), Error> {
        let asked = Command::new("GET").arg(self.keys.of("id")).replay_safe();
        let answers = self.redis.pipeline(vec![self.six_keys(), asked]).await?;
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let [sum, asked] = answers.as_slice() else { return Err(Error::Protocol("EXISTS")) };
        let sum = sum.as_int().ok_or(Error::Protocol("EXISTS"))?;
        let asked = asked.as_str().and_then(|id| id.parse().ok()).unwrap_or(0);
        Ok((Occupied::of(sum), asked))
    }

    /// Counts how many of the six keys of all `queues`, which are on the Redis of this one, there are:
    /// [`Occupied::keys`] of each together. One command.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn count_keys(&self, queues: &[&Self]) -> Result<u64, Error> {
        let keys = queues.iter().flat_map(|queue| SIX.map(|key| queue.keys.of(key)));
        let count = self.redis.call(Command::new("EXISTS").args(keys).replay_safe()).await?;
        let count = count.as_int().and_then(|count| u64::try_from(count).ok());
        count.ok_or(Error::Protocol("EXISTS"))
    }

    fn six_keys(&self) -> Command {
        let mut command = Command::new("EXISTS").replay_safe();
        for (bit, key) in SIX.iter().enumerate() {
            for _ in 0..1_u32 << bit {
                command = command.arg(self.keys.of(key));
            }
        }
        command
    }
}
