//! The certificate of a `wss://` relay.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
    },
};

/// A certificate chain and its private key, read and found to fit together.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
}

/// Why a certificate can't be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read.
    #[error("can't read {}: {reason}", path.display())]
    Read {
        /// The file as it was named.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// The certificate chain is not PEM, or has no certificate.
    #[error(
        "the certificate chain holds no certificate in PEM form \
         (\"-----BEGIN CERTIFICATE-----\"): {reason}"
    )]
    Certificate {
        /// What was found instead.
        reason: String,
    },
    /// The key is not PEM, or is no private key.
    #[error(
        "the key file holds no private key in PEM form (\"-----BEGIN PRIVATE KEY-----\"): {reason}"
    )]
    Key {
        /// What was found instead.
        reason: String,
    },
    /// Both were read, but they don't belong together or are of a kind that is not supported.
    #[error("the certificate and the private key can't be used together: {reason}")]
    Unusable {
        /// What is wrong.
        reason: rustls::Error,
    },
}

impl Tls {
    /// Reads two PEM files: the certificate chain, the relay's own certificate first, and the
    /// private key (PKCS #8, PKCS #1 or SEC 1, without a passphrase).
    ///
    /// They are read once; a renewed certificate needs a new relay.
    pub fn from_pem_files(
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        Self::from_pem(&read(certificates.as_ref())?, &read(key.as_ref())?)
    }

    /// Like [`from_pem_files`](Self::from_pem_files), of what such files hold.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<Vec<_>, _>>()
            .and_then(
                |chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) },
            )
            .map_err(|error| TlsError::Certificate { reason: error.to_string() })?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| TlsError::Key { reason: error.to_string() })?;

        // The provider is named, because the process may hold several and have chosen none.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|reason| TlsError::Unusable { reason })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config) })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

impl std::fmt::Debug for Tls {
    /// Says nothing of the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|reason| TlsError::Read { path: path.to_owned(), reason })
}
