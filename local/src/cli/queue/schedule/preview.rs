//! `deo queue schedule preview`: what a pattern means, without any queue.

use std::io::{BufRead as _, stdin};
use std::process::ExitCode;

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::clock::{Clock, to_iso8601};
use shared::queue::schedule::{Cron, Dialect, Zone};

use super::date;
use crate::Outcome;
use crate::cli::queue::report;
use crate::terminal;

/// Show the next times of a cron pattern
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pattern, or - for one JSON object a line on stdin: {"pattern", "tz", "after", "bullmq",
    /// "count"}, all but the first optional.
    #[arg(allow_hyphen_values = true)]
    pattern: String,

    /// The zone of the pattern, such as Europe/Berlin [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,

    /// The times after this [default: now]
    #[arg(long, value_name = "DATE", value_parser = date)]
    after: Option<i64>,

    /// How many times.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    count: u16,

    /// Whose reading: that of BullMQ 5 or of BullMQ 6.
    #[arg(long, value_enum, default_value_t = Reading::Six)]
    bullmq: Reading,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, ValueEnum)]
enum Reading {
    #[value(name = "5")]
    #[serde(rename = "5")]
    Five,
    #[value(name = "6")]
    #[serde(rename = "6")]
    Six,
}

/// One line of stdin.
#[derive(Debug, Deserialize)]
struct Question {
    pattern: String,
    tz: Option<String>,
    after: Option<i64>,
    bullmq: Option<Reading>,
    count: Option<u16>,
}

pub(super) fn run(args: Args) -> Outcome {
    if args.pattern == "-" {
        for line in stdin().lock().lines() {
            let question: Question = serde_json::from_str(&line?)?;
            let answer = match times(&question) {
                Ok(times) => json!({"times": times}),
                Err(error) => json!({"error": error}),
            };
            terminal::say(answer.to_string())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let question = Question {
        pattern: args.pattern,
        tz: args.tz,
        after: args.after,
        bullmq: Some(args.bullmq),
        count: Some(args.count),
    };
    let times = times(&question)?;
    let text: Vec<String> = times.iter().map(|at| to_iso8601(*at)).collect();
    let sentence = if text.is_empty() { "Never.".to_owned() } else { text.join("\n") };
    report(args.json, &json!({"times": times, "dates": Value::from(text)}), sentence)
}

/// The next times, in milliseconds since the epoch; fewer when there are no more.
fn times(question: &Question) -> Result<Vec<i64>, String> {
    let dialect = match question.bullmq {
        Some(Reading::Five) => Dialect::Five,
        Some(Reading::Six) | None => Dialect::Six,
    };
    let cron = Cron::parse(&question.pattern, dialect)?;
    let zone = Zone::named(question.tz.as_deref())?;
    let mut at = question.after.unwrap_or_else(|| Clock::System.now_ms());
    let mut times = Vec::new();
    for _ in 0..question.count.unwrap_or(1) {
        let Some(next) = cron.next(at, &zone) else { break };
        times.push(next);
        at = next;
    }
    Ok(times)
}
