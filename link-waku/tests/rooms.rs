//! Two nodes that meet over a Waku node, as programs would.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod node;

use std::time::Duration;

use node::{Conduct, Muxers, ServiceNode};
use tristero_tokio::strategies::Ipfs;
use tristero_tokio::{Action, Config, Dialers, Options, Room, RoomEvent, WebSockets};
use tristero_waku::WakuDialer;

/// Longer than it takes to meet, even on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

fn join(address: &str) -> Room {
    let dialers = Dialers::default().with("/", WakuDialer::new(WebSockets::default()));
    let node = tristero_tokio::node(Options { loopback: true, dialers, ..Options::default() });
    node.unwrap().join(&Config::new("app").strategy_at(Ipfs, [address]), "room").unwrap()
}

async fn peer_joined(room: &Room) {
    let mut events = room.events();
    while !matches!(events.recv().await.unwrap(), RoomEvent::PeerJoined { .. }) {}
}

#[tokio::test]
async fn peers_meet_over_a_waku_node() {
    let service = ServiceNode::start(Conduct::Honest, Muxers::Both).await;
    let address = service.address.to_string();
    let (a, b) = (join(&address), join(&address));
    let meet = async {
        tokio::join!(peer_joined(&a), peer_joined(&b));
        let (from, mut to): (Action<String>, Action<String>) =
            (a.action("text").unwrap(), b.action("text").unwrap());
        from.send("hello".to_owned()).await.unwrap();
        to.recv().await.unwrap().unwrap().value
    };
    assert_eq!(tokio::time::timeout(PATIENCE, meet).await.expect("they never met"), "hello");
}
