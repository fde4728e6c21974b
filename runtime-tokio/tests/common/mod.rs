//! Nodes with real sockets, over a real relay, on this machine.

#![allow(dead_code, reason = "each test uses what it needs of this")]
#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::time::Duration;

use tristero_relay::{Config as RelayConfig, Relay};
use tristero_tokio::{
    Config, LeaveReason, NodeHandle, Options, Proxies, Room, RoomEvent, RoomEvents, node,
};

/// Far more than anything here takes, even on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a relay that stops with the test's runtime.
pub(crate) async fn relay() -> String {
    let address = "127.0.0.1:0".parse().unwrap();
    let relay = Relay::bind(RelayConfig::new(address)).await.unwrap();
    let url = relay.url();
    let _handle = relay.spawn();
    url
}

/// A configuration with a relay of its own.
pub(crate) async fn config() -> Config {
    Config::new("app").relay(relay().await)
}

pub(crate) fn peer() -> NodeHandle {
    // Whatever proxies there are, a test's relays are on this machine.
    peer_with(Options { proxies: Proxies::none(), ..Options::default() })
}

pub(crate) fn peer_with(options: Options) -> NodeHandle {
    node(Options { loopback: true, ..options }).unwrap()
}

pub(crate) async fn soon<T>(future: impl IntoFuture<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future.into_future()).await.expect("it takes far too long")
}

/// Waits for an event that is of interest, and says what of it is.
pub(crate) async fn until<T>(
    events: &mut RoomEvents,
    of_interest: impl Fn(RoomEvent) -> Option<T>,
) -> T {
    soon(async {
        loop {
            let event = events.recv().await.expect("the room ended");
            if let Some(interesting) = of_interest(event) {
                return interesting;
            }
        }
    })
    .await
}

pub(crate) async fn joined(events: &mut RoomEvents, room: &Room) {
    until(events, |event| match event {
        RoomEvent::PeerJoined { peer } => (peer == *room.self_id()).then_some(()),
        _ => None,
    })
    .await;
}

pub(crate) async fn left(events: &mut RoomEvents) -> LeaveReason {
    until(events, |event| match event {
        RoomEvent::PeerLeft { reason, .. } => Some(reason),
        _ => None,
    })
    .await
}

/// Two rooms of two nodes that have met.
pub(crate) async fn met(config: &Config) -> (Room, Room) {
    let a = peer().join(config, "room").unwrap();
    let b = peer().join(config, "room").unwrap();
    have_met(&a, &b).await;
    (a, b)
}

/// Waits until two have met.
pub(crate) async fn have_met(a: &Room, b: &Room) {
    joined(&mut a.events(), b).await;
    joined(&mut b.events(), a).await;
}

/// Bytes in which no part repeats, so that a part that went astray would be noticed.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let words = (0u32..).map(|n| n.wrapping_mul(0x9e37_79b1).to_le_bytes());
    words.flatten().take(length).collect()
}
