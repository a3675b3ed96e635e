//! One TLS configuration for the whole tree: rustls on ring, Mozilla's roots, always verifying.
//!
//! REST, TCP Redis and Postgres all take it from here, so that the binary holds one provider and
//! one set of roots.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// Makes ring the process-wide provider. Safe to call more than once.
pub fn install_provider() {
    // An error means that a provider is installed already, which is what we want.
    let _ = ring::default_provider().install_default();
}

/// The shared client configuration: TLS 1.2 and 1.3, Mozilla's roots, no client certificate.
pub fn client_config() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    CONFIG
        .get_or_init(|| {
            install_provider();
            let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
        })
        .clone()
}
