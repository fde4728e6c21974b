//! Addresses of ours that come and go.

#![allow(clippy::unwrap_used)]

mod harness;

use std::net::SocketAddr;
use std::time::Duration;

use harness::{World, conn, trickle};
use tristero_proto::ConnId;
use tristero_proto::engine::{CloseReason, ConnOptions, Engine, EngineInput};

fn all_at_once() -> ConnOptions {
    ConnOptions::direct(false)
}

fn candidates(sdp: &str) -> Vec<&str> {
    sdp.lines().filter(|line| line.starts_with("a=candidate")).collect()
}

fn value<'a>(sdp: &'a str, attribute: &str) -> &'a str {
    sdp.lines().find_map(|line| line.strip_prefix(attribute)).unwrap()
}

#[test]
fn an_address_that_comes_late_is_trickled_in_a_browsers_form() {
    let mut world = World::without_addresses(1);
    let offer = world.offer(0, conn(1), trickle()).expect("trickle does not wait");
    assert!(candidates(&offer).is_empty());
    world.add_address(0);
    let [candidate] = &world.hosts[0].log(conn(1)).candidates[..] else { panic!("there is one") };
    assert!(candidate.candidate.starts_with("candidate:"), "{candidate:?}");
    assert!(candidate.candidate.contains(" udp "), "{candidate:?}");
    assert!(candidate.candidate.contains(" 10.0.0.1 4000 typ host"), "{candidate:?}");
    assert_eq!(candidate.sdp_mid.as_deref(), Some(value(&offer, "a=mid:")));
    assert_eq!(candidate.sdp_m_line_index, Some(0));
    assert_eq!(candidate.username_fragment.as_deref(), Some(value(&offer, "a=ice-ufrag:")));
}

#[test]
fn a_known_address_is_in_the_description_and_not_trickled() {
    let mut world = World::new(1);
    let offer = world.offer(0, conn(1), trickle()).unwrap();
    assert_eq!(candidates(&offer).len(), 1);
    world.add_address(0);
    assert!(world.hosts[0].log(conn(1)).candidates.is_empty(), "it was known already");
}

#[test]
fn without_trickle_an_answer_waits_for_an_address_too() {
    let mut world = World::without_addresses(2);
    world.add_address(0);
    let offer = world.offer(0, conn(1), all_at_once()).unwrap();
    let now = world.now;
    world.hosts[1].engine.answer(conn(2), &offer, all_at_once(), now).unwrap();
    world.drain();
    assert!(world.hosts[1].log(conn(2)).descriptions.is_empty());
    world.add_address(1);
    let answer = world.hosts[1].log(conn(2)).descriptions[0].clone();
    assert_eq!(candidates(&answer).len(), 1);
    assert!(candidates(&answer)[0].contains(" 10.0.0.2 4000 typ host"));
    world.accept(0, conn(1), &answer);
    world.run_until(|world| world.is_open((0, conn(1))) && world.is_open((1, conn(2))));
    assert!(world.hosts[1].log(conn(2)).candidates.is_empty(), "none follow");
}

#[test]
fn an_address_that_is_gone_is_offered_no_more() {
    let mut world = World::new(1);
    let other: SocketAddr = "10.0.0.9:4000".parse().unwrap();
    world.input(0, EngineInput::AddressAdded(other));
    assert_eq!(candidates(&world.offer(0, conn(1), trickle()).unwrap()).len(), 2);
    world.input(0, EngineInput::AddressRemoved(other));
    assert_eq!(candidates(&world.offer(0, conn(2), trickle()).unwrap()).len(), 1);
}

/// Gives host 0 another address in place of the one it has, and tells the other host of it.
fn move_host(world: &mut World, a: ConnId, b: ConnId) -> SocketAddr {
    let (old, new) = (world.hosts[0].address, "10.0.0.9:4000".parse().unwrap());
    world.hosts[0].address = new;
    world.input(0, EngineInput::AddressAdded(new));
    let candidate = world.hosts[0].log(a).candidates[0].clone();
    let now = world.now;
    world.hosts[1].engine.add_remote_candidate(b, &candidate, now);
    world.input(0, EngineInput::AddressRemoved(old));
    new
}

#[test]
fn an_idle_connection_lives_on_when_it_moves_to_another_address() {
    let mut world = World::new(2);
    let (a, b) = ((0, conn(1)), (1, conn(2)));
    world.connect(a, b);
    let new = move_host(&mut world, a.1, b.1);
    // The peer keeps sending to the old address until its checks of it have failed.
    world.run_for(Duration::from_secs(30));
    world.assert_delivers(a, b, b"from the new address");
    world.assert_delivers(b, a, b"to the new address");
    assert_eq!(world.hosts[0].engine.connection_info(conn(1)).unwrap().path.unwrap().local, new);
}

#[test]
fn a_connection_that_moves_and_hears_of_nothing_it_sends_is_given_up() {
    let mut world = World::new(2);
    let (a, b) = ((0, conn(1)), (1, conn(2)));
    world.connect(a, b);
    move_host(&mut world, a.1, b.1);
    world.assert_delivers(a, b, b"from the new address");
    world.run_for(Duration::from_secs(26));
    assert_eq!(world.closed(a), [CloseReason::Silent]);
}

#[test]
fn addresses_that_nobody_could_send_to_are_not_offered() {
    let mut world = World::without_addresses(1);
    for useless in ["0.0.0.0:4000", "[::]:4000", "10.0.0.1:0", "169.254.1.1:4000", "[fe80::1]:4000"]
    {
        world.input(0, EngineInput::AddressAdded(useless.parse().unwrap()));
    }
    assert_eq!(world.offer(0, conn(1), all_at_once()), None);
    for n in 0..100 {
        world.input(0, EngineInput::AddressAdded(([10, 0, 1, n], 4_000).into()));
    }
    let sdp = world.offer(0, conn(2), all_at_once()).unwrap();
    assert_eq!(candidates(&sdp).len(), 16, "there is a limit");
}
