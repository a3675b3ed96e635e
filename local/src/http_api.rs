//! The `api` function's router, served on localhost instead of by Lambda.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use api::{Api, router};
use axum::Router;
use shared::config::Config;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::docs;

/// Why the API is not served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its settings cannot work.
    #[error(transparent)]
    Settings(#[from] api::StartError),
    /// The address is not ours, or taken.
    #[error("the API cannot listen on {address}: {source}; choose another address or port")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A served API. Dropped, it stops at once.
#[derive(Debug)]
pub struct HttpApi {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl HttpApi {
    /// Serves the API on a free port of the loopback.
    ///
    /// # Errors
    /// When the settings cannot work.
    pub async fn start(config: &Config) -> Result<Self, Error> {
        Self::listen(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Serves the API at `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the settings cannot work or the address is taken.
    pub async fn listen(config: &Config, address: SocketAddr) -> Result<Self, Error> {
        Self::serve(routes(config)?, address).await
    }

    /// Serves these routes at `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is taken.
    pub(crate) async fn serve(router: Router, address: SocketAddr) -> Result<Self, Error> {
        let failed = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the API stopped");
            }
        });
        Ok(Self { address, serving })
    }

    /// `http://127.0.0.1:PORT`; its description for people is at `/docs`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// The function's routes, and the pages that describe them.
pub(crate) fn routes(config: &Config) -> Result<Router, Error> {
    Ok(router(Api::new(config)?).merge(docs::routes()))
}

impl Drop for HttpApi {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
