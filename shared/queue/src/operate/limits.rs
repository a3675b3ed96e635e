//! The queue's own limits, which hold for every peer: how many jobs may be active at once, and how
//! many may start within a time.

use std::num::NonZeroU32;

use serde::Serialize;

use crate::answer::fields;
use crate::error::Error;
use crate::operate::refusal::Refusal;
use crate::queue::Queue;
use batchmq_redis::{Command, Value};

/// At most `max` jobs start within `duration_ms`, counted from the first of them on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Jobs.
    pub max: NonZeroU32,
    /// Milliseconds: up to 49 days.
    pub duration_ms: NonZeroU32,
}

/// The rate limit that stands in the queue's settings. A peer may have written numbers there that
/// we would refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredRate {
    /// Jobs.
    pub max: u64,
    /// Milliseconds.
    pub duration_ms: u64,
}

/// Whether jobs may start, in the words of a tick's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Flow {
    /// They may.
    Running,
    /// The queue is paused.
    Paused,
    /// As many jobs have started as the rate limit allows.
    Limited,
    /// As many jobs are active as the concurrency allows.
    Full,
}

impl Flow {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Limited => "limited",
            Self::Full => "full",
        }
    }
}

/// The queue's limits, and how much of them is used.
///
/// ```no_run
/// use std::num::NonZeroU32;
///
/// use batchmq::{Error, Queue, RateLimit};
///
/// # async fn example(queue: &Queue) -> Result<(), Error> {
/// queue.limit_concurrency(NonZeroU32::new(50)).await?;
/// queue.limit_rate(None::<RateLimit>).await?;
/// let limits = queue.limits().await?;
/// println!("{}: {} active of {:?}", limits.flow().name(), limits.active, limits.concurrency);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Whether the queue is paused.
    pub paused: bool,
    /// Jobs that may be active at once; `None` sets no limit.
    pub concurrency: Option<u64>,
    /// Jobs that are active.
    pub active: u64,
    /// Jobs that may start within a time; `None` sets no limit.
    pub rate: Option<StoredRate>,
    /// Jobs that have started within the time that runs.
    pub used: u64,
    /// Milliseconds until the time that runs is over; `None` when none runs.
    pub left_ms: Option<u64>,
}

impl Limits {
    /// Whether jobs may start. Limits of a worker's own are not known here.
    pub fn flow(&self) -> Flow {
        let limited = self.rate.is_some_and(|rate| self.used >= rate.max) && self.left_ms.is_some();
        match self {
            Self { paused: true, .. } => Flow::Paused,
            _ if limited => Flow::Limited,
            Self { concurrency: Some(most), active, .. } if active >= most => Flow::Full,
            _ => Flow::Running,
        }
    }
}

impl Queue {
    /// The queue's limits, and how much of them is used. 4 commands, one round trip.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn limits(&self) -> Result<Limits, Error> {
        Ok(self.read_limits().await?.unwrap_or_default())
    }

    /// Lets at most `most` jobs be active at once, over all peers; `None` lifts the limit. Jobs that
    /// are active go on. 5 commands, two round trips; up to 3 more to wake a worker where more jobs
    /// may be active than before.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such queue. [`Error::Redis`].
    pub async fn limit_concurrency(&self, most: Option<NonZeroU32>) -> Result<(), Error> {
        let before = self.existing().await?;
        let meta = self.keys.of("meta");
        let command = match most {
            Some(most) => Command::new("HSET").arg(meta).arg("concurrency").arg(most.to_string()),
            None => Command::new("HDEL").arg(meta).arg("concurrency"),
        };
        self.redis.call(command.replay_safe()).await?;
        let concurrency = most.map(|most| u64::from(most.get()));
        self.wake_after(before, Limits { concurrency, ..before }).await
    }

    /// Lets jobs start at this rate at most, over all peers; `None` lifts the limit. The jobs that
    /// started within the time that runs stay counted, and that time is not changed. As many
    /// commands as [`Queue::limit_concurrency`].
    ///
    /// A worker that a rate holds back sleeps by its own clock until the time that it was told is
    /// over, and no marker wakes it.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such queue. [`Error::Redis`].
    pub async fn limit_rate(&self, rate: Option<RateLimit>) -> Result<(), Error> {
        let before = self.existing().await?;
        let meta = self.keys.of("meta");
        let command = match rate {
            Some(RateLimit { max, duration_ms }) => {
                let set = Command::new("HSET").arg(meta).arg("max").arg(max.to_string());
                set.arg("duration").arg(duration_ms.to_string())
            }
            None => Command::new("HDEL").arg(meta).arg("max").arg("duration"),
        };
        self.redis.call(command.replay_safe()).await?;
        let rate = rate.map(|RateLimit { max, duration_ms }| StoredRate {
            max: max.get().into(),
            duration_ms: duration_ms.get().into(),
        });
        self.wake_after(before, Limits { rate, ..before }).await
    }

    /// The limits of a queue that is there: an operator's mistake in a name makes no new queue.
    async fn existing(&self) -> Result<Limits, Error> {
        let name = || format!("{}:{}", self.options.prefix, self.options.name);
        Ok(self.read_limits().await?.ok_or_else(|| Refusal::NoQueue { queue: name() })?)
    }

    /// Leaves a marker where a limit allows more than before: a worker may sleep over jobs that wait.
    /// While something else holds the queue back, whoever ends that leaves the marker.
    async fn wake_after(&self, before: Limits, now: Limits) -> Result<(), Error> {
        let concurrency = |limits: Limits| limits.concurrency.unwrap_or(u64::MAX);
        let rate = |limits: Limits| limits.rate.map_or(u64::MAX, |rate| rate.max);
        let raised = concurrency(now) > concurrency(before) || rate(now) > rate(before);
        if raised && now.flow() == Flow::Running {
            self.mark().await?;
        }
        Ok(())
    }

    /// The limits, or nothing when the queue has no settings: then there is no such queue.
    async fn read_limits(&self) -> Result<Option<Limits>, Error> {
        let ask = |name, key| Command::new(name).arg(self.keys.of(key)).replay_safe();
        let commands = vec![
            ask("HGETALL", "meta"),
            ask("LLEN", "active"),
            ask("GET", "limiter"),
            ask("PTTL", "limiter"),
        ];
        let answers = self.redis.pipeline(commands).await?;
        let answers = answers.into_iter().collect::<Result<Vec<Value>, _>>()?;
        let [meta, active, used, left] = answers.as_slice() else {
            return Err(Error::Protocol("HGETALL"));
        };
        let meta = fields(meta)?;
        if meta.is_empty() {
            return Ok(None);
        }
        let number = |field: &str| meta.get(field).and_then(|text| whole(text));
        let count = |answer: &Value| answer.as_int().and_then(|n| u64::try_from(n).ok());
        let rate = number("max").zip(number("duration"));
        Ok(Some(Limits {
            paused: meta.contains_key("paused"),
            concurrency: number("concurrency"),
            active: count(active).ok_or(Error::Protocol("LLEN"))?,
            rate: rate.map(|(max, duration_ms)| StoredRate { max, duration_ms }),
            used: used.as_str().and_then(whole).unwrap_or(0),
            left_ms: count(left).filter(|ms| *ms > 0),
        }))
    }
}

/// A number as the scripts compare with it: 1.5 jobs are reached by the second.
pub(crate) fn whole(text: &str) -> Option<u64> {
    let number: f64 = text.trim().parse().ok()?;
    (!number.is_nan()).then_some(number.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_holds_the_queue_back_by_its_own_name() {
        let rate = Some(StoredRate { max: 3, duration_ms: 1_000 });
        let limited = Limits { rate, used: 3, left_ms: Some(5), ..Limits::default() };
        let full = Limits { concurrency: Some(2), active: 2, ..Limits::default() };
        for (limits, flow) in [
            (Limits::default(), Flow::Running),
            (limited, Flow::Limited),
            // The time is over, or never began.
            (Limits { left_ms: None, ..limited }, Flow::Running),
            (Limits { used: 2, ..limited }, Flow::Running),
            (Limits { rate: None, ..limited }, Flow::Running),
            (full, Flow::Full),
            (Limits { active: 1, ..full }, Flow::Running),
            (Limits { rate, used: 9, left_ms: Some(5), ..full }, Flow::Limited),
            (Limits { paused: true, ..limited }, Flow::Paused),
        ] {
            assert_eq!(limits.flow(), flow, "{limits:?}");
        }
    }

    #[test]
    fn numbers_of_peers_are_read_as_the_scripts_compare_with_them() {
        for (text, number) in [
            ("5", Some(5)),
            ("1.5", Some(2)),
            ("-1", Some(0)),
            ("9007199254740991", Some(9_007_199_254_740_991)),
            ("", None),
            ("many", None),
        ] {
            assert_eq!(whole(text), number, "{text}");
        }
    }
}
