//! How it shows that a peer is gone.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod harness;

use std::time::{Duration, Instant};

use harness::{World, conn};
use tristero_proto::engine::{CloseReason, Engine, EngineInput, SendOutcome};
use tristero_proto::{ConnId, Seed};
use tristero_str0m::Str0mEngine;

const A: (usize, ConnId) = (0, ConnId::from_number(1));
const B: (usize, ConnId) = (1, ConnId::from_number(2));

#[test]
fn an_idle_connection_lives_and_costs_little() {
    let mut world = World::new(2);
    world.connect(A, B);
    world.sent.clear();
    world.run_for(Duration::from_secs(600));
    assert!(world.closed(A).is_empty() && world.closed(B).is_empty());
    // Both ends check every 2.5 s and answer; every 30 s SCTP has a heartbeat of its own.
    assert!((900..1_100).contains(&world.sent.len()), "{} in ten minutes", world.sent.len());
}

#[test]
fn an_idle_connection_is_woken_for_its_checks_alone() {
    let mut world = World::new(2);
    world.connect(A, B);
    world.run_for(Duration::from_secs(20));
    let end = world.now + Duration::from_secs(60);
    loop {
        for host in &world.hosts {
            assert_eq!(host.engine.poll_timeout().unwrap().why, "ice check");
        }
        if !world.step(end) {
            break;
        }
    }
}

#[test]
fn a_peer_that_vanished_is_given_up_after_nine_seconds() {
    let mut world = World::new(2);
    world.connect(A, B);
    world.run_for(Duration::from_secs(20));
    world.is_cut = true;
    world.run_for(Duration::from_millis(6_400));
    assert!(world.closed(A).is_empty() && world.closed(B).is_empty());
    world.run_for(Duration::from_millis(2_700));
    assert_eq!(world.closed(A), [CloseReason::Silent]);
    assert_eq!(world.closed(B), [CloseReason::Silent]);
}

#[test]
fn a_cut_of_six_seconds_heals() {
    let mut world = World::new(2);
    world.connect(A, B);
    world.run_for(Duration::from_secs(20));
    world.is_cut = true;
    world.run_for(Duration::from_secs(6));
    world.is_cut = false;
    world.run_for(Duration::from_secs(60));
    assert!(world.closed(A).is_empty() && world.closed(B).is_empty());
    world.assert_delivers(A, B, b"still here");
}

#[test]
fn whoever_gives_up_says_so() {
    let mut world = World::new(2);
    world.connect(A, B);
    world.deaf = Some(0);
    world.run_until(|world| !world.closed(B).is_empty());
    assert_eq!(world.closed(A), [CloseReason::Silent]);
    assert_eq!(world.closed(B), [CloseReason::Remote]);
}

#[test]
fn datagrams_that_anyone_can_forge_are_no_sign_of_life() {
    let mut world = World::new(2);
    world.connect(A, B);
    world.assert_delivers(B, A, b"a datagram to repeat");
    let (bobs, mine) = (world.hosts[1].address, world.hosts[0].address);
    let replay: Vec<Vec<u8>> = world
        .sent
        .iter()
        .filter(|sent| sent.path.remote == mine && sent.bytes[0] >= 20)
        .map(|sent| sent.bytes.to_vec())
        .collect();
    world.is_cut = true;
    for _ in 0..20 {
        world.run_for(Duration::from_millis(500));
        for bytes in &replay {
            world.arrive(0, bobs, bytes);
        }
    }
    assert_eq!(world.closed(A), [CloseReason::Silent]);
}

#[test]
fn a_dead_connection_is_noticed_although_a_living_one_shares_its_path() {
    let mut world = World::new(2);
    world.connect(A, B);
    // Host 1 starts anew on the same port and connects again.
    let zero = Instant::now();
    world.hosts[1].engine = Str0mEngine::new(&Seed::from_number(99), zero);
    world.hosts[1].conns.clear();
    let address = world.hosts[1].address;
    world.input(1, EngineInput::AddressAdded(address));
    let (a, b) = ((0, conn(3)), (1, conn(4)));
    world.connect(a, b);
    for _ in 0..20 {
        world.run_for(Duration::from_millis(500));
        world.assert_delivers(b, a, b"alive");
    }
    assert_eq!(world.closed(A), [CloseReason::Silent]);
    assert!(world.closed(a).is_empty() && world.closed(b).is_empty());
}

#[test]
fn a_connection_that_carries_checks_and_no_data_is_given_up() {
    let mut world = World::new(2);
    world.connect(A, B);
    world.hears_stun_only = Some(1);
    world.run_for(Duration::from_secs(60));
    assert!(world.closed(A).is_empty(), "nothing was sent that could be missed");
    assert_eq!(world.send(A, b"into the void"), SendOutcome::Taken);
    world.run_for(Duration::from_secs(19));
    assert!(world.closed(A).is_empty());
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.closed(A), [CloseReason::Silent]);
}

#[test]
fn data_that_is_held_up_for_fifteen_seconds_arrives() {
    let mut world = World::new(2);
    world.connect(A, B);
    world.hears_stun_only = Some(1);
    assert_eq!(world.send(A, b"late"), SendOutcome::Taken);
    world.run_for(Duration::from_secs(14));
    world.hears_stun_only = None;
    world.run_for(Duration::from_secs(60));
    assert!(world.closed(A).is_empty() && world.closed(B).is_empty());
    world.assert_delivers(A, B, b"and on time");
}

#[test]
fn whoever_slept_does_not_give_its_peers_up() {
    // A process that stood still for little more than a peer may be silent, and a machine.
    for asleep in [10, 60].map(Duration::from_secs) {
        let mut world = World::new(2);
        world.connect(A, B);
        world.run_for(Duration::from_secs(20));
        world.now = world.now + asleep;
        world.wire.clear();
        let now = world.now;
        for host in &mut world.hosts {
            host.engine.handle_timeout(now);
        }
        world.drain();
        world.run_for(Duration::from_secs(30));
        assert!(world.closed(A).is_empty() && world.closed(B).is_empty());
        world.assert_delivers(A, B, b"good morning");
    }
}
