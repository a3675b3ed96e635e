//! Tells what the queue got done lately.

use serde::Serialize;

use crate::error::Error;

use crate::queue::Queue;

use crate::answer::strings;
use batchmq_redis::{Command, Value};

const MINUTE_MS: i64 = 60_000;

/// The sets of finished jobs.
pub(crate) const ENDS: [&str; 2] = ["completed", "failed"];

/// Whence it is known how many jobs ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Counted {
    /// BullMQ's metrics count all, by whole minutes of the clock with the one that runs.
    Metrics,
    /// All reports of the span's ticks are there.
    Ticks,
    /// So many are known: those that are still kept, or those of the ticks whose reports are. There may have
    /// been more.
    #[default]
    AtLeast,
}

/// Jobs that ended within the last minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Throughput {
    /// How far back.
    pub minutes: u32,
    /// Jobs that worked.
    pub completed: u64,
    /// Jobs that did not.
    pub failed: u64,
    /// Whence that is known.
    pub counted: Counted,
}

impl Throughput {
    /// The same with what the reports of `ticks` add, which know of jobs that are not kept any more.
    #[must_use]
    pub fn or(self, ticks: Self) -> Self {
        if self.counted == Counted::Metrics {
            return self;
        }
        // Others than those who report may have ended some.
        let are_all = self.completed <= ticks.completed && self.failed <= ticks.failed;
        Self {
            minutes: self.minutes,
            completed: self.completed.max(ticks.completed),
            failed: self.failed.max(ticks.failed),
            counted: if are_all { ticks.counted } else { Counted::AtLeast },
        }
    }
}

impl Queue {
    /// What ended within the last `minutes`: by BullMQ's metrics, where some worker writes them, else by the
    /// finished jobs that are kept, which are at least so many. Three commands in one round trip; four more
    /// in a second one where there are metrics.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn throughput(&self, minutes: u32) -> Result<Throughput, Error> {
        self.throughputs([minutes]).await.map(|[throughput]| throughput)
    }

    /// As [`Queue::throughput`], for several spans of minutes at once; two commands more for each
    /// after the first.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn throughputs<const N: usize>(
        &self,
        spans: [u32; N],
    ) -> Result<[Throughput; N], Error> {
        let now = self.clock.now_ms();
        let metrics = ENDS.map(|end| self.keys.of(&format!("metrics:{end}")));
        let mut commands: Vec<Command> = spans
            .iter()
            .flat_map(|minutes| ENDS.map(|end| of_kept(&self.keys.of(end), *minutes, now)))
            .collect();
        commands.push(Command::new("EXISTS").args(metrics.clone()).replay_safe());
        let mut numbers = Vec::new();
        for answer in self.redis.pipeline(commands).await? {
            let count = answer?.as_int().and_then(|n| u64::try_from(n).ok());
            numbers.push(count.ok_or(Error::Protocol("ZCOUNT"))?);
        }
        let any = numbers.pop().is_some_and(|any| any > 0);
        let mut kept = numbers.chunks_exact(2).map(|pair| [pair[0], pair[1]]);
        let spans = spans.map(|minutes| (minutes, kept.next()));
        if !any {
            return Ok(spans.map(|(minutes, kept)| told(minutes, kept, None)));
        }
        let longest = spans.iter().map(|(minutes, _)| *minutes).max().unwrap_or_default();
        let commands = metrics.iter().flat_map(|key| of_metrics(key, longest)).collect();
        let answers = self.redis.pipeline(commands).await?;
        let answers = answers.into_iter().collect::<Result<Vec<Value>, _>>()?;
        let [completed_sums, completed_rises, failed_sums, failed_rises] = answers.as_slice()
        else {
            return Err(Error::Protocol("HMGET"));
        };
        Ok(spans.map(|(minutes, kept)| {
            let of = |sums, rises| counted(now, minutes, sums, rises).unwrap_or_default();
            let metrics = [of(completed_sums, completed_rises), of(failed_sums, failed_rises)];
            told(minutes, kept, Some(metrics))
        }))
    }
}

/// What completed and what failed, by the one rule: metrics count all where there are some, and what is kept is at
/// least so much; of the two the greater, since a worker that writes no metrics may have ended some.
pub(crate) fn told(minutes: u32, kept: Option<[u64; 2]>, metrics: Option<[u64; 2]>) -> Throughput {
    let counted = if metrics.is_some() { Counted::Metrics } else { Counted::AtLeast };
    let [kept, metrics] = [kept, metrics].map(Option::unwrap_or_default);
    Throughput {
        minutes,
        completed: kept[0].max(metrics[0]),
        failed: kept[1].max(metrics[1]),
        counted,
    }
}

/// Asks how many jobs that ended within the last `minutes` are kept in the set `key`.
pub(crate) fn of_kept(key: &str, minutes: u32, now: i64) -> Command {
    let since = now - i64::from(minutes) * MINUTE_MS;
    Command::new("ZCOUNT").arg(key).arg(format!("({since}")).arg("+inf").replay_safe()
}

/// Asks for the sums and for the rises of the last `minutes` that metrics `key` hold.
pub(crate) fn of_metrics(key: &str, minutes: u32) -> [Command; 2] {
    let sums = Command::new("HMGET").arg(key).args(["count", "prevTS", "prevCount"]);
    let rises = Command::new("LRANGE").arg(format!("{key}:data")).arg("0").arg(minutes.to_string());
    [sums.replay_safe(), rises.replay_safe()]
}

/// What BullMQ's metrics say of the minute that runs and the `minutes - 1` before it. They hold the
/// count so far, when it last rose and what it was before that minute, and the rises of the minutes
/// before it, newest first.
pub(crate) fn counted(now: i64, minutes: u32, sums: &Value, data: &Value) -> Option<u64> {
    let number = |value: &Value| value.as_str()?.parse::<i64>().ok();
    let [count, at, before] = sums.as_array()? else { return None };
    let (count, at) = (number(count)?, number(at)?);
    let behind = now / MINUTE_MS - at / MINUTE_MS;
    let left = i64::from(minutes) - behind;
    if left <= 0 {
        return Some(0);
    }
    let current = count - number(before).unwrap_or(0);
    let earlier: i64 = strings(data)?
        .iter()
        .take(usize::try_from(left - 1).ok()?)
        .filter_map(|rise| rise.parse::<i64>().ok())
        .sum();
    u64::try_from(current + earlier).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(items: &[&str]) -> Value {
        Value::Array(items.iter().map(|item| Value::Bytes(item.as_bytes().to_vec())).collect())
    }

    #[test]
    fn metrics_go_before_what_is_kept_unless_more_is_kept() {
        let at_least =
            Throughput { minutes: 5, completed: 3, failed: 1, counted: Counted::AtLeast };
        assert_eq!(told(5, Some([3, 1]), None), at_least);
        let metrics = Throughput { completed: 7, counted: Counted::Metrics, ..at_least };
        assert_eq!(told(5, Some([3, 1]), Some([7, 0])), metrics);
        assert_eq!(told(5, None, Some([7, 1])), metrics);
    }

    #[test]
    fn ticks_add_what_is_not_kept_and_tell_all_only_if_nobody_else_ended_more() {
        let throughput =
            |completed, failed, counted| Throughput { minutes: 5, completed, failed, counted };
        let kept = throughput(3, 2, Counted::AtLeast);
        for (ticks, told) in [
            (throughput(9, 2, Counted::Ticks), throughput(9, 2, Counted::Ticks)),
            (throughput(9, 2, Counted::AtLeast), throughput(9, 2, Counted::AtLeast)),
            // Somebody who does not report has ended some.
            (throughput(9, 1, Counted::Ticks), throughput(9, 2, Counted::AtLeast)),
            (throughput(2, 4, Counted::Ticks), throughput(3, 4, Counted::AtLeast)),
        ] {
            assert_eq!(kept.or(ticks), told, "{ticks:?}");
        }
        let metrics = throughput(1, 1, Counted::Metrics);
        assert_eq!(metrics.or(throughput(9, 9, Counted::Ticks)), metrics);
    }

    #[test]
    fn metrics_are_summed_over_the_minutes_asked_for() {
        let at = |minute: i64| minute * MINUTE_MS + 30_000;
        let sums = texts(&["1000", &at(100).to_string(), "990"]);
        let data = texts(&["5", "0", "7", "9"]);
        let sum = |now, minutes| counted(now, minutes, &sums, &data);
        assert_eq!(sum(at(100), 1), Some(10));
        assert_eq!(sum(at(100), 2), Some(15));
        assert_eq!(sum(at(100), 4), Some(22));
        assert_eq!(sum(at(102), 4), Some(15));
        assert_eq!(sum(at(104), 4), Some(0));
        assert_eq!(counted(at(1), 5, &Value::Array(vec![Value::Nil; 3]), &data), None);
    }
}
