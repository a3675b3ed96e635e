//! What callers of a producer asked for, remembered beside the queue: under which key, and how often.
//!
//! Two kinds of keys of our own. `asked-<sha256>` holds what was first asked under a caller's idempotency
//! key; `rate-<sha256>-<window>` counts what one caller asked for within a window of time. Both are named by a
//! digest, since a key or a caller's name may hold anything.

use std::time::Duration;

use ring::digest;

use crate::clock::millis;
use crate::error::Error;
use crate::life::enqueue::IDEMPOTENCY_MS;
use crate::queue::Queue;
use batchmq_redis::{Command, hex};

impl Queue {
    /// Keeps `text` under a caller's key for as long as [`Queue::enqueue_once`] honours that, unless
    /// something is kept under it; returns what is. One command, and one more where something was.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn first_asked(&self, key: &str, text: &str) -> Result<String, Error> {
        let key = self.keys.own(&format!("asked-{}", digested(key)));
        let keep = Command::new("SET").arg(key.clone()).arg(text).arg("NX").arg("PX");
        let keep = keep.arg(IDEMPOTENCY_MS.to_string()).replay_safe();
        if self.redis.call(keep).await?.as_str() == Some("OK") {
            return Ok(text.to_owned());
        }
        let kept = self.redis.call(Command::new("GET").arg(key).replay_safe()).await?;
        // What has just run out was somebody's a day ago.
        Ok(kept.as_str().unwrap_or(text).to_owned())
    }

    /// Counts one more of what `caller` asks for in the present `window` of the clock, and returns how many
    /// that makes. One command, or two with `is_first`, which callers say that have not counted for it in
    /// this window: then the count gets its time to live. A lost answer may be counted twice.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn count_asked(
        &self,
        caller: &str,
        window: Duration,
        is_first: bool,
    ) -> Result<u64, Error> {
        let length = millis(window).max(1);
        let number = self.clock.now_ms().max(0).unsigned_abs() / length;
        let key = self.keys.own(&format!("rate-{}-{number}", digested(caller)));
        let count = Command::new("INCR").arg(key.clone()).replay_safe();
        let answer = if is_first {
            // Made with its time to live, so that none is ever left without. Clocks differ, so it outlives
            // its window by another one.
            let make = Command::new("SET").arg(key).arg("0").arg("NX").arg("PX");
            let make = make.arg((2 * length).to_string()).replay_safe();
            let answers = self.redis.pipeline(vec![make, count]).await?;
            answers.into_iter().nth(1).ok_or(Error::Protocol("INCR"))??
        } else {
            self.redis.call(count).await?
        };
        let count = answer.as_int().and_then(|count| u64::try_from(count).ok());
        count.ok_or(Error::Protocol("INCR"))
    }
}

fn digested(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}
