//! Links to a node behind TLS, and behind a proxy.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod node;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use libp2p::multiaddr::{Multiaddr, Protocol};
use node::{Conduct, Muxers, ServiceNode};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tristero::Dialer as _;
use tristero_proto::signaling::RelayUrl;
use tristero_tokio::{ExtraRoots, Proxies, WebSockets};
use tristero_waku::WakuDialer;

fn port(address: &Multiaddr) -> u16 {
    let port = |part| if let Protocol::Tcp(port) = part { Some(port) } else { None };
    address.iter().find_map(port).unwrap()
}

/// Speaks TLS before a port of this machine, with a certificate that it made itself. Gives its own
/// port, and the certificate.
async fn tls_before(port: u16) -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own_port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not believe us hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut node = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut stream, &mut node).await.ok() });
        }
    });
    (own_port, made.cert.pem())
}

/// Connects whoever asks, and counts them.
async fn proxy(connected: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut lines = BufReader::new(stream).lines();
            let request = lines.next_line().await.unwrap().unwrap();
            while lines.next_line().await.unwrap().is_some_and(|line| !line.is_empty()) {}
            let mut client = lines.into_inner();
            let target = request.strip_prefix("CONNECT ").unwrap().strip_suffix(" HTTP/1.1");
            let mut target = TcpStream::connect(target.unwrap()).await.unwrap();
            connected.fetch_add(1, Ordering::SeqCst);
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut target).await.ok() });
        }
    });
    address
}

#[tokio::test]
async fn a_node_is_reached_through_a_proxy_and_believed_by_a_root_that_was_added() {
    let node = ServiceNode::start(Conduct::Honest, Muxers::Both).await;
    let (port, certificate) = tls_before(port(&node.address)).await;
    let id = node.address.iter().last().unwrap();
    let url = RelayUrl::custom(&format!("/ip4/127.0.0.1/tcp/{port}/wss{id}"));
    let connected = Arc::new(AtomicUsize::new(0));
    let proxy = proxy(connected.clone()).await;
    let dial = async |extra_roots: ExtraRoots| {
        let proxies = |name: &str| (name == "https_proxy").then(|| format!("http://{proxy}"));
        let proxies = Proxies::from_variables(proxies);
        WakuDialer::new(WebSockets::new(extra_roots, proxies)).dial(&url).await
    };
    let roots = ExtraRoots::default().pem(certificate.as_bytes()).unwrap();
    let _link = dial(roots).await.expect("the root is believed");
    assert_eq!(connected.load(Ordering::SeqCst), 1);
    let Err(error) = dial(ExtraRoots::default()).await else { panic!("nobody stands for it") };
    assert!(format!("{error:?}").contains("InvalidCertificate"), "{error:?}");
    assert_eq!(connected.load(Ordering::SeqCst), 2);
}
