//! The API as a Lambda function.

use api::Api;
use shared::config::{Config, ProcessEnv};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_http::tracing::init_default_subscriber();
    shared::tls::install_provider();
    let config = Config::from_env(&ProcessEnv)?;
    tracing::info!(config = %config.summary(), "starting");
    lambda_http::lambda_runtime::run(api::lambda(api::router(Api::new(&config)?))).await
}
