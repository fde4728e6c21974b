//! Relays and peers that go away and come back, without the application doing anything.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::time::Duration;

use common::{Who, World, room};
use tristero_proto::engine::EngineInput;
use tristero_proto::signaling::RelayState;
use tristero_proto::{Event, Input, NodeConfig, RoomKey};

/// How often a node was told that the other one joined and left.
fn joins_and_leaves(world: &World, who: Who, other: Who) -> (usize, usize) {
    let id = world.id(other);
    let joins = |e: &&Event| matches!(e, Event::PeerJoined { peer, .. } if *peer == id);
    let leaves = |e: &&Event| matches!(e, Event::PeerLeft { peer, .. } if *peer == id);
    let events = world.events(who);
    (events.iter().filter(joins).count(), events.iter().filter(leaves).count())
}

fn state(world: &World, who: Who, key: RoomKey) -> RelayState {
    world.node(who).relays(key).remove(0).state
}

#[test]
fn a_network_that_was_cut_brings_one_leave_and_one_join() {
    for seconds in [12, 60, 300] {
        let (mut world, a, b, _) = World::met(&room("app", "room"));
        world.run_for(Duration::from_secs(70));
        world.network_is_cut = true;
        world.stop_relay();
        world.run_for(Duration::from_secs(seconds));
        world.network_is_cut = false;
        world.relay_is_down = false;
        world.run_until(|world| joins_and_leaves(world, a, b).0 == 2);
        world.run_until(|world| joins_and_leaves(world, b, a).0 == 2);
        world.run_for(Duration::from_secs(120));
        assert_eq!(joins_and_leaves(&world, a, b), (2, 1), "{seconds} s");
        assert_eq!(joins_and_leaves(&world, b, a), (2, 1), "{seconds} s");
    }
}

#[test]
fn a_laptop_that_slept_is_back_without_doing_anything() {
    for sleeper in [0, 1] {
        let (mut world, a, b, _) = World::met(&room("app", "room"));
        world.run_for(Duration::from_secs(70));
        let asleep = [a, b][sleeper];
        world.freeze(asleep);
        world.run_for(Duration::from_secs(600));
        assert_eq!(joins_and_leaves(&world, [b, a][sleeper], asleep), (1, 1));
        world.thaw(asleep);
        world.run_until(|world| joins_and_leaves(world, a, b).0 == 2);
        world.run_until(|world| joins_and_leaves(world, b, a).0 == 2);
        world.run_for(Duration::from_secs(120));
        assert_eq!(joins_and_leaves(&world, a, b), (2, 1));
        assert_eq!(joins_and_leaves(&world, b, a), (2, 1));
    }
}

#[test]
fn a_process_that_was_killed_comes_back_under_the_same_id_or_another() {
    for id in ["b", "c", "0"] {
        let (mut world, a, b, _) = World::met(&room("app", "room"));
        world.run_for(Duration::from_secs(70));
        world.freeze(b);
        let killed = world.now;
        let again = world.add(id);
        world.join(again, room("app", "room"));
        world.run_until(|world| joins_and_leaves(world, a, b).1 == 1);
        assert!(world.now.since(killed) <= Duration::from_secs(10), "{id}");
        world.run_until(|world| world.has_joined(again, a));
        let joins = joins_and_leaves(&world, a, again).0;
        assert_eq!(joins, if id == "b" { 2 } else { 1 });
        world.run_for(Duration::from_secs(120));
        assert_eq!(joins_and_leaves(&world, a, again).0, joins);
        assert_eq!(joins_and_leaves(&world, a, b).1, 1);
    }
}

#[test]
fn a_peer_that_seems_connected_and_discards_everything_is_replaced() {
    for (left, right) in [("a", "b"), ("b", "a")] {
        let mut world = World::new();
        let (us, zombie) = (world.add(left), world.add(right));
        for who in [us, zombie] {
            world.join(who, room("app", "room"));
        }
        world.run_until(|world| world.has_joined(us, zombie) && world.has_joined(zombie, us));
        world.run_for(Duration::from_secs(70));
        // It keeps the connection alive and takes no message off it, as JavaScript does that has
        // given a peer up, and looks for us anew.
        world.stalls.insert(zombie);
        let topic = tristero_proto::crypto::Topic::of_peer("app", "room", &world.id(us));
        let nudge = serde_json::json!({ "peerId": right }).to_string();
        let asked = world.now;
        world.inject(topic.as_str(), &nudge);
        world.run_until(|world| world.has_left(us, zombie));
        assert!(world.now.since(asked) < Duration::from_secs(4));
        world.stalls.clear();
        world.run_until(|world| joins_and_leaves(world, us, zombie).0 == 2);
        world.run_until(|world| joins_and_leaves(world, zombie, us).0 == 2);
    }
}

#[test]
fn a_nudge_from_a_peer_that_hears_us_changes_nothing() {
    let (mut world, a, b, _) = World::met(&room("app", "room"));
    let topic = tristero_proto::crypto::Topic::of_peer("app", "room", &world.id(a));
    for _ in 0..100 {
        world.inject(topic.as_str(), r#"{"peerId":"b"}"#);
        world.inject(topic.as_str(), r#"{"peerId":"b","offer":"x","offerId":"x"}"#);
        world.run_for(Duration::from_millis(100));
    }
    world.run_for(Duration::from_secs(60));
    assert_eq!(joins_and_leaves(&world, a, b), (1, 0));
    assert_eq!(joins_and_leaves(&world, b, a), (1, 0));
}

#[test]
fn paused_relays_are_not_dialled_until_they_are_resumed() {
    let (mut world, a, _, key) = World::met(&room("app", "room"));
    let now = world.now;
    world.with(a, |node| node.pause_relays(now));
    assert_eq!(state(&world, a, key), RelayState::Open, "what stands goes on");
    world.stop_relay();
    world.run_for(Duration::from_secs(1));
    world.relay_is_down = false;
    world.run_for(Duration::from_secs(600));
    assert_eq!(state(&world, a, key), RelayState::Paused);
    let other = world.join(a, room("app", "other"));
    world.run_for(Duration::from_secs(60));
    assert_eq!(state(&world, a, other), RelayState::Paused, "new rooms wait too");
    let now = world.now;
    world.with(a, |node| node.resume_relays(now));
    world.run_for(Duration::from_millis(100));
    assert_eq!(state(&world, a, key), RelayState::Open);
}

#[test]
fn a_new_address_ends_the_wait_for_relays_unless_that_is_left_to_the_application() {
    for manual_reconnection in [false, true] {
        let mut world = World::new();
        let config = NodeConfig { manual_reconnection, ..NodeConfig::default() };
        let a = world.add_with("a", config);
        let key = world.join(a, room("app", "room"));
        world.relay_is_down = true;
        world.run_for(Duration::from_secs(300));
        world.run_until(|world| {
            let now = world.now;
            matches!(state(world, a, key), RelayState::BackingOff { until, .. }
                if until.since(now) > Duration::from_secs(10))
        });
        world.relay_is_down = false;
        let address = "127.0.0.9:9".parse().unwrap();
        world.input(a, Input::Engine(EngineInput::AddressAdded(address)));
        world.run_for(Duration::from_secs(1));
        assert_eq!(state(&world, a, key) == RelayState::Open, !manual_reconnection);
    }
}
