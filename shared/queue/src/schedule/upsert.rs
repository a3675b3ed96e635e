//! Makes, changes and ends a job scheduler.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::{Window, Zone, dialect, next_iteration, read};
use crate::error::Error;
use crate::job::new::{JobOptions, NewJob};
use crate::job::stored::{Stored, refusal};
use crate::operate::operation::code;
use crate::operate::refusal::Refusal;
use crate::queue::Queue;
use crate::script::library::{SCHEDULE, UNSCHEDULE};

/// A job scheduler as an operator wants it.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    /// Its id.
    pub id: String,
    /// The name of its jobs.
    pub name: String,
    /// The data of its jobs: JSON text.
    pub data: String,
    /// The options of its jobs; id, delay and timestamp are the scheduler's own to choose.
    pub opts: JobOptions,
    /// When.
    pub rule: Rule,
    /// At most so many jobs in all.
    pub limit: Option<u64>,
    /// No job before this: milliseconds since the epoch.
    pub start_ms: Option<i64>,
    /// No job after this: milliseconds since the epoch.
    pub end_ms: Option<i64>,
}

/// When a scheduler's jobs are due.
#[derive(Clone, Debug)]
pub enum Rule {
    /// By a cron pattern.
    Pattern {
        /// Five fields, or six with seconds first.
        pattern: String,
        /// The zone of its times; `None` takes that of the process which works it out.
        tz: Option<String>,
        /// The first job at once.
        immediately: bool,
    },
    /// At equal intervals.
    Every {
        /// Milliseconds.
        every_ms: u64,
        /// Milliseconds off the epoch's grid; 0 starts now.
        offset_ms: u64,
    },
}

impl Default for Rule {
    fn default() -> Self {
        Self::Every { every_ms: 0, offset_ms: 0 }
    }
}

/// A scheduler's job that was put in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Iteration {
    /// The job's id.
    pub job_id: String,
    /// How long until it is due: milliseconds.
    pub delay_ms: u64,
}

#[derive(Serialize)]
struct Call<'a> {
    scheduler: &'a str,
    name: &'a str,
    data: &'a str,
    opts: String,
    priority: u32,
    lifo: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    deid: Option<&'a str>,
    fields: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<i64>,
}

/// The longest interval, and how far ahead the first job may be due: a hundred years, in
/// milliseconds. What is beyond is a mistake in a unit.
const MOST_AHEAD_MS: i64 = 36_525 * 86_400_000;

#[derive(Serialize)]
struct Named<'a> {
    scheduler: &'a str,
}

impl Queue {
    /// Makes a job scheduler, or gives one that there is another rule or template; its next job
    /// takes the place of the one that waits. About 16 commands, two round trips.
    ///
    /// # Errors
    /// [`Error::Refused`] when BullMQ would refuse it, could not read its pattern, or has a job of
    /// its next time already. [`Error::Redis`].
    pub async fn schedule(&self, scheduler: &Scheduler) -> Result<Iteration, Error> {
        let refused = |reason: String| Error::Refused(Refusal::Schedule(reason));
        check(scheduler).map_err(refused)?;
        let now = self.clock.now_ms();
        if scheduler.end_ms.is_some_and(|end| end < now) {
            return Err(refused("End date must be greater than current timestamp".to_owned()));
        }
        if scheduler.start_ms.is_some_and(|start| start.saturating_sub(now) > MOST_AHEAD_MS) {
            return Err(refused("the start is more than a hundred years ahead".to_owned()));
        }
        let (mut next, mut every, mut offset) = (None, None, None);
        match &scheduler.rule {
            Rule::Pattern { pattern, tz, immediately } => {
                let version = self.redis.call(self.version()).await?;
                let cron = read(pattern, dialect(version.as_str())).map_err(refused)?;
                let zone = Zone::named(tz.as_deref()).map_err(refused)?;
                let (start_ms, end_ms) = (scheduler.start_ms, scheduler.end_ms);
                let window = Window { previous_ms: 0, start_ms, end_ms };
                let at = if *immediately {
                    Some(now)
                } else {
                    next_iteration(&cron, &zone, now, window)
                };
                let never = || format!("the pattern {pattern:?} never comes true");
                next = Some(at.ok_or_else(|| refused(never()))?);
            }
            Rule::Every { every_ms, offset_ms } => {
                every = Some(*every_ms);
                offset = Some(*offset_ms).filter(|offset| *offset > 0);
            }
        }
        let call = Call {
            scheduler: &scheduler.id,
            name: &scheduler.name,
            data: &scheduler.data,
            opts: options(scheduler, now, next, offset).to_string(),
            priority: scheduler.opts.priority,
            lifo: scheduler.opts.lifo,
            deid: scheduler.opts.deduplication.as_ref().map(|d| d.id.as_str()),
            fields: record(scheduler),
            next,
            every,
            offset,
            start: scheduler.start_ms,
        };
        let mut known = self.keys.of_scheduler(&scheduler.id);
        known.extend(next.map(|at| self.keys.of(&format!("repeat:{}:{at}", scheduler.id))));
        let answer = self.operate(&SCHEDULE, known, call).await?;
        match code(&answer) {
            Some((1, [job, delay])) => job.as_str().zip(delay.as_str()).and_then(|(job, delay)| {
                Some(Iteration { job_id: job.to_owned(), delay_ms: delay.parse().ok()? })
            }),
            Some((-10, _)) => return Err(Refusal::IterationExists.into()),
            Some((-11, _)) => return Err(Refusal::SlotsBusy.into()),
            _ => None,
        }
        .ok_or(Error::Protocol(SCHEDULE.name))
    }

    /// Ends a job scheduler, and removes its next job if that is delayed. `false` when there was
    /// none of this id. About 9 commands.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn unschedule(&self, id: &str) -> Result<bool, Error> {
        let known = self.keys.of_scheduler(id);
        let answer = self.operate(&UNSCHEDULE, known, Named { scheduler: id }).await?;
        match code(&answer) {
            Some((ended @ (0 | 1), _)) => Ok(ended == 1),
            _ => Err(Error::Protocol(UNSCHEDULE.name)),
        }
    }
}

/// What BullMQ would refuse, in its words where it has some.
fn check(scheduler: &Scheduler) -> Result<(), String> {
    let template = NewJob {
        name: scheduler.name.clone(),
        data: scheduler.data.clone(),
        opts: scheduler.opts.clone(),
        ..NewJob::default()
    };
    if let Some(reason) = refusal(&template) {
        return Err(reason);
    }
    if scheduler.id.is_empty() {
        return Err("the scheduler has no id; give it one".to_owned());
    }
    let opts = &scheduler.opts;
    if opts.job_id.is_some() || opts.delay_ms > 0 || opts.timestamp_ms.is_some() {
        return Err("id, delay and timestamp of its jobs are the scheduler's to choose".to_owned());
    }
    if scheduler.limit == Some(0) {
        return Err("a limit of 0 makes no job; leave it out or raise it".to_owned());
    }
    match &scheduler.rule {
        Rule::Every { every_ms: 0, .. } => {
            Err("Either .pattern or .every options must be defined for this repeatable job".into())
        }
        Rule::Every { every_ms, .. } if *every_ms > MOST_AHEAD_MS as u64 => {
            Err("the interval is longer than a hundred years".to_owned())
        }
        // BullMQ takes any offset, and puts the first job off by as much.
        Rule::Every { every_ms, offset_ms } if offset_ms >= every_ms => {
            Err("the offset must be less than the interval: to put off the first job, give a start"
                .to_owned())
        }
        Rule::Pattern { immediately: true, .. } if scheduler.start_ms.is_some() => {
            Err("Both .immediately and .startDate options are defined for this repeatable job"
                .into())
        }
        _ => Ok(()),
    }
}

/// The template's options as BullMQ keeps them.
fn template(scheduler: &Scheduler) -> Map<String, Json> {
    let Ok(Json::Object(mut opts)) = serde_json::to_value(Stored::of(&scheduler.opts)) else {
        return Map::new();
    };
    if scheduler.opts.attempts == 0 {
        opts.remove("attempts");
    }
    opts
}

/// The options of the scheduler's first job, but for its id and delay.
fn options(scheduler: &Scheduler, now: i64, next: Option<i64>, offset: Option<u64>) -> Json {
    let mut repeat = Map::new();
    let mut put = |key: &str, value: Option<Json>| {
        if let Some(value) = value {
            repeat.insert(key.to_owned(), value);
        }
    };
    match &scheduler.rule {
        Rule::Pattern { pattern, tz, .. } => {
            put("pattern", Some(pattern.as_str().into()));
            put("tz", tz.as_deref().map(Json::from));
        }
        Rule::Every { every_ms, .. } => put("every", Some((*every_ms).into())),
    }
    put("limit", scheduler.limit.map(Json::from));
    put("startDate", scheduler.start_ms.map(Json::from));
    put("endDate", scheduler.end_ms.map(Json::from));
    put("offset", offset.map(Json::from));
    put("count", Some(json!(1)));
    let mut opts = template(scheduler);
    opts.insert("repeat".to_owned(), Json::Object(repeat));
    opts.insert("repeatJobKey".to_owned(), scheduler.id.as_str().into());
    opts.insert("timestamp".to_owned(), now.into());
    if let Some(next) = next {
        opts.insert("prevMillis".to_owned(), next.into());
    }
    Json::Object(opts)
}

/// The fields of the scheduler's record, but for its counter and offset.
fn record(scheduler: &Scheduler) -> Vec<String> {
    let mut fields = vec!["name".to_owned(), scheduler.name.clone()];
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            fields.extend([name.to_owned(), value]);
        }
    };
    match &scheduler.rule {
        Rule::Pattern { pattern, tz, .. } => {
            put("tz", tz.clone());
            put("pattern", Some(pattern.clone()));
        }
        Rule::Every { every_ms, .. } => put("every", Some(every_ms.to_string())),
    }
    put("limit", scheduler.limit.map(|n| n.to_string()));
    put("startDate", scheduler.start_ms.map(|n| n.to_string()));
    put("endDate", scheduler.end_ms.map(|n| n.to_string()));
    let opts = template(scheduler);
    put("opts", (!opts.is_empty()).then(|| Json::Object(opts).to_string()));
    put("data", (scheduler.data != "{}").then(|| scheduler.data.clone()));
    fields
}
