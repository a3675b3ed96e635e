//! `deo queue limit`.

use std::num::NonZeroU32;

use serde::Serialize;
use shared::queue::{Flow, Limits, RateLimit, StoredRate};

use super::{At, Outcome, report, span};
use crate::terminal;

/// Show the queue's own limits, or set or lift them: they hold for every peer
///
/// A worker that sleeps because of the concurrency is woken when that is raised or lifted; one that a
/// rate holds back looks again when the time that runs is over.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// At most so many jobs are active at once; none lifts the limit.
    #[arg(long, value_name = "JOBS", value_parser = concurrency)]
    concurrency: Option<Limit<NonZeroU32>>,

    /// At most so many jobs start within a time, such as 100/1m; none lifts the limit.
    #[arg(long, value_name = "JOBS/SPAN", value_parser = rate)]
    rate: Option<Limit<RateLimit>>,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// A limit to be set, or none.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Limit<T>(Option<T>);

fn concurrency(text: &str) -> Result<Limit<NonZeroU32>, String> {
    match text {
        "none" => Ok(Limit(None)),
        _ => jobs(text).map(Some).map(Limit),
    }
}

fn rate(text: &str) -> Result<Limit<RateLimit>, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let (max, time) =
        text.split_once('/').ok_or("write jobs and a time, such as 100/1m, or none")?;
    let duration = span::parse(time)?;
    let duration_ms = u32::try_from(duration.as_millis()).ok().and_then(NonZeroU32::new);
    let duration_ms = duration_ms.ok_or("the time is 1ms to 49d")?;
    Ok(Limit(Some(RateLimit { max: jobs(max)?, duration_ms })))
}

fn jobs(text: &str) -> Result<NonZeroU32, String> {
    if text == "0" {
        return Err("no job could start: to stop the queue, use deo queue pause".to_owned());
    }
    let wrong = |_| format!("write a whole number from 1 to {}, or none", u32::MAX);
    text.parse().map_err(wrong)
}

/// What is printed as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    queue: Flow,
    concurrency: Option<u64>,
    active: u64,
    rate: Option<StoredRate>,
    used: u64,
    left_ms: Option<u64>,
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let queue = at.queue()?;
    if let Some(Limit(most)) = args.concurrency {
        queue.limit_concurrency(most).await?;
    }
    if let Some(Limit(rate)) = args.rate {
        queue.limit_rate(rate).await?;
    }
    let limits = queue.limits().await?;
    let Limits { concurrency, active, rate, used, left_ms, .. } = limits;
    let shown = Shown { queue: limits.flow(), concurrency, active, rate, used, left_ms };
    report(args.json, &shown, table(&limits))
}

fn table(limits: &Limits) -> String {
    let none = || "none".to_owned();
    let span = |ms: u64| span::shown(i64::try_from(ms).unwrap_or(i64::MAX));
    let rate = |rate: StoredRate| format!("{}/{}", rate.max, span(rate.duration_ms));
    let mut table = terminal::table(&["", ""], &[]);
    for (name, text) in [
        ("queue", limits.flow().name().to_owned()),
        ("concurrency", limits.concurrency.map_or_else(none, |most| most.to_string())),
        ("active", limits.active.to_string()),
        ("rate", limits.rate.map_or_else(none, rate)),
        ("started within the time that runs", limits.used.to_string()),
        ("which is over in", limits.left_ms.map_or_else(none, span)),
    ] {
        table.add_row([name.to_owned(), text]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_whole_numbers_from_1_on_or_none() {
        let some = |n| NonZeroU32::new(n).unwrap();
        assert_eq!(concurrency("none"), Ok(Limit(None)));
        assert_eq!(concurrency("7"), Ok(Limit(Some(some(7)))));
        assert_eq!(rate("none"), Ok(Limit(None)));
        let minute = RateLimit { max: some(100), duration_ms: some(60_000) };
        assert_eq!(rate("100/1m"), Ok(Limit(Some(minute))));
        for wrong in ["", "0", "-1", "1.5", "many", "4294967296", "None"] {
            assert!(concurrency(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "100", "/1m", "100/", "0/1m", "100/0", "100/1", "100/50d", "1/1m/1"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
