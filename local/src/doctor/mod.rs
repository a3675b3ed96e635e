//! Checks a stage before it is switched on: the settings, both servers, the queue; and, live, every assumption that we
//! make of a server that is not ours.
//!
//! Each check is one sentence with a verdict and, where there is one, a remedy. Without `live` nothing is written. What
//! `live` writes are a few keys of a random name beside the queue's own, which end within a minute even if this does.
//! Nothing that is told holds a secret.

mod live;
mod postgres;
mod queue;
mod redis;

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use shared::checks::{self, Finding};
use shared::config::{Config, Env};
use shared::store::Database;
use tokio::time::Instant;

use crate::permissions::Function;
use crate::queue::connect;

/// All of Redis' part ends within this.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, though not as it should, or it cannot be told.
    Warn,
    /// Something does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What, such as `redis.eviction`.
    pub name: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// The same in words.
    pub told: String,
    /// What to do about it; empty where nothing is to be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

impl Check {
    fn ok(name: &'static str, told: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, told: told.into(), remedy: String::new() }
    }

    fn warn(name: &'static str, told: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warn, told: told.into(), remedy: remedy.into() }
    }

    fn fail(name: &'static str, told: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Fail, told: told.into(), remedy: remedy.into() }
    }

    fn of(name: &'static str, finding: &Finding) -> Self {
        let told = format!("{} {}", finding.about, finding.wrong);
        match finding.is_error() {
            true => Self::fail(name, told, &finding.remedy),
            false => Self::warn(name, told, &finding.remedy),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        write!(f, "{verdict:<5}{:<22}{}", self.name, self.told)?;
        if !self.remedy.is_empty() {
            write!(f, ": {}", self.remedy)?;
        }
        Ok(())
    }
}

/// What was looked at, and what that cost.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// In the order in which it was looked at.
    pub checks: Vec<Check>,
    /// Redis commands that Upstash bills for it.
    pub billed_commands: u64,
    /// Events of drops that have been due for longer than a day, so that nobody seems to send them. Absent where they
    /// cannot be counted, or none are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drops_stuck: Option<u64>,
}

impl Report {
    /// The worst of all verdicts.
    pub fn fails(&self) -> bool {
        self.checks.iter().any(|check| check.verdict == Verdict::Fail)
    }
}

/// Looks at the stage whose settings are in `env`. `function` is whose role of Postgres is to be checked; `None`
/// for one role that does everything. With `live` the servers are tried out.
pub async fn examine(env: &dyn Env, function: Option<Function>, live: bool) -> Report {
    let mut checks = settings(env);
    let mut billed_commands = 0;
    let mut drops_stuck = None;
    // What cannot be read was told.
    let Ok(config) = Config::from_env(env) else {
        return Report { checks, billed_commands, drops_stuck };
    };
    // The API asks nobody for that.
    if !config.drain.enabled && function != Some(Function::Api) {
        let told = "ENABLE_QUEUE_PROCESSORS is false, so that every tick ends at once and jobs stay waiting";
        checks.push(Check::warn("settings", told, "set it to true where the stage is to work"));
    }
    match connect(&config) {
        Err(error) => checks.push(Check::fail("redis.settings", error.to_string(), "")),
        Ok(queue) => {
            let redis = queue.redis().metered().until(Instant::now() + PATIENCE);
            let queue = queue.over(redis);
            let is_there = redis::look(&queue, &mut checks).await;
            if is_there {
                queue::look(&queue, &mut checks).await;
            }
            let runs = |check: &Check| check.name == "redis.rights" && check.verdict == Verdict::Ok;
            if checks.iter().any(runs) {
                billed_commands += redis::INSIDE;
            }
            if is_there && live {
                billed_commands += live::redis::attempt(&queue, &config, &mut checks).await;
            }
            billed_commands += queue.redis().usage().billed;
        }
    }
    match Database::configured(&config) {
        Err(error) => checks.push(Check::fail("postgres.settings", error.to_string(), "")),
        Ok(None) => {
            let told = "DATABASE_URL is not set";
            checks.push(Check::fail(
                "postgres.settings",
                told,
                "set it to the platform's database",
            ));
        }
        Ok(Some(database)) => {
            let is_there = postgres::look(&database, function, &config, &mut checks).await;
            if is_there && config.drops.points.is_some() {
                drops_stuck = postgres::drops(&database, &mut checks).await;
            }
            if is_there && live {
                live::postgres::attempt(&database, &mut checks).await;
            }
        }
    }
    Report { checks, billed_commands, drops_stuck }
}

/// How everything is written that is set.
fn settings(env: &dyn Env) -> Vec<Check> {
    let findings = checks::settings(env);
    if findings.is_empty() {
        return vec![Check::ok("settings", "every variable can be read")];
    }
    findings.iter().map(|finding| Check::of("settings", finding)).collect()
}
