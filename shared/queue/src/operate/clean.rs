//! Deletes what is old: the jobs of one state, or the whole queue.

use std::time::Duration;

use serde::Serialize;

use crate::answer::text;
use crate::error::Error;
use crate::look::state::State;
use crate::operate::operation::code;
use crate::operate::refusal::Refusal;
use crate::queue::Queue;
use crate::script::library::{CLEAN, OBLITERATE};
use batchmq_redis::Value;

/// Jobs a call at most: keeps its time in Redis short.
const PAGE: u64 = 500;

/// Jobs that BullMQ looks at before it decides whether to look further.
const WINDOW: u64 = 10_000;

/// What goes with a queue, beside the keys that every script takes, its jobs' and its schedulers'.
const ENDS_WITH_IT: [&str; 8] = [
    "waiting-children",
    "repeat",
    "delay",
    "stalled-check",
    "metrics:completed",
    "metrics:completed:data",
    "metrics:failed",
    "metrics:failed:data",
];

#[derive(Serialize)]
struct Clean {
    state: &'static str,
    before: i64,
    skip: u64,
    size: u64,
    left: u64,
    gone: u64,
}

#[derive(Serialize)]
struct Obliterate {
    count: u64,
    force: bool,
}

impl Queue {
    /// Deletes jobs of one state that are older than `grace`, oldest first, at most `limit` of them
    /// (`None`: all), in pages of 500, and answers their ids. A finished job's age counts from its
    /// end, another's from when it was last taken, else from when it was added. Active jobs go only
    /// when nobody holds them, the next job of a scheduler never. About one command a job.
    ///
    /// # Errors
    /// [`Error::Refused`] for [`State::WaitingChildren`], whose jobs end with their children.
    /// [`Error::Redis`]: pages before the failing one are done.
    pub async fn clean(
        &self,
        state: State,
        grace: Duration,
        limit: Option<u64>,
    ) -> Result<Vec<String>, Error> {
        if state == State::WaitingChildren {
            return Err(Refusal::NotCleanable.into());
        }
        let grace = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
        let before = self.clock.now_ms().saturating_sub(grace);
        let most = limit.unwrap_or(u64::MAX);
        let mut deleted = Vec::new();
        loop {
            let window = WINDOW.min(most - deleted.len() as u64);
            let before_window = deleted.len();
            self.clean_window(state.name(), before, window, &mut deleted).await?;
            let gone = (deleted.len() - before_window) as u64;
            if gone < window || deleted.len() as u64 >= most {
                return Ok(deleted);
            }
        }
    }

    /// One call of BullMQ's, in pages: looks at `window` jobs.
    async fn clean_window(
        &self,
        state: &'static str,
        before: i64,
        window: u64,
        deleted: &mut Vec<String>,
    ) -> Result<(), Error> {
        let (mut skip, mut left, mut gone) = (0, window, 0);
        while left > 0 {
            let size = PAGE.min(left);
            let page = Clean { state, before, skip, size, left, gone };
            let known = ["waiting-children", "repeat"].map(|name| self.keys.of(name)).to_vec();
            let answer = self.operate(&CLEAN, known, page).await?;
            let (found, ids) = code(&answer).ok_or(Error::Protocol(CLEAN.name))?;
            let found = u64::try_from(found).map_err(|_| Error::Protocol(CLEAN.name))?;
            deleted.extend(ids.iter().filter_map(Value::as_bytes).map(text));
            gone += ids.len() as u64;
            skip += found.saturating_sub(ids.len() as u64);
            left -= size;
            if found < size {
                break;
            }
        }
        Ok(())
    }

    /// Deletes the queue and all its jobs, in pages of 500, and answers how many jobs there were.
    /// It must be paused; with `force` even jobs that are being processed go. About one command a
    /// job.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is not paused, or has active jobs and `force` is not set.
    /// [`Error::Redis`]: pages before the failing one are done.
    pub async fn obliterate(&self, force: bool) -> Result<u64, Error> {
        let mut jobs = 0;
        loop {
            let call = Obliterate { count: PAGE, force };
            let known = ENDS_WITH_IT.map(|name| self.keys.of(name)).to_vec();
            let answer = self.operate(&OBLITERATE, known, call).await?;
            let Some((code, [Value::Int(page)])) = code(&answer) else {
                return Err(Error::Protocol(OBLITERATE.name));
            };
            jobs += u64::try_from(*page).unwrap_or_default();
            match code {
                0 => return Ok(jobs),
                1 => {}
                -1 => return Err(Refusal::NotPaused.into()),
                -2 => return Err(Refusal::ActiveJobs.into()),
                _ => return Err(Error::Protocol(OBLITERATE.name)),
            }
        }
    }
}
