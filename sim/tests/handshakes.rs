//! Applications that decide who comes in, and take their time.

use std::time::Duration;

use tristero_proto::{Event, HandshakeId, PeerId, RoomConfig, RoomKey};
use tristero_sim::{Conditions, Faults, PeerOptions, SimNode, Who, World, WsService};

/// How long somebody thinks.
const THOUGHT: Duration = Duration::from_secs(6);

/// A relay says again what it said before while both applications think. A copy of an offer is no
/// sign that the peer has lost us.
#[test]
fn copies_of_offers_do_not_end_a_slow_handshake() {
    let mut world = World::new(5);
    world.network().set_conditions(Conditions::latency(Duration::from_millis(10)));
    let (relay, config) = world.add_relay(WsService::new());
    world.set_relay_faults(relay, Faults::default().with_replayed(90));
    let relays = vec![config];
    let config = RoomConfig { relays, handshake: true, ..RoomConfig::new("app", "room") };
    let peers = [(); 2].map(|()| {
        let who = world.add_peer(PeerOptions::default());
        (who, world.join(who, config.clone()).expect("the room is valid"))
    });
    let ids = peers.map(|(who, _)| world.id(who));
    let others = [(peers[0], &ids[1]), (peers[1], &ids[0])];
    let begun = |world: &World| {
        others.iter().all(|((who, _), other)| handshakes(world, *who, other).len() == 1)
    };
    assert!(world.run_until(Duration::from_secs(5), begun));
    // With what a third one says the relay has something to repeat.
    let third = world.add_peer(PeerOptions::default());
    for _ in 0..THOUGHT.as_secs() {
        let room = world.join(third, config.clone()).expect("the room is valid");
        world.run_for(Duration::from_millis(900));
        world.with(third, |node, now| node.leave(room, now)).expect("it is awake");
        world.run_for(Duration::from_millis(100));
    }
    for ((who, room), other) in others {
        let [handshake] = handshakes(&world, who, other)[..] else { panic!("it began anew") };
        accept(&mut world, who, room, handshake);
    }
    let met = |world: &World| {
        others.iter().all(|((who, room), other)| world.members(*who, *room).contains(other))
    };
    assert!(world.run_until(Duration::from_secs(1), met));
}

/// The handshakes that a peer was told of with another.
fn handshakes(world: &World, who: Who, with: &PeerId) -> Vec<HandshakeId> {
    let begun = world.events(who).filter_map(|event| match event {
        Event::Handshake { handshake, peer, .. } if peer == with => Some(*handshake),
        _ => None,
    });
    begun.collect()
}

fn accept(world: &mut World, who: Who, room: RoomKey, handshake: HandshakeId) {
    let accept = |node: &mut SimNode, now| node.handshake_accept(room, handshake, now);
    world.with(who, accept).expect("it is awake").expect("the handshake goes on");
}
