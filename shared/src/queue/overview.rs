//! The queue at a glance, for people.

use super::job::Counts;
use super::{Error, Queue};
use crate::redis::Command;

/// The queue at a glance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Jobs per state.
    pub counts: Counts,
    /// Whether it is paused.
    pub paused: bool,
    /// When the job that waits longest was added, in milliseconds since the epoch.
    pub oldest_waiting_ms: Option<i64>,
    /// What was finished in the last minute.
    pub last_minute: Finished,
    /// What was finished in the last hour.
    pub last_hour: Finished,
}

/// Finished jobs, as many of them as retention has kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Completed.
    pub completed: u64,
    /// Failed for good.
    pub failed: u64,
}

impl Queue {
    /// Looks at everything. Up to 18 commands, four round trips.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn overview(&self) -> Result<Overview, Error> {
        let now = self.clock.now_ms();
        let since = |state, ms: i64| {
            let from = (now - ms).to_string();
            Command::new("ZCOUNT").arg(self.keys.of(state)).arg(from).arg("+inf").replay_safe()
        };
        let commands = vec![
            Command::new("HEXISTS").arg(self.keys.of("meta")).arg("paused").replay_safe(),
            since("completed", 60_000),
            since("failed", 60_000),
            since("completed", 3_600_000),
            since("failed", 3_600_000),
        ];
        let mut numbers = [0_u64; 5];
        let answers = self.redis.pipeline(commands).await?;
        for (number, answer) in numbers.iter_mut().zip(answers) {
            *number = answer?
                .as_int()
                .and_then(|n| u64::try_from(n).ok())
                .ok_or(Error::Protocol("ZCOUNT"))?;
        }
        let [paused, minute_completed, minute_failed, hour_completed, hour_failed] = numbers;
        Ok(Overview {
            counts: self.counts().await?,
            paused: paused == 1,
            oldest_waiting_ms: self.oldest_waiting_ms().await?,
            last_minute: Finished { completed: minute_completed, failed: minute_failed },
            last_hour: Finished { completed: hour_completed, failed: hour_failed },
        })
    }
}
