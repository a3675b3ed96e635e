//! Looks in from outside: at counts, at one job.

use std::collections::HashMap;

use crate::answer::{due_ms, fields};
use crate::error::Error;
use crate::look::counts::Counts;
use crate::look::peek::Occupied;
use crate::look::state::State;
use crate::queue::Queue;
use batchmq_redis::{Command, Value};

/// One job as it stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JobView {
    /// Its id.
    pub id: String,
    /// Where it is; `None` when it is nowhere, though its hash exists.
    pub state: Option<State>,
    /// The fields of its hash, as BullMQ names them.
    pub fields: HashMap<String, String>,
}

impl Queue {
    /// How many jobs are in each state. Eight commands, one round trip.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn counts(&self) -> Result<Counts, Error> {
        self.count(Occupied::ANY, true).await
    }

    /// How many jobs are in each state that `occupied` names; the others are 0 and cost nothing.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn counts_of(&self, occupied: Occupied) -> Result<Counts, Error> {
        self.count(occupied, false).await
    }

    /// How many jobs are in `state`. One command.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn count_of(&self, state: State) -> Result<u64, Error> {
        let name = match state {
            State::Wait | State::Paused | State::Active => "LLEN",
            _ => "ZCARD",
        };
        let command = Command::new(name).arg(self.keys.of(state.name())).replay_safe();
        let count = self.redis.call(command).await?.as_int();
        count.and_then(|n| u64::try_from(n).ok()).ok_or(Error::Protocol(name))
    }

    async fn count(&self, occupied: Occupied, rest: bool) -> Result<Counts, Error> {
        let mut counts = Counts::default();
        let mut asked: Vec<(&str, &'static str, &mut u64)> = vec![
            ("wait", "LLEN", &mut counts.wait),
            ("paused", "LLEN", &mut counts.paused),
            ("prioritized", "ZCARD", &mut counts.prioritized),
            ("delayed", "ZCARD", &mut counts.delayed),
            ("active", "LLEN", &mut counts.active),
            ("waiting-children", "ZCARD", &mut counts.waiting_children),
            ("completed", "ZCARD", &mut counts.completed),
            ("failed", "ZCARD", &mut counts.failed),
        ];
        let wanted = [
            occupied.wait,
            occupied.paused,
            occupied.prioritized,
            occupied.delayed,
            occupied.active,
            rest,
            rest,
            rest,
        ];
        let mut wanted = wanted.into_iter();
        asked.retain(|_| wanted.next().unwrap_or(false));
        if asked.is_empty() {
            return Ok(counts);
        }
        let commands = asked
            .iter()
            .map(|(state, name, _)| Command::new(name).arg(self.keys.of(state)).replay_safe())
            .collect();
        let answers = self.redis.pipeline(commands).await?;
        for ((_, name, count), answer) in asked.into_iter().zip(answers) {
            *count = answer?
                .as_int()
                .and_then(|n| u64::try_from(n).ok())
                .ok_or(Error::Protocol(name))?;
        }
        Ok(counts)
    }

    /// When the first delayed job falls due, in milliseconds since the epoch. One command.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn next_due_ms(&self) -> Result<Option<i64>, Error> {
        let command = Command::new("ZRANGE")
            .arg(self.keys.of("delayed"))
            .arg("0")
            .arg("0")
            .arg("WITHSCORES")
            .replay_safe();
        let answer = self.redis.call(command).await?;
        Ok(answer.as_array().and_then(|pair| due_ms(pair.get(1)?.as_str()?)))
    }

    /// One job with its state, or `None` when there is none of this id, or the id is the name of
    /// another key of the queue. Nine commands, one round trip; one of each more for a scheduler's job.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn job(&self, id: &str) -> Result<Option<JobView>, Error> {
        const SETS: [State; 5] = [
            State::Completed,
            State::Failed,
            State::Delayed,
            State::Prioritized,
            State::WaitingChildren,
        ];
        const LISTS: [State; 3] = [State::Active, State::Wait, State::Paused];
        if !self.is_job_id(id).await? {
            return Ok(None);
        }
        let ask = |name, key: &str| Command::new(name).arg(self.keys.of(key)).replay_safe();
        let mut commands = vec![ask("HGETALL", id)];
        commands.extend(SETS.map(|set| ask("ZSCORE", set.name()).arg(id)));
        commands.extend(LISTS.map(|list| ask("LPOS", list.name()).arg(id)));
        // A transaction, so that a job on its way from one state to the next is seen in one.
        let mut answers = self.redis.transaction(commands).await?.into_iter();
        let hash = answers.next().ok_or(Error::Protocol("HGETALL"))??;
        let fields = fields(&hash)?;
        if fields.is_empty() {
            return Ok(None);
        }
        let mut state = None;
        for (candidate, answer) in SETS.into_iter().chain(LISTS).zip(answers) {
            if answer? != Value::Nil {
                state = Some(candidate);
                break;
            }
        }
        Ok(Some(JobView { id: id.to_owned(), state, fields }))
    }
}
