//! The API as a Lambda function.

use std::process::ExitCode;

use api::Api;
use lambda_http::Error;
use lambda_http::lambda_runtime::Runtime;
use shared::config::{Config, ProcessEnv};
use telemetry::Invocations;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::init();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "api cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    shared::tls::install_provider();
    let config = Config::from_env(&ProcessEnv)?;
    tracing::info!(config = %config.summary(), "api starts");
    let api = Api::new(&config)?;
    api.connect().await;
    let invocations = Invocations::about(&config).finishing(api.wake().clone());
    let handler = api::lambda(api::router(api));
    Runtime::new(handler).layer(invocations).run().await
}
