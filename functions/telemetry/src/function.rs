//! Does what every function's `main` does, and what a ticking one needs of its event.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, Error};
use shared::config::{Config, ProcessEnv};
use tokio::runtime::Builder;
use tokio::time::Instant;

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
    let config = Config::from_env(&ProcessEnv)?;
    tracing::info!(config = %config.summary(), "{name} starts");
    Builder::new_current_thread().enable_all().build()?.block_on(serve(config))
}

/// Returns when an invocation must be over. cargo-lambda's emulator names no deadline but one in 1970,
/// and gets a minute.
#[allow(clippy::disallowed_methods, reason = "Lambda names a moment of its own clock")]
pub fn deadline(context: &Context) -> Instant {
    let left = context.deadline().duration_since(SystemTime::now());
    Instant::now() + left.unwrap_or(EMULATED)
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
