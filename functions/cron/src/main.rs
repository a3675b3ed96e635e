//! The Lambda function around [`cron::Cron`]: EventBridge event in, report out.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use cron::{Cron, Report, StoppedBecause};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;
use shared::config::{Config, ProcessEnv};
use telemetry::Invocations;
use tokio::time::Instant;

/// How long an invocation may run where nobody says so.
const EMULATED: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::init();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "cron cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    shared::tls::install_provider();
    let config = Config::from_env(&ProcessEnv)?;
    tracing::info!(config = %config.summary(), "cron starts");
    let cron = Cron::new(&config)?;
    cron.connect().await;
    let handler = service_fn(move |event: LambdaEvent<Value>| {
        let cron = cron.clone();
        async move {
            // cargo-lambda's emulator tells no deadline, but one in 1970.
            let left = event.context.deadline().duration_since(SystemTime::now());
            report(cron.tick(Instant::now() + left.unwrap_or(EMULATED)).await)
        }
    });
    Runtime::new(handler).layer(Invocations::about(&config)).run().await
}

/// A tick that ended in error fails the invocation, so that alarms and the on-failure destination
/// see it.
fn report(report: Report) -> Result<Report, Error> {
    let json = serde_json::to_string(&report)?;
    tracing::info!(report = json.as_str(), "tick");
    match report.stopped_because {
        StoppedBecause::Error => Err(report.error.unwrap_or(json).into()),
        _ => Ok(report),
    }
}
