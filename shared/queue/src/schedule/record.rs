//! Reads job schedulers as they stand.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::error::Error;

use crate::queue::Queue;

use crate::answer::{fields, strings};

use batchmq_redis::{Command, Value};

/// One job scheduler.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SchedulerView {
    /// Its id.
    pub id: String,
    /// The name of its jobs.
    pub name: Option<String>,
    /// When its next job is due: milliseconds since the epoch, and still to come.
    pub next: Option<i64>,
    /// Why there is no next time.
    #[serde(flatten)]
    pub behind: Option<Behind>,
    /// Its cron pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The zone of the pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// Its interval: milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<i64>,
    /// How far its times are off the epoch's grid: milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// At most so many jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// No job before this: milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_date: Option<i64>,
    /// No job after this: milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_date: Option<i64>,
    /// Jobs so far; `None` for a repeatable job of older BullMQ.
    pub iterations: Option<i64>,
    /// The data of its jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
    /// The options of its jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opts: Option<Json>,
}

/// What became of a scheduler's job whose time is past, or that is gone before its time. The times are
/// its own: milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Behind {
    /// It waits or is being processed.
    OverdueSince(i64),
    /// It is gone, or ended without a next one: the next tick makes that.
    GoneSince(i64),
    /// It was the last one: the limit or the end is reached.
    EndedAt(i64),
}

impl Queue {
    /// A page of the job schedulers, the next due first: `count` after the first `skip`. One
    /// command and two a scheduler, two round trips.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn schedulers(&self, skip: u64, count: u64) -> Result<Vec<SchedulerView>, Error> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let page = Command::new("ZRANGE").arg(self.keys.of("repeat")).arg(skip.to_string());
        let page = page.arg((skip + count - 1).to_string()).arg("WITHSCORES").replay_safe();
        let found = strings(&self.redis.call(page).await?).ok_or(Error::Protocol("ZRANGE"))?;
        let reads = found.chunks_exact(2).flat_map(|pair| {
            let record = self.keys.of(&format!("repeat:{}", pair[0]));
            let job = self.keys.of(&format!("repeat:{}:{}", pair[0], pair[1]));
            [
                Command::new("HGETALL").arg(record),
                Command::new("HMGET").args([job.as_str(), "name", "opts", "finishedOn"]),
            ]
            .map(Command::replay_safe)
        });
        let answers = self.redis.pipeline(reads.collect()).await?;
        let now = self.clock.now_ms();
        found
            .chunks_exact(2)
            .zip(answers.chunks_exact(2))
            .map(|(pair, answers)| {
                let [record, job] = answers else { return Err(Error::Protocol("HGETALL")) };
                let job = job.clone()?;
                let job = job.as_array().ok_or(Error::Protocol("HMGET"))?;
                let there = job.iter().any(|field| !field.is_nil());
                let waits = there && job.last().is_some_and(Value::is_nil);
                Ok(view(&pair[0], &pair[1], &fields(&record.clone()?)?).at(now, there, waits))
            })
            .collect()
    }
}

impl SchedulerView {
    /// As it stands at `now`, with a job that has a hash if it is `there`, and that has not ended if
    /// it `waits`.
    fn at(mut self, now: i64, there: bool, waits: bool) -> Self {
        let Some(next) = self.next else { return self };
        // The ids of repeatable jobs of before BullMQ 5 cannot be told.
        let known = self.name.is_some();
        let reached = self.limit.zip(self.iterations).is_some_and(|(limit, made)| made >= limit);
        let over = self.end_date.is_some_and(|end| now > end);
        let behind = if known && !waits && (over || (reached && (there || next <= now))) {
            Behind::EndedAt(next)
        } else if known && !waits {
            Behind::GoneSince(next)
        } else if next <= now {
            Behind::OverdueSince(next)
        } else {
            return self;
        };
        (self.next, self.behind) = (None, Some(behind));
        self
    }
}

fn view(id: &str, score: &str, record: &HashMap<String, String>) -> SchedulerView {
    let text = |name: &str| record.get(name).cloned();
    let number = |name: &str| Some(record.get(name)?.parse::<f64>().ok()? as i64);
    let json = |name: &str| serde_json::from_str(record.get(name)?).ok();
    SchedulerView {
        id: id.to_owned(),
        name: text("name"),
        next: score.parse::<f64>().ok().map(|ms| ms as i64),
        behind: None,
        pattern: text("pattern"),
        tz: text("tz"),
        every: number("every"),
        offset: number("offset"),
        limit: number("limit"),
        start_date: number("startDate"),
        end_date: number("endDate"),
        iterations: number("ic"),
        data: json("data"),
        opts: json("opts"),
    }
}
