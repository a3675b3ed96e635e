//! Job schedulers as they stand.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::queue::{Error, Queue, fields, strings};
use crate::redis::Command;

/// One job scheduler.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SchedulerView {
    /// Its id.
    pub id: String,
    /// The name of its jobs.
    pub name: Option<String>,
    /// When its next job is due: milliseconds since the epoch.
    pub next: Option<i64>,
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

impl Queue {
    /// A page of the job schedulers, the next due first: `count` after the first `skip`. One
    /// command and one a scheduler, two round trips.
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
        let key = |id: &String| self.keys.of(&format!("repeat:{id}"));
        let records = found
            .chunks_exact(2)
            .map(|pair| Command::new("HGETALL").arg(key(&pair[0])).replay_safe())
            .collect();
        let records = self.redis.pipeline(records).await?;
        found
            .chunks_exact(2)
            .zip(records)
            .map(|(pair, record)| Ok(view(&pair[0], &pair[1], &fields(&record?)?)))
            .collect()
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
