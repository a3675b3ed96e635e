//! Job schedulers whose next job is gone: a consumer that knows of no schedulers took it, or somebody
//! deleted it. BullMQ goes on listing them, and never makes another job.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use tracing::{error, warn};

use super::next::Current;
use super::plan::{Kind, plan};
use super::{Dialect, Produced, dialect};
use crate::answer::fields;
use crate::error::Error;
use crate::queue::Queue;
use crate::script::library::DEAD_SCHEDULES;
use batchmq_redis::Value;

/// Schedulers that are looked at, those whose time is first.
const MOST: u32 = 1_000;

/// What became of the schedulers whose next job was gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rescheduled {
    /// The next jobs that were put back, by the ids of their schedulers.
    pub schedules: Vec<(String, super::Iteration)>,
    /// Schedulers whose next job could not be put back.
    pub unscheduled: Vec<String>,
}

#[derive(Serialize)]
struct Look {
    most: u32,
}

/// A scheduler whose next job is gone.
struct Dead {
    scheduler: String,
    /// When that job was due: milliseconds since the epoch.
    at: i64,
    /// It was lost before its time, which is still to come.
    ahead: bool,
    /// Its name, data and options, if there still is a hash of it.
    name: Option<String>,
    data: Option<String>,
    opts: Option<String>,
    record: HashMap<String, String>,
}

impl Queue {
    /// Puts the next job of every scheduler back whose next job is gone. A job that was lost before its
    /// time gets that time; any other one is followed by the next. 4 commands, one round trip; one more
    /// for each next job that is not delayed, two for each schedule that has ended. For each dead one,
    /// of which a call puts back 50 at most, about 25 and a round trip.
    ///
    /// A job that waits, is being processed or waits for its children is not gone, whoever has it. A
    /// schedule whose limit or end is reached is not dead. Whoever is first puts the job back: a peer
    /// that does so at the same time changes the scheduler's time, or has made the same job.
    ///
    /// # Errors
    /// [`Error::Redis`] when the schedulers could not be looked at.
    pub async fn reschedule(&self) -> Result<Rescheduled, Error> {
        let mut done = Rescheduled::default();
        let dead = self.dead_schedules().await?;
        if dead.is_empty() {
            return Ok(done);
        }
        let version = self.redis.call(self.version()).await?;
        let version = dialect(version.as_str());
        for dead in dead {
            match self.revive(&dead, version).await {
                Ok(Produced::Next(iteration)) => {
                    warn!(
                        scheduler = dead.scheduler,
                        job = iteration.job_id,
                        "the next job of a \
                        scheduler was gone: put back"
                    );
                    done.schedules.push((dead.scheduler, iteration));
                }
                // A peer was faster, or there is no next time.
                Ok(Produced::Already(_) | Produced::Nothing) => {}
                Err(reason) => {
                    error!(scheduler = dead.scheduler, error = %reason, "the next job of a scheduler \
                        is gone and cannot be put back");
                    done.unscheduled.push(dead.scheduler);
                }
            }
        }
        Ok(done)
    }

    async fn dead_schedules(&self) -> Result<Vec<Dead>, Error> {
        let names =
            ["repeat", "delayed", "prioritized", "active", "wait", "paused", "waiting-children"];
        let keys = names.map(|name| self.keys.of(name));
        let answer = self.run(&DEAD_SCHEDULES, &keys, |_| Look { most: MOST }).await?;
        let [Value::Array(items)] = answer.as_slice() else {
            return Err(Error::Protocol(DEAD_SCHEDULES.name));
        };
        // What a peer wrote unreadably keeps no other schedule from going on.
        Ok(items.iter().filter_map(dead).collect())
    }

    /// # Errors
    /// Why there cannot be a next job, for people.
    async fn revive(&self, dead: &Dead, version: Option<Dialect>) -> Result<Produced, String> {
        let Dead { scheduler, record, .. } = dead;
        let counted = record.contains_key("ic");
        let opts = if counted { record.get("opts") } else { dead.opts.as_ref() };
        if !counted && (opts.is_none() || scheduler.split(':').count() >= 5) {
            return Err(
                "it is a repeatable job of BullMQ 5, whose data went with it: add it again, \
                        or make a job scheduler of it"
                    .to_owned(),
            );
        }
        let parsed = opts.map(|text| serde_json::from_str::<Map<String, Json>>(text));
        let mut opts = parsed.transpose().map_err(|error| format!("its options: {error}"))?;
        let mut record = record.clone();
        if dead.ahead
            && let Some(count) = record.get("ic").and_then(|count| count.parse::<i64>().ok())
        {
            // The lost job was counted already.
            record.insert("ic".to_owned(), (count - 1).to_string());
        }
        let opts_of_job = opts.get_or_insert_default();
        if !dead.ahead {
            opts_of_job.insert("prevMillis".to_owned(), dead.at.into());
        }
        let now = self.clock.now_ms();
        let opts = opts.unwrap_or_default();
        let Some(mut plan) = plan(opts, &record, Kind::Scheduler, version, now)? else {
            return Ok(Produced::Nothing);
        };
        if dead.ahead && plan.next.is_some() {
            plan.next = Some(dead.at);
            plan.opts.insert("prevMillis".to_owned(), dead.at.into());
        }
        let job = format!("repeat:{scheduler}:{}", dead.at);
        let current = Current {
            scheduler,
            stem: &format!("repeat:{scheduler}:"),
            kind: Kind::Scheduler,
            job: &job,
            name: dead.name.as_deref().unwrap_or_default(),
            data: dead.data.as_deref().unwrap_or("{}"),
            gone: true,
            same: dead.ahead,
        };
        self.put_in_place(current, plan).await.map_err(|error| error.to_string())
    }
}

fn dead(item: &Value) -> Option<Dead> {
    let [scheduler, at, state, name, data, opts, record] = item.as_array()? else { return None };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(Dead {
        scheduler: text(scheduler)?,
        at: at.as_str()?.parse::<f64>().ok()? as i64,
        ahead: state.as_str()? == "lost",
        name: text(name),
        data: text(data),
        opts: text(opts),
        record: fields(record).ok()?,
    })
}
