//! Whom an `https` URL is believed to.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tracing::warn;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// The authorities that the system trusts. Where there are none, nobody is believed, and the log says so.
pub(super) fn system() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        warn!("certificates that the system trusts: {error}");
    }
    if found.certs.is_empty() {
        warn!(
            "b2b-url: the system trusts no certificate authority, so no server is believed; install ca-certificates, or set SSL_CERT_FILE"
        );
    }
    let certificates = found.certs.iter();
    certificates
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect()
}

/// TLS with servers whose certificates come from `roots`.
pub(super) fn only(roots: &[Certificate<'static>]) -> TlsConfig {
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(roots))
        .build()
}
