//! What a Redis has executed, by its own account.

use shared::redis::{Command, Redis};

use crate::commands::Failure;

/// What stood in `INFO commandstats` at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Executed {
    /// Commands, those inside scripts included: what Upstash bills.
    pub(super) commands: u64,
    /// Microseconds that the server's processor worked, and that elapsed while scripts ran.
    pub(super) cpu_us: u64,
    pub(super) scripts_us: u64,
}

impl Executed {
    /// Asks `redis`; its own `INFO` is not counted.
    pub(super) async fn by(redis: &Redis) -> Result<Self, Failure> {
        let info = redis.call(Command::new("INFO").arg("commandstats").arg("cpu")).await?;
        let text = info.as_str().ok_or("INFO did not answer a text")?;
        let mut executed = Self::default();
        for line in text.lines() {
            let Some((name, figures)) = line.split_once(':') else { continue };
            if name.starts_with("used_cpu_") && name.ends_with("_main_thread") {
                executed.cpu_us += (figures.trim().parse::<f64>()? * 1e6) as u64;
            } else if name != "cmdstat_info" {
                let calls = figures.strip_prefix("calls=").and_then(|rest| rest.split(',').next());
                executed.commands += calls.map_or(Ok(0), str::parse::<u64>)?;
                if matches!(name, "cmdstat_evalsha" | "cmdstat_eval") {
                    let us = figures.split(',').find_map(|figure| figure.strip_prefix("usec="));
                    executed.scripts_us += us.map_or(Ok(0), str::parse::<u64>)?;
                }
            }
        }
        if executed.cpu_us == 0 {
            return Err("this Redis keeps no account of itself: install redis-server".into());
        }
        Ok(executed)
    }

    /// How long scripts kept the server busy, at most: the processor's time has all the rest of a call
    /// in it, and what elapses has whatever else ran on this machine.
    pub(super) fn busy_ms(self) -> f64 {
        self.cpu_us.min(self.scripts_us) as f64 / 1_000.0
    }

    /// What came on top of `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            commands: self.commands - before.commands,
            cpu_us: self.cpu_us - before.cpu_us,
            scripts_us: self.scripts_us - before.scripts_us,
        }
    }
}
