//! Applications that decide who comes in, and take their time.

use std::time::Duration;

use tristero_proto::{Event, HandshakeId, RoomConfig, RoomKey};
use tristero_sim::{Conditions, Faults, PeerOptions, SimNode, Who, World, WsService};

/// How long somebody thinks.
const THOUGHT: Duration = Duration::from_secs(6);

/// A second relay brings each offer again while both applications think. That is no sign that the
/// peer has lost us.
#[test]
fn a_late_copy_of_an_offer_does_not_end_a_slow_handshake() {
    let mut world = World::new(5);
    world.network().set_conditions(Conditions::latency(Duration::from_millis(10)));
    let (_, fast) = world.add_relay(WsService::new());
    let (slow, late) = world.add_relay(WsService::new());
    world.set_relay_faults(slow, Faults::default().with_delay(Duration::from_secs(2)));
    let relays = vec![fast, late];
    let config = RoomConfig { relays, handshake: true, ..RoomConfig::new("app", "room") };
    let peers = [(); 2].map(|()| {
        let who = world.add_peer(PeerOptions::default());
        (who, world.join(who, config.clone()).expect("the room is valid"))
    });
    let begun = |world: &World| peers.iter().all(|(who, _)| handshakes(world, *who).len() == 1);
    assert!(world.run_until(Duration::from_secs(5), begun));
    world.run_for(THOUGHT);
    for (who, room) in peers {
        let [handshake] = handshakes(&world, who)[..] else { panic!("there is one for each") };
        accept(&mut world, who, room, handshake);
    }
    let met = |world: &World| peers.iter().all(|(who, room)| world.members(*who, *room).len() == 1);
    assert!(world.run_until(Duration::from_secs(1), met), "neither has to begin anew");
}

fn handshakes(world: &World, who: Who) -> Vec<HandshakeId> {
    let begun = world.events(who).filter_map(|event| match event {
        Event::Handshake { handshake, .. } => Some(*handshake),
        _ => None,
    });
    begun.collect()
}

fn accept(world: &mut World, who: Who, room: RoomKey, handshake: HandshakeId) {
    let accept = |node: &mut SimNode, now| node.handshake_accept(room, handshake, now);
    world.with(who, accept).expect("it is awake").expect("the handshake goes on");
}
