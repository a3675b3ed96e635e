//! Schedules jobs that come back by a cron pattern or every so often.
//!
//! - [`Queue::schedule`], [`Queue::schedulers`], [`Queue::unschedule`]: an operator's side.
//! - The consumer's duty: whoever claims a scheduler's job puts the next one in place, else the
//!   schedule ends. [`Queue::claim`] and [`Queue::settle_and_claim`] do it by themselves.
//! - [`Queue::reschedule`]: puts a next job back that is gone all the same.
//! - [`next_iteration`], [`Cron`], [`Zone`]: when the next one is due.
//!
//! ```no_run
//! use batchmq::schedule::{Rule, Scheduler};
//! use batchmq::{Error, Queue};
//!
//! # async fn example(queue: &Queue) -> Result<(), Error> {
//! let pattern = "0 3 * * *".to_owned();
//! let scheduler = Scheduler {
//!     id: "nightly".to_owned(),
//!     name: "backup".to_owned(),
//!     data: "{}".to_owned(),
//!     rule: Rule::Pattern { pattern, tz: Some("Europe/Vienna".to_owned()), immediately: false },
//!     ..Scheduler::default()
//! };
//! println!("the first one in {} ms", queue.schedule(&scheduler).await?.delay_ms);
//! for one in queue.schedulers(0, 10).await? {
//!     println!("{}: {:?} {:?}", one.id, one.next, one.behind);
//! }
//! println!("{:?}", queue.reschedule().await?);
//! queue.unschedule("nightly").await?;
//! # Ok(())
//! # }
//! ```

mod cron;
mod dead;
mod field;
mod next;
pub(crate) mod plan;
mod record;
mod upsert;
mod walk;
mod wall;
mod zone;

pub use cron::Cron;
pub use dead::Rescheduled;
pub use next::Produced;
pub use record::{Behind, SchedulerView};
pub use upsert::{Iteration, Rule, Scheduler};
pub use zone::Zone;

use crate::queue::Queue;
use batchmq_redis::Command;

/// Whose reading of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// BullMQ 5's.
    Five,
    /// BullMQ 6's.
    Six,
}

/// When a pattern's next job is due.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The time of the job before it (milliseconds since the epoch); 0 if there is none.
    pub previous_ms: i64,
    /// None is due before this (milliseconds since the epoch).
    pub start_ms: Option<i64>,
    /// None is due after this (milliseconds since the epoch).
    pub end_ms: Option<i64>,
}

/// The next time of a pattern, in milliseconds since the epoch: the first one after now and after
/// the job before, within the window.
///
/// ```
/// use batchmq::schedule::{Cron, Dialect, Window, Zone, next_iteration};
///
/// # fn main() -> Result<(), String> {
/// let (cron, zone) = (Cron::parse("0 3 * * *", Dialect::Six)?, Zone::named(Some("UTC"))?);
/// let three = Some(3 * 3_600_000);
/// assert_eq!(cron.next(0, &zone), three);
/// let window = Window { previous_ms: 0, start_ms: None, end_ms: three };
/// assert_eq!(next_iteration(&cron, &zone, 0, window), three);
/// # Ok(())
/// # }
/// ```
pub fn next_iteration(cron: &Cron, zone: &Zone, now_ms: i64, window: Window) -> Option<i64> {
    let from = now_ms.max(window.previous_ms).max(window.start_ms.unwrap_or(i64::MIN));
    let next = cron.next(from, zone)?;
    (window.end_ms.is_none_or(|end| next <= end)).then_some(next)
}

/// Whose reading of patterns holds on a queue whose `meta.version` is this; `None` when no BullMQ
/// of Node's has been there.
fn dialect(version: Option<&str>) -> Option<Dialect> {
    let major = version?.strip_prefix("bullmq:")?.split('.').next()?;
    Some(if major == "5" { Dialect::Five } else { Dialect::Six })
}

/// How the queue reads patterns: as the BullMQ that was there last, and where none was, so that
/// either would agree.
fn read(pattern: &str, dialect: Option<Dialect>) -> Result<Cron, String> {
    match dialect {
        Some(dialect) => Cron::parse(pattern, dialect),
        None => {
            Cron::parse(pattern, Dialect::Five).and_then(|_| Cron::parse(pattern, Dialect::Six))
        }
    }
}

/// A text of a rule for an error: what a peer wrote may be megabytes long.
fn shown(text: &str) -> String {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

impl Queue {
    /// The command that asks for `meta.version`.
    fn version(&self) -> Command {
        Command::new("HGET").arg(self.keys.of("meta")).arg("version").replay_safe()
    }
}
