//! Finds since when the job that waits longest has waited.

use crate::answer::strings;
use crate::error::Error;
use crate::job::stored::is_counted;
use crate::look::peek::Occupied;
use crate::queue::Queue;
use batchmq_redis::{Command, Value};

/// How many jobs from the head of a list on are looked through for the one with the lowest number.
pub(crate) const HEAD: i64 = 100;

/// What a priority's first score has more than that of the priority before it.
const BAND: f64 = 4_294_967_296.0;

impl Queue {
    /// When the job that waits longest was added, in milliseconds since the epoch, among the states
    /// that `among` names: the others cost nothing. At most five commands for each of `wait`,
    /// `paused` and `prioritized`; two round trips, three where there are several priorities.
    ///
    /// Of a list it looks at both ends, and at the lowest of the queue's own numbers among the
    /// hundred jobs that are next, since jobs that were put in front are younger than those behind
    /// them; of the prioritized jobs at the first of the highest and of the lowest priority. What is
    /// older and stands elsewhere is not seen.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn oldest_waiting_ms(&self, among: Occupied) -> Result<Option<i64>, Error> {
        let lists: Vec<&str> = [("wait", among.wait), ("paused", among.paused)]
            .into_iter()
            .filter_map(|(list, occupied)| occupied.then_some(list))
            .collect();
        let mut commands = Vec::new();
        for list in &lists {
            let head = Command::new("LRANGE").arg(self.keys.of(list)).arg((-HEAD).to_string());
            let tail = Command::new("LINDEX").arg(self.keys.of(list)).arg("0");
            commands.extend([head.arg("-1").replay_safe(), tail.replay_safe()]);
        }
        if among.prioritized {
            let end = |index| {
                let command = Command::new("ZRANGE").arg(self.keys.of("prioritized"));
                command.arg(index).arg(index).arg("WITHSCORES").replay_safe()
            };
            commands.extend([end("0"), end("-1")]);
        }
        if commands.is_empty() {
            return Ok(None);
        }
        let answers = self.redis.pipeline(commands).await?;
        let answers = answers.into_iter().collect::<Result<Vec<Value>, _>>()?;
        let (ends, ranked) = answers.split_at(2 * lists.len());
        let mut ids: Vec<String> = Vec::new();
        for pair in ends.chunks_exact(2) {
            ids.extend(eldest(&strings(&pair[0]).ok_or(Error::Protocol("LRANGE"))?));
            ids.extend(pair[1].as_str().map(str::to_owned));
        }
        let mut lowest = None;
        if let [first, last] = ranked {
            let (first, last) = (member(first), member(last));
            lowest = last.map(|(_, band)| band);
            if let Some((id, band)) = first {
                ids.push(id);
                lowest = lowest.filter(|lowest| *lowest > band);
            }
        }
        ids.sort_unstable();
        ids.dedup();
        let mut commands: Vec<Command> = ids.iter().map(|id| self.added(id)).collect();
        commands.extend(lowest.map(|band| {
            let first = Command::new("ZRANGEBYSCORE").arg(self.keys.of("prioritized"));
            let first = first.arg(format!("{:.0}", band * BAND)).arg("+inf");
            first.args(["LIMIT", "0", "1"]).replay_safe()
        }));
        if commands.is_empty() {
            return Ok(None);
        }
        let answers = self.redis.pipeline(commands).await?;
        let mut answers = answers;
        if lowest.is_some() {
            let found = answers.pop().transpose()?.as_ref().and_then(strings);
            let found = found.ok_or(Error::Protocol("ZRANGEBYSCORE"))?;
            for id in found {
                answers.extend(self.redis.pipeline(vec![self.added(&id)]).await?);
            }
        }
        // An id without a job has no time, nor has one whose key holds something else.
        Ok(answers.iter().flatten().filter_map(|added| added.as_str()?.parse().ok()).min())
    }

    fn added(&self, id: &str) -> Command {
        Command::new("HGET").arg(self.keys.of(id)).arg("timestamp").replay_safe()
    }
}

/// Of the jobs at the head of a list, the next one and the one with the lowest number.
pub(crate) fn eldest(head: &[String]) -> Vec<String> {
    let number = |id: &&String| id.parse::<u64>().ok().filter(|_| is_counted(id));
    let counted = head.iter().filter_map(|id| Some((number(&id)?, id)));
    let lowest = counted.min().map(|(_, id)| id);
    head.last().into_iter().chain(lowest).cloned().collect()
}

/// The one member of a range and its priority.
fn member(range: &Value) -> Option<(String, f64)> {
    let [id, score] = range.as_array()? else { return None };
    let score: f64 = score.as_str()?.parse().ok()?;
    Some((id.as_str()?.to_owned(), (score / BAND).floor()))
}
