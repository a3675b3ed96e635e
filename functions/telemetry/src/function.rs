//! Does what every function's `main` does, and what a ticking one needs of its event.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, Error};
use shared::checks::misspelt;
use shared::config::{Config, ProcessEnv};
use tokio::runtime::Builder;
use tokio::time::Instant;

/// How much of an invocation's time is kept for its answer, which is logged and handed over once the work is
/// done: work may go on, or wait for Redis, until the moment that it is told.
const ANSWER: Duration = Duration::from_millis(250);

/// Of a short time no more than this part is kept.
const ANSWERS_PART: u32 = 4;

/// How long an invocation may run where nobody says so.
const EMULATED: Duration = Duration::from_secs(60);

/// Runs a function: logs, one TLS provider, the settings, and then `serve` until the environment ends.
/// What keeps it from running is logged, and is the process' failure.
pub fn run<S>(name: &str, serve: impl FnOnce(Config) -> S) -> ExitCode
where
    S: Future<Output = Result<(), Error>>,
{
    crate::init();
    shared::tls::install_provider();
    match started(name, serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "{name} cannot run");
            ExitCode::FAILURE
        }
    }
}

fn started<S>(name: &str, serve: impl FnOnce(Config) -> S) -> Result<(), Error>
where
    S: Future<Output = Result<(), Error>>,
{
    // First: it may be why another one is missing.
    for finding in misspelt(&ProcessEnv) {
        tracing::warn!(variable = finding.about, "{finding}");
    }
    let config = Config::from_env(&ProcessEnv)?;
    tracing::info!(config = %config.summary(), "{name} starts");
    Builder::new_current_thread().enable_all().build()?.block_on(serve(config))
}

/// Returns when an invocation's work must be over, which is a little before Lambda ends it. cargo-lambda's
/// emulator names no deadline but one in 1970, and gets a minute.
#[allow(clippy::disallowed_methods, reason = "Lambda names a moment of its own clock")]
pub fn deadline(context: &Context) -> Instant {
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or(EMULATED);
    Instant::now() + left.saturating_sub(ANSWER.min(left / ANSWERS_PART))
}

/// Logs a tick's report, and returns it unless the tick failed with `error`: that fails the invocation,
/// so that alarms and the on-failure destination see it.
///
/// # Errors
/// `error`.
pub fn told<R: serde::Serialize>(report: R, error: Option<String>) -> Result<R, Error> {
    tracing::info!(report = serde_json::to_string(&report)?, "tick");
    error.map_or(Ok(report), |error| Err(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much time a function has whose invocation ends in so many milliseconds, and one from an emulator
    /// that names a moment long ago.
    #[allow(clippy::disallowed_methods, reason = "Lambda names a moment of its own clock")]
    fn given(ms: i64) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut context = Context::default();
        context.deadline = u64::try_from(now.as_millis()).unwrap_or(0).saturating_add_signed(ms);
        deadline(&context) - Instant::now()
    }

    #[test]
    fn work_is_over_in_time_for_the_answer() {
        for (ends_in, least, most) in [
            (60_000, 59_600, 59_750),
            (4_000, 3_600, 3_750),
            (400, 200, 300),
            (-1_000_000_000, 59_600, 59_750),
        ] {
            let given = given(ends_in).as_millis();
            assert!((least..=most).contains(&given), "{ends_in} ms: {given} ms");
        }
    }
}
