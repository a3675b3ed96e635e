//! Leaves a tick's report in the queue's heartbeat, and reads from it.

use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::report::{Report, StoppedBecause};
use batchmq::{Counted, Error, Heartbeat, MOST_BEATS, Queue, Throughput};

/// How often ticks without work give a sign of life: 10 minutes in milliseconds.
const IDLE_MS: u64 = 600_000;

const MINUTE_MS: i64 = 60_000;

/// Characters of an error that a report keeps.
const MOST_OF_AN_ERROR: usize = 300;

/// When this process last gave a sign of life.
#[derive(Debug)]
pub(crate) struct Pulse {
    /// Milliseconds since the epoch; [`NEVER`] before the first tick.
    last_ms: AtomicI64,
}

const NEVER: i64 = i64::MIN;

impl Default for Pulse {
    fn default() -> Self {
        Self { last_ms: AtomicI64::new(NEVER) }
    }
}

impl Pulse {
    /// Notes in `queue` that a tick ended with `report`: at once if it had work, and otherwise if
    /// this process has given no sign for 10 minutes.
    ///
    /// The 10 minutes begin with a process' first tick, so a tick of a process that lives for just that tick costs no
    /// command more; one that `lives_long` gives a sign then, too. What became of the work is the greater news: a Redis
    /// that refuses the note fails no tick, and is asked again with the next note only.
    ///
    /// Returns whether it was time for a note.
    pub(crate) async fn beat(
        &self,
        queue: &Queue,
        report: &Report,
        now_ms: i64,
        lives_long: bool,
    ) -> bool {
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        let worked = report.claimed > 0;
        if !worked && last_ms != NEVER && now_ms.abs_diff(last_ms) < IDLE_MS {
            return false;
        }
        self.last_ms.store(now_ms, Ordering::Relaxed);
        let noted = match (worked, last_ms) {
            (true, _) => queue.beat(&text(report)).await,
            (false, NEVER) if !lives_long => return false,
            (false, _) => queue.beat_idle().await,
        };
        if let Err(error) = noted {
            warn!(%error, "no heartbeat");
        }
        true
    }
}

/// A tick that had work, as the heartbeat remembers it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct PastTick {
    /// When it ended: milliseconds since the epoch.
    pub at: i64,
    /// How long it took: milliseconds.
    pub duration_ms: u64,
    /// Jobs claimed.
    pub claimed: u64,
    /// Jobs completed.
    pub completed: u64,
    /// Jobs failed for good.
    pub failed: u64,
    /// Jobs that failed and wait for another try.
    pub retried: u64,
    /// Jobs given back without an attempt counted.
    pub released: u64,
    /// Redis commands that Upstash bills, those of this report left out.
    pub billed_commands: u64,
    /// Why it stopped.
    pub stopped_because: StoppedBecause,
    /// What went wrong, when it stopped for that: the first 300 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the heartbeat tells of drains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Alive {
    /// When one last gave a sign of life: milliseconds since the epoch.
    pub last_seen: Option<i64>,
    /// The newest ticks that had work, the newest first.
    pub ticks: Vec<PastTick>,
}

/// Reads from `queue` when a drain last gave a sign of life, and what became of the newest ticks
/// that had work, 30 at most. A report of another version that cannot be read is left out. Two
/// commands, one round trip.
///
/// # Errors
/// [`Error::Redis`].
pub async fn alive(queue: &Queue) -> Result<Alive, Error> {
    Ok(queue.heartbeat(MOST_BEATS).await?.into())
}

impl From<Heartbeat> for Alive {
    fn from(heartbeat: Heartbeat) -> Self {
        told(&heartbeat)
    }
}

impl Alive {
    /// What ended in the last `minutes` before `now_ms`, by the ticks' reports: at least so much, unless one
    /// of an earlier time is there too.
    pub fn ended(&self, minutes: u32, now_ms: i64) -> Throughput {
        let since = now_ms - i64::from(minutes) * MINUTE_MS;
        let mut ended = Throughput { minutes, ..Throughput::default() };
        for tick in &self.ticks {
            if tick.at > since {
                ended.completed += tick.completed;
                ended.failed += tick.failed;
            } else {
                ended.counted = Counted::Ticks;
            }
        }
        ended
    }
}

fn told(heartbeat: &Heartbeat) -> Alive {
    let ticks = heartbeat.beats.iter().filter_map(|beat| {
        let tick: PastTick = serde_json::from_str(&beat.report).ok()?;
        Some(PastTick { at: beat.at_ms, ..tick })
    });
    Alive { last_seen: heartbeat.last_ms, ticks: ticks.collect() }
}

/// The report as it is kept. When it was written, the heartbeat itself notes.
fn text(report: &Report) -> String {
    let error = report.error.as_ref().map(|error| error.chars().take(MOST_OF_AN_ERROR).collect());
    let tick = PastTick {
        at: 0,
        duration_ms: report.duration_ms,
        claimed: report.claimed,
        completed: report.completed,
        failed: report.failed,
        retried: report.retried,
        released: report.released,
        billed_commands: report.billed_commands,
        stopped_because: report.stopped_because,
        error,
    };
    // Numbers and strings always serialise.
    serde_json::to_string(&tick).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(ticks: &[(i64, u64, u64)]) -> Alive {
        let tick = |&(at, completed, failed): &_| PastTick {
            at,
            completed,
            failed,
            ..PastTick::default()
        };
        Alive { last_seen: None, ticks: ticks.iter().map(tick).collect() }
    }

    /// The newest reports alone are kept: those of the whole span are known once an earlier one is there, too.
    #[test]
    fn what_ticks_ended_is_known_where_their_reports_reach_back() {
        let now = 600_000;
        let ended = |ticks: &[_], minutes| {
            let Throughput { completed, failed, counted, .. } = alive(ticks).ended(minutes, now);
            (completed, failed, counted)
        };
        let newest = [(590_000, 5, 1), (541_000, 7, 0)];
        assert_eq!(ended(&[], 1), (0, 0, Counted::AtLeast));
        assert_eq!(ended(&newest, 1), (12, 1, Counted::AtLeast));
        // A tick that ended when the span began counts as before it.
        let reaching = [(590_000, 5, 1), (541_000, 7, 0), (540_000, 100, 100)];
        assert_eq!(ended(&reaching, 1), (12, 1, Counted::Ticks));
        assert_eq!(ended(&reaching, 2), (112, 101, Counted::AtLeast));
        assert_eq!(alive(&newest).ended(5, now).minutes, 5);
    }
}
