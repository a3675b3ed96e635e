//! Decides by a seed which jobs are asked for, by whom and when, and when each fault strikes. Nothing else
//! is drawn by lot, so that a seed repeats a run as far as real processes allow.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use ring::digest::{SHA256, digest};

/// Jobs of one call, at most.
const MOST_A_CALL: usize = 25;

/// How many jobs are asked for a second, on average; and the shortest time over which they are.
const JOBS_A_SECOND: f64 = 500.0;
const SHORTEST: Duration = Duration::from_secs(2);

/// How often each fault strikes a second, on average, and at least.
const STRIKES_A_SECOND: f64 = 0.5;
const FEWEST_STRIKES: usize = 2;

/// Who asks for jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Producer {
    /// Our client over the REST gateway.
    Rest,
    /// Our client over TCP.
    Tcp,
    /// Whoever calls the HTTP API, which reaches Redis over REST.
    Api,
}

impl Producer {
    pub(super) const ALL: [Self; 3] = [Self::Rest, Self::Tcp, Self::Api];
}

/// How a job is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// As the nightly recompute asks: behind all others.
    Scheduled,
    /// As a person asks: one job stands for the project until it ends.
    Manual,
    /// One that no other stands for.
    Alone,
    /// Later, by so many milliseconds.
    Delayed(u64),
    /// Before those that wait.
    First,
    /// Under an id of the producer's choice.
    Named,
}

/// A job that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Which project.
    pub(super) project: usize,
    pub(super) kind: Kind,
}

/// One call of a producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// When, from the run's beginning.
    pub(super) at: Duration,
    pub(super) by: Producer,
    pub(super) jobs: Vec<Asked>,
    /// Which one it is.
    pub(super) number: usize,
    /// How far the producer's clock is ahead where clocks are wrong: milliseconds.
    pub(super) ahead_ms: i64,
}

/// When a fault strikes, and what decides how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Strike {
    /// When, from the run's beginning, unless the strike before is not over.
    pub(super) at: Duration,
    /// Of its own chances.
    pub(super) seed: u64,
}

/// What a seed decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) jobs: usize,
    pub(super) projects: usize,
}

impl Plan {
    pub(super) fn new(seed: u64, jobs: usize) -> Self {
        Self { seed, jobs, projects: jobs.div_ceil(4).clamp(1, 1_000) }
    }

    /// Chances of their own for `what`, whatever else is drawn.
    pub(super) fn random(&self, what: &str) -> StdRng {
        StdRng::seed_from_u64(self.seed_of(what))
    }

    fn seed_of(&self, what: &str) -> u64 {
        let digest = digest(&SHA256, format!("{} {what}", self.seed).as_bytes());
        digest.as_ref().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
    }

    /// Over how long a time jobs are asked for, and faults strike.
    pub(super) fn span(&self) -> Duration {
        SHORTEST.max(Duration::from_secs_f64(self.jobs as f64 / JOBS_A_SECOND))
    }

    /// The calls of all producers, in order.
    pub(super) fn calls(&self) -> Vec<Call> {
        let mut random = self.random("jobs");
        let (mut calls, mut left) = (Vec::new(), self.jobs);
        while left > 0 {
            let count = random.random_range(1..=MOST_A_CALL).min(left);
            left -= count;
            let by = match random.random_range(0..10) {
                0..4 => Producer::Rest,
                4..8 => Producer::Tcp,
                _ => Producer::Api,
            };
            let jobs = (0..count).map(|_| self.asked(&mut random)).collect();
            let at = self.span().mul_f64(random.random_range(0.0..1.0));
            let ahead_ms = random.random_range(-300_000..=300_000);
            calls.push(Call { at, by, jobs, number: calls.len(), ahead_ms });
        }
        calls.sort_by_key(|call| call.at);
        calls
    }

    fn asked(&self, random: &mut StdRng) -> Asked {
        let kind = match random.random_range(0..20) {
            0..6 => Kind::Scheduled,
            6..10 => Kind::Manual,
            10..16 => Kind::Alone,
            16 => Kind::Delayed(random.random_range(1..2_000)),
            17 => Kind::First,
            _ => Kind::Named,
        };
        Asked { project: random.random_range(0..self.projects), kind }
    }

    /// When the fault of this name strikes: each in its own part of the run.
    pub(super) fn strikes(&self, fault: &str) -> Vec<Strike> {
        let mut random = self.random(fault);
        let span = self.span();
        let count = (span.as_secs_f64() * STRIKES_A_SECOND) as usize;
        let count = count.max(FEWEST_STRIKES);
        let part = span.mul_f64(0.9) / u32::try_from(count).unwrap_or(u32::MAX);
        (0..count)
            .map(|place| {
                let within = part.mul_f64(random.random_range(0.0..1.0));
                let at = part * u32::try_from(place).unwrap_or(u32::MAX) + within;
                Strike { at, seed: random.random() }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_another_one_differs() {
        let (plan, other) = (Plan::new(7, 300), Plan::new(8, 300));
        assert_eq!(plan.calls(), Plan::new(7, 300).calls());
        assert_ne!(plan.calls(), other.calls());
        assert_eq!(plan.strikes("kill"), Plan::new(7, 300).strikes("kill"));
        assert_ne!(plan.strikes("kill"), plan.strikes("freeze"));
        assert_ne!(plan.strikes("kill"), other.strikes("kill"));
    }

    #[test]
    fn all_jobs_are_asked_for_and_every_fault_strikes_in_time() {
        for jobs in [1, 24, 10_000] {
            let plan = Plan::new(1, jobs);
            let calls = plan.calls();
            assert_eq!(calls.iter().map(|call| call.jobs.len()).sum::<usize>(), jobs);
            assert!(calls.iter().all(|call| call.at <= plan.span()));
            let strikes = plan.strikes("kill");
            assert!(strikes.len() >= FEWEST_STRIKES);
            assert!(strikes.is_sorted_by_key(|strike| strike.at));
            assert!(strikes.iter().all(|strike| strike.at < plan.span()));
        }
        assert_eq!(Plan::new(1, 10_000).span(), Duration::from_secs(20));
    }
}
