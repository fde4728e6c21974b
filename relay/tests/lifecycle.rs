//! How a relay begins and ends.

mod common;

use common::{TestRelay, loopback, within};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tristero_relay::{BindError, Config, Relay};

#[tokio::test]
async fn a_shutdown_tells_every_client_and_frees_the_port() {
    let relay = TestRelay::start().await;
    let mut subscribed = relay.subscriber(&["t"]).await;
    let mut idle = relay.client().await;
    let unfinished = TcpStream::connect(relay.addr).await.unwrap();
    relay.handle.shutdown();
    assert_eq!(subscribed.closed().await, CloseCode::Away);
    assert_eq!(idle.closed().await, CloseCode::Away);
    drop((subscribed, idle));
    within(relay.handle.stopped()).await;
    drop(unfinished);

    let stats = relay.handle.stats();
    assert_eq!((stats.connections, stats.topics), (0, 0));
    Relay::bind(Config::new(relay.addr)).await.unwrap();
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_client_that_never_hangs_up() {
    let relay = TestRelay::start().await;
    let _client = relay.client().await;
    tokio::time::pause();
    let asked = tokio::time::Instant::now();
    relay.handle.shutdown();
    relay.handle.stopped().await;
    assert!(asked.elapsed() < loopback().limits.shutdown_timeout);
    assert_eq!(relay.handle.stats().connections, 0);
}

#[tokio::test]
async fn a_shutdown_ends_in_time_even_if_connections_do_not() {
    let relay =
        TestRelay::with(|limits| limits.close_timeout = limits.shutdown_timeout * 1_000).await;
    let _client = relay.client().await;
    tokio::time::pause();
    let asked = tokio::time::Instant::now();
    relay.handle.shutdown();
    relay.handle.stopped().await;
    assert!(asked.elapsed() < 2 * loopback().limits.shutdown_timeout);
}

#[tokio::test]
async fn a_relay_that_is_dropped_has_stopped() {
    let relay = Relay::bind(loopback()).await.unwrap();
    let handle = relay.handle();
    drop(relay);
    within(handle.stopped()).await;
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let relay = TestRelay::start().await;
    let error = Relay::bind(Config::new(relay.addr)).await.unwrap_err();
    assert!(matches!(error, BindError::InUse { addr } if addr == relay.addr));
    assert!(error.to_string().starts_with(&format!("{} is already in use", relay.addr)), "{error}");
}

#[tokio::test]
async fn an_address_of_another_machine_is_named() {
    // RFC 5737: this address is nobody's.
    let elsewhere = Config::new("192.0.2.1:0".parse().unwrap());
    let error = Relay::bind(elsewhere).await.unwrap_err();
    assert!(matches!(error, BindError::NotLocal { .. }), "{error}");
    assert!(error.to_string().contains("192.0.2.1"), "{error}");
}

#[tokio::test]
async fn the_url_is_one_that_can_be_dialled() {
    let relay = Relay::bind(loopback()).await.unwrap();
    assert_eq!(relay.url(), format!("ws://{}", relay.local_addr()));
    let anywhere = Relay::bind(Config::new("0.0.0.0:0".parse().unwrap())).await.unwrap();
    assert_eq!(anywhere.url(), format!("ws://127.0.0.1:{}", anywhere.local_addr().port()));
}
