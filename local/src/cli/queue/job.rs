//! `deo queue job`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use shared::clock::Clock;
use shared::queue::{Logs, MOST_PER_PAGE, State};

use super::{At, Outcome, report, shown, span};
use crate::terminal;

/// Show one job with its data, attempts and log
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The job.
    id: String,

    /// Log lines to show, 1000 at most.
    #[arg(long, default_value_t = 100, value_name = "LINES", value_parser = clap::value_parser!(u64).range(0..=MOST_PER_PAGE))]
    logs: u64,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let queue = at.queue()?;
    let id = &args.id;
    let job = queue.job(id).await?.ok_or_else(|| format!("there is no job {id}"))?;
    let logs = queue.logs(id, 0, args.logs).await?;
    let state = State::told(job.state);
    let text = if args.json {
        String::new()
    } else {
        page(id, state, &job.fields, &logs, Clock::System.now_ms())
    };
    report(args.json, &object(id, state, &job.fields, &logs), text)
}

/// Everything, for programs: JSON where BullMQ stores JSON, numbers where it stores numbers.
fn object(id: &str, state: &str, fields: &HashMap<String, String>, logs: &Logs) -> Value {
    const NUMBERS: [&str; 8] =
        ["timestamp", "delay", "priority", "processedOn", "finishedOn", "ats", "atm", "stc"];
    const JSON: [&str; 6] = ["data", "opts", "returnvalue", "stacktrace", "progress", "parent"];
    let value = |name: &str, text: &String| {
        let parsed = (NUMBERS.contains(&name) || JSON.contains(&name))
            .then(|| serde_json::from_str(text).ok())
            .flatten();
        parsed.unwrap_or_else(|| Value::from(text.as_str()))
    };
    let fields: Map<String, Value> =
        fields.iter().map(|(name, text)| (name.clone(), value(name, text))).collect();
    json!({"id": id, "state": state, "fields": fields, "logs": logs})
}

fn page(id: &str, state: &str, fields: &HashMap<String, String>, logs: &Logs, now: i64) -> String {
    let text = |name: &str| fields.get(name).map(String::as_str);
    let ms = |name: &str| text(name)?.parse::<f64>().ok().map(|ms| ms as i64);
    let ago = |name: &str| ms(name).map(|at| span::shown(now.saturating_sub(at)) + " ago");
    let mut table = terminal::table(&["job", &shown::line(id, 120)], &[]);
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            table.add_row([name.to_owned(), shown::lines(&value)]);
        }
    };
    let json = |name: &str| {
        let value: Value = serde_json::from_str(text(name)?).ok()?;
        serde_json::to_string_pretty(&value).ok()
    };
    row("state", Some(state.to_owned()));
    row("name", text("name").map(str::to_owned));
    row("added", ago("timestamp"));
    row("delay", ms("delay").filter(|ms| *ms > 0).map(span::shown));
    row("priority", ms("priority").filter(|p| *p > 0).map(|p| p.to_string()));
    row("attempts", Some(attempts(fields)));
    row("stalled", ms("stc").map(|times| format!("{times} times")));
    row("taken", ago("processedOn"));
    row("by", text("pb").map(str::to_owned));
    row("ended", ago("finishedOn"));
    row(
        "took",
        ms("finishedOn").zip(ms("processedOn")).map(|(end, start)| span::shown(end - start)),
    );
    row("parent", text("parentKey").map(str::to_owned));
    row("scheduler", text("rjk").map(str::to_owned));
    row("deduplication", text("deid").map(str::to_owned));
    row("progress", json("progress"));
    row("data", json("data").or_else(|| text("data").map(str::to_owned)));
    row("options", json("opts").or_else(|| text("opts").map(str::to_owned)));
    row("returned", json("returnvalue"));
    row("must fail", text("defa").map(str::to_owned));
    row("failed with", text("failedReason").map(str::to_owned));
    row("stack traces", stacktrace(text("stacktrace")));
    let more = logs.total.saturating_sub(logs.lines.len() as u64);
    let mut log = logs.lines.join("\n");
    if more > 0 {
        log += &format!("\n({more} more)");
    }
    row("log", (logs.total > 0).then_some(log));
    table.to_string()
}

/// `2 of 3 made, 3 started`.
fn attempts(fields: &HashMap<String, String>) -> String {
    let count = |name: &str| fields.get(name).map_or("0", String::as_str);
    let made = fields.get("attemptsMade").map_or_else(|| count("atm"), String::as_str);
    let opts = fields.get("opts").and_then(|opts| serde_json::from_str::<Value>(opts).ok());
    let most = opts.and_then(|opts| opts["attempts"].as_u64()).unwrap_or(0).max(1);
    format!("{made} of {most} made, {} started", count("ats"))
}

/// One trace after the other, oldest first.
fn stacktrace(json: Option<&str>) -> Option<String> {
    let traces: Vec<String> = serde_json::from_str(json?).ok()?;
    (!traces.is_empty()).then(|| traces.join("\n\n"))
}
