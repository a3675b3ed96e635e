//! Samples, and what they come to.

use std::time::Duration;

use comfy_table::Table;
use console::style;
use serde::{Serialize, Serializer};

use super::Way;
use super::shape::Shape;
use crate::terminal;

/// How many times the SDK's requests per second of CPU ours must be.
const TIMES: f64 = 3.0;

/// What one way did in one round.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Sample {
    /// Requests a second.
    pub(super) per_second: f64,
    /// Requests a second of the client's CPU, user and system.
    pub(super) per_cpu_second: f64,
    /// Milliseconds that half of the requests took at most.
    pub(super) p50: f64,
    /// Milliseconds that 99 of 100 requests took at most.
    pub(super) p99: f64,
}

impl Sample {
    pub(crate) fn of(mut latencies: Vec<Duration>, time: Duration, cpu: Duration) -> Self {
        latencies.sort_unstable();
        let requests = latencies.len() as f64;
        let percentile = |part: f64| {
            let place = (part * requests).ceil() as usize;
            let latency = latencies.get(place.saturating_sub(1));
            latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
        };
        Self {
            per_second: requests / time.as_secs_f64(),
            per_cpu_second: requests / cpu.as_secs_f64(),
            p50: percentile(0.5),
            p99: percentile(0.99),
        }
    }

    /// The middle of each figure.
    fn median(samples: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<f64> = samples.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            let upper = figures.len() / 2;
            match figures.as_slice() {
                [] => f64::NAN,
                odd if odd.len() % 2 == 1 => odd[upper],
                even => f64::midpoint(even[upper - 1], even[upper]),
            }
        };
        Self {
            per_second: of(|sample| sample.per_second),
            per_cpu_second: of(|sample| sample.per_cpu_second),
            p50: of(|sample| sample.p50),
            p99: of(|sample| sample.p99),
        }
    }
}

/// A shape on a way, with a sample a round.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    pub(super) shape: Shape,
    pub(super) way: Way,
    #[serde(rename = "median", serialize_with = "as_median")]
    pub(super) samples: Vec<Sample>,
}

fn as_median<S: Serializer>(samples: &[Sample], serializer: S) -> Result<S::Ok, S::Error> {
    Sample::median(samples).serialize(serializer)
}

/// A shape's requests per second of CPU, ours over the SDK's.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    shape: Shape,
    /// Of the medians.
    times: f64,
    /// Of the rounds, each by itself: the least and the most.
    least: f64,
    most: f64,
}

/// Everything, for JSON.
#[derive(Serialize)]
pub(crate) struct Figures {
    pub(crate) lines: Vec<Line>,
    pub(crate) verdicts: Vec<Verdict>,
}

impl Verdict {
    pub(crate) fn kept(&self) -> bool {
        self.times >= TIMES
    }

    pub(crate) fn line(&self) -> String {
        let mark = if self.kept() { style("✓").green() } else { style("✗").red() };
        let Self { shape, times, least, most } = self;
        format!(
            "{mark} {shape:?}: {times:.2} times the SDK's requests per CPU second \
             ({least:.2}-{most:.2}), bar {TIMES}"
        )
    }
}

pub(crate) fn verdicts(lines: &[Line]) -> Vec<Verdict> {
    let samples = |shape, way| {
        let line = lines.iter().find(|line| line.shape == shape && line.way == way);
        line.map_or(&[][..], |line| line.samples.as_slice())
    };
    let verdict = |shape| {
        let (ours, theirs) = (samples(shape, Way::Rest), samples(shape, Way::Sdk));
        let rounds = ours.iter().zip(theirs);
        let rounds = rounds.map(|(ours, theirs)| ours.per_cpu_second / theirs.per_cpu_second);
        let times = Sample::median(ours).per_cpu_second / Sample::median(theirs).per_cpu_second;
        let least = rounds.clone().fold(f64::INFINITY, f64::min);
        Verdict { shape, times, least, most: rounds.fold(0.0, f64::max) }
    };
    Shape::ALL.map(verdict).to_vec()
}

pub(crate) fn table(lines: &[Line]) -> Table {
    let header = ["Call", "Way", "Requests/s", "p50 ms", "p99 ms", "Requests/CPU s", "SDK = 1"];
    let mut table = terminal::table(&header, &[2, 3, 4, 5, 6]);
    for line in lines {
        let median = Sample::median(&line.samples);
        let theirs = lines.iter().find(|other| other.shape == line.shape && other.way == Way::Sdk);
        let theirs = theirs.map_or(f64::NAN, |sdk| Sample::median(&sdk.samples).per_cpu_second);
        let way = match line.way {
            Way::Tcp => "TCP, ours",
            Way::Rest => "REST, ours",
            Way::Sdk => "REST, @upstash/redis",
            Way::SdkAuto => "REST, @upstash/redis, auto-pipelined",
        };
        table.add_row([
            format!("{:?}", line.shape),
            way.to_owned(),
            format!("{:.0}", median.per_second),
            format!("{:.2}", median.p50),
            format!("{:.2}", median.p99),
            format!("{:.0}", median.per_cpu_second),
            format!("{:.2}", median.per_cpu_second / theirs),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(per_cpu_second: u32) -> Sample {
        let latencies = vec![Duration::from_millis(1); per_cpu_second as usize];
        Sample::of(latencies, Duration::from_secs(2), Duration::from_secs(1))
    }

    #[test]
    fn a_sample_has_rates_and_percentiles() {
        let latencies = (1..=200).rev().map(Duration::from_millis).collect();
        let sample = Sample::of(latencies, Duration::from_secs(2), Duration::from_millis(500));
        assert_eq!((sample.per_second, sample.per_cpu_second), (100.0, 400.0));
        assert_eq!((sample.p50, sample.p99), (100.0, 198.0));
    }

    #[test]
    fn the_bar_is_three_times_the_sdk_in_each_shape() {
        let line = |way, rates: [u32; 3]| {
            let samples = rates.map(sample).to_vec();
            Shape::ALL.map(|shape| Line { shape, way, samples: samples.clone() })
        };
        let kept = |ours| {
            let lines = [line(Way::Rest, ours), line(Way::Sdk, [100, 90, 110])].concat();
            verdicts(&lines).iter().map(Verdict::kept).collect::<Vec<_>>()
        };
        assert_eq!(kept([300, 900, 1]), [true; 3]);
        assert_eq!(kept([299, 900, 1]), [false; 3]);
        assert!(!verdicts(&[])[0].kept(), "nothing measured, nothing kept");
    }
}
