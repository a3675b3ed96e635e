//! The Lambda function around [`drain::Drain`]: EventBridge event in, report out.

use std::time::{Duration, SystemTime};

use drain::Drain;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use shared::config::{Config, ProcessEnv};
use shared::recompute::{Report, StoppedBecause};
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    shared::tls::install_provider();
    let config = Config::from_env(&ProcessEnv)?;
    tracing::info!(config = %config.summary(), "drain starts");
    let drain = &Drain::new(&config)?;
    run(service_fn(|event: LambdaEvent<Value>| async move {
        let left = event.context.deadline().duration_since(SystemTime::now());
        report(drain.tick(Instant::now() + left.unwrap_or(Duration::ZERO)).await)
    }))
    .await
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
