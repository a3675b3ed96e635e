//! The Lambda function around [`drain::Drain`]: an event of EventBridge or of the function's URL in,
//! report out.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use drain::{Asked, Drain, answer, metrics, refusal};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::{Config, ProcessEnv};
use shared::recompute::{Report, StoppedBecause};
use tokio::time::Instant;

/// How long an invocation may run where nobody says so.
const EMULATED: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_runtime::tracing::init_default_subscriber();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "drain cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    shared::tls::install_provider();
    let config = Config::from_env(&ProcessEnv)?;
    tracing::info!(config = %config.summary(), "drain starts");
    let drain = &Drain::new(&config)?;
    let config = &config;
    run(service_fn(|event: LambdaEvent<Value>| async move {
        let asked = Asked::of(&event.payload, &config.wake);
        if asked == Asked::Refused {
            tracing::warn!("a request without the token was refused");
            return Ok(refusal());
        }
        // cargo-lambda's emulator tells no deadline, but one in 1970.
        let left = event.context.deadline().duration_since(SystemTime::now());
        let done = drain.tick(Instant::now() + left.unwrap_or(EMULATED)).await;
        println!("{}", metrics(&done, &config.queue.prefix, Clock::System.now_ms()));
        let report = report(done)?;
        Ok::<_, Error>(if asked == Asked::Wake { answer(&report) } else { json!(report) })
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
