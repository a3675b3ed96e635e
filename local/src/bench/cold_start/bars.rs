//! What the figures have to keep to.

use console::style;
use serde::Serialize;

use super::figures::{Figures, mb};
use super::load::Loaded;
use super::subject::OURS;

/// Bytes of a function's zip.
const ZIP: u64 = 3_000_000;

/// Bytes of memory that a function without work takes at most.
const IDLE: u64 = 25_000_000;

/// Bytes of memory that the drain takes at most while it drains.
const BUSY: u64 = 64_000_000;

/// A bar, and whether it was kept.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    pub(super) bar: String,
    pub(super) measured: String,
    pub(crate) kept: bool,
}

impl Verdict {
    fn new(bar: String, measured: String, kept: bool) -> Self {
        Self { bar, measured, kept }
    }

    pub(crate) fn line(&self) -> String {
        let mark = if self.kept { style("✓").green() } else { style("✗ missed:").red() };
        format!("{mark} {}: {}", self.bar, self.measured)
    }
}

/// Every bar. An error when a function that is measured against is missing.
pub(super) fn verdicts(functions: &[Figures], drained: &Loaded) -> Result<Vec<Verdict>, String> {
    let find = |name: &str| {
        let found = functions.iter().find(|function| function.name == name);
        found.ok_or_else(|| format!("{name} was not measured"))
    };
    let hello = find("hello")?.init.median;
    let node = find("node")?.init.median;
    // Whichever is larger.
    let most = (hello + 5.0).max(hello * 1.5);
    let mut bars = Vec::new();
    for name in OURS {
        let function = find(name)?;
        let init = function.init.median;
        bars.push(Verdict::new(
            format!("{name} starts within {most:.1} ms (hello-world: {hello:.1})"),
            format!("{init:.1} ms, {:.2} times hello-world", init / hello),
            init <= most,
        ));
        bars.push(Verdict::new(
            format!("{name} starts in a fifth of Node's time ({node:.1} ms)"),
            format!("1/{:.0}", node / init),
            init <= node / 5.0,
        ));
        bars.push(Verdict::new(
            format!("{name} zips to {} MB", mb(ZIP)),
            format!("{} MB", mb(function.zip_bytes)),
            function.zip_bytes <= ZIP,
        ));
        bars.push(Verdict::new(
            format!("{name} idles in {} MB", mb(IDLE)),
            format!("{} MB", mb(function.idle_peak_bytes)),
            function.idle_peak_bytes <= IDLE,
        ));
    }
    bars.push(Verdict::new(
        format!("drain drains {} jobs in {} MB", drained.jobs, mb(BUSY)),
        format!("{} MB", mb(drained.peak_bytes)),
        drained.peak_bytes <= BUSY,
    ));
    Ok(bars)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::super::figures::Sample;
    use super::*;

    fn function(name: &'static str, init_ms: u64, zip_bytes: u64, peak_bytes: u64) -> Figures {
        let time = Duration::from_millis(init_ms);
        let sample = Sample { init: time, connected: None, first: time, warm: time, peak_bytes };
        Figures::of(name, zip_bytes, &[sample]).unwrap()
    }

    fn missed(ours: [Figures; 3], hello_ms: u64, node_ms: u64, busy: u64) -> Vec<String> {
        let mut functions = ours.to_vec();
        functions.push(function("hello", hello_ms, 1, 1));
        functions.push(function("node", node_ms, 1, 1));
        let drained = Loaded { jobs: 10, ticks: 1, seconds: 1.0, peak_bytes: busy };
        let bars = verdicts(&functions, &drained).unwrap();
        assert_eq!(bars.len(), 13);
        bars.into_iter().filter(|bar| !bar.kept).map(|bar| bar.bar).collect()
    }

    fn good(name: &'static str) -> Figures {
        function(name, 9, ZIP, IDLE)
    }

    #[test]
    fn at_the_bar_is_within_it() {
        let ours = || ["api", "drain", "cron"].map(good);
        assert_eq!(missed(ours(), 4, 45, BUSY), Vec::<String>::new(), "4 + 5 ms");
        assert_eq!(missed(ours(), 6, 45, BUSY), Vec::<String>::new());
    }

    #[test]
    fn the_larger_of_both_allowances_counts() {
        let slow = || ["api", "drain", "cron"].map(|name| function(name, 30, 1, 1));
        assert_eq!(missed(slow(), 20, 150, 1), Vec::<String>::new(), "1.5 times 20 ms");
        assert_eq!(missed(slow(), 19, 150, 1).len(), 3);
    }

    #[test]
    fn each_bar_can_be_missed() {
        let with = |other: Figures| [good("api"), other, good("cron")];
        assert!(missed(with(function("drain", 10, 1, 1)), 4, 50, 1)[0].contains("hello-world"));
        assert!(missed(with(good("drain")), 4, 44, 1)[0].contains("Node"));
        assert!(missed(with(function("drain", 9, ZIP + 1, 1)), 4, 45, 1)[0].contains("zips"));
        assert!(missed(with(function("drain", 9, 1, IDLE + 1)), 4, 45, 1)[0].contains("idles"));
        assert!(missed(with(good("drain")), 4, 45, BUSY + 1)[0].contains("drains 10 jobs"));
    }
}
