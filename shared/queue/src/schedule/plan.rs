//! Derives the next job of a scheduler from its current one.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::{Cron, Dialect, Window, Zone, next_iteration, read};

/// Who made a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A job scheduler, or a repeatable job of BullMQ 5, which has a record, too.
    Scheduler,
    /// A repeatable job of BullMQ before 5, which has no record: all is in the job.
    Repeatable,
}

/// What the next job is to be like.
pub(crate) struct Plan {
    pub(crate) opts: Map<String, Json>,
    /// When, if that is known before its scheduler is looked at: milliseconds since the epoch.
    pub(crate) next: Option<i64>,
    /// By an interval, and where its scheduler's record names none: milliseconds.
    pub(crate) every: Option<i64>,
    pub(crate) offset: Option<i64>,
}

/// The next job's options out of the current one's, and its time, as far as a pattern decides it.
/// `None` when there is none: the limit is reached, or the end has passed. What the job does not
/// say about its rule, the scheduler's record does.
///
/// # Errors
/// The rule cannot be read, for people. Another peer may know how.
pub(crate) fn plan(
    mut opts: Map<String, Json>,
    record: &HashMap<String, String>,
    kind: Kind,
    version: Option<Dialect>,
    now: i64,
) -> Result<Option<Plan>, String> {
    let mut repeat = match opts.remove("repeat") {
        Some(Json::Object(repeat)) => repeat,
        _ => from_record(record),
    };
    let number = |repeat: &Map<String, Json>, key: &str| Some(repeat.get(key)?.as_f64()? as i64);
    let count = number(&repeat, "count").unwrap_or(0).saturating_add(1);
    if number(&repeat, "limit").is_some_and(|limit| count > limit) {
        return Ok(None);
    }
    let end_ms = date(repeat.get("endDate")).filter(|end| *end != 0);
    if end_ms.is_some_and(|end| now > end) {
        return Ok(None);
    }
    let start_ms = date(repeat.get("startDate")).filter(|start| *start != 0);
    let every = number(&repeat, "every").filter(|every| *every > 0);
    let previous_ms = opts.get("prevMillis").and_then(Json::as_f64).unwrap_or(0.0) as i64;
    // `cron` is how BullMQ before 3 called it.
    let pattern = ["pattern", "cron"].into_iter().find_map(|key| repeat.get(key)?.as_str());
    let next = match (pattern, every, kind) {
        (Some(pattern), ..) => {
            let zone = Zone::named(repeat.get("tz").and_then(Json::as_str))?;
            // Better by the other major's reading than not at all.
            let cron = read(pattern, version)
                .or_else(|_| Cron::parse(pattern, Dialect::Five))
                .or_else(|_| Cron::parse(pattern, Dialect::Six))?;
            let window = Window { previous_ms, start_ms, end_ms };
            match next_iteration(&cron, &zone, now, window) {
                Some(next) => Some(next),
                None => return Ok(None),
            }
        }
        (None, Some(every), Kind::Repeatable) => {
            Some(now.max(previous_ms).div_euclid(every).saturating_add(1).saturating_mul(every))
        }
        (None, None, _) if !record.contains_key("every") => {
            return Err("its job names neither a pattern nor an interval".to_owned());
        }
        _ => None,
    };
    let offset = number(&repeat, "offset");
    if every.is_none() || offset == Some(0) {
        repeat.remove("offset");
    }
    repeat.remove("immediately");
    for (key, ms) in [("startDate", start_ms), ("endDate", end_ms)] {
        repeat.remove(key);
        if let Some(ms) = ms {
            repeat.insert(key.to_owned(), ms.into());
        }
    }
    repeat.insert("count".to_owned(), count.into());
    for key in ["delay", "jobId", "prevMillis"] {
        opts.remove(key);
    }
    opts.insert("repeat".to_owned(), Json::Object(repeat));
    opts.insert("timestamp".to_owned(), now.into());
    if let Some(next) = next {
        opts.insert("prevMillis".to_owned(), next.into());
    }
    opts.entry("attempts").or_insert_with(|| json!(0));
    if let Some(Json::Number(delay)) = opts.get("backoff") {
        let backoff = json!({"type": "fixed", "delay": delay});
        opts.insert("backoff".to_owned(), backoff);
    }
    Ok(Some(Plan { opts, next, every, offset }))
}

/// The rule as the scheduler's record has it.
fn from_record(record: &HashMap<String, String>) -> Map<String, Json> {
    let mut repeat = Map::new();
    for key in ["pattern", "tz"] {
        if let Some(text) = record.get(key) {
            repeat.insert(key.to_owned(), text.as_str().into());
        }
    }
    for key in ["every", "limit", "startDate", "endDate", "offset"] {
        if let Some(number) = record.get(key).and_then(|text| text.parse::<i64>().ok()) {
            repeat.insert(key.to_owned(), number.into());
        }
    }
    if let Some(count) = record.get("ic").and_then(|text| text.parse::<i64>().ok()) {
        repeat.insert("count".to_owned(), count.into());
    }
    repeat
}

/// A date as BullMQ stores them: milliseconds, or ISO 8601 text in old jobs.
fn date(value: Option<&Json>) -> Option<i64> {
    match value? {
        Json::Number(ms) => ms.as_f64().map(|ms| ms as i64),
        Json::String(text) => crate::clock::from_iso8601(text),
        _ => None,
    }
}
