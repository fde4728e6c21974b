//! Relays behind an HTTP proxy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::common::{have_met, peer_with, relay, run, serve, until};
use crate::rooms::{Config, Options, Proxies, RelayState, Room, RoomEvent};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// `me:s@same` as RFC 7617 wants it.
const CREDENTIALS: &str = "Proxy-Authorization: Basic bWU6c0BzYW1l";

/// A proxy that connects whoever knows the password.
#[derive(Clone, Default)]
struct Proxy {
    connected: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Proxy {
    /// Begins to serve, and says at which address.
    async fn start(&self) -> String {
        let proxy = self.clone();
        let address = serve(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let proxy = proxy.clone();
                    // A client may hang up at any time.
                    tokio::spawn(async move { proxy.serve(stream).await.ok() });
                }
            });
            address
        });
        address.await.unwrap()
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut client = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            client.read_line(&mut line).await?;
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        if !head.iter().any(|line| line == CREDENTIALS) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            let refusal =
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
            return client.write_all(refusal).await;
        }
        let target = head[0].strip_prefix("CONNECT ").unwrap().strip_suffix(" HTTP/1.1").unwrap();
        let mut target = TcpStream::connect(target).await?;
        self.connected.fetch_add(1, Ordering::SeqCst);
        client.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").await?;
        copy_bidirectional(&mut client, &mut target).await.map(|_| ())
    }
}

/// A room of a node whose environment has these variables.
fn join(url: &str, variables: &[(&str, String)]) -> Room {
    let proxies = Proxies::from_variables(|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    });
    let options = Options { proxies, ..Options::default() };
    peer_with(options).join(&Config::new("app").relay(url), "room").unwrap()
}

async fn failure(room: &Room) -> String {
    until(&mut room.events(), |event| match event {
        RoomEvent::Relay(status) => status.last_error,
        _ => None,
    })
    .await
}

#[test]
fn relays_are_reached_through_a_proxy_with_its_password() {
    run(async {
        let (relay, proxy) = (relay().await, Proxy::default());
        let variables = [("http_proxy", format!("http://me:s%40same@{}", proxy.start().await))];
        let (a, b) = (join(&relay, &variables), join(&relay, &variables));
        have_met(&a, &b).await;
        assert_eq!(proxy.connected.load(Ordering::SeqCst), 2);
        assert_eq!(proxy.refused.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_host_that_is_excepted_is_reached_directly() {
    run(async {
        let (relay, proxy) = (relay().await, Proxy::default());
        let variables = [
            ("ALL_PROXY", format!("http://{}", proxy.start().await)),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ];
        let room = join(&relay, &variables);
        until(&mut room.events(), |event| match event {
            RoomEvent::Relay(status) => (status.state == RelayState::Open).then_some(()),
            _ => None,
        })
        .await;
        assert_eq!(proxy.refused.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_proxy_that_wants_a_password_is_an_error_that_says_so() {
    run(async {
        let (relay, proxy) = (relay().await, Proxy::default());
        let address = proxy.start().await;
        let none = failure(&join(&relay, &[("all_proxy", format!("http://{address}"))])).await;
        assert_eq!(
            none,
            format!("the proxy {address}: it wants a user and a password in its URL (407)")
        );
        let wrong = [("all_proxy", format!("http://me:sesame@{address}"))];
        let wrong = failure(&join(&relay, &wrong)).await;
        assert_eq!(
            wrong,
            format!("the proxy {address}: it does not take the user or the password (407)")
        );
        assert!(proxy.refused.load(Ordering::SeqCst) >= 2);
    });
}

#[test]
fn a_proxy_of_another_kind_is_an_error_that_says_so() {
    run(async {
        let room = join("ws://127.0.0.1:9", &[("all_proxy", "socks5://127.0.0.1:1".to_owned())]);
        let why = failure(&room).await;
        assert!(why.contains("not of a kind that is supported"), "{why}");
    });
}
