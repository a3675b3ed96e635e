//! The API as a Lambda function.

use std::process::ExitCode;

use api::Api;
use lambda_http::Error;
use shared::config::{Config, ProcessEnv};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_http::tracing::init_default_subscriber();
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
    lambda_http::lambda_runtime::run(api::lambda(api::router(Api::new(&config)?))).await
}
