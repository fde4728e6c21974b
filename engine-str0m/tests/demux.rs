//! Whose a datagram is.

#![allow(clippy::unwrap_used)]

mod harness;

use std::net::SocketAddr;

use harness::{World, conn};
use tristero_proto::engine::Engine;

fn stranger() -> SocketAddr {
    "198.51.100.66:6666".parse().unwrap()
}

#[test]
fn fifty_connections_share_one_address() {
    let mut world = World::new(51);
    let spokes: Vec<_> =
        (1..=50_u8).map(|n| (usize::from(n), conn(1_000 + u64::from(n)))).collect();
    let hubs: Vec<_> = (1..=50_u8).map(|n| (0, conn(n.into()))).collect();
    for (hub, spoke) in hubs.iter().zip(&spokes) {
        world.negotiate(*hub, *spoke);
    }
    world.run_until(|world| hubs.iter().chain(&spokes).all(|end| world.is_open(*end)));
    for (hub, spoke) in hubs.iter().zip(&spokes) {
        world.assert_delivers(*spoke, *hub, format!("from {spoke:?}").as_bytes());
        world.assert_delivers(*hub, *spoke, format!("to {spoke:?}").as_bytes());
    }
    assert_eq!(world.hosts[0].engine.counters().stranger_datagrams, 0);
}

#[test]
fn datagrams_of_strangers_are_counted_and_change_nothing() {
    let mut world = World::new(2);
    let (a, b) = ((0, conn(1)), (1, conn(2)));
    world.connect(a, b);
    let before = world.sent.len();
    for bytes in [&[][..], &[0; 20], &[22; 100], &[128; 50], &[255; 2_001]] {
        world.arrive(0, stranger(), bytes);
    }
    assert_eq!(world.hosts[0].engine.counters().stranger_datagrams, 5);
    assert_eq!(world.sent.len(), before, "nobody answers a stranger");
    world.assert_delivers(b, a, b"still here");
}

#[test]
fn a_check_with_the_wrong_key_is_counted_as_forged() {
    let mut world = World::new(2);
    let (a, b) = ((0, conn(1)), (1, conn(2)));
    world.connect(a, b);
    let check = world
        .sent
        .iter()
        .find(|sent| sent.path.remote == world.hosts[0].address && sent.bytes.starts_with(&[0, 1]));
    let mut forged = check.expect("it was checked").bytes.to_vec();
    let last = forged.len() - 9;
    forged[last] ^= 1;
    world.arrive(0, stranger(), &forged);
    assert_eq!(world.hosts[0].engine.counters().forged_datagrams, 1);
    assert_eq!(world.hosts[0].engine.counters().stranger_datagrams, 0);
}

#[test]
fn a_check_from_a_forged_address_steals_no_path() {
    // Mallory is connected to the hub too, and sends checks with Bob's address as their source.
    let mut world = World::new(3);
    let (hub_bob, bob) = ((0, conn(1)), (1, conn(2)));
    let (hub_mallory, mallory) = ((0, conn(3)), (2, conn(4)));
    world.connect(hub_bob, bob);
    world.connect(hub_mallory, mallory);
    let from_mallory: Vec<Vec<u8>> = world
        .sent
        .iter()
        .filter(|sent| sent.path.local == world.hosts[2].address)
        .map(|sent| sent.bytes.to_vec())
        .collect();
    let bobs = world.hosts[1].address;
    for bytes in &from_mallory {
        world.arrive(0, bobs, bytes);
    }
    world.assert_delivers(bob, hub_bob, b"from bob");
    world.assert_delivers(hub_bob, bob, b"to bob");
    world.assert_delivers(mallory, hub_mallory, b"from mallory");
    assert!(world.closed(hub_bob).is_empty() && world.closed(hub_mallory).is_empty());
}

#[test]
fn two_hosts_can_hold_two_connections_over_the_same_two_addresses() {
    let mut world = World::new(2);
    let first = [(0, conn(1)), (1, conn(2))];
    let second = [(0, conn(3)), (1, conn(4))];
    world.connect(first[0], first[1]);
    world.connect(second[0], second[1]);
    for [a, b] in [first, second] {
        world.assert_delivers(a, b, b"there");
        world.assert_delivers(b, a, b"and back");
    }
    world.close(first[0]);
    world.run_until(|world| !world.closed(first[1]).is_empty());
    world.assert_delivers(second[0], second[1], b"the other lives");
    assert!(world.closed(second[0]).is_empty() && world.closed(second[1]).is_empty());
}

#[test]
fn two_hosts_that_offer_at_once_get_two_connections() {
    let mut world = World::new(2);
    let (mine, yours) = ([(0, conn(1)), (1, conn(2))], [(1, conn(3)), (0, conn(4))]);
    world.negotiate(mine[0], mine[1]);
    world.negotiate(yours[0], yours[1]);
    world.run_until(|world| mine.iter().chain(&yours).all(|end| world.is_open(*end)));
    for [a, b] in [mine, yours] {
        world.assert_delivers(a, b, b"there");
        world.assert_delivers(b, a, b"and back");
    }
}

#[test]
fn an_ended_connection_leaves_nothing_behind() {
    let mut world = World::new(2);
    let (a, b) = ((0, conn(1)), (1, conn(2)));
    world.connect(a, b);
    world.close(a);
    world.run_until(|world| !world.closed(b).is_empty());
    assert_eq!(world.hosts[0].engine.poll_timeout(), None);
    assert_eq!(world.hosts[1].engine.poll_timeout(), None);
    let address = world.hosts[1].address;
    world.arrive(0, address, &[23; 40]);
    assert_eq!(world.hosts[0].engine.counters().stranger_datagrams, 1, "its path is free again");
}
