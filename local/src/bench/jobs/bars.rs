//! What the figures are held to.

use comfy_table::Table;
use serde::Serialize;

use super::figures::{Line, Sample, figure};
use super::plan::Workload;
use super::subject::Subject;
use crate::terminal;

/// A promise, and what became of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bar {
    pub(crate) what: String,
    pub(crate) measured: f64,
    /// At least this, or at most where it says so.
    pub(crate) bar: f64,
    pub(crate) at_most: bool,
    pub(crate) kept: bool,
}

impl Bar {
    fn at_least(what: impl Into<String>, measured: f64, bar: f64) -> Self {
        Self { what: what.into(), measured, bar, at_most: false, kept: measured >= bar }
    }

    fn at_most(what: impl Into<String>, measured: f64, bar: f64) -> Self {
        Self { what: what.into(), measured, bar, at_most: true, kept: measured <= bar }
    }
}

/// Ours against each rival, at the same work on servers that are so far away: how many times as quick.
const TIMES: [(u64, Subject, f64); 5] = [
    (0, Subject::Pg1, 7.0),
    (0, Subject::Pg50, 4.0),
    (0, Subject::Prisma1, 20.0),
    (0, Subject::Prisma50, 10.0),
    (20, Subject::Pg1, 100.0),
];

/// The bars of what was measured.
pub(crate) fn of(lines: &[Line]) -> Vec<Bar> {
    let find = |workload, round_trip_ms, subject| -> Option<Sample> {
        let found = lines.iter().find(|line| {
            (line.workload, line.round_trip_ms, line.subject) == (workload, round_trip_ms, subject)
        });
        found.map(Line::median)
    };
    let rate = |workload, ms, subject| find(workload, ms, subject).map(|it| it.per_second);
    let shops = |ms, subject| rate(Workload::Shops, ms, subject);
    let mut bars = Vec::new();
    for (ms, rival, bar) in TIMES {
        if let (Some(ours), Some(theirs)) = (shops(ms, Subject::OursTcp), shops(ms, rival)) {
            let what = format!("ours / {}, servers {ms} ms away", rival.title());
            bars.push(Bar::at_least(what, ours / theirs, bar));
        }
    }
    let floors = [Subject::FloorRedis, Subject::FloorPostgres].map(|floor| shops(0, floor));
    if let [Some(redis), Some(postgres)] = floors {
        // What ends first is done while the other works.
        let floor = redis.min(postgres);
        for (subject, bar) in [(Subject::OursTcp, 0.7), (Subject::OursRest, 0.5)] {
            if let Some(ours) = shops(0, subject) {
                let what = format!("{} / the slower server alone", subject.title());
                bars.push(Bar::at_least(what, ours / floor, bar));
            }
        }
    }
    for (workload, what, bar) in [
        (Workload::Plain, "jobs/s with nothing to do, without options", 15_000.0),
        (Workload::Noop, "jobs/s with nothing to do, as the API adds them", 10_000.0),
    ] {
        if let Some(ours) = rate(workload, 0, Subject::OursTcp) {
            bars.push(Bar::at_least(what, ours, bar));
        }
    }
    for (rival, bar) in [(Subject::Add, 20.0), (Subject::AddBulk, 3.0)] {
        let adding = |subject| rate(Workload::Enqueue, 0, subject);
        if let (Some(ours), Some(theirs)) = (adding(Subject::OursTcp), adding(rival)) {
            bars.push(Bar::at_least(
                format!("adding: ours / {}", rival.title()),
                ours / theirs,
                bar,
            ));
        }
    }
    bars.extend(backlog(lines));
    let peaks = lines.iter().filter(|line| line.subject == Subject::OursTcp);
    if let Some(peak) = peaks.filter_map(|line| line.median().peak_mb).reduce(f64::max) {
        bars.push(Bar::at_most("MB of memory, ours at most", peak, 64.0));
    }
    bars
}

/// How much more a job costs with a thousand times as many behind it.
fn backlog(lines: &[Line]) -> Vec<Bar> {
    let backlog: Vec<&Line> =
        lines.iter().filter(|line| line.workload == Workload::Backlog).collect();
    let [least, .., most] = backlog.as_slice() else { return Vec::new() };
    let more = |figure: fn(Sample) -> f64| figure(most.median()) / figure(least.median()) - 1.0;
    let behind = |what| format!("{what}, {} waiting against {}", most.waiting, least.waiting);
    vec![
        Bar::at_most(behind("commands a job more"), more(|it| it.commands), 0.05),
        Bar::at_most(behind("our CPU a job more"), more(|it| it.cpu_ms), 0.05),
        Bar::at_most(behind("time a job more"), more(|it| 1.0 / it.per_second), 0.05),
    ]
}

pub(crate) fn table(bars: &[Bar]) -> Table {
    let mut table = terminal::table(&["", "measured", "bar", ""], &[1, 2]);
    for bar in bars {
        let sign = if bar.at_most { "≤" } else { "≥" };
        let kept = if bar.kept { "kept" } else { "missed" };
        table.add_row([
            bar.what.clone(),
            figure(bar.measured),
            format!("{sign} {}", figure(bar.bar)),
            kept.to_owned(),
        ]);
    }
    table
}
