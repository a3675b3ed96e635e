//! Takes jobs back to waiting: finished ones that are retried, delayed ones that are promoted.

use serde::Serialize;

use crate::error::Error;
use crate::operate::operation::code;
use crate::operate::refusal::Refusal;
use crate::queue::Queue;
use crate::script::library::{Lazy, MOVE_TO_WAIT, PROMOTE, RETRY};

/// Jobs a call of the bulk operations: keeps its time in Redis short.
pub(crate) const PAGE: usize = 500;

/// A job's end.
///
/// ```no_run
/// use std::time::Duration;
///
/// use batchmq::{Ended, Error, Queue, Refusal, State};
///
/// # async fn example(queue: &Queue) -> Result<(), Error> {
/// match queue.retry("1", Ended::Failed, true).await {
///     Err(Error::Refused(Refusal::Missing { id, .. })) => println!("there is no job {id}"),
///     other => other?,
/// }
/// println!("{} {} again", queue.retry_all(Ended::Failed).await?, Ended::Failed.name());
/// queue.retry_by_reason("timed out").await?;
/// // A page at a time, for who may not take long.
/// let step = queue.retry_step("timed out", None).await?;
/// println!("{} retried, goes on at {:?}", step.retried, step.next);
/// queue.promote_some().await?;
/// queue.promote("2").await?;
/// queue.promote_all().await?;
/// queue.remove("3").await?;
/// queue.clean(State::Completed, Duration::from_secs(3_600), Some(10_000)).await?;
/// // An end with everything.
/// queue.pause().await?;
/// assert!(queue.is_paused().await?);
/// queue.obliterate(false).await?;
/// queue.resume().await
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It worked.
    Completed,
    /// It did not.
    Failed,
}

impl Ended {
    /// BullMQ's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

#[derive(Serialize)]
struct One<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    reset: bool,
}

#[derive(Serialize)]
struct Page<'a> {
    state: &'static str,
    until: &'a str,
    count: usize,
}

impl Queue {
    /// Puts a finished job back to work. The attempts that it made stay counted, unless `reset`
    /// forgets them; at least one more is made. About 10 commands.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such job or it has not ended so. [`Error::Redis`].
    pub async fn retry(&self, id: &str, ended: Ended, reset: bool) -> Result<(), Error> {
        let args = One { id, state: Some(ended.name()), reset };
        self.one(&RETRY, args, ended.name(), "reprocessJob").await
    }

    /// Makes a delayed job wait for nothing but its turn. About 9 commands.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such job or it is not delayed. [`Error::Redis`].
    pub async fn promote(&self, id: &str) -> Result<(), Error> {
        let args = One { id, state: None, reset: false };
        self.one(&PROMOTE, args, "delayed", "promote").await
    }

    /// Puts every job that has ended so until now back to work, in pages of 500, and answers how
    /// many. Up to 2 commands a job, one more with events.
    ///
    /// # Errors
    /// [`Error::Redis`]: pages before the failing one are done.
    pub async fn retry_all(&self, ended: Ended) -> Result<u64, Error> {
        self.all(ended.name(), &self.clock.now_ms().to_string()).await
    }

    /// As [`Queue::promote_all`], at most 500 jobs, the next due first.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn promote_some(&self) -> Result<u64, Error> {
        self.some("delayed", "+inf").await.map(|(_, moved)| moved)
    }

    /// Makes every delayed job wait for nothing but its turn, in pages of 500, and answers how
    /// many. As in BullMQ the prioritized among them lose their place. One command a job, one more
    /// with events.
    ///
    /// # Errors
    /// [`Error::Redis`]: pages before the failing one are done.
    pub async fn promote_all(&self) -> Result<u64, Error> {
        self.all("delayed", "+inf").await
    }

    async fn one(
        &self,
        script: &'static Lazy,
        args: One<'_>,
        state: &'static str,
        command: &'static str,
    ) -> Result<(), Error> {
        let id = args.id.to_owned();
        if !self.is_job_id(&id).await? {
            return Err(Refusal::NotAJob { id }.into());
        }
        let known = vec![self.keys.of(&id)];
        let answer = self.operate(script, known, args).await?;
        match code(&answer) {
            Some((1, _)) => Ok(()),
            Some((-1, _)) => Err(Refusal::Missing { id, command }.into()),
            Some((-3, _)) => Err(Refusal::NotInState { id, state, command }.into()),
            _ => Err(Error::Protocol(script.name)),
        }
    }

    async fn all(&self, state: &'static str, until: &str) -> Result<u64, Error> {
        let mut moved = 0;
        loop {
            let (found, page) = self.some(state, until).await?;
            moved += page;
            if found < PAGE as i64 {
                return Ok(moved);
            }
        }
    }

    /// How many jobs a page found, and how many of them it moved.
    async fn some(&self, state: &'static str, until: &str) -> Result<(i64, u64), Error> {
        let page = Page { state, until, count: PAGE };
        let answer = self.operate(&MOVE_TO_WAIT, Vec::new(), page).await?;
        let (found, ids) = code(&answer).ok_or(Error::Protocol(MOVE_TO_WAIT.name))?;
        Ok((found, ids.len() as u64))
    }
}
