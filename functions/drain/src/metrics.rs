//! Tells a tick's figures: to a collector, and to CloudWatch in one line on stdout in its embedded metric format.

use serde_json::{Map, Value, json};
use shared::drops::DROPS_GIVEN_UP;
use shared::engine::{Remaining, Report, StoppedBecause};
use shared::recompute::{COALESCED, DATABASE_MS, MALFORMED_ROWS};
use telemetry::{Figure, Kind};

/// Where CloudWatch keeps them; `template.yaml`'s alarms and dashboard look here.
const NAMESPACE: &str = "EngineO/DEO";

/// The metrics that are always kept: CloudWatch counts ten of them free of charge. The default alarms and the
/// dashboard need no others.
pub const BASIC: [&str; 10] = [
    "Ticks",
    "Completed",
    "Failed",
    "Retried",
    "BilledCommands",
    "Waiting",
    "OldestWaitingMs",
    "DurationMs",
    "Anomalies",
    "OverBudget",
];

/// How many metrics there are at most where all are kept: a drain that wakes, gathers, has a budget and sends drops.
pub const ALL: usize = 20;

/// Returns a tick's figures. What the tick could not learn, because Redis did not answer, is left out rather than
/// counted as zero.
pub fn figures(report: &Report) -> Vec<Figure> {
    let waiting = report.remaining.map(|left| left.waiting + left.prioritized);
    // Where only jobs gather, nothing is awaited.
    let idle = report.remaining == Some(Remaining::NONE)
        || report.stopped_because == StoppedBecause::Gathering;
    let oldest = report.oldest_waiting_ms.or(idle.then_some(0));
    let given_up = report.counters.get(DROPS_GIVEN_UP);
    let count = |value: u64| Some(i64::try_from(value).unwrap_or(i64::MAX));
    use Kind::{Level, Milliseconds, Sum};
    let figures: [_; ALL] = [
        // The heartbeat: an idle drain has one too, at no billed command.
        ("Ticks", Sum, Some(1)),
        ("Claimed", Sum, count(report.claimed)),
        ("Completed", Sum, count(report.completed)),
        ("Failed", Sum, count(report.failed)),
        ("Retried", Sum, count(report.retried)),
        ("Released", Sum, count(report.released)),
        ("Coalesced", Sum, count(report.counters.get(COALESCED))),
        ("Recovered", Sum, count(report.recovered)),
        ("Rescheduled", Sum, count(report.rescheduled)),
        ("Anomalies", Sum, count(anomalies(report))),
        ("OverBudget", Sum, Some(i64::from(report.is_thrifty))),
        ("BilledCommands", Sum, count(report.billed_commands)),
        ("RoundTrips", Sum, count(report.round_trips)),
        ("Waiting", Level, waiting.and_then(count)),
        ("OldestWaitingMs", Milliseconds, oldest),
        ("OldestGatheredMs", Milliseconds, report.oldest_gathered_ms),
        ("DurationMs", Milliseconds, count(report.duration_ms)),
        ("BatchMs", Milliseconds, count(report.batch_ms).filter(|_| report.batches > 0)),
        ("DatabaseMs", Milliseconds, count(report.counters.get(DATABASE_MS))),
        // Only where there are any: a metric costs from its first figure on.
        ("DropsGivenUp", Sum, count(given_up).filter(|given_up| *given_up > 0)),
    ];
    let known =
        |(name, kind, value): (_, _, Option<i64>)| Some(Figure { name, kind, value: value? });
    figures.into_iter().filter_map(known).collect()
}

/// What should never happen, whoever is to blame; the line tells each by itself.
fn anomalies(report: &Report) -> u64 {
    report.lost + report.missing + report.unscheduled + report.counters.get(MALFORMED_ROWS)
}

/// Returns the line that makes CloudWatch count the [`figures`] of a tick of the queue with this key prefix: the
/// [`BASIC`] ones, or `all` of them.
pub fn metrics(report: &Report, prefix: &str, now_ms: i64, all: bool) -> String {
    let mut line = Map::new();
    let mut known = Vec::new();
    for Figure { name, kind, value } in figures(report) {
        if all || BASIC.contains(&name) {
            let unit = if kind == Kind::Milliseconds { "Milliseconds" } else { "Count" };
            known.push(json!({ "Name": name, "Unit": unit }));
        }
        line.insert(name.to_owned(), json!(value));
    }
    line.insert("Prefix".to_owned(), json!(prefix));
    // No metrics, which would cost: what to ask the log for beside an alarm, and each queue's own figures.
    line.insert("StoppedBecause".to_owned(), json!(report.stopped_because));
    let parts = [
        ("Lost", report.lost),
        ("Missing", report.missing),
        ("Unscheduled", report.unscheduled),
        ("MalformedRows", report.counters.get(MALFORMED_ROWS)),
    ];
    for (name, count) in parts.into_iter().filter(|(_, count)| *count > 0) {
        line.insert(name.to_owned(), json!(count));
    }
    if !report.queues.is_empty() {
        line.insert("Queues".to_owned(), json!(report.queues));
    }
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [["Prefix"]], "Metrics": known });
    line.insert(
        "_aws".to_owned(),
        json!({ "Timestamp": now_ms, "CloudWatchMetrics": [directive] }),
    );
    Value::Object(line).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    fn parse(report: &Report) -> Value {
        serde_json::from_str(&metrics(report, "engineo_prod", 1_769_860_800_000, true)).unwrap()
    }

    fn names(line: &Value) -> Vec<&str> {
        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        metrics.iter().map(|metric| metric["Name"].as_str().unwrap()).collect()
    }

    #[test]
    fn every_metric_that_is_announced_has_a_number_beside_it() {
        let mut remaining = Remaining::NONE;
        (remaining.waiting, remaining.prioritized) = (2, 3);
        let mut report = Report::default();
        report.completed = 7;
        report.stopped_because = StoppedBecause::Full;
        report.batches = 1;
        report.billed_commands = 48;
        report.oldest_waiting_ms = Some(1500);
        report.remaining = Some(remaining);
        let line = parse(&report);
        let names = names(&line);
        assert_eq!(names.len(), 18);
        assert!(names.iter().all(|name| line[*name].is_number()), "{line}");
        assert_eq!(line["_aws"]["Timestamp"], 1_769_860_800_000_i64);
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Prefix"]]));
        assert_eq!(
            (&line["Prefix"], &line["StoppedBecause"]),
            (&json!("engineo_prod"), &json!("full"))
        );
        assert_eq!((&line["Completed"], &line["BilledCommands"]), (&json!(7), &json!(48)));
        assert_eq!((&line["Waiting"], &line["OldestWaitingMs"]), (&json!(5), &json!(1500)));
    }

    #[test]
    fn at_most_ten_metrics_are_kept_where_not_all_are_asked_for() {
        let mut report = Report::default();
        report.remaining = Some(Remaining::NONE);
        let line: Value =
            serde_json::from_str(&metrics(&report, "engineo_prod", 0, false)).unwrap();
        let kept: BTreeSet<&str> = names(&line).into_iter().collect();
        assert_eq!(kept, BASIC.into());
        // The log tells the others all the same.
        assert_eq!((&line["Claimed"], &line["RoundTrips"]), (&json!(0), &json!(0)));
    }

    #[test]
    fn what_should_never_happen_is_counted_and_told_apart() {
        let mut report = Report::default();
        (report.lost, report.missing, report.unscheduled) = (1, 2, 4);
        report.is_thrifty = true;
        let line = parse(&report);
        assert_eq!((&line["Anomalies"], &line["OverBudget"]), (&json!(7), &json!(1)));
        assert_eq!((&line["Lost"], &line["Missing"]), (&json!(1), &json!(2)));
        assert_eq!((&line["Unscheduled"], &line["MalformedRows"]), (&json!(4), &Value::Null));
    }

    #[test]
    fn an_idle_tick_beats_and_nothing_waits() {
        let mut report = Report::default();
        report.remaining = Some(Remaining::NONE);
        let line = parse(&report);
        assert_eq!((&line["Ticks"], &line["Waiting"]), (&json!(1), &json!(0)));
        assert_eq!(line["OldestWaitingMs"], 0);
    }

    /// So that the alarm for awaited jobs does not judge those that gather.
    #[test]
    fn jobs_that_gather_are_told_apart() {
        let mut report = Report::default();
        report.oldest_gathered_ms = Some(1_800_000);
        report.stopped_because = StoppedBecause::Gathering;
        let line = parse(&report);
        assert_eq!(
            (&line["OldestWaitingMs"], &line["OldestGatheredMs"]),
            (&json!(0), &json!(1_800_000))
        );
        assert!(names(&line).contains(&"OldestGatheredMs"));
        // It did not count them.
        assert!(line["Waiting"].is_null(), "{line}");
    }

    #[test]
    fn each_queue_s_figures_stand_in_the_line_and_are_no_metrics() {
        let of = |claimed| {
            let mut report = Report::default();
            report.claimed = claimed;
            report
        };
        let mut report = of(3);
        report.queues = [("crawl".to_owned(), of(1)), ("deo".to_owned(), of(2))].into();
        let line = parse(&report);
        assert_eq!((&line["Claimed"], &line["Queues"]["crawl"]["claimed"]), (&json!(3), &json!(1)));
        assert!(!names(&line).contains(&"Queues"));
        assert!(parse(&of(1))["Queues"].is_null());
    }

    #[test]
    fn what_redis_did_not_tell_is_left_out() {
        let line = parse(&Report::default());
        assert_eq!(line["Ticks"], 1);
        for unknown in ["Waiting", "OldestWaitingMs"] {
            assert!(!names(&line).contains(&unknown) && line[unknown].is_null(), "{line}");
        }
    }
}
