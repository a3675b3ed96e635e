//! Reads claimed jobs anew, for an owner that was told of them by whoever claimed them.

use serde::Serialize;

use crate::error::Error;
use crate::life::claim::{ClaimedJob, job};
use crate::queue::Queue;
use crate::script::library::HELD;
use crate::script::replay::nonce;

#[derive(Serialize)]
struct Args<'a> {
    token: &'a str,
    ids: &'a [String],
}

impl Queue {
    /// Returns those of the jobs with these `ids`, at most 1,000, that were claimed under `token` and are
    /// still its owner's, as a claim gives them. One round trip; 1 billed command, and 1 for each of them.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn held(&self, token: &str, ids: &[String]) -> Result<Vec<ClaimedJob>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut keys = self.keys.fixed(&nonce());
        keys.extend(ids.iter().map(|id| self.keys.of(&format!("{id}:lock"))));
        keys.extend(ids.iter().map(|id| self.keys.of(id)));
        // It changes nothing, so that an answer that was lost is asked for again as it is.
        let answer = self.run(&HELD, &keys, |_| Args { token, ids }).await?;
        match answer.as_slice() {
            [jobs] => jobs.as_array().and_then(|jobs| jobs.iter().map(job).collect()),
            _ => None,
        }
        .ok_or(Error::Protocol(HELD.name))
    }
}
