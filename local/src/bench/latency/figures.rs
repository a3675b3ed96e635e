//! What was measured, as a table and for programs.

use std::time::Duration;

use comfy_table::Table;
use serde::Serialize;

use super::Request;
use crate::terminal::table;

/// Round trips in sequence from a request to its snapshot, at most, where everything but the API is cold.
const MOST: usize = 12;

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Until the score was committed.
    pub(super) took: Duration,
    pub(super) round_trips: usize,
}

/// What one kind of request took.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    who: &'static str,
    p50_ms: f64,
    p99_ms: f64,
    /// The median.
    round_trips: usize,
    /// The most that a request took.
    most_round_trips: usize,
}

impl Line {
    pub(super) fn of(who: &'static str, samples: Vec<Sample>) -> Self {
        let mut took: Vec<Duration> = samples.iter().map(|sample| sample.took).collect();
        took.sort_unstable();
        let mut trips: Vec<usize> = samples.iter().map(|sample| sample.round_trips).collect();
        trips.sort_unstable();
        let ms = |took: &Duration| took.as_secs_f64() * 1_000.0;
        Self {
            who,
            p50_ms: at(&took, 50).map_or(0.0, ms),
            p99_ms: at(&took, 99).map_or(0.0, ms),
            round_trips: at(&trips, 50).copied().unwrap_or(0),
            most_round_trips: trips.last().copied().unwrap_or(0),
        }
    }
}

/// The value that so many percent do not exceed.
fn at<T>(sorted: &[T], percent: usize) -> Option<&T> {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1))
}

/// All of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    runs: u32,
    round_trip_ms: f64,
    lines: Vec<Line>,
    at_most: usize,
    /// Whether no kind of ours takes more round trips than that.
    pub(crate) kept: bool,
    /// What was not measured, and why.
    pub(crate) left_out: Option<String>,
}

impl Report {
    pub(super) fn new(request: &Request, lines: Vec<Line>, left_out: Option<String>) -> Self {
        // The first two are ours.
        let kept = lines.iter().take(2).all(|line| line.round_trips <= MOST);
        let round_trip_ms = request.round_trip.as_secs_f64() * 1_000.0;
        Self { runs: request.runs, round_trip_ms, lines, at_most: MOST, kept, left_out }
    }

    pub(crate) fn title(&self) -> String {
        format!(
            "From a request to its committed snapshot: {} requests each, everything {} ms away",
            self.runs, self.round_trip_ms
        )
    }

    pub(crate) fn table(&self) -> Table {
        let mut table = table(&["", "p50 ms", "p99 ms", "Round trips in sequence"], &[1, 2, 3]);
        for line in &self.lines {
            table.add_row([
                line.who.to_owned(),
                format!("{:.1}", line.p50_ms),
                format!("{:.1}", line.p99_ms),
                match line.most_round_trips {
                    most if most == line.round_trips => most.to_string(),
                    most => format!("{} (at most {most})", line.round_trips),
                },
            ]);
        }
        table
    }

    pub(crate) fn verdict(&self) -> String {
        let word = if self.kept { "kept" } else { "missed" };
        format!("Ours takes at most {} round trips in sequence: {word}.", self.at_most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<u32> = (1..=200).collect();
        assert_eq!((at(&sorted, 50), at(&sorted, 99)), (Some(&100), Some(&198)));
        assert_eq!((at(&[7], 50), at(&[7], 99), at::<u32>(&[], 50)), (Some(&7), Some(&7), None));
    }
}
