//! What a Redis has executed, by its own account.

use shared::redis::{Command, Redis};

use super::commands::Failure;

/// What stood in `INFO commandstats` at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Executed {
    /// Commands, those inside scripts included: what Upstash bills.
    pub(super) commands: u64,
    /// The server's processor time in microseconds. What elapses meanwhile says more about who else
    /// runs on this machine.
    pub(super) cpu_us: u64,
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
            }
        }
        if executed.cpu_us == 0 {
            return Err("this Redis keeps no account of itself: install redis-server".into());
        }
        Ok(executed)
    }

    /// What came on top of `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self { commands: self.commands - before.commands, cpu_us: self.cpu_us - before.cpu_us }
    }
}
