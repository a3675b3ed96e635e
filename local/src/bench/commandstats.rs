//! What a Redis has executed, by its own account.

use shared::redis::{Command, Redis};

use crate::Failure;

/// What stood in `INFO commandstats` at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Executed {
    /// Commands, those inside scripts included: what Upstash bills.
    pub(crate) commands: u64,
    /// Microseconds that the server's processor worked, and that elapsed while scripts ran.
    pub(crate) cpu_us: u64,
    pub(crate) scripts_us: u64,
}

impl Executed {
    /// Asks `redis`; its own `INFO` is not counted. Connections without a password take no commands.
    ///
    /// # Errors
    /// When it cannot be asked, or does not count.
    pub(crate) async fn by(redis: &Redis) -> Result<Self, Failure> {
        let info = redis.call(Command::new("INFO").arg("commandstats").arg("cpu")).await?;
        Self::read(info.as_str().ok_or("INFO did not answer a text")?)
    }

    fn read(info: &str) -> Result<Self, Failure> {
        let (mut executed, mut counts) = (Self::default(), false);
        for line in info.lines() {
            let Some((name, figures)) = line.split_once(':') else { continue };
            counts |= name.starts_with("cmdstat_");
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
        if !counts || executed.cpu_us == 0 {
            return Err("this Redis keeps no account of itself in INFO commandstats and cpu".into());
        }
        Ok(executed)
    }

    /// How long scripts kept the server busy, at most: the processor's time has all the rest of a call
    /// in it, and what elapses has whatever else ran on this machine.
    pub(crate) fn busy_ms(self) -> f64 {
        self.cpu_us.min(self.scripts_us) as f64 / 1_000.0
    }

    /// What came on top of `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            commands: self.commands - before.commands,
            cpu_us: self.cpu_us - before.cpu_us,
            scripts_us: self.scripts_us - before.scripts_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Executed;

    const CPU: &str = "# CPU\r\nused_cpu_user_main_thread:0.25\r\n";

    #[test]
    fn every_command_counts_but_info() {
        let read =
            |counts| Executed::read(&format!("# Commandstats\r\n{counts}\r\n{CPU}")).unwrap();
        let before = read("cmdstat_info:calls=7,usec=70,usec_per_call=10.00");
        assert_eq!(before.commands, 0);
        let after = read(
            "cmdstat_info:calls=8,usec=80,usec_per_call=10.00\r\n\
             cmdstat_hset:calls=40,usec=400,usec_per_call=10.00\r\n\
             cmdstat_evalsha:calls=2,usec=900,usec_per_call=450.00",
        );
        let spent = after.since(before);
        assert_eq!((spent.commands, spent.scripts_us), (42, 900));
    }

    #[test]
    fn a_redis_that_counts_nothing_is_refused() {
        for info in ["", "# Server\r\nredis_version:7.0.15\r\n", CPU] {
            let refusal = Executed::read(info).unwrap_err().to_string();
            assert!(refusal.contains("keeps no account"), "{info}: {refusal}");
        }
    }
}
