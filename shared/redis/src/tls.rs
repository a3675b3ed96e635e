//! Makes one TLS configuration for the whole tree: rustls on ring, Mozilla's roots, always verifying.
//!
//! REST, TCP Redis and Postgres all take it from here, so that the binary holds one provider and
//! one set of roots.
//!
//! ```
//! use batchmq_redis::tls::{client_config, client_config_trusting, distrust, install_provider};
//!
//! install_provider();
//! assert_eq!(client_config().alpn_protocols.len(), 0);
//! let error = client_config_trusting("no-such-file.pem".as_ref()).unwrap_err();
//! assert!(error.contains("cannot be read"));
//! // An error that comes from no certificate.
//! assert_eq!(distrust(&std::io::Error::other("reset")), None);
//! ```

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
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
        .get_or_init(|| trusting(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()))
        .clone()
}

/// The same, but trusting the authorities of a PEM file instead of Mozilla's: for a server whose
/// certificate is signed by a private authority.
///
/// # Errors
/// What is wrong with the file, in words.
pub fn client_config_trusting(pem_file: &Path) -> Result<Arc<ClientConfig>, String> {
    let unreadable = |reason| format!("cannot be read as PEM certificates: {reason}");
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(pem_file).map_err(|error| unreadable(error.to_string()))?
    {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    Ok(trusting(roots))
}

fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    install_provider();
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// What is wrong with a server's certificate, if that is what an error comes from.
pub fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An I/O error gives what its content comes from, not the content itself.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let rustls = match inner {
            Some(inner) => inner.downcast_ref::<rustls::Error>(),
            None => error.downcast_ref::<rustls::Error>(),
        };
        match rustls {
            Some(error @ rustls::Error::InvalidCertificate(_)) => return Some(error.to_string()),
            Some(_) => return None,
            None => cause = inner.map_or_else(|| error.source(), |inner| Some(inner)),
        }
    }
    None
}
