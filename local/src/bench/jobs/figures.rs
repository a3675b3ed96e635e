//! Samples, and what they come to.

use comfy_table::Table;
use serde::{Serialize, Serializer};

use super::bars::{self, Bar};
use super::plan::{Turn, Turns, Workload};
use super::subject::{Done, Subject};
use crate::delay::Traffic;
use crate::terminal;

/// What one turn came to. Counts are a job.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sample {
    /// Jobs a second.
    pub(crate) per_second: f64,
    /// Milliseconds of the subject's processor a job, user and system.
    pub(crate) cpu_ms: f64,
    /// The most memory that the subject's process had.
    pub(crate) peak_mb: Option<f64>,
    /// Commands that Redis executed, those inside scripts included: what Upstash bills.
    pub(crate) commands: f64,
    /// Statements of Postgres.
    pub(crate) statements: f64,
    /// Round trips to both servers, each on its connection for itself.
    pub(crate) round_trips: Option<f64>,
    /// Bytes to and from both servers.
    pub(crate) bytes: Option<f64>,
}

impl Sample {
    pub(crate) fn of(
        done: Done,
        commands: u64,
        statements: u64,
        traffic: Option<[Traffic; 3]>,
    ) -> Self {
        let jobs = done.jobs.max(1) as f64;
        let sum = |of: fn(&Traffic) -> u64| {
            traffic.map(|ways| ways.iter().map(of).sum::<u64>() as f64 / jobs)
        };
        Self {
            per_second: done.jobs as f64 / done.seconds,
            cpu_ms: done.cpu_seconds * 1_000.0 / jobs,
            peak_mb: done.peak_kb.map(|kb| kb as f64 / 1_024.0),
            commands: commands as f64 / jobs,
            statements: statements as f64 / jobs,
            // The handshake of TCP is one, too.
            round_trips: sum(|way| way.round_trips + way.connections),
            bytes: sum(|way| way.bytes),
        }
    }

    /// The middle of each figure.
    fn median(samples: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> Option<f64>| middle(samples.iter().filter_map(figure));
        let sure = |figure: Option<f64>| figure.unwrap_or(f64::NAN);
        Self {
            per_second: sure(of(|it| Some(it.per_second))),
            cpu_ms: sure(of(|it| Some(it.cpu_ms))),
            peak_mb: of(|it| it.peak_mb),
            commands: sure(of(|it| Some(it.commands))),
            statements: sure(of(|it| Some(it.statements))),
            round_trips: of(|it| it.round_trips),
            bytes: of(|it| it.bytes),
        }
    }
}

fn middle(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let upper = figures.len() / 2;
    match figures.as_slice() {
        [] => None,
        odd if odd.len() % 2 == 1 => Some(odd[upper]),
        even => Some(f64::midpoint(even[upper - 1], even[upper])),
    }
}

/// A subject's turns at one kind of work.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    pub(crate) workload: Workload,
    #[serde(skip)]
    pub(crate) title: String,
    pub(crate) round_trip_ms: u64,
    pub(crate) subject: Subject,
    pub(crate) jobs: u32,
    pub(crate) waiting: u32,
    pub(crate) processes: usize,
    #[serde(rename = "median", serialize_with = "as_median")]
    pub(crate) samples: Vec<Sample>,
}

fn as_median<S: Serializer>(samples: &[Sample], serializer: S) -> Result<S::Ok, S::Error> {
    Sample::median(samples).serialize(serializer)
}

impl Line {
    pub(crate) fn of(turns: &Turns, turn: &Turn) -> Self {
        Self {
            workload: turn.workload,
            title: turns.title.clone(),
            round_trip_ms: u64::try_from(turn.round_trip.as_millis()).unwrap_or(u64::MAX),
            subject: turn.subject,
            jobs: turn.jobs,
            waiting: turn.waiting,
            processes: turn.processes,
            samples: Vec::new(),
        }
    }

    pub(crate) fn median(&self) -> Sample {
        Sample::median(&self.samples)
    }
}

/// All that was measured.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Processors of this machine.
    pub(crate) processors: usize,
    pub(crate) release: bool,
    pub(crate) lines: Vec<Line>,
    pub(crate) bars: Vec<Bar>,
    pub(crate) left_out: Vec<String>,
}

impl Report {
    pub(crate) fn new(lines: Vec<Line>, left_out: Vec<String>) -> Self {
        Self {
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            release: !cfg!(debug_assertions),
            bars: bars::of(&lines),
            lines,
            left_out,
        }
    }

    /// Lines of the same work, in their order, under their title.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&str, &[Line])> {
        self.lines
            .chunk_by(|one, other| one.title == other.title)
            .map(|lines| (lines[0].title.as_str(), lines))
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = (String, Table)> {
        self.groups().map(|(title, lines)| (capital(title), table(lines)))
    }
}

/// The titles of a table's columns, and what stands in them.
pub(crate) const COLUMNS: [&str; 9] = [
    "",
    "jobs",
    "jobs/s",
    "CPU ms/job",
    "peak MB",
    "commands/job",
    "statements/job",
    "round trips/job",
    "bytes/job",
];

pub(crate) fn cells(line: &Line) -> [String; 9] {
    let it = line.median();
    let maybe = |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), self::figure);
    [
        line.subject.title().to_owned(),
        line.jobs.to_string(),
        figure(it.per_second),
        figure(it.cpu_ms),
        maybe(it.peak_mb),
        figure(it.commands),
        figure(it.statements),
        maybe(it.round_trips),
        maybe(it.bytes),
    ]
}

fn table(lines: &[Line]) -> Table {
    let mut table = terminal::table(&COLUMNS, &[1, 2, 3, 4, 5, 6, 7, 8]);
    for line in lines {
        table.add_row(cells(line));
    }
    table
}

/// Three digits that say something.
pub(crate) fn figure(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.095 => format!("{number:.3}"),
        size if size < 9.95 => format!("{number:.2}"),
        size if size < 99.5 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

pub(crate) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_few_and_of_none() {
        assert_eq!(middle([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(middle([4.0, 1.0].into_iter()), Some(2.5));
        assert_eq!(middle(std::iter::empty()), None);
    }

    #[test]
    fn figures_have_three_digits() {
        let shown = [0.0, 0.0123, 1.234, 12.34, 123.4, 12_345.6].map(figure);
        assert_eq!(shown, ["0", "0.012", "1.23", "12.3", "123", "12346"]);
    }
}
