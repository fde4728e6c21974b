//! Peers of a world meet, over networks of many kinds.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::time::Duration;

use tristero_proto::{RoomConfig, RoomKey};
use tristero_sim::{Conditions, PeerOptions, Who, World, WsService};

/// Peers who join one room at once.
fn gather(seed: u64, count: usize, conditions: Conditions) -> (World, Vec<(Who, RoomKey)>) {
    let mut world = World::new(seed);
    world.network().set_conditions(conditions);
    let (_, relay) = world.add_relay(WsService::new());
    let room = RoomConfig { relays: vec![relay], ..RoomConfig::new("app", "room") };
    let peers = (0..count).map(|_| {
        let who = world.add_peer(PeerOptions::default());
        (who, world.join(who, room.clone()).unwrap())
    });
    let peers = peers.collect();
    (world, peers)
}

fn has_met(world: &World, peers: &[(Who, RoomKey)]) -> bool {
    peers.iter().all(|(who, room)| world.members(*who, *room).len() == peers.len() - 1)
}

#[test]
fn two_peers_meet() {
    let (mut world, peers) = gather(1, 2, Conditions::default());
    assert!(world.run_until(Duration::from_secs(2), |world| has_met(world, &peers)));
}

#[test]
fn eight_peers_meet_where_one_in_fifty_datagrams_is_lost() {
    let bad = Conditions::latency(Duration::from_millis(50)).with_random_loss(2.0);
    let (mut world, peers) = gather(2, 8, bad);
    let has_met = world.run_until(Duration::from_secs(30), |world| has_met(world, &peers));
    assert!(has_met, "after {:?}", world.now());
}

#[test]
fn equal_seeds_give_equal_runs() {
    let digest = |seed| {
        let bad = Conditions::default().with_random_loss(5.0);
        let (mut world, _) = gather(seed, 4, bad);
        world.run_for(Duration::from_secs(30));
        world.digest()
    };
    assert_eq!(digest(7), digest(7));
    assert_ne!(digest(7), digest(8));
}
