//! The events of a night: each lane claims, reads, computes, saves and settles, and waits wherever others
//! are before it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;

use super::station::{Meter, Moment, Station};
use super::{Costs, Limits, Setup};

/// Ticks begin every minute ...
const EVERY: Moment = 60_000_000;

/// ... and claim no more after so long.
const CLAIMS_FOR: Moment = 52_000_000;

/// Megabytes of memory that come with a core.
const CORE_MB: f64 = 1_769.0;

/// How much the time of a step varies: the standard deviation of its logarithm.
const SPREAD: f64 = 0.25;

/// What became of a night.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Night {
    /// Seconds until the last job was done.
    pub seconds: f64,
    /// Ticks that worked.
    pub ticks: u64,
    /// Seconds in which functions ran.
    pub function_seconds: f64,
    /// Billed commands, enqueueing included.
    pub commands: f64,
    /// Commands in the second that had most.
    pub peak_commands: f64,
    /// Requests that Redis' limit put off.
    pub refused: u64,
    /// Parts of the time in which each was busy: Redis' thread, Postgres' cores, the functions'.
    pub redis_load: f64,
    /// See above.
    pub postgres_load: f64,
    /// See above.
    pub function_load: f64,
    /// The part of what Redis lets through that was used.
    pub commands_load: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Claim,
    Read,
    Compute,
    Save,
    Settle,
}

/// Simulates the night that begins with all jobs in the queue.
pub fn night(setup: &Setup, costs: &Costs, limits: &Limits) -> Night {
    let mut rng = SmallRng::seed_from_u64(setup.seed);
    let mut redis = Station::of(1.0);
    let mut meter = Meter::of(limits.commands_a_second);
    let mut postgres = Station::of(setup.compute_units);
    let core = (setup.memory_mb / CORE_MB).min(1.0);
    let mut functions: Vec<Station> = (0..setup.drains).map(|_| Station::of(core)).collect();
    let way = |at: Moment| at + (setup.latency_ms * 1_000.0) as Moment;

    let (mut left, mut end, mut commands) = (setup.jobs, 0, 0.0);
    let mut worked = vec![0_u64; setup.drains as usize];
    let mut events = BinaryHeap::new();
    for drain in 0..setup.drains {
        for lane in 0..setup.lanes {
            events.push(Reverse((0, Step::Claim, drain, lane, 0_u32)));
        }
    }
    while let Some(Reverse((at, step, drain, lane, jobs))) = events.pop() {
        let many = f64::from(jobs);
        let mut vary = |ms: f64| ms * (SPREAD * normal(&mut rng)).exp();
        let (next, step, jobs) = match step {
            Step::Claim => {
                if left == 0 {
                    continue;
                }
                if at % EVERY >= CLAIMS_FOR {
                    events.push(Reverse(((at / EVERY + 1) * EVERY, step, drain, lane, 0)));
                    continue;
                }
                let claimed = left.min(u64::from(setup.batch)) as u32;
                left -= u64::from(claimed);
                let minute = at / EVERY + 1;
                worked[drain as usize] = worked[drain as usize].max(minute);
                // It came with the settlement of the batch before.
                let next = if at % EVERY == 0 { way(at) } else { at };
                (next, Step::Read, claimed)
            }
            Step::Read => {
                (way(postgres.serve(at, vary(costs.read_ms * many))), Step::Compute, jobs)
            }
            Step::Compute => {
                let function = &mut functions[drain as usize];
                (function.serve(at, vary(costs.function_ms * many)), Step::Save, jobs)
            }
            Step::Save => (way(postgres.serve(at, vary(costs.save_ms * many))), Step::Settle, jobs),
            Step::Settle => {
                let spent = costs.commands * many;
                if let Err(later) = meter.pass(at, spent) {
                    events.push(Reverse((later, step, drain, lane, jobs)));
                    continue;
                }
                commands += spent;
                let done = way(redis.serve(at, vary(costs.redis_ms * many)));
                end = end.max(done);
                (done, Step::Claim, 0)
            }
        };
        events.push(Reverse((next, step, drain, lane, jobs)));
    }
    let ticks: u64 = worked.iter().sum();
    let seconds = end as f64 / 1e6;
    let last = (end % EVERY).min(CLAIMS_FOR) as f64 / 1e6;
    let whole = (end / EVERY) as f64 * CLAIMS_FOR as f64 / 1e6;
    let busy: u64 = functions.iter().map(|function| function.busy).sum();
    Night {
        seconds,
        ticks,
        function_seconds: (whole + last) * f64::from(setup.drains),
        commands: commands + costs.enqueue_commands * setup.jobs as f64,
        peak_commands: meter.peak,
        refused: meter.refused,
        redis_load: redis.load(end),
        postgres_load: postgres.load(end),
        function_load: busy as f64 / (end.max(1) as f64 * f64::from(setup.drains)),
        commands_load: commands / seconds.max(0.001) / limits.commands_a_second,
    }
}

/// A number of the standard normal distribution.
fn normal(rng: &mut SmallRng) -> f64 {
    let (one, other): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - one).ln()).sqrt() * (std::f64::consts::TAU * other).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETUP: Setup = Setup {
        jobs: 100_000,
        drains: 1,
        lanes: 1,
        batch: 100,
        latency_ms: 2.0,
        compute_units: 4.0,
        memory_mb: 1_769.0,
        seed: 1,
    };

    fn of(setup: Setup) -> Night {
        night(&setup, &Costs::MEASURED, &Limits::PUBLISHED)
    }

    #[test]
    fn the_same_seed_gives_the_same_night_and_each_job_is_paid_for() {
        assert_eq!(of(SETUP), of(SETUP));
        assert_ne!(of(SETUP).seconds, of(Setup { seed: 2, ..SETUP }).seconds);
        let costs = Costs::MEASURED;
        let commands = (costs.commands + costs.enqueue_commands) * 100_000.0;
        assert!((of(SETUP).commands - commands).abs() < 1.0);
    }

    #[test]
    fn one_lane_takes_the_sum_of_its_steps() {
        let night = of(SETUP);
        let Costs { redis_ms, read_ms, save_ms, function_ms, .. } = Costs::MEASURED;
        let a_batch = 100.0 * (redis_ms + read_ms + save_ms + function_ms) + 3.0 * 2.0;
        // Steps vary by a logarithmic normal distribution, whose mean is a little more than 1.
        let worked = 1_000.0 * a_batch / 1_000.0 * (SPREAD * SPREAD / 2.0).exp();
        let idle = (night.seconds / 60.0).floor() * 8.0;
        assert!(((night.seconds - idle) / worked - 1.0).abs() < 0.05, "{night:?}, {worked}");
    }

    #[test]
    fn more_lanes_and_drains_are_quicker_until_something_is_full() {
        let limits = Limits { commands_a_second: 1e9, ..Limits::PUBLISHED };
        let of = |setup| night(&setup, &Costs::MEASURED, &limits);
        let one = of(SETUP);
        let two = of(Setup { lanes: 2, ..SETUP });
        let four = of(Setup { drains: 4, lanes: 2, ..SETUP });
        let many = of(Setup { drains: 64, lanes: 2, compute_units: 1.0, ..SETUP });
        assert!(one.seconds > 1.5 * two.seconds && two.seconds > 1.5 * four.seconds);
        assert!(many.postgres_load > 0.9, "{many:?}");
    }

    #[test]
    fn the_limit_of_commands_is_never_exceeded() {
        let many = Setup { jobs: 300_000, drains: 32, compute_units: 32.0, ..SETUP };
        let night = of(many);
        assert!(night.refused > 0 && night.peak_commands <= 10_000.0, "{night:?}");
        assert!(night.commands_load > 0.8, "{night:?}");
    }
}
