//! Makes one TLS configuration for the whole tree: rustls on ring, always verifying, by Mozilla's roots unless
//! somebody names others.
//!
//! REST, TCP Redis and Postgres all take it from here, so that the binary holds one provider and
//! one set of roots.
//!
//! ```
//! use batchmq_redis::tls::{client_config, client_config_trusting, distrust, install_provider};
//!
//! install_provider();
//! assert_eq!(client_config().alpn_protocols.len(), 0);
//! let error = client_config_trusting("no-such-file.pem").unwrap_err();
//! assert!(error.contains("cannot be read"));
//! // An error that comes from no certificate.
//! assert_eq!(distrust(&std::io::Error::other("reset")), None);
//! ```

mod pinned;

use std::error::Error;
use std::io;
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

/// The same, but trusting these certificates instead of Mozilla's authorities: PEM text, or the path of a file
/// with such. A server's own certificate among them is trusted as it is, if it is for the host.
///
/// # Errors
/// What is wrong with them, as the end of a sentence that shows nothing of them.
pub fn client_config_trusting(authorities: &str) -> Result<Arc<ClientConfig>, String> {
    let unreadable = |reason: String| format!("cannot be read as PEM certificates: {reason}");
    let pem = match authorities.contains(PEM) {
        true => authorities.to_owned(),
        false => std::fs::read_to_string(authorities)
            .map_err(|error| unreadable(format!("neither PEM text, nor a file ({error})")))?,
    };
    if pem.contains("PRIVATE KEY-----") {
        return Err("holds a private key, which only the server needs: leave it out".to_owned());
    }
    let read =
        |pem: &str| CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let certificates = match read(&pem) {
        Ok(certificates) if !certificates.is_empty() => certificates,
        _ => read(&relined(&pem)).map_err(|error| unreadable(error.to_string()))?,
    };
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|error| unreadable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    pinned::client_config(roots, certificates).map_err(unreadable)
}

fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    install_provider();
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// What PEM text begins with, and a path does not hold.
const PEM: &str = "-----BEGIN ";

/// PEM text in lines. A form of one line, as that of a console or an env file, leaves of them a `\n` in
/// letters, a space, or nothing.
fn relined(text: &str) -> String {
    let text = text.replace("\\r", "").replace("\\n", "\n");
    let mut lines = String::new();
    for (place, part) in text.split("-----").enumerate() {
        // Labels stand in every other part.
        if place % 2 == 1 {
            lines.push_str(&format!("\n-----{part}-----\n"));
        } else {
            lines.push_str(&part.split_whitespace().collect::<Vec<_>>().join("\n"));
        }
    }
    lines
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Of no authority that anybody knows; made by `openssl req -x509`.
    const PEM_TEXT: &str = include_str!("tls/test-ca.pem");

    #[test]
    fn pem_text_survives_what_forms_of_one_line_do_to_it() {
        let squeezed = PEM_TEXT.replace('\n', "");
        for text in [
            PEM_TEXT.to_owned(),
            PEM_TEXT.replace('\n', "\r\n"),
            PEM_TEXT.replace('\n', "\\n"),
            PEM_TEXT.replace('\n', "\\r\\n"),
            PEM_TEXT.replace('\n', " "),
            squeezed.clone(),
            format!("{squeezed}{squeezed}"),
            format!("Our authority\n{PEM_TEXT}\nand again\n{PEM_TEXT}"),
        ] {
            client_config_trusting(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        }
    }

    #[test]
    fn what_holds_no_certificates_is_told_and_not_shown() {
        let key = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n";
        for (text, says) in [
            ("", "neither PEM text, nor a file"),
            ("/no/such/canary.pem", "neither PEM text, nor a file"),
            (key, "holds a private key"),
            (&format!("{PEM_TEXT}{key}"), "holds a private key"),
            ("-----BEGIN CERTIFICATE-----\ncanary", "cannot be read"),
            ("-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----", "cannot be read"),
            ("-----BEGIN CANARY-----\nYQ==\n-----END CANARY-----", "holds no certificate"),
        ] {
            let error = client_config_trusting(text).unwrap_err();
            assert!(error.contains(says) && !error.contains("canary"), "{text}: {error}");
        }
        let file = std::env::temp_dir().join("batchmq-redis-no-certificate.pem");
        std::fs::write(&file, "nothing").unwrap();
        let error = client_config_trusting(file.to_str().unwrap()).unwrap_err();
        std::fs::remove_file(file).unwrap();
        assert_eq!(error, "holds no certificate");
    }
}
