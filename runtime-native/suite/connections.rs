//! What is known of peers and relays, and rooms that share a connection.

use std::net::SocketAddr;

use super::common::{config, have_met, left, met, peer, run, serve, soon, until};
use crate::rooms::{
    Action, Config, LeaveReason, PingError, RelayState, Room, RoomEvent, RoomEvents,
};
use tristero_relay::{Config as RelayConfig, Relay};

async fn is_relay(events: &mut RoomEvents, state: impl Fn(&RelayState) -> bool) {
    until(events, |event| match event {
        RoomEvent::Relay(status) => state(&status.state).then_some(()),
        _ => None,
    })
    .await;
}

#[test]
fn a_ping_takes_the_time_of_a_round_trip() {
    run(async {
        let (a, b) = met(&config().await).await;
        assert!(soon(a.ping(b.self_id())).await.is_ok());
        let nobody = peer().self_id().clone();
        assert_eq!(soon(a.ping(&nobody)).await, Err(PingError::NotInRoom));
        soon(a.clone().leave()).await;
        assert_eq!(soon(a.ping(b.self_id())).await, Err(PingError::RoomLeft));
    });
}

#[test]
fn peers_are_known_with_their_connections() {
    run(async {
        let (a, b) = met(&config().await).await;
        let peers = a.peers();
        let info = &peers[b.self_id()];
        assert_eq!(peers.len(), 1);
        assert!(info.path.is_some_and(|path| path.remote.port() > 0));
        assert!(info.bytes_sent > 0 && info.bytes_received > 0);
        assert_eq!(a.connection_info(a.self_id()), None);
    });
}

#[test]
fn rooms_of_two_nodes_share_a_connection_and_nothing_else() {
    run(async {
        let config = config().await;
        let (a, b) = met(&config).await;
        let second = |room: &Room| room.node().join(&config, "second").unwrap();
        let (second_a, second_b) = (second(&a), second(&b));
        have_met(&second_a, &second_b).await;
        let path = |room: &Room| room.connection_info(b.self_id()).unwrap().path;
        assert_eq!(path(&a), path(&second_a));
        let chat = |room: &Room| -> Action<String> { room.action("chat").unwrap() };
        let (mut first, mut other) = (chat(&b), chat(&second_b));
        soon(chat(&second_a).send("in the second")).await.unwrap();
        soon(chat(&a).send("in the first")).await.unwrap();
        assert_eq!(soon(first.recv()).await.unwrap().unwrap().value, "in the first");
        assert_eq!(soon(other.recv()).await.unwrap().unwrap().value, "in the second");
        let mut events = second_b.events();
        soon(second_a.leave()).await;
        assert_eq!(left(&mut events).await, LeaveReason::Left);
        assert!(b.peers().contains_key(a.self_id()), "the first room goes on");
    });
}

#[test]
fn a_peer_that_leaves_and_returns_is_met_again() {
    run(async {
        let config = config().await;
        let (a, b) = met(&config).await;
        let node = b.node().clone();
        let mut events = a.events();
        soon(b.leave()).await;
        left(&mut events).await;
        let b = node.join(&config, "room").unwrap();
        have_met(&a, &b).await;
    });
}

#[test]
fn a_relay_that_is_lost_while_paused_is_dialled_when_resumed() {
    run(async {
        let start = |address: SocketAddr| {
            serve(async move {
                let relay = Relay::bind(RelayConfig::new(address)).await.unwrap();
                (relay.url(), relay.spawn())
            })
        };
        let (url, relay) = start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = url.strip_prefix("ws://").unwrap().parse().unwrap();
        let room = peer().join(&Config::new("app").relay(url), "room").unwrap();
        let mut events = room.events();
        is_relay(&mut events, |state| *state == RelayState::Open).await;
        room.node().pause_relays();
        relay.shutdown();
        soon(relay.stopped()).await;
        is_relay(&mut events, |state| *state == RelayState::Paused).await;
        let _relay = start(address).await.unwrap();
        room.node().resume_relays();
        is_relay(&mut events, |state| *state == RelayState::Open).await;
    });
}
