//! A month's bill, line by line.

use serde::Serialize;

use super::day::{Day, Workload};
use super::figures::{Figures, Worker};
use super::prices::{Fixed, Prices};

/// Days a month, everywhere in here.
const DAYS: f64 = 30.0;

/// Metrics and alarms of a stage with `Alarms=all` that wakes its drain, gathers and has a budget.
const ALL_METRICS: f64 = 18.0;
const ALL_ALARMS: f64 = 21.0;

/// What no bill of these has in it.
pub const LEFT_OUT: &str = "storage at Upstash and Neon, logs, traces and the reads of the API, transfer out of AWS, and \
                            whatever the platform itself costs";

/// What Redis costs with Upstash's cheapest plan of a fixed price.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OnFixedPlan {
    /// The plan.
    pub plan: Fixed,
    /// Whether it costs less than to pay for each command.
    pub is_cheaper: bool,
    /// How many jobs its commands a second are enough for.
    pub jobs_a_second: f64,
}

/// One line.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// What it is for.
    pub item: &'static str,
    /// How much of it a month.
    pub amount: f64,
    /// What is counted.
    pub unit: &'static str,
    /// What it costs: US dollars; `None` for a part of another line.
    pub dollars: Option<f64>,
    /// How the amount and the dollars come about.
    pub formula: String,
}

/// A month of one system.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bill {
    /// Whose.
    pub name: String,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Redis commands a month.
    pub commands: f64,
    /// Their sum: US dollars.
    pub dollars: f64,
    /// The day of the month on which the free plan of Upstash stops, if it does.
    pub free_plan_stops_on_day: Option<f64>,
    /// The other way to pay for Redis, where the prices have it.
    pub fixed_plan: Option<OnFixedPlan>,
}

impl Bill {
    fn of(name: String, lines: Vec<Line>, commands: f64, a_job: f64, prices: &Prices) -> Self {
        let dollars = lines.iter().filter_map(|line| line.dollars).sum();
        let free = prices.upstash.free_commands;
        let stops = (commands > free).then(|| (free / (commands / DAYS)).floor() + 1.0);
        let each = prices.upstash.per_100_000_commands;
        let fixed_plan = prices.upstash.fixed.first().map(|plan| OnFixedPlan {
            plan: *plan,
            is_cheaper: plan.dollars < commands / 100_000.0 * each,
            jobs_a_second: plan.commands_a_second / a_job,
        });
        Self { name, lines, commands, dollars, free_plan_stops_on_day: stops, fixed_plan }
    }
}

/// What this system costs in a month.
///
/// # Errors
/// When the prices do not have the region.
pub fn ours(
    workload: &Workload,
    figures: &Figures,
    prices: &Prices,
    region: &str,
) -> Result<Bill, String> {
    let day = Day::of(workload, figures, prices.neon.sleeps_after_seconds);
    let mut lines = Vec::new();
    let parts = [
        ("idle ticks", day.idle_ticks, figures.idle_tick.commands),
        ("ticks with work", day.busy_ticks(), figures.busy_tick.commands),
        ("jobs", workload.recomputes, figures.job.commands),
        ("asked for over HTTP", day.asked, figures.asked.commands),
        ("enqueued at night", day.nightly, figures.nightly.commands),
    ];
    let parts = parts.map(|(item, a_day, each)| commands_part(item, a_day, each));
    let commands = parts.iter().map(|part| part.amount).sum();
    lines.extend(parts);
    lines.push(commands_sum(commands, prices));
    lines.extend(lambda(workload, figures, prices, prices.per_gb_second(region)?, &day));
    lines.extend(around(prices, &day));
    let nights = if day.nightly > 0.0 { 1.0 } else { 0.0 };
    lines.push(database(workload, prices, day.awake_s, day.asked_ticks + nights));
    let a_job = figures.job.commands;
    Ok(Bill::of("This system".to_owned(), lines, commands, a_job, prices))
}

/// What BullMQ's worker costs that does the same work on a machine of its own. The API and the nightly
/// recompute are left aside: they run wherever the platform's other code runs.
pub fn worker(workload: &Workload, figures: &Figures, worker: Worker, prices: &Prices) -> Bill {
    let day = Day::of(workload, figures, prices.neon.sleeps_after_seconds);
    let minutes = 1_440.0 * workload.workers;
    let parts = [
        ("polling", minutes, worker.commands_a_minute),
        ("adding", workload.recomputes, worker.commands_an_add),
        ("jobs", workload.recomputes, worker.commands_a_job),
    ];
    let parts = parts.map(|(item, a_day, each)| commands_part(item, a_day, each));
    let commands = parts.iter().map(|part| part.amount).sum();
    let mut lines = Vec::from(parts);
    lines.push(commands_sum(commands, prices));
    let machine = &prices.machine;
    let hours = DAYS * 24.0 * workload.workers;
    let an_hour = machine.vcpu * machine.per_vcpu_hour + machine.gb * machine.per_gb_hour;
    lines.push(Line {
        item: "machine",
        amount: hours,
        unit: "hours",
        dollars: Some(hours * an_hour),
        formula: format!(
            "{} h x ({} vCPU x ${} + {} GB x ${}), Fargate on arm64 in us-east-1",
            number(hours),
            machine.vcpu,
            machine.per_vcpu_hour,
            machine.gb,
            machine.per_gb_hour
        ),
    });
    let nights = if day.nightly > 0.0 { 1.0 } else { 0.0 };
    lines.push(database(workload, prices, day.worker_awake_s, day.asked + nights));
    let name = format!(
        "BullMQ, {} polling the same queue",
        match workload.workers {
            1.0 => "a worker".to_owned(),
            several => format!("{} workers", number(several)),
        }
    );
    Bill::of(name, lines, commands, worker.commands_a_job, prices)
}

fn commands_part(item: &'static str, a_day: f64, each: f64) -> Line {
    Line {
        item,
        amount: a_day * each * DAYS,
        unit: "commands",
        dollars: None,
        formula: format!("{DAYS} days x {} x {}", number(a_day), number(each)),
    }
}

fn commands_sum(commands: f64, prices: &Prices) -> Line {
    let price = prices.upstash.per_100_000_commands;
    Line {
        item: "Upstash",
        amount: commands,
        unit: "commands",
        dollars: Some(commands / 100_000.0 * price),
        formula: format!("their sum / 100,000 x ${price}"),
    }
}

fn lambda(
    workload: &Workload,
    figures: &Figures,
    prices: &Prices,
    per_gb_second: f64,
    day: &Day,
) -> [Line; 3] {
    let lambda = &prices.lambda;
    let latency = workload.latency_ms;
    let nights = if day.nightly > 0.0 { 1.0 } else { 0.0 };
    let requests = (day.ticks() + day.asked + nights) * DAYS;
    let work = [
        (day.idle_ticks, figures.idle_tick),
        (day.busy_ticks(), figures.busy_tick),
        (workload.recomputes, figures.job),
        (day.asked, figures.asked),
        (day.nightly, figures.nightly),
    ];
    let seconds = |(times, once): &(f64, super::Once)| times * once.with_latency(latency) / 1_000.0;
    let a_day: f64 = work.iter().map(seconds).sum();
    let gb = workload.memory_mb / 1_024.0;
    let gb_seconds = a_day * DAYS * gb;
    let terms: Vec<String> = work
        .iter()
        .map(|(times, once)| {
            format!("{} x {} ms", number(*times), number(once.with_latency(latency)))
        })
        .collect();
    let free_requests = requests.min(lambda.free_requests);
    let free_gb_seconds = gb_seconds.min(lambda.free_gb_seconds);
    let cost = |requests: f64, gb_seconds: f64| {
        requests / 1_000_000.0 * lambda.per_million_requests + gb_seconds * per_gb_second
    };
    [
        Line {
            item: "Lambda, requests",
            amount: requests,
            unit: "requests",
            dollars: Some(cost(requests, 0.0)),
            formula: format!(
                "{DAYS} days x ({} ticks + {} asked + {nights} night) / 1,000,000 x ${}",
                number(day.ticks()),
                number(day.asked),
                lambda.per_million_requests
            ),
        },
        Line {
            item: "Lambda, time",
            amount: gb_seconds,
            unit: "GB-seconds",
            dollars: Some(cost(0.0, gb_seconds)),
            formula: format!("{DAYS} days x ({}) x {gb} GB x ${per_gb_second}", terms.join(" + ")),
        },
        Line {
            item: "Lambda, free of charge",
            amount: free_gb_seconds,
            unit: "GB-seconds",
            dollars: Some(-cost(free_requests, free_gb_seconds)),
            formula: format!(
                "up to {} requests and {} GB-seconds a month, for the whole account",
                number(lambda.free_requests),
                number(lambda.free_gb_seconds)
            ),
        },
    ]
}

/// What AWS bills beside the functions.
fn around(prices: &Prices, day: &Day) -> [Line; 3] {
    let (gateway, watch) = (&prices.api_gateway, &prices.cloud_watch);
    let requests = day.asked * DAYS;
    let all = (ALL_METRICS - watch.free_metrics).max(0.0) * watch.per_metric
        + (ALL_ALARMS - watch.free_alarms).max(0.0) * watch.per_alarm;
    let secret = prices.secrets_manager.per_secret;
    [
        Line {
            item: "API Gateway",
            amount: requests,
            unit: "requests",
            dollars: Some(requests / 1_000_000.0 * gateway.per_million_requests),
            formula: format!(
                "{DAYS} days x {} asked / 1,000,000 x ${}, in us-east-1",
                number(day.asked),
                gateway.per_million_requests
            ),
        },
        Line {
            item: "CloudWatch",
            amount: watch.free_metrics,
            unit: "metrics",
            dollars: Some(0.0),
            formula: format!(
                "{} metrics and {} alarms are free of charge, for the whole account; Alarms=all has up to \
                 {ALL_METRICS} and {ALL_ALARMS}, for ${all:.2}",
                watch.free_metrics, watch.free_alarms
            ),
        },
        Line {
            item: "Secrets Manager",
            amount: 1.0,
            unit: "secret",
            dollars: Some(secret),
            formula: format!("1 x ${secret}"),
        },
    ]
}

fn database(workload: &Workload, prices: &Prices, awake_s: f64, wake_ups: f64) -> Line {
    let neon = &prices.neon;
    let hours = awake_s / 3_600.0 * DAYS;
    let units = workload.compute_units;
    Line {
        item: "Neon",
        amount: hours,
        unit: "compute hours",
        dollars: Some(hours * units * neon.per_cu_hour),
        formula: format!(
            "{DAYS} days x {} s awake ({} wake-ups, asleep {} s after the last) / 3,600 x {units} CU x ${}",
            number(awake_s),
            number(wake_ups),
            number(neon.sleeps_after_seconds),
            neon.per_cu_hour
        ),
    }
}

/// A number with commas between its thousands, and decimals only where it is small.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 100.0 || v.fract() == 0.0 => 0,
        v if v >= 1.0 => 1,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if index > 0 && left % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::figures::Once;
    use super::*;

    fn figures() -> Figures {
        let once = |commands, round_trips, ms| Once { commands, round_trips, ms };
        Figures {
            source: "by hand".to_owned(),
            idle_tick: once(1.0, 1.0, 1.0),
            busy_tick: once(20.0, 7.0, 4.0),
            job: once(4.0, 0.02, 1.0),
            asked: once(9.0, 2.0, 2.0),
            nightly: once(1.0, 0.01, 0.1),
            peak_bytes: 0,
        }
    }

    fn workload(projects: f64, recomputes: f64) -> Workload {
        Workload {
            projects,
            recomputes,
            max_age_days: 7.0,
            every_s: 60.0,
            memory_mb: 512.0,
            latency_ms: 2.0,
            compute_units: 0.25,
            workers: 1.0,
        }
    }

    fn bills(workload: &Workload) -> (Bill, Bill) {
        let prices = Prices::built_in().unwrap();
        let ours = ours(workload, &figures(), &prices, "eu-central-1").unwrap();
        (ours, worker(workload, &figures(), Worker::MEASURED, &prices))
    }

    /// The amount and the dollars of a line.
    fn line(bill: &Bill, item: &str) -> (f64, Option<f64>) {
        let line = bill.lines.iter().find(|line| line.item == item).unwrap();
        (line.amount, line.dollars)
    }

    fn near(actual: f64, by_hand: f64) {
        assert!(
            (actual - by_hand).abs() < 1e-6 * by_hand.abs().max(1.0),
            "{actual}, not {by_hand}"
        );
    }

    #[test]
    fn an_idle_month() {
        let (ours, worker) = bills(&workload(0.0, 0.0));
        // 1,440 ticks a day, a command each: 43,200 a month at $2 a million.
        near(line(&ours, "idle ticks").0, 43_200.0);
        near(line(&ours, "Upstash").1.unwrap(), 0.086_4);
        assert_eq!(ours.free_plan_stops_on_day, None);
        near(line(&ours, "Lambda, requests").1.unwrap(), 0.008_64);
        // 1 ms and a round trip of 2 ms: 43,200 x 0.003 s x 0.5 GB.
        near(line(&ours, "Lambda, time").0, 64.8);
        // Both are within what is free; the secret is not.
        near(ours.dollars, 0.486_4);
        near(line(&ours, "Neon").0, 0.0);

        // 110 x 1,440 x 30 at $2 a million; the free plan's 500,000 last for three days and a bit.
        near(line(&worker, "Upstash").0, 4_752_000.0);
        near(line(&worker, "Upstash").1.unwrap(), 9.504);
        assert_eq!(worker.free_plan_stops_on_day, Some(4.0));
        // 720 h x (0.25 x 0.03238 + 0.5 x 0.00356).
        near(line(&worker, "machine").1.unwrap(), 7.11);
        near(worker.dollars, 16.614);
    }

    #[test]
    fn a_month_of_1_000_recomputes_a_night_and_100_a_day() {
        let (ours, worker) = bills(&workload(7_000.0, 1_100.0));
        // One tick does the night's, a hundred do one each, 1,339 are idle.
        let parts = [
            ("idle ticks", 40_170.0),
            ("ticks with work", 60_600.0),
            ("jobs", 132_000.0),
            ("asked for over HTTP", 27_000.0),
            ("enqueued at night", 30_000.0),
        ];
        for (item, by_hand) in parts {
            near(line(&ours, item).0, by_hand);
        }
        near(line(&ours, "Upstash").0, 289_770.0);
        near(line(&ours, "Upstash").1.unwrap(), 0.579_54);
        // (1,440 + 100 + 1) x 30.
        near(line(&ours, "Lambda, requests").0, 46_230.0);
        // 1,339 x 3 + 101 x 18 + 1,100 x 1.04 + 100 x 6 + 1,000 x 0.12 = 7,699 ms a day.
        near(line(&ours, "Lambda, time").0, 115.485);
        // 101 x 300 s, 101 x 18 ms and 1,100 x 1.04 ms: 30,302.962 s a day.
        near(line(&ours, "Neon").0, 252.524_683_333);
        near(line(&ours, "Neon").1.unwrap(), 6.691_904_108);

        // 4,752,000 of polling and 41 a job.
        near(line(&worker, "Upstash").0, 6_105_000.0);
        // 101 x 300 s and 1,100 x 1.04 ms: 30,301.144 s a day.
        near(line(&worker, "Neon").0, 252.509_533_333);
        // 100 x 30 at $1 a million.
        near(line(&ours, "API Gateway").1.unwrap(), 0.003);
    }

    #[test]
    fn a_database_is_awake_for_24_hours_a_day_at_most() {
        let (ours, _) = bills(&workload(0.0, 100_000.0));
        near(line(&ours, "Neon").0, 720.0);
        near(line(&ours, "idle ticks").0, 0.0);
        near(line(&ours, "ticks with work").0, 864_000.0);
    }

    #[test]
    fn what_lambda_gives_for_free_is_not_more_than_what_is_used_and_ends_somewhere() {
        // 100,000 a day, 1.04 ms each and 6 ms asking; 1,440 ticks of 18 ms: 729,920 ms x 30 x 0.5 GB.
        let (ours, _) = bills(&workload(0.0, 100_000.0));
        near(line(&ours, "Lambda, time").0, 10_948.8);
        // (1,440 + 100,000) x 30 requests, of which a million is free: only GB-seconds are covered whole.
        near(line(&ours, "Lambda, requests").0, 3_043_200.0);
        let lambda: f64 = ours
            .lines
            .iter()
            .filter(|line| line.item.starts_with("Lambda"))
            .filter_map(|l| l.dollars)
            .sum();
        near(lambda, 2.043_2 * 0.2);
    }

    #[test]
    fn numbers_are_told_as_people_write_them() {
        let told = [0.0, 0.028, 4.2, 26.0, 999.9, 1_440.0, 4_752_000.0, -1_234.0].map(number);
        assert_eq!(told, ["0", "0.028", "4.2", "26", "1,000", "1,440", "4,752,000", "-1,234"]);
    }
}
