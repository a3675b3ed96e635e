//! Recovers jobs whose owner died.

use serde::Serialize;

use crate::answer::strings;
use crate::error::Error;
use crate::options::Events;
use crate::queue::Queue;
use crate::script::library::RECOVER;
use crate::script::replay::nonce;

/// How often a job may stall before it is failed. A BullMQ worker on the same queue applies its
/// own limit, 1 unless it is told otherwise: the strictest peer's limit holds.
const MAX_STALLED: u32 = 3;

/// BullMQ's `stalledInterval`: peers share one check an interval.
pub(crate) const INTERVAL_MS: u32 = 30_000;

/// What a recovery pass found.
///
/// ```no_run
/// # async fn example(queue: &batchmq::Queue) -> Result<(), batchmq::Error> {
/// let recovered = queue.recover().await?;
/// println!("{recovered:?}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Jobs that wait again.
    pub ids: Vec<String>,
    /// Those among them that stalled too often: whoever claims them fails them.
    pub doomed: Vec<String>,
    /// Ids that were active without a job behind them; they are gone from it now.
    pub missing: Vec<String>,
}

#[derive(Serialize)]
struct Args {
    events: Events,
    #[serde(rename = "intervalMs")]
    interval_ms: u32,
    #[serde(rename = "maxStalled")]
    max_stalled: u32,
}

impl Queue {
    /// One pass of BullMQ's two: a job that was active at the last pass and has had no lock since
    /// goes back to the front of the queue; those that are active now are noted for the next pass.
    /// Does nothing when any peer made a pass within the last 30 s.
    ///
    /// # Errors
    /// [`Error::Redis`]. A pass whose answer was lost is not repeated: the next tick's will do.
    pub async fn recover(&self) -> Result<Recovered, Error> {
        let mut keys = self.keys.fixed(&nonce());
        keys.extend(["stalled-check", "repeat"].map(|name| self.keys.of(name)));
        let answer = self
            .run(&RECOVER, &keys, |_| Args {
                events: self.options.events,
                interval_ms: INTERVAL_MS,
                max_stalled: MAX_STALLED,
            })
            .await?;
        match answer.as_slice() {
            [ids, doomed, missing] => strings(ids)
                .zip(strings(doomed))
                .zip(strings(missing))
                .map(|((ids, doomed), missing)| Recovered { ids, doomed, missing }),
            _ => None,
        }
        .ok_or(Error::Protocol(RECOVER.name))
    }
}
