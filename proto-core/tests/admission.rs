//! Who becomes a member: the application's handshake, passwords of further rooms, and passive
//! peers.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::time::Duration;

use common::{Who, World, room, with_password};
use serde_json::{Value, json};
use tristero_proto::wire::Payload;
use tristero_proto::{
    Event, HandshakeError, HandshakeId, IDLE_TTL, JoinFailure, NodeConfig, RoomConfig, RoomKey,
    limits,
};

fn with_handshake() -> RoomConfig {
    RoomConfig { handshake: true, ..room("app", "room") }
}

fn passive() -> RoomConfig {
    RoomConfig { passive: true, ..room("app", "room") }
}

/// Two in a room, with a run of the application's handshake on both sides.
fn shaking(config: &RoomConfig) -> (World, [Who; 2], RoomKey) {
    let mut world = World::new();
    let all = ["a", "b"].map(|id| world.add(id));
    let key = all.map(|who| world.join(who, config.clone()))[0];
    world.run_until(|world| all.iter().all(|who| !handshakes(world, *who).is_empty()));
    (world, all, key)
}

/// The runs that began, and whether they are ours to begin.
fn handshakes(world: &World, who: Who) -> Vec<(HandshakeId, bool)> {
    let run = |event: &Event| match event {
        Event::Handshake { handshake, is_initiator, .. } => Some((*handshake, *is_initiator)),
        _ => None,
    };
    world.events(who).iter().filter_map(run).collect()
}

fn said(world: &World, who: Who) -> Vec<(Payload, Option<Value>)> {
    let message = |event: &Event| match event {
        Event::HandshakeData { payload, metadata, .. } => Some((payload.clone(), metadata.clone())),
        _ => None,
    };
    world.events(who).iter().filter_map(message).collect()
}

fn failures(world: &World, who: Who) -> Vec<JoinFailure> {
    let failure = |event: &Event| match event {
        Event::JoinFailed { failure, .. } => Some(failure.clone()),
        _ => None,
    };
    world.events(who).iter().filter_map(failure).collect()
}

fn accept(world: &mut World, who: Who, key: RoomKey) {
    let (now, (handshake, _)) = (world.now, handshakes(world, who)[0]);
    world.with(who, |node| node.handshake_accept(key, handshake, now)).unwrap();
}

fn say(world: &mut World, who: Who, key: RoomKey, payload: Payload, metadata: Option<&Value>) {
    let (now, (handshake, _)) = (world.now, handshakes(world, who)[0]);
    let sent = world.with(who, |node| node.handshake_send(key, handshake, payload, metadata, now));
    sent.unwrap();
}

#[test]
fn both_sides_of_a_handshake_talk_and_accept() {
    for config in [with_handshake(), RoomConfig { password: "p".into(), ..with_handshake() }] {
        let (mut world, [a, b], key) = shaking(&config);
        assert!(handshakes(&world, a)[0].1 && !handshakes(&world, b)[0].1);
        say(&mut world, a, key, "who are you?".into(), Some(&json!({ "n": 1 })));
        world.run_until(|world| !said(world, b).is_empty());
        assert_eq!(said(&world, b), [("who are you?".into(), Some(json!({ "n": 1 })))]);
        say(&mut world, b, key, vec![0; 400_000].into(), None);
        world.run_until(|world| !said(world, a).is_empty());
        accept(&mut world, a, key);
        world.run_for(Duration::from_secs(1));
        assert!(!world.has_joined(a, b) && !world.has_joined(b, a), "the other has not");
        accept(&mut world, b, key);
        world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
        assert_eq!(failures(&world, a), []);
    }
}

#[test]
fn one_that_is_refused_stays_out_and_may_try_again() {
    let (mut world, [a, b], key) = shaking(&with_handshake());
    let (now, (handshake, _)) = (world.now, handshakes(&world, a)[0]);
    let reason = "not you".to_owned();
    world.with(a, |node| node.handshake_refuse(key, handshake, reason.clone(), now)).unwrap();
    let again = world.with(a, |node| node.handshake_accept(key, handshake, now));
    assert_eq!(again, Err(HandshakeError::Over));
    assert_eq!(failures(&world, a), [JoinFailure::HandshakeRefused { reason }]);
    accept(&mut world, b, key);
    world.run_until(|world| !failures(world, b).is_empty());
    let after = Duration::from_secs(10);
    assert_eq!(failures(&world, b), [JoinFailure::HandshakeTimedOut { after }]);
    world.run_until(|world| handshakes(world, a).len() == 2);
    assert!(!world.has_joined(a, b) && !world.has_joined(b, a));
}

#[test]
fn a_handshake_that_nobody_ends_times_out_and_says_so() {
    let (mut world, [a, b], key) = shaking(&with_handshake());
    let (handshake, _) = handshakes(&world, a)[0];
    world.run_until(|world| !failures(world, a).is_empty());
    let ended = Event::HandshakeEnded { room: key, handshake };
    assert_eq!(world.events(a).iter().filter(|event| **event == ended).count(), 1);
    world.take_events(a);
    world.run_until(|world| !handshakes(world, a).is_empty());
    let (handshake, _) = handshakes(&world, a)[0];
    world.leave(b, key);
    world.run_for(Duration::from_secs(1));
    assert!(world.events(a).contains(&Event::HandshakeEnded { room: key, handshake }));
}

#[test]
fn what_comes_while_a_peer_is_pending_is_dropped_and_what_is_too_much_refused() {
    let (mut world, [a, b], key) = shaking(&with_handshake());
    world.register(a, key, "x");
    world.send(b, key, "x", "to nobody: there are no members yet");
    let (now, (handshake, _)) = (world.now, handshakes(&world, b)[0]);
    let huge = Payload::from(vec![0; limits::HANDSHAKE_BYTES_MAX + 1]);
    let sent = world.with(b, |node| node.handshake_send(key, handshake, huge, None, now));
    assert!(matches!(sent, Err(HandshakeError::Send(_))), "{sent:?}");
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.messages(a), []);
}

#[test]
fn messages_of_a_handshake_may_come_before_it_begins_here() {
    // Only the smaller id has a password, so the other one's handshake begins at once.
    let mut world = World::new();
    let (a, b) = (world.add("a"), world.add("b"));
    let both = [a, b].map(|who| world.join(who, room("app", "first")));
    world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
    let key = world.join(b, RoomConfig { handshake: true, ..with_password("") });
    world.run_for(Duration::from_secs(1));
    world.join(a, RoomConfig { handshake: true, ..with_password("p") });
    world.run_until(|world| !handshakes(world, b).is_empty());
    for n in 0..100 {
        say(&mut world, b, key, json!(n).into(), None);
    }
    world.run_until(|world| !failures(world, a).is_empty() && !failures(world, b).is_empty());
    assert!(!world.has_left(a, b) && both[0] != key, "the first room is unharmed");
}

#[test]
fn a_second_room_asks_for_its_own_password() {
    let second = |password: &str| RoomConfig { password: password.into(), ..room("app", "second") };
    let (mut world, a, b, _) = World::met(&room("app", "room"));
    world.take_events(a);
    world.take_events(b);
    let key = world.join(a, second("right"));
    world.join(b, second("wrong"));
    world.run_until(|world| !failures(world, a).is_empty() && !failures(world, b).is_empty());
    assert_eq!(failures(&world, a)[0], JoinFailure::PasswordProof);
    assert_eq!(failures(&world, b)[0], JoinFailure::PasswordProof, "ours prove it both ways");
    world.leave(b, key);
    world.join(b, second("right"));
    world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
    assert!(!world.has_left(a, b), "the first room was not harmed");
}

#[test]
fn a_passive_peer_is_silent_until_an_active_one_comes_and_when_it_went() {
    let mut world = World::new();
    let (a, p, q) = (world.add("a"), world.add("p"), world.add("q"));
    let key = world.join(p, passive());
    world.join(q, passive());
    assert!(world.node(p).is_passive(key));
    world.run_for(Duration::from_secs(600));
    assert!(world.published.is_empty(), "{:?}", world.published);
    for _ in 0..2 {
        for who in [a, p, q] {
            world.take_events(who);
        }
        let active = world.join(a, room("app", "room"));
        world.run_until(|world| [p, q].iter().all(|who| world.has_joined(a, *who)));
        world.run_until(|world| [p, q].iter().all(|who| world.has_joined(*who, a)));
        assert!(!world.has_joined(p, q) && !world.has_joined(q, p), "they ignore each other");
        assert!(world.published.iter().any(|(who, _, signal)| {
            *who == p
                && signal.get("passive") == Some(&json!(true))
                && signal.get("offer").is_none()
        }));
        world.leave(a, active);
        world.run_until(|world| world.has_left(p, a) && world.has_left(q, a));
        world.run_for(Duration::from_secs(1));
        world.published.clear();
        world.run_for(Duration::from_secs(600));
        assert!(world.published.is_empty(), "{:?}", world.published);
    }
}

#[test]
fn a_dormant_room_is_not_met_over_the_connection_of_another() {
    let (mut world, a, p, _) = World::met(&room("app", "first"));
    world.take_events(a);
    world.take_events(p);
    let key = world.join(p, passive());
    world.run_for(Duration::from_secs(10));
    world.published.clear();
    world.join(a, room("app", "room"));
    world.run_until(|world| world.has_joined(a, p) && world.has_joined(p, a));
    assert!(world.signals().iter().all(|(_, keys)| !keys.contains(&"offer".to_owned())));
    world.leave(a, key);
    world.run_until(|world| world.has_left(p, a));
    assert_eq!(world.node(p).peers(key).count(), 0);
}

#[test]
fn idle_connections_are_closed_when_the_application_says() {
    let idle = |ttl: Duration| {
        let mut world = World::new();
        let config = NodeConfig { idle_ttl: ttl, ..NodeConfig::default() };
        let (a, b) = (world.add_with("a", config), world.add("b"));
        let key = world.join(a, room("app", "room"));
        world.join(b, room("app", "room"));
        world.run_until(|world| world.has_joined(a, b));
        world.leave(a, key);
        world.leave(b, key);
        world.run_for(ttl - Duration::from_millis(500));
        let before = world.transmits(a);
        world.run_for(Duration::from_millis(1_000));
        let at_the_end = world.transmits(a);
        world.run_for(Duration::from_secs(60));
        (before < at_the_end, world.transmits(a) == at_the_end)
    };
    assert_eq!(idle(Duration::from_secs(5)), (true, true));
    assert_eq!(idle(IDLE_TTL), (true, true));
}

#[test]
fn one_that_was_refused_and_is_let_in_later_is_so_on_both_sides() {
    for password in ["", "secret"] {
        for guard in ["a", "b"] {
            let mut world = World::new();
            let all = ["a", "b"].map(|id| world.add(id));
            let mut keys = Vec::new();
            for (who, id) in all.into_iter().zip(["a", "b"]) {
                let password = password.into();
                let handshake = id == guard;
                keys.push(
                    world.join(who, RoomConfig { handshake, password, ..room("app", "room") }),
                );
            }
            let [guard, guest] = if guard == "a" { all } else { [all[1], all[0]] };
            world.run_until(|world| !handshakes(world, guard).is_empty());
            let (now, (handshake, _)) = (world.now, handshakes(&world, guard)[0]);
            let reason = "later".to_owned();
            world
                .with(guard, |node| node.handshake_refuse(keys[0], handshake, reason, now))
                .unwrap();
            world.take_events(guard);
            let accept_all = |world: &mut World| {
                let now = world.now;
                for (handshake, _) in handshakes(world, guard) {
                    // Those that are over are.
                    let _ =
                        world.with(guard, |node| node.handshake_accept(keys[0], handshake, now));
                }
            };
            for _ in 0..200 {
                accept_all(&mut world);
                world.run_for(Duration::from_secs(1));
            }
            assert!(world.has_joined(guard, guest) && world.has_joined(guest, guard), "{password}");
            assert!(!world.has_left(guard, guest) && !world.has_left(guest, guard));
        }
    }
}
