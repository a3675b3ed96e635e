//! Tells which names behind a queue's prefix are jobs, and which are keys of something else.
//!
//! In BullMQ's layout a job's hash stands under its id beside the queue's own keys. Whoever asks
//! for a job by name, or removes it, must not get hold of one of those.

use crate::error::Error;
use crate::keys::{FIXED, SIDE_KEYS, TAG};
use crate::queue::Queue;
use batchmq_redis::{Command, Value};

/// BullMQ's own keys of a queue, beside those that every script takes.
const MORE_OF_THE_QUEUE: [&str; 4] = ["stalled-check", "waiting-children", "repeat", "de"];

/// BullMQ's keys of its metrics.
const METRICS: [&str; 4] =
    ["metrics:completed", "metrics:completed:data", "metrics:failed", "metrics:failed:data"];

/// Whether a job may be called `id`: whether it is not the name of another key of the queue, nor of
/// a key beside a job, as far as the name itself tells.
///
/// BullMQ takes a name such as `prioritized` for a custom id, too; there is no job behind it, since
/// the key holds something else.
pub(crate) fn may_be_a_job(id: &str) -> bool {
    let is_the_queue_s =
        [&FIXED[..], &MORE_OF_THE_QUEUE, &METRICS].iter().any(|names| names.contains(&id));
    if id.is_empty() || is_the_queue_s || is_tagged(id) {
        return false;
    }
    if id.starts_with("de:") || id.starts_with("dn:") {
        return false;
    }
    if id.starts_with("repeat:") {
        return is_of_a_scheduler(id);
    }
    // `7:logs` is beside job 7. A custom id has one part or three, so `a:b:logs` is a job.
    match id.rsplit_once(':') {
        Some((job, name)) if SIDE_KEYS.contains(&name) => job.split(':').count() == 2,
        _ => true,
    }
}

/// Whether `id` is, or begins with, the segment that marks our own keys.
pub(crate) fn is_tagged(id: &str) -> bool {
    id.strip_prefix(TAG).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// Whether `id` has the form of a scheduler's job: `repeat:<scheduler>:<ms>`. A scheduler's own id
/// may hold `:`.
fn is_of_a_scheduler(id: &str) -> bool {
    let parts = id.strip_prefix("repeat:").and_then(|rest| rest.rsplit_once(':'));
    parts.is_some_and(|(scheduler, ms)| {
        !scheduler.is_empty() && !ms.is_empty() && ms.bytes().all(|byte| byte.is_ascii_digit())
    })
}

impl Queue {
    /// Whether `id` may be a job's. Nothing is sent, except for the name of a scheduler's job: there
    /// may be a scheduler `a:7` whose record is called as the job of scheduler `a` at 7 would be.
    /// One command then.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub(crate) async fn is_job_id(&self, id: &str) -> Result<bool, Error> {
        let Some(scheduler) = id.strip_prefix("repeat:") else { return Ok(may_be_a_job(id)) };
        if !may_be_a_job(id) {
            return Ok(false);
        }
        let score = Command::new("ZSCORE").arg(self.keys.of("repeat")).arg(scheduler);
        Ok(self.redis.call(score.replay_safe()).await? == Value::Nil)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_a_job_is_one() {
        for id in [
            "7",
            "own",
            "a:b:c",
            "a:b:logs",
            "metadata",
            "failed-once",
            "lock",
            "metrics:a:b",
            "batchmqueue",
            "repeat:s1:1800000000000",
            "repeat:a:b:c:1800000000000",
            "repeat-s1",
        ] {
            assert!(may_be_a_job(id), "{id}");
        }
        for id in [
            "",
            "meta",
            "wait",
            "id",
            "repeat",
            "events",
            "repeat:s1",
            "repeat:a:b",
            "repeat::5",
            "repeat:s1:",
            "repeat:s1:1800000000000:lock",
            "de:x",
            "dn:x",
            "dn:x:y",
            "metrics:completed",
            "metrics:failed:data",
            "batchmq",
            "batchmq:heartbeat",
            "batchmq:a:b",
            "7:lock",
            "7:logs",
            "a:b:c:processed",
            "own:unsuccessful",
        ] {
            assert!(!may_be_a_job(id), "{id}");
        }
    }
}
