//! Certificates that rustls refused.

use std::error::Error;
use std::io;

/// What is wrong with a server's certificate, if that is what an error comes from.
pub(super) fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
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
