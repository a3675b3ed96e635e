//! Twelve workloads, reckoned by hand.
#![allow(clippy::unwrap_used)]

use super::{Figures, Once, Prices, Worker, Workload, ours, worker};

/// Round figures: a tick 1 command, one with work 20 more, a job 4 more, asked for 9, enqueued at night 1; a job takes 1 ms.
fn figures() -> Figures {
    let once = |commands, ms| Once { commands, ms, ..Once::default() };
    Figures {
        source: "by hand".to_owned(),
        idle_tick: once(1.0, 1.0),
        busy_tick: once(20.0, 4.0),
        job: once(4.0, 1.0),
        asked: once(9.0, 2.0),
        nightly: once(1.0, 0.1),
        peak_bytes: 0,
    }
}

fn near(actual: f64, by_hand: f64, what: &str) {
    assert!((actual - by_hand).abs() < 1e-6 * by_hand.max(1.0), "{what}: {actual}, not {by_hand}");
}

#[test]
fn twelve_workloads_come_to_what_they_come_to_by_hand() {
    let prices = Prices::built_in().unwrap();
    // Projects (a seventh is due each night), recomputes a day, minutes from tick to tick; our commands a day, as
    // idle ticks + their signs of life, at most one in 10 minutes + ticks with work x 20 + jobs x 4 + asked x 9 + nightly; seconds a day in which the worker's
    // database is awake, 300 after each job and 1 ms in it.
    let day = 86_400.0;
    let rows = [
        (0.0, 0.0, 1.0, 1_440.0 + 144.0, 0.0),
        (0.0, 0.0, 5.0, 288.0 + 144.0, 0.0),
        (0.0, 0.0, 15.0, 96.0 + 96.0, 0.0),
        (7.0, 1.0, 1.0, 1_439.0 + 143.9 + 20.0 + 4.0 + 1.0, 300.001),
        (7_000.0, 1_000.0, 1.0, 1_439.0 + 143.9 + 20.0 + 4_000.0 + 1_000.0, 301.0),
        (
            7_000.0,
            1_100.0,
            1.0,
            1_339.0 + 133.9 + 101.0 * 20.0 + 4_400.0 + 900.0 + 1_000.0,
            30_301.1,
        ),
        (0.0, 100.0, 1.0, 1_340.0 + 134.0 + 2_000.0 + 400.0 + 900.0, 30_000.1),
        (0.0, 1_440.0, 1.0, 1_440.0 * 20.0 + 5_760.0 + 12_960.0, day),
        (0.0, 10_000.0, 1.0, 1_440.0 * 20.0 + 40_000.0 + 90_000.0, day),
        (0.0, 10_000.0, 5.0, 288.0 * 20.0 + 40_000.0 + 90_000.0, day),
        (70_000.0, 10_000.0, 10.0, 143.0 + 143.0 + 20.0 + 40_000.0 + 10_000.0, 310.0),
        (7_000.0, 2_000.0, 15.0, 96.0 * 20.0 + 8_000.0 + 9_000.0 + 1_000.0, day),
    ];
    for (projects, recomputes, minutes, commands, awake_s) in rows {
        let workload = Workload {
            projects,
            recomputes,
            every_s: minutes * 60.0,
            latency_ms: 0.0,
            ..Workload::IDLE
        };
        let what = format!("{projects} projects, {recomputes} recomputes, every {minutes} min");
        let bill = ours(&workload, &figures(), &prices, "eu-central-1").unwrap();
        near(bill.commands, 30.0 * commands, &what);
        let theirs = worker(&workload, &figures(), Worker::MEASURED, &prices);
        // A worker polls 110 times a minute; a job is 10 commands to add and 31 to do.
        near(theirs.commands, 30.0 * (158_400.0 + 41.0 * recomputes), &what);
        let dollars = |bill: &super::Bill, item| {
            bill.lines.iter().find(|line| line.item == item).unwrap().dollars.unwrap()
        };
        // $2 a million commands; a quarter of a compute unit at $0.106 an hour.
        near(dollars(&bill, "Upstash"), 30.0 * commands * 2e-6, &what);
        near(dollars(&theirs, "Neon"), 30.0 * awake_s / 3_600.0 * 0.25 * 0.106, &what);
        // $10 for as many commands as one likes: 10,000 a second, of which a job takes 4 or 31.
        let (fixed, other) = (bill.fixed_plan.unwrap(), theirs.fixed_plan.unwrap());
        assert_eq!(fixed.is_cheaper, 30.0 * commands > 5_000_000.0, "{what}");
        assert_eq!(other.is_cheaper, recomputes >= 202.0, "{what}");
        near(fixed.jobs_a_second, 2_500.0, &what);
        near(other.jobs_a_second, 10_000.0 / 31.0, &what);
    }
}
