//! `wss://`.
#![allow(clippy::unwrap_used, reason = "it is a test, though clippy can't tell")]

mod common;

use std::sync::Arc;

use common::{Client, TestRelay, delivery, loopback, within};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::CertificateDer},
};
use tristero_relay::{Relay, Tls, TlsError};

#[tokio::test]
async fn clients_talk_over_tls() {
    let CertifiedKey { cert, signing_key } = identity();
    let (relay, url) = start(&cert.pem(), &signing_key).await;
    assert!(url.starts_with("wss://"), "{url}");
    let mut client = Client::over(connect(&relay, cert.der().clone()).await).await;
    client.subscribe("t").await;
    client.publish("t", r#""hi""#).await;
    assert_eq!(client.next().await, delivery("t", r#""hi""#));
    client.leave().await;
}

#[tokio::test]
async fn a_client_without_tls_fails_and_harms_nobody() {
    let CertifiedKey { cert, signing_key } = identity();
    let (relay, _) = start(&cert.pem(), &signing_key).await;
    let socket = within(TcpStream::connect(relay.addr)).await.unwrap();
    within(tokio_tungstenite::client_async("ws://relay.test/", socket)).await.unwrap_err();
    assert_eq!(relay.counters().failed_handshake, 1);
    Client::over(connect(&relay, cert.der().clone()).await).await.settle().await;
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let other = KeyPair::generate().unwrap();
    let error = Tls::from_pem(identity().cert.pem().as_bytes(), other.serialize_pem().as_bytes());
    assert!(matches!(error, Err(TlsError::Unusable { .. })), "{error:?}");
}

#[test]
fn swapped_files_are_told_apart() {
    let CertifiedKey { cert, signing_key } = identity();
    let (cert, key) = (cert.pem(), signing_key.serialize_pem());
    let error = Tls::from_pem(key.as_bytes(), cert.as_bytes());
    assert!(matches!(error, Err(TlsError::Certificate { .. })), "{error:?}");
    let error = Tls::from_pem(cert.as_bytes(), cert.as_bytes());
    assert!(matches!(error, Err(TlsError::Key { .. })), "{error:?}");
}

#[test]
fn a_missing_file_is_named() {
    let error = Tls::from_pem_files("no/such/chain.pem", "no/such/key.pem").unwrap_err();
    assert!(error.to_string().starts_with("can't read no/such/chain.pem: "), "{error}");
}

fn identity() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["relay.test".to_owned()]).unwrap()
}

async fn start(certificate: &str, key: &KeyPair) -> (TestRelay, String) {
    let mut config = loopback();
    let key = key.serialize_pem();
    config.tls = Some(Tls::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap());
    let relay = Relay::bind(config).await.unwrap();
    let url = relay.url();
    (TestRelay { addr: relay.local_addr(), handle: relay.spawn() }, url)
}

async fn connect(
    relay: &TestRelay,
    root: CertificateDer<'static>,
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = within(TcpStream::connect(relay.addr)).await.unwrap();
    let name = "relay.test".try_into().unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, socket)).await.unwrap()
}
