//! The Lambda function around [`drain::Drain`]: an event of EventBridge or of the function's URL in,
//! report out.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use drain::{Asked, Drain, answer, figures, metrics, refusal};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::{Config, WakeConfig};
use telemetry::{Invocations, deadline, told};

fn main() -> ExitCode {
    telemetry::run("drain", serve)
}

async fn serve(config: Config) -> Result<(), Error> {
    let tick = Tick {
        drain: Drain::new(&config)?,
        wake: config.wake.clone(),
        prefix: config.queue.prefix.clone(),
        all_metrics: config.all_metrics,
    };
    tick.drain.connect().await;
    let handler = service_fn(move |event| tick.clone().answer(event));
    Runtime::new(handler).layer(Invocations::about(&config)).run().await
}

/// Requests without the token, since this environment was started.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// What an invocation needs.
#[derive(Clone)]
struct Tick {
    drain: Drain,
    wake: WakeConfig,
    prefix: String,
    all_metrics: bool,
}

impl Tick {
    async fn answer(self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let asked = Asked::of(&event.payload, &self.wake);
        if asked == Asked::Refused {
            // Not each of a flood: a line costs more than a refusal.
            let refused = REFUSED.fetch_add(1, Ordering::Relaxed) + 1;
            if refused.is_power_of_two() {
                tracing::warn!(refused, "requests without the token were refused");
            }
            return Ok(refusal());
        }
        let deadline = deadline(&event.context);
        let report = match asked {
            Asked::Wake => self.drain.tick_woken(deadline).await,
            _ => self.drain.tick(deadline).await,
        };
        let now_ms = Clock::System.now_ms();
        telemetry::measure(&self.prefix, &figures(&report));
        println!("{}", metrics(&report, &self.prefix, now_ms, self.all_metrics));
        let error = report.error.clone();
        let report = told(report, error)?;
        Ok(if asked == Asked::Wake { answer(&report) } else { json!(report) })
    }
}
