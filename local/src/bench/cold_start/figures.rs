//! Samples, and what they come to.

use std::time::Duration;

use comfy_table::Table;
use serde::Serialize;

use crate::terminal;

/// One start.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// From the start to the first question for an event.
    pub(super) init: Duration,
    /// From the start until its first bytes reached Redis, if they did.
    pub(super) connected: Option<Duration>,
    pub(super) first: Duration,
    pub(super) warm: Duration,
    pub(super) peak_bytes: u64,
}

/// The middle of several times, and how far apart they were: milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

/// What a function's samples come to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    pub(super) name: &'static str,
    pub(super) init: Spread,
    pub(super) connected: Option<Spread>,
    pub(super) first: Spread,
    pub(super) warm: Spread,
    /// The most of any start.
    pub(super) idle_peak_bytes: u64,
    pub(super) zip_bytes: u64,
}

impl Spread {
    /// Of no times at all there is no spread.
    fn of(times: impl Iterator<Item = Duration>) -> Option<Self> {
        let mut times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1_000.0).collect();
        times.sort_by(f64::total_cmp);
        let (least, most) = (*times.first()?, *times.last()?);
        let middle = times.len() / 2;
        let median = if times.len() % 2 == 1 {
            times[middle]
        } else {
            f64::midpoint(times[middle - 1], times[middle])
        };
        Some(Self { median, least, most })
    }

    fn text(self) -> String {
        format!("{:.1} ({:.1}-{:.1})", self.median, self.least, self.most)
    }
}

impl Figures {
    /// `None` without samples.
    pub(super) fn of(name: &'static str, zip_bytes: u64, samples: &[Sample]) -> Option<Self> {
        Some(Self {
            name,
            init: Spread::of(samples.iter().map(|sample| sample.init))?,
            connected: Spread::of(samples.iter().filter_map(|sample| sample.connected)),
            first: Spread::of(samples.iter().map(|sample| sample.first))?,
            warm: Spread::of(samples.iter().map(|sample| sample.warm))?,
            idle_peak_bytes: samples.iter().map(|sample| sample.peak_bytes).max()?,
            zip_bytes,
        })
    }
}

/// A line a function.
pub(crate) fn table(functions: &[Figures]) -> Table {
    let header =
        ["function", "init", "at Redis after", "first", "warm", "idle peak, MB", "zip, MB"];
    let mut table = terminal::table(&header, &[1, 2, 3, 4, 5, 6]);
    for function in functions {
        table.add_row([
            function.name.to_owned(),
            function.init.text(),
            function.connected.map_or_else(|| "-".to_owned(), Spread::text),
            function.first.text(),
            function.warm.text(),
            mb(function.idle_peak_bytes),
            mb(function.zip_bytes),
        ]);
    }
    table
}

/// Bytes as megabytes.
#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
pub(crate) fn mb(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_between_the_two_in_the_middle() {
        let spread = |times: &[u64]| {
            Spread::of(times.iter().map(|ms| Duration::from_millis(*ms)))
                .map(|spread| (spread.least, spread.median, spread.most))
        };
        assert_eq!(spread(&[9, 1, 3]), Some((1.0, 3.0, 9.0)));
        assert_eq!(spread(&[8, 2, 4, 5]), Some((2.0, 4.5, 8.0)));
        assert_eq!(spread(&[]), None);
    }
}
