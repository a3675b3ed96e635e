//! The Lambda function around [`cron::Cron`]: EventBridge event in, report out.

use std::process::ExitCode;

use cron::Cron;
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;
use shared::config::Config;
use telemetry::{Invocations, deadline, told};

fn main() -> ExitCode {
    telemetry::run("cron", serve)
}

async fn serve(config: Config) -> Result<(), Error> {
    let cron = Cron::new(&config)?;
    cron.connect().await;
    let handler = service_fn(move |event: LambdaEvent<Value>| {
        let cron = cron.clone();
        async move {
            let report = cron.tick(deadline(&event.context)).await;
            let error = report.error.clone();
            told(report, error)
        }
    });
    Runtime::new(handler).layer(Invocations::about(&config)).run().await
}
