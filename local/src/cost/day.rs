//! What happens on a day.

use serde::Serialize;

use super::figures::Figures;

/// Seconds a day.
const DAY_S: f64 = 86_400.0;

/// Seconds after which an idle drain says with one command that it lives.
pub(super) const SIGN_S: f64 = 600.0;

/// Milliseconds of a tick that are worked: its own 55 s but for its margin.
const WORKED_MS: f64 = 52_000.0;

/// What there is to do.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Projects.
    pub projects: f64,
    /// Recomputes a day, the nightly ones included.
    pub recomputes: f64,
    /// After so many days the nightly recompute takes a project again.
    pub max_age_days: f64,
    /// Seconds from tick to tick.
    pub every_s: f64,
    /// Megabytes of memory that a function has.
    pub memory_mb: f64,
    /// Milliseconds that a question to Redis or Postgres takes on its way.
    pub latency_ms: f64,
    /// The size of Neon's compute.
    pub compute_units: f64,
    /// BullMQ's workers to compare with.
    pub workers: f64,
}

impl Workload {
    /// Nothing to do, where a tick comes each minute in 512 MB, beside one worker.
    pub const IDLE: Self = Self {
        projects: 0.0,
        recomputes: 0.0,
        max_age_days: 7.0,
        every_s: 60.0,
        memory_mb: 512.0,
        latency_ms: 2.0,
        compute_units: 0.25,
        workers: 1.0,
    };
}

/// What happens on a day. The recomputes that are asked for come one by one, evenly over the day: the dearest
/// way that they can.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Day {
    /// Recomputes that the nightly one enqueues.
    pub nightly: f64,
    /// Recomputes that someone asks for.
    pub asked: f64,
    /// Ticks that work on the night's jobs.
    pub night_ticks: f64,
    /// Ticks that find a job that was asked for.
    pub asked_ticks: f64,
    /// Ticks that find nothing.
    pub idle_ticks: f64,
    /// Idle ticks that give a sign of life, at most: fewer where Lambda starts the function anew.
    pub signs: f64,
    /// Seconds in which the database is awake.
    pub awake_s: f64,
    /// The same with a worker, which takes each job at once and wakes the database for it.
    pub worker_awake_s: f64,
}

impl Day {
    /// The day of a workload; `sleeps_after_s` is how long the database stays awake after a query.
    pub fn of(workload: &Workload, figures: &Figures, sleeps_after_s: f64) -> Self {
        let latency = workload.latency_ms;
        let ticks = (DAY_S / workload.every_s).floor().max(1.0);
        let due = (workload.projects / workload.max_age_days).ceil();
        let nightly = due.min(workload.recomputes);
        let asked = workload.recomputes - nightly;
        let job_ms = figures.job.with_latency(latency);
        let a_tick = (WORKED_MS / job_ms.max(0.001)).floor().max(1.0);
        let night_ticks = (nightly / a_tick).ceil().min(ticks);
        let asked_ticks = asked.min(ticks - night_ticks);
        let idle_ticks = ticks - night_ticks - asked_ticks;
        let signs = idle_ticks * workload.every_s / SIGN_S.max(workload.every_s);
        // Each tick that was woken for keeps the database awake after it, but no longer than until
        // the next one.
        let work_s = (night_ticks + asked_ticks) * figures.busy_tick.with_latency(latency)
            / 1_000.0
            + workload.recomputes * job_ms / 1_000.0;
        let nights = if nightly > 0.0 { 1.0 } else { 0.0 };
        let gap = if asked_ticks > 0.0 { DAY_S / asked_ticks } else { DAY_S };
        let idle_s = asked_ticks * gap.min(sleeps_after_s) + nights * sleeps_after_s;
        let awake_s = (idle_s + work_s).min(DAY_S);
        let gap = if asked > 0.0 { DAY_S / asked } else { DAY_S };
        let idle_s = asked * gap.min(sleeps_after_s) + nights * sleeps_after_s;
        let worker_awake_s = (idle_s + workload.recomputes * job_ms / 1_000.0).min(DAY_S);
        Self {
            nightly,
            asked,
            night_ticks,
            asked_ticks,
            idle_ticks,
            signs,
            awake_s,
            worker_awake_s,
        }
    }

    /// All ticks.
    pub fn ticks(&self) -> f64 {
        self.idle_ticks + self.busy_ticks()
    }

    /// Ticks that find jobs.
    pub fn busy_ticks(&self) -> f64 {
        self.night_ticks + self.asked_ticks
    }
}
