//! Running a script whose answer may be lost: the second run is told so.

use std::time::Duration;

use serde::Serialize;
use tracing::warn;

use super::scripts::Lazy;
use super::{Error, Queue};
use crate::redis::{ErrorKind, FullJitter, Value};

/// Times that a call whose answer was lost is sent again.
const REPLAYS: u32 = 4;

/// The first and the last ceiling of the wait before another replay; the first replay does not wait.
const WAIT: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

/// A random name for a call, a claim or a receipt: 128 bits.
pub(super) fn nonce() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// What every script takes.
#[derive(Serialize)]
pub(super) struct Envelope<'a, A> {
    pub(super) prefix: &'a str,
    pub(super) now: i64,
    #[serde(flatten)]
    pub(super) args: A,
}

impl Queue {
    /// Runs a script; when the answer was lost, runs the one that `script(true)` gives with the
    /// arguments that `args(true)` gives, which answers what the first run did.
    pub(super) async fn run<A: Serialize>(
        &self,
        script: impl Fn(bool) -> &'static Lazy,
        keys: &[String],
        args: impl Fn(bool) -> A,
    ) -> Result<Vec<Value>, Error> {
        let now = self.clock.now_ms();
        let mut replays = 0;
        let mut backoff = FullJitter::new(WAIT[0], WAIT[1], rand::random::<f64>);
        loop {
            let script = script(replays > 0);
            let envelope = Envelope { prefix: &self.keys.base, now, args: args(replays > 0) };
            // Our own structs of strings and numbers always serialise.
            let json = serde_json::to_vec(&envelope).map_err(|_| Error::Protocol(script.name))?;
            match self.redis.run(script, keys, vec![json]).await {
                Err(error) if *error.kind() == ErrorKind::Ambiguous && replays < REPLAYS => {
                    if replays > 0 {
                        tokio::time::sleep(backoff.next_wait()).await;
                    }
                    replays += 1;
                    warn!(script = script.name, replays, "answer lost, asking again");
                }
                other => return Ok(other?),
            }
        }
    }
}
