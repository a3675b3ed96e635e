//! Reads pages of jobs, of logs and of priorities, for people.

use serde::Serialize;

use crate::answer::{due_ms, lossy, text};
use crate::error::Error;
use crate::look::state::State;
use crate::queue::Queue;
use crate::script::library::{PAGE, PRIORITIES};
use batchmq_redis::{Command, Value};

/// Jobs or lines a page at most.
pub const MOST_PER_PAGE: u64 = 1_000;

/// Bytes of a name, a reason or a job's data in a page, so that a page of a thousand is not larger than what Upstash
/// answers.
const MOST_OF_A_TEXT: u32 = 2_000;

/// One line of a page of jobs: what is worth a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct JobLine {
    /// Its id; bytes that are not UTF-8 stand in it as `\xff`.
    pub id: String,
    /// BullMQ's job name; `None` when there is no job behind the id.
    pub name: Option<String>,
    /// When it was added: milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// When it was last taken: milliseconds since the epoch.
    pub processed_on: Option<i64>,
    /// When it ended: milliseconds since the epoch.
    pub finished_on: Option<i64>,
    /// When it falls due, if it is delayed: milliseconds since the epoch.
    pub due: Option<i64>,
    /// 0: none.
    pub priority: Option<i64>,
    /// Attempts that ended.
    pub attempts_made: Option<i64>,
    /// Why it failed last: the first 2,000 bytes of it.
    pub failed_reason: Option<String>,
    /// Its data, unless that is longer than 2,000 bytes: JSON, unless a peer wrote something else.
    #[serde(skip)]
    pub data: Option<String>,
}

/// Jobs of one priority that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PriorityCount {
    /// 1 is the most urgent.
    pub priority: u64,
    /// Jobs.
    pub jobs: u64,
}

/// A job's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Logs {
    /// The page, oldest first.
    pub lines: Vec<String>,
    /// Lines in all.
    pub total: u64,
}

#[derive(Serialize)]
struct Page {
    order: &'static str,
    from: i64,
    to: i64,
    most: u32,
}

#[derive(Serialize)]
struct Most {
    most: u64,
}

impl Queue {
    /// A page of the jobs on `state`: `count` (at most [`MOST_PER_PAGE`]) after the first `skip`.
    /// Two commands and one a job, one round trip.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn jobs(&self, state: State, skip: u64, count: u64) -> Result<Vec<JobLine>, Error> {
        let count = count.min(MOST_PER_PAGE);
        if count == 0 {
            return Ok(Vec::new());
        }
        let (skip, last) = (skip as i64, (skip + count - 1) as i64);
        // The right end of a list is the next to run; a page from there comes out backwards.
        let (order, from, to) = match state {
            State::Wait | State::Paused | State::Active => ("list", -1 - last, -1 - skip),
            State::Completed | State::Failed => ("newest", skip, last),
            State::Prioritized | State::WaitingChildren => ("first", skip, last),
            State::Delayed => ("due", skip, last),
        };
        let keys = [self.keys.of(state.name())];
        let page = |_| Page { order, from, to, most: MOST_OF_A_TEXT };
        let answer = self.run(&PAGE, &keys, page).await?;
        let lines: Option<Vec<JobLine>> = answer.iter().map(line).collect();
        let mut lines = lines.ok_or(Error::Protocol(PAGE.name))?;
        if order == "list" {
            lines.reverse();
        }
        Ok(lines)
    }

    /// How many jobs on `state` ([`State::Completed`] or [`State::Failed`]) come up to and with the one that has
    /// this id and ended at `ended_ms`, the newest first: what to skip for those behind it. Where it is gone,
    /// those that ended later. Two commands, one round trip.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn place_behind(&self, state: State, id: &str, ended_ms: i64) -> Result<u64, Error> {
        let key = self.keys.of(state.name());
        let rank = Command::new("ZREVRANK").arg(key.clone()).arg(id).replay_safe();
        let later =
            Command::new("ZCOUNT").arg(key).arg(format!("({ended_ms}")).arg("+inf").replay_safe();
        let mut answers = self.redis.pipeline(vec![rank, later]).await?.into_iter();
        let mut count = || -> Result<Option<u64>, Error> {
            let answer = answers.next().ok_or(Error::Protocol("ZREVRANK"))??;
            Ok(answer.as_int().and_then(|count| u64::try_from(count).ok()))
        };
        let (rank, later) = (count()?, count()?);
        Ok(rank.map_or(later.unwrap_or_default(), |rank| rank + 1))
    }

    /// A page of a job's log: `count` lines (at most [`MOST_PER_PAGE`]) after the first `skip`; none of
    /// what is no job. Two commands, one round trip; one of each more for a scheduler's job.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn logs(&self, id: &str, skip: u64, count: u64) -> Result<Logs, Error> {
        if !self.is_job_id(id).await? {
            return Ok(Logs::default());
        }
        let key = self.keys.of(&format!("{id}:logs"));
        let total = Command::new("LLEN").arg(key.clone()).replay_safe();
        let mut commands = vec![total];
        let count = count.min(MOST_PER_PAGE);
        if count > 0 {
            let (first, last) = (skip.to_string(), (skip + count - 1).to_string());
            commands.push(Command::new("LRANGE").arg(key).arg(first).arg(last).replay_safe());
        }
        let mut answers = self.redis.pipeline(commands).await?.into_iter();
        let total = answers.next().ok_or(Error::Protocol("LLEN"))??;
        let total = total.as_int().and_then(|n| u64::try_from(n).ok());
        let lines = answers.next().transpose()?.unwrap_or(Value::Array(Vec::new()));
        Ok(Logs {
            lines: lines.as_array().ok_or(Error::Protocol("LRANGE"))?.iter().map(lossy).collect(),
            total: total.ok_or(Error::Protocol("LLEN"))?,
        })
    }

    /// How many jobs wait at each priority, the most urgent `most` priorities (at most
    /// [`MOST_PER_PAGE`]). Two commands a priority, one round trip.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn priorities(&self, most: u64) -> Result<Vec<PriorityCount>, Error> {
        let keys = [self.keys.of("prioritized")];
        let most = most.min(MOST_PER_PAGE);
        let answer = self.run(&PRIORITIES, &keys, |_| Most { most }).await?;
        let count = |value: &Value| u64::try_from(value.as_int()?).ok();
        match answer.as_slice() {
            [Value::Array(items)] => items
                .chunks_exact(2)
                .map(|pair| {
                    Some(PriorityCount { priority: count(&pair[0])?, jobs: count(&pair[1])? })
                })
                .collect(),
            _ => None,
        }
        .ok_or(Error::Protocol(PRIORITIES.name))
    }
}

/// Reads one job of the script's answer.
fn line(answer: &Value) -> Option<JobLine> {
    let [id, score, fields @ ..] = answer.as_array()? else { return None };
    let field = |i: usize| fields.get(i).filter(|value| !value.is_nil()).map(lossy);
    let number = |i: usize| Some(field(i)?.parse::<f64>().ok()? as i64);
    Some(JobLine {
        id: text(id.as_bytes()?),
        name: field(0),
        timestamp: number(1),
        processed_on: number(2),
        finished_on: number(3),
        due: score.as_str().and_then(due_ms),
        priority: number(4),
        attempts_made: number(5),
        failed_reason: field(6),
        data: field(7),
    })
}
