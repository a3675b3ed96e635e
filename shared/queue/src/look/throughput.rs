//! Tells what the queue got done lately.

use serde::Serialize;

use crate::error::Error;

use crate::queue::Queue;

use crate::answer::strings;
use batchmq_redis::{Command, Value};

const MINUTE_MS: i64 = 60_000;

/// The sets of finished jobs.
const ENDS: [&str; 2] = ["completed", "failed"];

/// Jobs that ended within the last minutes: at least so many, since Redis keeps neither all jobs
/// nor, unless a worker writes metrics, their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Throughput {
    /// How far back.
    pub minutes: u32,
    /// Jobs that worked.
    pub completed: u64,
    /// Jobs that did not.
    pub failed: u64,
}

impl Queue {
    /// What ended within the last `minutes`: by the finished jobs that are kept or by BullMQ's
    /// metrics, where some worker writes them, whichever knows of more. Three commands in one round
    /// trip; four more in a second one where there are metrics.
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
        let kept = |minutes, end| {
            let since = now - i64::from(minutes) * MINUTE_MS;
            let command = Command::new("ZCOUNT").arg(self.keys.of(end)).arg(format!("({since}"));
            command.arg("+inf").replay_safe()
        };
        let mut commands: Vec<Command> =
            spans.iter().flat_map(|minutes| ENDS.map(|end| kept(*minutes, end))).collect();
        commands.push(Command::new("EXISTS").args(metrics.clone()).replay_safe());
        let mut numbers = Vec::new();
        for answer in self.redis.pipeline(commands).await? {
            let count = answer?.as_int().and_then(|n| u64::try_from(n).ok());
            numbers.push(count.ok_or(Error::Protocol("ZCOUNT"))?);
        }
        let any = numbers.pop().is_some_and(|any| any > 0);
        let mut metered = Vec::new();
        if any {
            let longest = spans.iter().max().copied().unwrap_or_default().to_string();
            let rises = |key: &String| {
                let sums = Command::new("HMGET").arg(key.clone());
                let rises = Command::new("LRANGE").arg(format!("{key}:data")).arg("0");
                let sums = sums.args(["count", "prevTS", "prevCount"]).replay_safe();
                [sums, rises.arg(longest.clone()).replay_safe()]
            };
            let answers = self.redis.pipeline(metrics.iter().flat_map(rises).collect()).await?;
            metered = answers.into_iter().collect::<Result<Vec<Value>, _>>()?;
        }
        let mut known = numbers.chunks_exact(2);
        Ok(spans.map(|minutes| {
            let mut ends = [0; 2];
            ends.copy_from_slice(known.next().unwrap_or(&[0; 2]));
            for (end, of) in ends.iter_mut().zip(metered.chunks_exact(2)) {
                let counted = counted(now, minutes, &of[0], &of[1]);
                *end = (*end).max(counted.unwrap_or_default());
            }
            let [completed, failed] = ends;
            Throughput { minutes, completed, failed }
        }))
    }
}

/// What BullMQ's metrics say of the minute that runs and the `minutes - 1` before it. They hold the
/// count so far, when it last rose and what it was before that minute, and the rises of the minutes
/// before it, newest first.
fn counted(now: i64, minutes: u32, sums: &Value, data: &Value) -> Option<u64> {
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
