//! Runs the API as a Lambda function.

use std::process::ExitCode;

use api::Api;
use lambda_http::Error;
use lambda_http::lambda_runtime::Runtime;
use shared::config::Config;
use telemetry::Invocations;

fn main() -> ExitCode {
    telemetry::run("api", serve)
}

async fn serve(config: Config) -> Result<(), Error> {
    let api = Api::new(&config)?;
    api.connect().await;
    let invocations = Invocations::about(&config).finishing(api.wake().clone());
    let handler = api::lambda(api::router(api));
    Runtime::new(handler).layer(invocations).run().await
}
