//! TLS of `listen-https`, with a certificate that may be replaced while the relay runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, crypto};

/// How often the files are looked at, where clients come often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There is none.
    #[error("listen-https needs a certificate: name its file with https-cert")]
    NoCertificate,
    /// A file cannot be read.
    #[error("{option} = {}: cannot read it: {source}", path.display())]
    Unreadable {
        /// `https-cert` or `https-key`.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{option} = {}: expected {wanted} in PEM format there: {problem}", path.display())]
    NotPem {
        /// `https-cert` or `https-key`.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What should be there.
        wanted: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// They do not go together, or are of a kind that is not known.
    #[error("https-cert = {} with https-key = {}: {source}", certificate.display(), key.display())]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// The server's end of TLS. When its files change, whoever connects next gets what they hold then; what cannot be used
/// leaves it as it was.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    changed: Stamps,
    looked: Instant,
}

/// When certificate and key were changed last.
type Stamps = [Option<SystemTime>; 2];

impl Tls {
    /// Reads certificate (with the chain that leads to it) and key; where no file is named for the key, it is beside the
    /// certificate in the same.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(certificate: Option<&Path>, key: Option<&Path>) -> Result<Self, TlsError> {
        let certificate = certificate.ok_or(TlsError::NoCertificate)?;
        let key = key.unwrap_or(certificate);
        // Looked at first: what changes in between is read again.
        let changed = [changed(certificate), changed(key)];
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            current: Mutex::new(Current {
                config: load(certificate, key)?,
                changed,
                looked: Instant::now(),
            }),
        })
    }

    /// What the next connection is served with.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= LOOK_EVERY {
            current.looked = Instant::now();
            self.look(&mut current);
        }
        Arc::clone(&current.config)
    }

    fn look(&self, current: &mut Current) {
        let changed = [changed(&self.certificate), changed(&self.key)];
        if changed == current.changed {
            return;
        }
        current.changed = changed;
        match load(&self.certificate, &self.key) {
            Ok(config) => {
                current.config = config;
                tracing::info!("https-cert: a new certificate is in use");
            }
            Err(error) => tracing::warn!("{error}; the certificate read before stays in use"),
        }
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|file| file.modified()).ok()
}

fn load(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = read("https-cert", certificate, "a certificate", |bytes| {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>()?;
        if chain.is_empty() {
            return Err(pem::Error::NoItemsFound);
        }
        Ok(chain)
    })?;
    let private = read(
        "https-key",
        key,
        "a private key",
        PrivateKeyDer::from_pem_slice,
    )?;
    let unusable = |source| TlsError::Unusable {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    };
    let provider = Arc::new(crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read<T>(
    option: &'static str,
    path: &Path,
    wanted: &'static str,
    parse: impl FnOnce(&[u8]) -> Result<T, pem::Error>,
) -> Result<T, TlsError> {
    let bytes = std::fs::read(path).map_err(|source| TlsError::Unreadable {
        option,
        path: path.to_owned(),
        source,
    })?;
    parse(&bytes).map_err(|error| TlsError::NotPem {
        option,
        path: path.to_owned(),
        wanted,
        problem: error.to_string(),
    })
}
