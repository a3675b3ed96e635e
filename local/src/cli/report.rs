//! A drain's report as a table: a line a figure, a column a tick.

use comfy_table::Table;
use shared::engine::Report;
use shared::recompute::{COALESCED, MALFORMED_ROWS};

use crate::terminal;

/// The reports side by side, each under its title.
pub(super) fn table(reports: &[(&str, &Report)]) -> Table {
    let titles: Vec<&str> =
        std::iter::once("").chain(reports.iter().map(|(title, _)| *title)).collect();
    let right: Vec<usize> = (1..titles.len()).collect();
    let mut table = terminal::table(&titles, &right);
    for (name, figure) in FIGURES {
        let figures = reports.iter().map(|(_, report)| figure(report));
        table.add_row(std::iter::once((*name).to_owned()).chain(figures));
    }
    if reports.iter().any(|(_, report)| report.hold.is_some()) {
        let held = reports.iter().map(|(_, report)| held(report));
        table.add_row(std::iter::once("held back".to_owned()).chain(held));
    }
    for (name, count) in SELDOM {
        if reports.iter().any(|(_, report)| count(report) > 0) {
            let counts = reports.iter().map(|(_, report)| count(report).to_string());
            table.add_row(std::iter::once((*name).to_owned()).chain(counts));
        }
    }
    table
}

type Count = (&'static str, fn(&Report) -> u64);

/// What stands in the table only where there is some.
const SELDOM: &[Count] = &[
    ("recovered", |r| r.recovered),
    ("kept", |r| r.kept),
    ("lost", |r| r.lost),
    ("missing", |r| r.missing),
    ("unscheduled", |r| r.unscheduled),
    ("rescheduled", |r| r.rescheduled),
];

type Figure = (&'static str, fn(&Report) -> String);

const FIGURES: &[Figure] = &[
    ("claimed", |r| r.claimed.to_string()),
    ("completed", |r| r.completed.to_string()),
    ("failed", |r| r.failed.to_string()),
    ("retried", |r| r.retried.to_string()),
    ("released", |r| r.released.to_string()),
    ("coalesced", |r| r.counters.get(COALESCED).to_string()),
    ("malformed rows", |r| r.counters.get(MALFORMED_ROWS).to_string()),
    ("batches", |r| r.batches.to_string()),
    ("billed commands", |r| r.billed_commands.to_string()),
    ("round trips", |r| r.round_trips.to_string()),
    ("remaining", remaining),
    ("oldest waited", |r| {
        r.oldest_waiting_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"))
    }),
    ("oldest gathered", |r| {
        r.oldest_gathered_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"))
    }),
    ("took", |r| format!("{} ms", r.duration_ms)),
    ("stopped because", stopped),
];

fn remaining(report: &Report) -> String {
    let Some(left) = report.remaining else { return "unknown".to_owned() };
    let states = [
        (left.waiting, "waiting"),
        (left.prioritized, "prioritized"),
        (left.delayed.unwrap_or_default(), "delayed"),
        (left.active, "active"),
    ];
    let some: Vec<String> =
        states.iter().filter(|(n, _)| *n > 0).map(|(n, state)| format!("{n} {state}")).collect();
    if some.is_empty() { "0".to_owned() } else { some.join(", ") }
}

/// What held it back, with its limit, and in which of several queues.
fn held(report: &Report) -> String {
    let Some(hold) = report.hold else { return "-".to_owned() };
    let queue = report.held_queue.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
    format!("{queue}{hold}")
}

fn stopped(report: &Report) -> String {
    // As in JSON, so that both say the same word.
    serde_json::to_value(report.stopped_because)
        .ok()
        .and_then(|word| word.as_str().map(str::to_owned))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use shared::queue::Hold;

    use super::*;

    #[test]
    fn what_is_seldom_stands_in_the_table_only_where_there_is_some() {
        let (none, mut some) = (Report::default(), Report::default());
        some.missing = 2;
        assert!(!table(&[("tick", &none)]).to_string().contains("missing"));
        let shown = table(&[("a", &none), ("b", &some)]).to_string();
        let row = shown.lines().find(|line| line.contains("missing")).unwrap_or_default();
        assert_eq!(row.split(|c: char| !c.is_ascii_digit()).collect::<String>(), "02", "{shown}");
        assert!(!shown.contains("unscheduled"), "{shown}");
    }

    #[test]
    fn what_held_a_tick_back_is_told_with_its_queue() {
        let mut report = Report::default();
        assert!(!table(&[("tick", &report)]).to_string().contains("held back"));
        report.hold = Some(Hold::Full { concurrency: Some(2), active: 3, left_ms: None });
        let shown = |report: &Report| table(&[("tick", report)]).to_string();
        assert!(shown(&report).contains("full: 3 of 2 jobs are active"), "{}", shown(&report));
        report.held_queue = Some("nights".to_owned());
        assert!(shown(&report).contains("nights: full: 3 of 2"), "{}", shown(&report));
    }
}
