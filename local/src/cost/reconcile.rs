//! The prediction beside what was billed: the drain's lines for CloudWatch tell of each tick what it did, and how many
//! commands Redis billed for it.

use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::day::SIGN_S;
use super::figures::Figures;
use super::lines::DAYS;

/// How far the prediction may be off, in parts of what was billed.
pub const BAR: f64 = 0.05;

/// A day, in milliseconds.
const DAY_MS: f64 = 86_400_000.0;

/// A tick, as its line has it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tick {
    claimed: u64,
    billed_commands: u64,
    #[serde(rename = "_aws")]
    aws: Directive,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    /// Milliseconds since the epoch.
    timestamp: i64,
}

impl Tick {
    /// The tick of a line of a log, whatever stands before its object; `None` where it tells of none.
    fn of(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(&line[line.find('{')?..]).ok()?;
        // As `aws logs` and Insights hand lines out.
        let inner = ["message", "@message"].into_iter().find_map(|name| value.get(name));
        let told = match inner {
            Some(Value::String(text)) => serde_json::from_str(text.trim()).ok()?,
            Some(object @ Value::Object(_)) => object.clone(),
            _ => value,
        };
        // Both it and the tick's own report have a figure of commands.
        told.get("Ticks")?;
        serde_json::from_value(told).ok()
    }
}

/// What ticks did, and what the prediction makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciled {
    /// Ticks that claimed nothing.
    pub idle_ticks: f64,
    /// Those of them that said that the drain lives.
    pub signs: f64,
    /// Ticks that claimed jobs.
    pub busy_ticks: f64,
    /// Jobs that they claimed.
    pub jobs: f64,
    /// Days from the first tick to the last.
    pub days: f64,
    /// Commands that the prediction makes of these.
    pub predicted: f64,
    /// Commands that were billed.
    pub billed: f64,
    /// How far the prediction is off, in parts of what was billed; below 0 where it is too low.
    pub deviation: f64,
}

impl Reconciled {
    /// Puts `figures` beside the ticks of a log, of which other lines are passed over. Ticks of several drains may stand
    /// there, in any order.
    ///
    /// # Errors
    /// When the log cannot be read, or tells of no tick.
    pub fn of(log: impl BufRead, figures: &Figures) -> io::Result<Self> {
        let mut ticks = Vec::new();
        for line in log.lines() {
            ticks.extend(Tick::of(&line?));
        }
        ticks.sort_by_key(|tick| tick.aws.timestamp);
        let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else {
            return Err(io::Error::other(
                "no line tells of a tick, as the drain's with \"Ticks\" do",
            ));
        };
        let (first_ms, last_ms) = (first.aws.timestamp, last.aws.timestamp);
        let (mut idle_ticks, mut signs, mut busy_ticks, mut jobs, mut billed) =
            (0.0, 0.0, 0.0, 0.0, 0.0);
        let mut sign_ms = first_ms;
        for tick in &ticks {
            billed += tick.billed_commands as f64;
            jobs += tick.claimed as f64;
            let is_due = (tick.aws.timestamp - sign_ms) as f64 >= SIGN_S * 1_000.0;
            if tick.claimed > 0 {
                busy_ticks += 1.0;
            } else {
                idle_ticks += 1.0;
                signs += f64::from(u8::from(is_due));
            }
            if tick.claimed > 0 || is_due {
                sign_ms = tick.aws.timestamp;
            }
        }
        let predicted = idle_ticks * figures.idle_tick.commands
            + signs
            + busy_ticks * figures.busy_tick.commands
            + jobs * figures.job.commands;
        let deviation = if billed > 0.0 { predicted / billed - 1.0 } else { 0.0 };
        let days = (last_ms - first_ms) as f64 / DAY_MS;
        Ok(Self { idle_ticks, signs, busy_ticks, jobs, days, predicted, billed, deviation })
    }

    /// Whether the prediction holds.
    pub fn holds(&self) -> bool {
        self.deviation.abs() <= BAR
    }

    /// Commands a month, as they were billed; `None` where the ticks tell of less than an hour.
    pub fn a_month(&self) -> Option<f64> {
        (self.days > 1.0 / 24.0).then(|| self.billed / self.days * DAYS)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn line(minute: i64, claimed: u64, billed: u64) -> String {
        let at = minute * 60_000;
        format!(
            r#"{{"Ticks":1,"Claimed":{claimed},"BilledCommands":{billed},"_aws":{{"Timestamp":{at}}}}}"#
        )
    }

    fn figures() -> Figures {
        let mut figures = Figures::measured();
        (figures.idle_tick.commands, figures.busy_tick.commands) = (1.0, 15.0);
        figures.job.commands = 4.0;
        figures
    }

    fn reconciled(log: &str) -> io::Result<Reconciled> {
        Reconciled::of(log.as_bytes(), &figures())
    }

    #[test]
    fn ticks_are_found_however_a_log_is_handed_out() {
        let quoted = serde_json::to_string(&line(2, 0, 1)).unwrap();
        let log = [
            line(0, 0, 1),
            format!("2026-11-26T00:01:00.000Z {}", line(1, 0, 1)),
            format!(r#"{{"timestamp":1,"message":{quoted}}}"#),
            format!(r#"{{"@timestamp":"x","@message":{}}}"#, line(3, 10, 60)),
            r#"{"level":"INFO","report":"{}","billedCommands":9}"#.to_owned(),
            "START RequestId: 8476a536".to_owned(),
            "{".to_owned(),
        ];
        let found = reconciled(&log.join("\n")).unwrap();
        assert_eq!((found.idle_ticks, found.busy_ticks, found.jobs), (3.0, 1.0, 10.0));
        assert_eq!((found.billed, found.predicted), (63.0, 3.0 + 15.0 + 40.0));
        assert!(
            (found.deviation - (58.0 / 63.0 - 1.0)).abs() < 1e-9 && !found.holds(),
            "{found:?}"
        );
        assert_eq!(found.a_month(), None);
        assert!(
            reconciled("nothing\n").unwrap_err().to_string().contains("no line tells of a tick")
        );
    }

    #[test]
    fn signs_of_life_are_reckoned_in_as_the_drain_gives_them() {
        // A day of idle ticks, one of ten of which gives a sign, but for a job at noon.
        let tick = |minute| match minute {
            720 => line(minute, 1, 19),
            minute => line(minute, 0, if minute > 0 && minute % 10 == 0 { 2 } else { 1 }),
        };
        let mut lines: Vec<String> = (0..=1_440).map(tick).collect();
        lines.reverse();
        let found = reconciled(&lines.join("\n")).unwrap();
        assert_eq!((found.idle_ticks, found.signs, found.busy_ticks), (1_440.0, 143.0, 1.0));
        assert_eq!((found.predicted, found.billed), (1_602.0, 1_602.0));
        assert!(found.holds() && (found.days - 1.0).abs() < 1e-9);
        assert_eq!(found.a_month(), Some(48_060.0));
    }
}
