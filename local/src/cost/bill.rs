//! A month's bill, line by line.

use serde::Serialize;

use super::day::{Day, Workload};
use super::figures::{Figures, Worker};
use super::lines::{
    DAYS, Line, around, commands_part, commands_sum, database, lambda, machine, volume,
};
use super::number::number;
use super::prices::{Fixed, Prices};

/// What no bill of these has in it.
pub const LEFT_OUT: &str = "storage at Upstash, Neon and of the logs, Lambda's own lines in the logs, traces, the reads of the \
                            API, what TLS adds to the transfer, a worker's logs and transfer, and whatever the platform \
                            itself costs";

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

/// How to pay Upstash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Plan {
    /// Nothing is paid, and it stops at its last command.
    Free,
    /// By the command.
    PayAsYouGo,
    /// The cheapest of a fixed price.
    Fixed,
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
    /// The plan that costs least.
    pub plan: Plan,
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
        let plan = match (stops, &fixed_plan) {
            (None, _) => Plan::Free,
            (Some(_), Some(fixed)) if fixed.is_cheaper => Plan::Fixed,
            (Some(_), _) => Plan::PayAsYouGo,
        };
        Self { name, lines, commands, dollars, free_plan_stops_on_day: stops, fixed_plan, plan }
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
        ("signs of life", day.signs, 1.0),
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
    lines.extend(volume(figures, prices, workload, &day));
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
    lines.push(machine(workload, prices));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::figures::Once;
    use super::*;

    fn figures() -> Figures {
        let once = |commands, round_trips, ms| Once {
            commands,
            round_trips,
            ms,
            sent_bytes: 1_000.0,
            log_bytes: 2_000.0,
        };
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
        Workload { projects, recomputes, ..Workload::IDLE }
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
        // 1,440 ticks a day, a command each, and one more every ten minutes: 47,520 a month at $2 a million.
        near(line(&ours, "idle ticks").0, 43_200.0);
        near(line(&ours, "signs of life").0, 4_320.0);
        near(line(&ours, "Upstash").1.unwrap(), 0.095_04);
        assert_eq!(ours.free_plan_stops_on_day, None);
        near(line(&ours, "Lambda, requests").1.unwrap(), 0.008_64);
        // 1 ms and a round trip of 2 ms: 43,200 x 0.003 s x 0.5 GB.
        near(line(&ours, "Lambda, time").0, 64.8);
        // Both are within what is free; the secret is not.
        near(ours.dollars, 0.495_04);
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
            ("signs of life", 4_017.0),
            ("ticks with work", 60_600.0),
            ("jobs", 132_000.0),
            ("asked for over HTTP", 27_000.0),
            ("enqueued at night", 30_000.0),
        ];
        for (item, by_hand) in parts {
            near(line(&ours, item).0, by_hand);
        }
        near(line(&ours, "Upstash").0, 293_787.0);
        near(line(&ours, "Upstash").1.unwrap(), 0.587_574);
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
        // 1,440 ticks, 1,100 jobs, 100 asked and 1,000 enqueued: 3,640 a day of 2,000 bytes, and of 1,000.
        near(line(&ours, "CloudWatch, logs").0, 0.218_4);
        near(line(&ours, "Transfer out of AWS").0, 0.109_2);
        assert_eq!(line(&ours, "CloudWatch, logs").1, Some(0.0), "5 GB are free");
        // 100 x 30 at $1 a million.
        near(line(&ours, "API Gateway").1.unwrap(), 0.003);
    }

    #[test]
    fn the_plan_that_costs_least_is_named() {
        let plan = |recomputes| bills(&workload(0.0, recomputes)).0.plan;
        // 500,000 commands a month are free, and 5,000,000 cost the $10 of the fixed plan.
        assert_eq!([0.0, 500.0, 20_000.0].map(plan), [Plan::Free, Plan::PayAsYouGo, Plan::Fixed]);
    }

    #[test]
    fn what_is_not_free_of_logs_and_transfer_is_paid() {
        // 1,440 ticks, 2,000,000 jobs and as many asked for: 4,001,440 a day.
        let (ours, _) = bills(&workload(0.0, 2_000_000.0));
        near(line(&ours, "CloudWatch, logs").0, 240.086_4);
        near(line(&ours, "CloudWatch, logs").1.unwrap(), 235.086_4 * 0.5);
        near(line(&ours, "Transfer out of AWS").1.unwrap(), (120.043_2 - 100.0) * 0.09);
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
}
