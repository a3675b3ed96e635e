//! Runs a script whose answer may be lost: the second run is told so.

use std::iter;

use serde::Serialize;
use tracing::warn;

use crate::error::Error;
use crate::queue::Queue;
use crate::script::library::Lazy;
use batchmq_redis::{ErrorKind, Value};

/// A random name for a call, a claim or a receipt: 128 bits.
pub(crate) fn nonce() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// What every script takes.
#[derive(Serialize)]
pub(crate) struct Envelope<'a, A> {
    pub(crate) prefix: &'a str,
    pub(crate) now: i64,
    #[serde(flatten)]
    pub(crate) args: A,
}

impl Queue {
    /// Runs a script; when the answer was lost, runs it again with the arguments that `args(true)`
    /// gives, and it answers what the first run did.
    pub(crate) async fn run<A: Serialize>(
        &self,
        script: &'static Lazy,
        keys: &[String],
        args: impl Fn(bool) -> A,
    ) -> Result<Vec<Value>, Error> {
        self.run_with(script, keys, args, &[]).await
    }

    /// As [`Queue::run`]; `texts` are arguments of their own behind the others, which a script has as they are.
    pub(crate) async fn run_with<A: Serialize>(
        &self,
        script: &'static Lazy,
        keys: &[String],
        args: impl Fn(bool) -> A,
        texts: &[Vec<u8>],
    ) -> Result<Vec<Value>, Error> {
        let now = self.clock.now_ms();
        let mut redis = self.redis.clone();
        let mut replays = redis.replays();
        let mut lost = None;
        loop {
            let args = args(lost.is_some());
            let envelope = Envelope { prefix: &self.keys.base, now, args };
            // Our own structs of strings and numbers always serialise.
            let json = serde_json::to_vec(&envelope).map_err(|_| Error::Protocol(script.name))?;
            let all = iter::once(json).chain(texts.iter().cloned()).collect();
            let error = match redis.run(script, keys, all).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let open = match (error.kind(), lost) {
                (ErrorKind::Ambiguous, _) => error.clone(),
                // A replay that did not get through says nothing about the call before it.
                (_, Some(lost)) if error.left_no_trace() => lost,
                _ => return Err(error.into()),
            };
            // As long as the last try's answer asks for.
            match replays.next(&error).await {
                Some(next) => redis = next,
                None => return Err(open.into()),
            }
            warn!(script = script.name, "answer lost, asking again");
            lost = Some(open);
        }
    }
}
