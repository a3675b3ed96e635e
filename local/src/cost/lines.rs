//! The lines of a bill: what is counted, how much of it, and what that costs.

use serde::Serialize;

use super::day::{Day, Workload};
use super::figures::{Figures, Once};
use super::number::number;
use super::prices::Prices;

/// Days a month, everywhere in here.
pub(super) const DAYS: f64 = 30.0;

/// Metrics and alarms of a stage with `Alarms=all` that wakes its drain, gathers, has a budget and sends drops.
const ALL_METRICS: f64 = drain::ALL_METRICS as f64;
const ALL_ALARMS: f64 = 21.0;

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

pub(super) fn commands_part(item: &'static str, a_day: f64, each: f64) -> Line {
    Line {
        item,
        amount: a_day * each * DAYS,
        unit: "commands",
        dollars: None,
        formula: format!("{DAYS} days x {} x {}", number(a_day), number(each)),
    }
}

pub(super) fn commands_sum(commands: f64, prices: &Prices) -> Line {
    let price = prices.upstash.per_100_000_commands;
    Line {
        item: "Upstash",
        amount: commands,
        unit: "commands",
        dollars: Some(commands / 100_000.0 * price),
        formula: format!("their sum / 100,000 x ${price}"),
    }
}

pub(super) fn lambda(
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
    let work = done(workload, figures, day);
    let seconds = |(times, once): &(f64, Once)| times * once.with_latency(latency) / 1_000.0;
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
pub(super) fn around(prices: &Prices, day: &Day) -> [Line; 3] {
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

/// What goes out of AWS and into the logs.
pub(super) fn volume(
    figures: &Figures,
    prices: &Prices,
    workload: &Workload,
    day: &Day,
) -> [Line; 2] {
    let (watch, transfer) = (&prices.cloud_watch, &prices.transfer);
    let of = |bytes: fn(&Once) -> f64| -> Vec<(f64, f64)> {
        done(workload, figures, day).map(|(times, once)| (times, bytes(&once))).into()
    };
    [
        gigabytes("CloudWatch, logs", of(|it| it.log_bytes), watch.free_log_gb, watch.per_log_gb),
        gigabytes("Transfer out of AWS", of(|it| it.sent_bytes), transfer.free_gb, transfer.per_gb),
    ]
}

fn gigabytes(item: &'static str, parts: Vec<(f64, f64)>, free: f64, price: f64) -> Line {
    let amount = parts.iter().map(|(times, bytes)| times * bytes).sum::<f64>() * DAYS / 1e9;
    let terms: Vec<String> = parts
        .iter()
        .map(|(times, bytes)| format!("{} x {}", number(*times), number(*bytes)))
        .collect();
    Line {
        item,
        amount,
        unit: "GB",
        dollars: Some((amount - free).max(0.0) * price),
        formula: format!(
            "{DAYS} days x ({}) bytes; {free} GB a month are free of charge, for the whole account, then ${price} each",
            terms.join(" + ")
        ),
    }
}

/// What is done how often a day, and what it needs once.
fn done(workload: &Workload, figures: &Figures, day: &Day) -> [(f64, Once); 5] {
    [
        (day.idle_ticks, figures.idle_tick),
        (day.busy_ticks(), figures.busy_tick),
        (workload.recomputes, figures.job),
        (day.asked, figures.asked),
        (day.nightly, figures.nightly),
    ]
}

pub(super) fn database(workload: &Workload, prices: &Prices, awake_s: f64, wake_ups: f64) -> Line {
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

/// The machine on which a worker runs.
pub(super) fn machine(workload: &Workload, prices: &Prices) -> Line {
    let machine = &prices.machine;
    let hours = DAYS * 24.0 * workload.workers;
    let an_hour = machine.vcpu * machine.per_vcpu_hour + machine.gb * machine.per_gb_hour;
    Line {
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
    }
}

#[cfg(test)]
mod tests {
    use super::ALL_ALARMS;

    #[test]
    fn the_alarms_are_as_many_as_the_template_has() {
        let template = include_str!("../../../template.yaml");
        let alarms = template.matches("Type: AWS::CloudWatch::Alarm").count();
        assert_eq!(alarms.to_string(), ALL_ALARMS.to_string());
    }
}
