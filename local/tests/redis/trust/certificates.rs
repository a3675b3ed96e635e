//! Certificates for `localhost`.

use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// A server's certificate and its key, as PEM text.
pub struct Certificate {
    pub pem: String,
    pub key: String,
}

/// A private authority, and what it signed for a server.
pub fn authority() -> (String, Certificate) {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let own = own.signed_by(&key, &ca).unwrap();
    (ca.pem(), Certificate { pem: own.pem(), key: key.serialize_pem() })
}

/// One that vouches for itself, and says that it is no authority's.
pub fn self_signed() -> Certificate {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Certificate { pem: certified.cert.pem(), key: certified.signing_key.serialize_pem() }
}

/// One that vouches for itself, as people make them: `openssl` says that it is an authority's.
pub fn self_signed_as_openssl() -> Certificate {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl.arg("-keyout").arg(file("key")).arg("-out").arg(file("pem"));
    let made = openssl.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name| std::fs::read_to_string(file(name)).unwrap();
    Certificate { pem: read("pem"), key: read("key") }
}
