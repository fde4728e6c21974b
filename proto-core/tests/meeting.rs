//! Meeting over trackers, and over several strategies at once.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::time::Duration;

use common::{RELAY, TRACKER, Who, World, room, tracked_room};
use tristero_proto::crypto::Topic;
use tristero_proto::{Event, NodeConfig, RoomConfig};

/// The room, over the relay and the tracker.
fn room_of_both() -> RoomConfig {
    let mut config = room("app", "room");
    config.relays.extend(tracked_room("app", "room").relays);
    config
}

fn failures(world: &World, who: Who) -> usize {
    world.events(who).iter().filter(|event| matches!(event, Event::JoinFailed { .. })).count()
}

/// Everyone has met everyone else, once, and nobody left.
fn assert_mesh(world: &mut World, members: &[Who]) {
    let pairs = || members.iter().flat_map(|a| members.iter().map(|b| (*a, *b)));
    let pairs: Vec<_> = pairs().filter(|(a, b)| a != b).collect();
    world.run_until(|world| pairs.iter().all(|(a, b)| world.has_joined(*a, *b)));
    world.run_for(Duration::from_secs(300));
    for (a, b) in pairs {
        assert_eq!(world.joins(a, b), 1, "{a:?} of {b:?}: {:?}", world.events(a));
        assert!(!world.has_left(a, b), "{a:?} of {b:?}: {:?}", world.events(a));
        assert_eq!(failures(world, a), 0, "{:?}", world.events(a));
    }
    assert_eq!(world.overdue, [], "a deadline that does nothing");
}

#[test]
fn two_meet_over_a_tracker_whoever_comes_first() {
    for (first, second) in [("a", "b"), ("b", "a")] {
        let mut world = World::new();
        let one = world.add(first);
        world.join(one, tracked_room("app", "room"));
        world.run_for(Duration::from_secs(30));
        let other = world.add(second);
        world.join(other, tracked_room("app", "room"));
        let began = world.now;
        world.run_until(|world| world.has_joined(one, other) && world.has_joined(other, one));
        assert!(world.now.since(began) < Duration::from_secs(1), "by the burst");
        assert_mesh(&mut world, &[one, other]);
    }
}

#[test]
fn a_newcomer_is_met_within_seconds_whenever_it_comes() {
    for (first, second) in [("a", "b"), ("b", "a")] {
        for wait in (0..=80).map(|tenths| Duration::from_millis(tenths * 100)) {
            let mut world = World::new();
            let one = world.add(first);
            world.join(one, tracked_room("app", "room"));
            world.run_for(wait);
            let other = world.add(second);
            world.join(other, tracked_room("app", "room"));
            let began = world.now;
            world.run_until(|world| world.has_joined(one, other) && world.has_joined(other, one));
            let took = world.now.since(began);
            assert!(took < Duration::from_secs(6), "{second} came after {wait:?}: {took:?}");
            assert_mesh(&mut world, &[one, other]);
        }
    }
}

#[test]
fn a_newcomer_is_met_within_seconds_after_a_trackers_return() {
    for (incumbent, newcomer) in [("a", "c"), ("c", "a")] {
        for wait in (0..=12).map(|halves| Duration::from_millis(halves * 500)) {
            let mut world = World::new();
            let (one, other) = (world.add(incumbent), world.add("b"));
            world.join(one, tracked_room("app", "room"));
            world.join(other, tracked_room("app", "room"));
            world.run_until(|world| world.has_joined(one, other) && world.has_joined(other, one));
            world.stop_relay_at(TRACKER);
            world.run_for(Duration::from_millis(10));
            world.start_relay_at(TRACKER);
            world.tracker.announces.clear();
            let is_back =
                |world: &World, who| world.tracker.announces.iter().any(|(by, _)| *by == who);
            world.run_until(|world| is_back(world, one) || is_back(world, other));
            world.run_for(wait);
            let third = world.add(newcomer);
            world.join(third, tracked_room("app", "room"));
            let began = world.now;
            let members = [one, other];
            world.run_until(|world| {
                members
                    .iter()
                    .all(|who| world.has_joined(*who, third) && world.has_joined(third, *who))
            });
            let took = world.now.since(began);
            assert!(took < Duration::from_secs(6), "{newcomer} came after {wait:?}: {took:?}");
            assert_mesh(&mut world, &[one, other, third]);
        }
    }
}

#[test]
fn many_meet_over_a_tracker() {
    let mut world = World::new();
    let members: Vec<Who> = ["d", "a", "f", "c", "b", "e", "g"].map(|id| world.add(id)).into();
    for member in &members {
        world.join(*member, tracked_room("app", "room"));
        world.run_for(Duration::from_millis(700));
    }
    // A tracker passes three offers on, and every 120 s three more.
    world.run_for(Duration::from_secs(600));
    assert_mesh(&mut world, &members);
}

#[test]
fn a_tracker_hears_of_a_room_as_often_as_it_wants() {
    let mut world = World::new();
    let one = world.add("a");
    world.join(one, tracked_room("app", "room"));
    world.run_for(Duration::from_secs(1));
    world.tracker.announces.clear();
    world.run_for(Duration::from_secs(1_200));
    let announces = &world.tracker.announces;
    assert!((10..=11).contains(&announces.len()), "{announces:?}");
    for (_, announce) in announces {
        assert_eq!(announce["offers"].as_array().unwrap().len(), 3, "{announce}");
    }
}

#[test]
fn a_passive_peer_seeds_until_someone_offers() {
    let mut world = World::new();
    let (archive, other) = (world.add("archive"), world.add("b"));
    world.join(archive, RoomConfig { passive: true, ..tracked_room("app", "room") });
    world.run_for(Duration::from_secs(245));
    let announces: Vec<_> = world.tracker.announces.drain(..).map(|(_, frame)| frame).collect();
    assert_eq!(announces.len(), 3, "every 120 s");
    let keys: Vec<_> = announces[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["action", "info_hash", "peer_id", "left", "numwant", "offers"]);
    assert_eq!(announces[0]["offers"].as_array().unwrap().len(), 0);
    let key = world.join(other, tracked_room("app", "room"));
    world.run_until(|world| world.has_joined(archive, other) && world.has_joined(other, archive));
    assert!(world.tracker.announces.iter().any(|(who, frame)| {
        *who == archive
            && frame["left"].is_null()
            && !frame["offers"].as_array().unwrap().is_empty()
    }));
    world.leave(other, key);
    world.run_until(|world| world.has_left(archive, other));
    world.run_for(Duration::from_secs(10));
    let (_, last) = world.tracker.announces.iter().rfind(|(who, _)| *who == archive).unwrap();
    assert_eq!(last["left"], 0, "it sleeps again");
}

#[test]
fn a_peer_is_met_once_by_two_strategies() {
    for (first, second) in [("a", "b"), ("b", "a")] {
        let mut world = World::new();
        let (one, other) = (world.add(first), world.add(second));
        world.join(one, room_of_both());
        world.join(other, room_of_both());
        assert_mesh(&mut world, &[one, other]);
    }
}

#[test]
fn those_who_share_no_relay_meet_whoever_uses_both() {
    let mut world = World::new();
    let (by_relay, by_tracker, by_both) = (world.add("b"), world.add("a"), world.add("c"));
    world.join(by_relay, room("app", "room"));
    world.join(by_tracker, tracked_room("app", "room"));
    world.join(by_both, room_of_both());
    world.run_until(|world| {
        world.has_joined(by_both, by_relay) && world.has_joined(by_both, by_tracker)
    });
    world.run_for(Duration::from_secs(200));
    assert_eq!(world.joins(by_both, by_relay) + world.joins(by_both, by_tracker), 2);
    assert!(!world.has_joined(by_relay, by_tracker));
}

#[test]
fn a_room_lives_as_long_as_one_of_its_strategies_works() {
    for stopped in [RELAY, TRACKER] {
        let mut world = World::new();
        let (one, other) = (world.add("a"), world.add("b"));
        world.join(one, room_of_both());
        world.join(other, room_of_both());
        world.run_until(|world| world.has_joined(one, other) && world.has_joined(other, one));
        world.stop_relay_at(stopped);
        world.run_for(Duration::from_secs(60));
        let third = world.add("c");
        world.join(third, room_of_both());
        assert_mesh(&mut world, &[one, other, third]);
    }
}

#[test]
fn a_peer_that_was_lost_is_met_again_over_a_tracker() {
    let mut world = World::new();
    let (one, other) = (world.add("a"), world.add("b"));
    world.join(one, tracked_room("app", "room"));
    world.join(other, tracked_room("app", "room"));
    world.run_until(|world| world.has_joined(one, other) && world.has_joined(other, one));
    world.freeze(other);
    world.run_until(|world| world.has_left(one, other));
    let again = world.add_with("b", NodeConfig::default());
    world.join(again, tracked_room("app", "room"));
    world.run_until(|world| world.joins(one, other) == 2 && world.has_joined(again, one));
}

#[test]
fn others_who_come_and_go_do_not_make_a_room_louder() {
    let (mut world, a, b, _) = World::met(&room("app", "room"));
    world.run_for(Duration::from_secs(60));
    world.published.clear();
    let minutes = 10;
    for visitor in 0..minutes * 3 {
        let visitor = world.add(&format!("visitor {visitor}"));
        let key = world.join(visitor, room("app", "room"));
        world.run_until(|world| world.has_joined(a, visitor) && world.has_joined(b, visitor));
        if visitor.0 % 2 == 0 {
            world.leave(visitor, key);
        } else {
            world.freeze(visitor);
        }
        world.run_for(Duration::from_secs(20));
    }
    let root = Topic::root("app", "room");
    for member in [a, b] {
        let is_announce =
            |(who, topic, _): &&(Who, String, _)| *who == member && *topic == root.as_str();
        let announces = world.published.iter().filter(is_announce).count();
        assert!(announces <= minutes + 1, "{announces} in {minutes} minutes, by {member:?}");
        assert!(announces >= minutes - 1, "it goes on: {announces}");
    }
}
