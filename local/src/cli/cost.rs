//! `deo cost`: what a month costs, line by line.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use command::{Signals, time};
use console::style;
use serde::Serialize;

use crate::cost::{
    BAR, Bill, Day, Figures, LEFT_OUT, Line, OnFixedPlan, Once, Plan, Prices, Reconciled, Worker,
    Workload, measure, number, ours, worker,
};
use crate::terminal::{Step, heading, say, table};
use crate::{Failure, Outcome};

/// Tell a month's bill in advance: Upstash, Lambda and Neon, beside a BullMQ worker on the same queue
///
/// A month has 30 days. Recomputes are those of the night (each project after --max-age days) and the rest, asked
/// for one by one over the day, which is the dearest way. What it leaves out stands at its end.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Projects.
    #[arg(long, default_value_t = 1_000)]
    projects: u32,

    /// Recomputes a day, the nightly ones included [default: the nightly ones]
    #[arg(long, value_name = "A_DAY")]
    recomputes: Option<u32>,

    /// After how many days the nightly recompute takes a project again (CRON_MAX_AGE_DAYS).
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    max_age: u32,

    /// How often the drain ticks.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = time)]
    every: Duration,

    /// Instead: how old a request may grow before its tick, such as 5m; takes the slowest tick that will do.
    #[arg(long, value_name = "TIME", value_parser = within, conflicts_with = "every")]
    within: Option<Duration>,

    /// The AWS region.
    #[arg(long, default_value = "eu-central-1")]
    region: String,

    /// A function's memory in megabytes.
    #[arg(long, value_name = "MB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(128..=10_240))]
    memory: u32,

    /// Milliseconds that a question to Redis or Postgres takes on its way, within the region.
    #[arg(long, value_name = "MS", default_value_t = 2)]
    latency: u32,

    /// The size of Neon's compute.
    #[arg(long, value_name = "CU", default_value_t = 0.25)]
    compute_units: f64,

    /// BullMQ workers to compare with.
    #[arg(long, default_value_t = 1)]
    workers: u32,

    /// A price table in the form of local/src/cost/prices.json, for other prices or regions.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,

    /// Measure what ticks, jobs and requests need, on private servers, instead of taking what was measured before.
    #[arg(long)]
    measure: bool,

    /// How many jobs are measured.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(50..=100_000))]
    sample: u32,

    /// The functions to measure: a folder with a folder for each, as `cargo lambda build --release` makes it.
    #[arg(long, value_name = "FOLDER", default_value = "target/lambda")]
    bootstraps: PathBuf,

    /// Instead: put the prediction of commands beside what real ticks were billed, by the drain's log lines in this file,
    /// or - for stdin; exits with 1 where it is off by more than 5 %.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["measure", "prices", "within"])]
    reconcile: Option<PathBuf>,

    /// Print everything as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// The minutes of `DrainEveryMinutes`.
const EVERY_MINUTES: [u64; 5] = [1, 2, 5, 10, 15];

/// The slowest tick that comes within a time.
fn within(text: &str) -> Result<Duration, String> {
    let wanted = time(text)?;
    let ticks = EVERY_MINUTES.map(|minutes| Duration::from_secs(minutes * 60));
    let slowest = ticks.into_iter().rev().find(|tick| *tick <= wanted);
    slowest.ok_or_else(|| {
        "no tick comes sooner than each minute; DrainWake takes jobs at once".to_owned()
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    prices: Prices,
    region: String,
    workload: Workload,
    figures: Figures,
    worker: Worker,
    day: Day,
    /// Whether the tick was chosen, as the slowest that is soon enough.
    is_slowest: bool,
    bills: [Bill; 2],
    left_out: &'static str,
}

pub(super) async fn run(args: Args) -> Outcome {
    if let Some(file) = &args.reconcile {
        return reconcile(file, args.json);
    }
    let prices = match &args.prices {
        None => Prices::built_in()?,
        Some(file) => fs::read_to_string(file)
            .map_err(|error| error.to_string())
            .and_then(|json| Prices::parse(&json).map_err(|error| error.to_string()))
            .map_err(|error| format!("the price table {}: {error}", file.display()))?,
    };
    prices.per_gb_second(&args.region)?;
    let figures = if args.measure { measured(&args).await? } else { Figures::measured() };
    let workload = workload(&args);
    let day = Day::of(&workload, &figures, prices.neon.sleeps_after_seconds);
    let bills = [
        ours(&workload, &figures, &prices, &args.region)?,
        worker(&workload, &figures, Worker::MEASURED, &prices),
    ];
    let is_slowest = args.within.is_some();
    let Args { region, json, .. } = args;
    let worker = Worker::MEASURED;
    let left_out = LEFT_OUT;
    let told = Told { prices, region, workload, figures, worker, day, is_slowest, bills, left_out };
    if json {
        say(serde_json::to_string(&told)?)?;
    } else {
        show(&told)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts the prediction beside the ticks of a log.
fn reconcile(file: &Path, as_json: bool) -> Outcome {
    let log: Box<dyn BufRead> = match file.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => {
            let wrong = |error| format!("{}: {error}", file.display());
            Box::new(BufReader::new(File::open(file).map_err(wrong)?))
        }
    };
    let figures = Figures::measured();
    let wrong = |error| format!("{}: {error}", file.display());
    let found = Reconciled::of(log, &figures).map_err(wrong)?;
    if as_json {
        say(serde_json::to_string(&found)?)?;
    } else {
        show_reconciled(&found, &figures)?;
    }
    Ok(if found.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show_reconciled(found: &Reconciled, figures: &Figures) -> io::Result<()> {
    heading(&format!("Ticks of {} days", number(found.days)))?;
    let mut rows = table(&["", "how many", "commands each", "predicted"], &[1, 2, 3]);
    for (item, times, each) in [
        ("idle ticks", found.idle_ticks, figures.idle_tick.commands),
        ("signs of life", found.signs, 1.0),
        ("ticks with work", found.busy_ticks, figures.busy_tick.commands),
        ("jobs", found.jobs, figures.job.commands),
    ] {
        let cells = [times, each, times * each].map(number);
        rows.add_row(std::iter::once(item.to_owned()).chain(cells));
    }
    say(rows.to_string())?;
    let (predicted, billed) = (number(found.predicted), number(found.billed));
    let verdict = if found.holds() { "within" } else { "more than" };
    say(format!(
        "Predicted: {predicted} commands. Billed, by the ticks' own reports: {billed}. The prediction is off by {:+.1} %, \
         {verdict} {:.0} %.",
        found.deviation * 100.0,
        BAR * 100.0
    ))?;
    if let Some(commands) = found.a_month() {
        say(format!("A month of such ticks: {} commands.", number(commands.round())))?;
    }
    say("Not in it: what producers, the API and the nightly recompute are billed beside the drain.")
}

async fn measured(args: &Args) -> Result<Figures, Failure> {
    let mut signals = Signals::new()?;
    let step = Step::begin("measuring", !args.json);
    let figures = tokio::select! {
        figures = measure(&args.bootstraps, args.sample) => figures?,
        stopped = signals.next() => return Err(stopped.into()),
    };
    step.done(format!("Measured ticks, requests and {} jobs", args.sample))?;
    Ok(figures)
}

fn workload(args: &Args) -> Workload {
    let nightly = args.projects.div_ceil(args.max_age);
    Workload {
        projects: f64::from(args.projects),
        recomputes: f64::from(args.recomputes.unwrap_or(nightly)),
        max_age_days: f64::from(args.max_age),
        every_s: args.within.unwrap_or(args.every).as_secs_f64(),
        memory_mb: f64::from(args.memory),
        latency_ms: f64::from(args.latency),
        compute_units: args.compute_units,
        workers: f64::from(args.workers),
    }
}

fn show(told: &Told) -> io::Result<()> {
    let Figures { source, idle_tick, busy_tick, job, asked, nightly, peak_bytes } = &told.figures;
    heading(&format!("What it needs: {source}"))?;
    let mut needs =
        table(&["", "commands", "round trips", "ms", "bytes sent", "logged"], &[1, 2, 3, 4, 5]);
    for (name, once) in [
        ("an idle tick", idle_tick),
        ("a tick with work, and", busy_tick),
        ("each of its jobs", job),
        ("a recompute asked for", asked),
        ("one enqueued at night", nightly),
    ] {
        let Once { commands, round_trips, ms, sent_bytes, log_bytes } = *once;
        let figures = [commands, round_trips, ms, sent_bytes, log_bytes].map(number);
        needs.add_row(std::iter::once(name.to_owned()).chain(figures));
    }
    say(needs.to_string())?;
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    let peak = *peak_bytes as f64 / 1e6;
    let memory = told.workload.memory_mb;
    say(format!("The drain took {peak:.1} MB of the {} that it has.", number(memory)))?;
    for bill in &told.bills {
        heading(&format!("{}, a month", bill.name))?;
        for Line { item, amount, unit, dollars, formula } in &bill.lines {
            let dollars = dollars.map(money).unwrap_or_default();
            say(format!("{item:<24}{:>12} {unit:<14}{dollars:>10}", number(*amount)))?;
            say(style(format!("    {formula}")).dim().to_string())?;
        }
        say(style(format!("{:<51}{:>10}", "together", money(bill.dollars))).bold().to_string())?;
        let free = number(told.prices.upstash.free_commands);
        say(match bill.free_plan_stops_on_day {
            Some(day) => {
                format!("Upstash's free plan ({free} commands) stops on day {day} of the month.")
            }
            None => format!(
                "Upstash's free plan ({free} commands) is enough: its dollars above fall away."
            ),
        })?;
        say(format!(
            "The plan to take at Upstash: {}.",
            match bill.plan {
                Plan::Free => "the free one",
                Plan::PayAsYouGo => "pay as you go",
                Plan::Fixed => "the fixed one",
            }
        ))?;
        if let Some(OnFixedPlan { plan, jobs_a_second, .. }) = bill.fixed_plan {
            let each = told.prices.upstash.per_100_000_commands;
            let by_the_command = bill.commands / 100_000.0 * each;
            say(format!(
                "Upstash's fixed plan of {} ({} MB) {}: no command is billed, and {} a second are enough for {} jobs \
                 a second.",
                money(plan.dollars),
                number(plan.megabytes),
                compared(plan.dollars, by_the_command),
                number(plan.commands_a_second),
                number(jobs_a_second)
            ))?;
        }
    }
    let every = told.workload.every_s / 60.0;
    if told.is_slowest {
        say(format!(
            "DrainEveryMinutes={every} is the slowest tick within that time, and so the cheapest."
        ))?;
    }
    if told.bills.iter().all(|bill| bill.fixed_plan.is_some_and(|fixed| fixed.is_cheaper)) {
        say(
            "With so much to do both take the fixed plan, and Redis costs the same: what counts then is jobs a second.",
        )?;
    }
    say(format!("\nNot in it: {}.", told.left_out))?;
    let Prices { date, .. } = &told.prices;
    let note = format!(
        "Prices of {date} without taxes, for {}; check them before you rely on them: {}",
        told.region,
        told.prices.sources().join(", ")
    );
    say(style(note).dim().to_string())
}

fn money(dollars: f64) -> String {
    let sign = if dollars < -0.005 { "-" } else { "" };
    format!("{sign}${:.2}", dollars.abs())
}

/// How a plan compares with another one, in what is shown of both.
fn compared(dollars: f64, other: f64) -> &'static str {
    if money(dollars) == money(other) {
        "costs the same"
    } else if dollars < other {
        "is cheaper"
    } else {
        "is dearer"
    }
}

#[cfg(test)]
mod tests {
    use super::compared;

    #[test]
    fn what_shows_the_same_dollars_costs_the_same() {
        assert_eq!(compared(10.0, 9.998), "costs the same");
        assert_eq!(compared(10.0, 10.004), "costs the same");
        assert_eq!(compared(10.0, 9.99), "is dearer");
        assert_eq!(compared(10.0, 10.01), "is cheaper");
    }
}
