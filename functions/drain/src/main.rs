//! The Lambda function around [`drain::Drain`]: an event of EventBridge or of the function's URL in,
//! report out.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use drain::{Asked, Drain, answer, metrics, refusal};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::{Config, ProcessEnv, WakeConfig};
use shared::engine::{Report, StoppedBecause};
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
            tracing::error!(%error, "drain cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    shared::tls::install_provider();
    let config = Config::from_env(&ProcessEnv)?;
    tracing::info!(config = %config.summary(), "drain starts");
    let tick = Tick {
        drain: Drain::new(&config)?,
        wake: config.wake.clone(),
        prefix: config.queue.prefix.clone(),
    };
    tick.drain.connect().await;
    let handler = service_fn(move |event| tick.clone().answer(event));
    Runtime::new(handler).layer(Invocations::about(&config)).run().await
}

/// What an invocation needs.
#[derive(Clone)]
struct Tick {
    drain: Drain,
    wake: WakeConfig,
    prefix: String,
}

impl Tick {
    async fn answer(self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let asked = Asked::of(&event.payload, &self.wake);
        if asked == Asked::Refused {
            tracing::warn!("a request without the token was refused");
            return Ok(refusal());
        }
        // cargo-lambda's emulator tells no deadline, but one in 1970.
        let left = event.context.deadline().duration_since(SystemTime::now());
        let done = self.drain.tick(Instant::now() + left.unwrap_or(EMULATED)).await;
        println!("{}", metrics(&done, &self.prefix, Clock::System.now_ms()));
        let report = report(done)?;
        Ok(if asked == Asked::Wake { answer(&report) } else { json!(report) })
    }
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
