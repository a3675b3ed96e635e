//! What is in the way of a quicker night, and what to change.

use serde::Serialize;

use super::{Costs, Limits, Night, Setup};

/// From this load on a server is what all wait for.
const FULL: f64 = 0.85;

/// What holds a night up first, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What is in the way.
    pub limit: String,
    /// What to change.
    pub change: String,
}

impl Advice {
    fn new(limit: impl Into<String>, change: impl Into<String>) -> Self {
        Self { limit: limit.into(), change: change.into() }
    }

    /// Returns what breaks: limits that the providers do not let anybody exceed.
    pub fn broken(setup: &Setup, costs: &Costs, limits: &Limits) -> Vec<Self> {
        let mut broken = Vec::new();
        let connections = f64::from(setup.drains * setup.lanes);
        let most = Limits::connections(setup.compute_units);
        if connections > most {
            broken.push(Self::new(
                format!("{connections} connections, where Neon takes {most}"),
                "use the pooled connection string, which takes 10,000, or fewer drains or lanes",
            ));
        }
        if setup.drains > limits.functions {
            broken.push(Self::new(
                format!("{} functions at once, where AWS runs {}", setup.drains, limits.functions),
                "ask AWS for more, or give each drain more lanes",
            ));
        }
        let bytes = setup.jobs as f64 * costs.waiting_bytes;
        if bytes > limits.redis_bytes {
            broken.push(Self::new(
                format!("{:.0} GB of waiting jobs, where Upstash takes 100", bytes / 1e9),
                "lower CRON_MAX_WAITING, so that the night comes in parts",
            ));
        }
        broken
    }

    /// Returns what the night waited for most.
    pub fn of(setup: &Setup, night: &Night) -> Self {
        let loads = [
            (
                night.commands_load,
                "Redis' limit of commands a second",
                "a second database, or a plan with more; fewer commands a job (no events, removeOnComplete)",
            ),
            (
                night.redis_load,
                "Redis' one thread",
                "fewer jobs kept, or a second queue on a Redis of its own",
            ),
            (night.postgres_load, "Postgres' cores", "more compute units"),
            (
                night.function_load,
                "the functions' processors",
                "more memory, which brings more of a core, or more drains",
            ),
        ];
        let (load, limit, change) = loads
            .into_iter()
            .fold((0.0, "", ""), |most, other| if other.0 > most.0 { other } else { most });
        if load >= FULL {
            return Self::new(
                format!("{limit}, busy for {:.0} % of the time", load * 100.0),
                change,
            );
        }
        let more = match setup.lanes < 4 {
            true => "more lanes (DRAIN_LANES) or drains",
            false => "more drains",
        };
        Self::new("round trips: every server has time left", more)
    }
}
