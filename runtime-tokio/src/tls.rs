//! TLS to relays: the roots of the operating system and those of Mozilla.

use std::sync::{Arc, OnceLock};

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::Connector;
use tracing::debug;

/// The connector of all links; made once, as reading the system's certificates takes a while.
pub(crate) fn connector() -> Connector {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    Connector::Rustls(CONFIG.get_or_init(|| Arc::new(client_config())).clone())
}

fn client_config() -> ClientConfig {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        debug!(%error, "some of the system's certificates can't be read");
    }
    roots.add_parsable_certificates(system.certs);
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
