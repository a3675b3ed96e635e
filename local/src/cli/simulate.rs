//! `deo simulate`: a night in advance.

use std::process::ExitCode;
use std::time::Duration;

use command::time;
use console::style;
use serde::Serialize;

use crate::Outcome;
use crate::cost::{Prices, number};
use crate::simulate::{Advice, Costs, Limits, Night, Setup, night};
use crate::terminal::{heading, say, table};

/// The most drains that are tried.
const MOST_DRAINS: u32 = 256;

/// Tell a night in advance: how many drains, how long, how much, and what is in the way of more
///
/// Every batch of every drain is simulated, from measured costs of each step and the limits that Upstash, Neon and
/// AWS publish. Without --drains it looks for the fewest that are done within --within. The same --seed gives the
/// same night.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Jobs that wait when the night begins.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    jobs: u64,

    /// How long the night may take.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = time)]
    within: Duration,

    /// Drains side by side [default: the fewest that are in time]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    drains: Option<u32>,

    /// Batches that each drain has under way at once (DRAIN_LANES).
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=16))]
    lanes: u32,

    /// Jobs a batch (QUEUE_BATCH_SIZE).
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    batch: u32,

    /// Milliseconds of a round trip to Redis or Postgres, within the region.
    #[arg(long, value_name = "MS", default_value_t = 2.0)]
    latency: f64,

    /// The size of Neon's compute.
    #[arg(long, value_name = "CU", default_value_t = 1.0)]
    compute_units: f64,

    /// A function's memory in megabytes.
    #[arg(long, value_name = "MB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(128..=10_240))]
    memory: u32,

    /// Commands a second that Redis lets through.
    #[arg(long, value_name = "COMMANDS", default_value_t = 10_000.0)]
    commands_a_second: f64,

    /// The AWS region, for the price.
    #[arg(long, default_value = "eu-central-1")]
    region: String,

    /// What decides how long each step takes.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Print everything as one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    costs: Costs,
    limits: Limits,
    within_seconds: f64,
    nights: Vec<Tried>,
    /// The fewest drains that are in time.
    enough: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tried {
    setup: Setup,
    night: Night,
    dollars: f64,
    /// What breaks, whatever the time.
    broken: Vec<Advice>,
    /// What it waits for.
    waits_for: Advice,
}

pub(super) fn run(args: &Args) -> Outcome {
    for (name, value) in [("--latency", args.latency), ("--compute-units", args.compute_units)] {
        if !(value.is_finite() && value >= 0.0) {
            return Err(format!("{name} is a number that is not negative").into());
        }
    }
    if args.compute_units < 0.25 || args.commands_a_second < 1.0 {
        return Err("--compute-units is at least 0.25 and --commands-a-second at least 1".into());
    }
    let prices = Prices::built_in()?;
    let per_gb_second = prices.per_gb_second(&args.region)?;
    let (costs, within) = (Costs::MEASURED, args.within.as_secs_f64());
    let limits = Limits { commands_a_second: args.commands_a_second, ..Limits::PUBLISHED };
    let try_it = |drains| {
        let setup = args.setup(drains);
        let night = night(&setup, &costs, &limits);
        let dollars = dollars(&setup, &night, &prices, per_gb_second);
        let broken = Advice::broken(&setup, &costs, &limits);
        Tried { setup, night, dollars, broken, waits_for: Advice::of(&setup, &night) }
    };
    let nights = match args.drains {
        Some(drains) => vec![try_it(drains)],
        None => search(try_it, within),
    };
    let in_time = nights.iter().filter(|tried| tried.night.seconds <= within);
    let enough = in_time.map(|tried| tried.setup.drains).min();
    let told = Told { costs, limits, within_seconds: within, nights, enough };
    match args.json {
        true => say(serde_json::to_string(&told)?)?,
        false => show(&told)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn setup(&self, drains: u32) -> Setup {
        Setup {
            jobs: self.jobs,
            drains,
            lanes: self.lanes,
            batch: self.batch,
            latency_ms: self.latency,
            compute_units: self.compute_units,
            memory_mb: f64::from(self.memory),
            seed: self.seed,
        }
    }
}

/// Doubles the drains until they are in time or no longer help, and then looks for the fewest.
fn search(try_it: impl Fn(u32) -> Tried, within: f64) -> Vec<Tried> {
    let mut nights: Vec<Tried> = Vec::new();
    let mut drains = 1;
    while drains <= MOST_DRAINS {
        let tried = try_it(drains);
        let before = nights.last().map_or(f64::INFINITY, |before| before.night.seconds);
        let (seconds, helps) = (tried.night.seconds, tried.night.seconds < 0.98 * before);
        nights.push(tried);
        if seconds <= within || !helps {
            break;
        }
        drains *= 2;
    }
    if let [.., too_few, last] = nights.as_slice()
        && last.night.seconds <= within
    {
        let (mut low, mut high) = (too_few.setup.drains, last.setup.drains);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let tried = try_it(middle);
            match tried.night.seconds <= within {
                true => high = middle,
                false => low = middle,
            }
            nights.push(tried);
        }
        nights.sort_by_key(|tried| tried.setup.drains);
    }
    nights
}

/// What the night costs: commands, functions, and the database until it sleeps.
fn dollars(setup: &Setup, night: &Night, prices: &Prices, per_gb_second: f64) -> f64 {
    let commands = night.commands / 100_000.0 * prices.upstash.per_100_000_commands;
    let functions = night.function_seconds * setup.memory_mb / 1_024.0 * per_gb_second
        + night.ticks as f64 / 1e6 * prices.lambda.per_million_requests;
    let awake_s = night.seconds + prices.neon.sleeps_after_seconds;
    let database = setup.compute_units * awake_s / 3_600.0 * prices.neon.per_cu_hour;
    commands + functions + database
}

fn show(told: &Told) -> std::io::Result<()> {
    let Some(first) = told.nights.first() else { return Ok(()) };
    let Setup { jobs, lanes, batch, compute_units, latency_ms, .. } = first.setup;
    heading(&format!(
        "A night of {} jobs: {lanes} lanes of batches of {batch}, {}, {latency_ms} ms",
        number(jobs as f64),
        computing(compute_units)
    ))?;
    let columns = [
        "drains",
        "took",
        "jobs/s",
        "commands/s at most",
        "Redis",
        "Postgres",
        "functions",
        "dollars",
    ];
    let mut rows = table(&columns, &[0, 1, 2, 3, 4, 5, 6, 7]);
    for Tried { setup, night, dollars, .. } in &told.nights {
        let percent = |load: f64| format!("{:.0} %", load * 100.0);
        rows.add_row([
            setup.drains.to_string(),
            minutes(night.seconds),
            number((jobs as f64 / night.seconds).round()),
            number(night.peak_commands.round()),
            percent(night.redis_load),
            percent(night.postgres_load),
            percent(night.function_load),
            format!("${dollars:.2}"),
        ]);
    }
    say(rows.to_string())?;
    let within = minutes(told.within_seconds);
    say(match told.enough {
        Some(1) => format!("One drain is done within {within}."),
        Some(drains) => format!("{drains} drains are done within {within}."),
        None => format!("None of these is done within {within}."),
    })?;
    for Tried { setup, broken, .. } in &told.nights {
        for Advice { limit, change } in broken {
            say(format!(
                "With {} drains this breaks: {limit}. What to change: {change}.",
                setup.drains
            ))?;
        }
    }
    let last = match told.enough {
        Some(enough) => told.nights.iter().find(|tried| tried.setup.drains == enough),
        None => told.nights.last(),
    };
    if let Some(Tried { waits_for: Advice { limit, change }, night, .. }) = last {
        say(format!("What it waits for most: {limit}. To be quicker: {change}."))?;
        if night.refused > 0 {
            say(format!("Redis' limit put off {} requests.", number(night.refused as f64)))?;
        }
    }
    let note = "Costs of each step are those of docs/figures.md; limits and prices as published.";
    say(style(note).dim().to_string())
}

fn minutes(seconds: f64) -> String {
    match seconds < 90.0 {
        true => format!("{seconds:.0} s"),
        false => format!("{:.1} min", seconds / 60.0),
    }
}

/// `1 compute unit`, `0.25 compute units`.
fn computing(units: f64) -> String {
    format!("{units} compute unit{}", if units == 1.0 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::computing;

    #[test]
    fn one_compute_unit_is_one() {
        assert_eq!(computing(1.0), "1 compute unit");
        assert_eq!(computing(0.25), "0.25 compute units");
    }
}
