//! TLS to relays: whose certificates are believed.
//!
//! Those that the operating system or Mozilla believes, and those that an application adds. There
//! is no way to believe all.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tracing::debug;

/// Root certificates that are believed beside those of the operating system and of Mozilla, such
/// as that of a company, or of a relay that signed its own. There are none by default.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use tristero_native::{ExtraRoots, Options};
///
/// let extra_roots = ExtraRoots::default().pem(&std::fs::read("company.pem")?)?;
/// let options = Options { extra_roots, ..Options::default() };
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct ExtraRoots(Vec<CertificateDer<'static>>);

/// What was given as a root certificate is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no root certificate: {0}")]
pub struct InvalidRoot(String);

impl ExtraRoots {
    /// Adds all certificates of a text in PEM form, of which there has to be one at least.
    pub fn pem(mut self, pem: &[u8]) -> Result<Self, InvalidRoot> {
        let invalid = |error: &dyn fmt::Display| InvalidRoot(error.to_string());
        let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|error| invalid(&error))?;
        if certificates.is_empty() {
            return Err(invalid(&"there is no \"-----BEGIN CERTIFICATE-----\""));
        }
        for certificate in certificates {
            self.add(certificate)?;
        }
        Ok(self)
    }

    /// Adds a certificate in DER form.
    pub fn der(mut self, der: impl Into<Vec<u8>>) -> Result<Self, InvalidRoot> {
        self.add(CertificateDer::from(der.into()))?;
        Ok(self)
    }

    fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), InvalidRoot> {
        let mut store = RootCertStore::empty();
        store.add(certificate.clone()).map_err(|error| InvalidRoot(error.to_string()))?;
        self.0.push(certificate);
        Ok(())
    }
}

impl fmt::Debug for ExtraRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExtraRoots({})", self.0.len())
    }
}

/// TLS as all links of a node use it.
#[derive(Debug)]
pub(crate) struct Tls {
    extra: ExtraRoots,
    config: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    pub(crate) fn new(extra: ExtraRoots) -> Self {
        Tls { extra, config: OnceLock::new() }
    }

    /// Made when it is needed first.
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        self.config.get_or_init(|| Arc::new(client_config(&self.extra))).clone()
    }
}

fn client_config(extra: &ExtraRoots) -> ClientConfig {
    let mut roots = common_roots().clone();
    roots.add_parsable_certificates(extra.0.iter().cloned());
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Read once, as the system's certificates take a while.
fn common_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            debug!(%error, "some of the system's certificates can't be read");
        }
        roots.add_parsable_certificates(system.certs);
        roots
    })
}
