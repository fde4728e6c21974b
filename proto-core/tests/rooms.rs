//! Nodes that meet, talk and part, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use common::{Who, World, room, with_password};
use serde_json::json;
use tristero_proto::crypto::RoomToken;
use tristero_proto::crypto::Topic;
use tristero_proto::wire::{Frame, Payload};
use tristero_proto::{
    Event, JoinError, JoinFailure, LeaveReason, PeerIds, RoomConfig, SendFailure, SendOptions,
    SendReport, Time,
};

#[test]
fn two_nodes_meet_and_say_so_once() {
    let (mut world, a, b, _) = World::met(&room("app", "room"));
    world.run_for(Duration::from_secs(600));
    for who in [a, b] {
        let joins = world.events(who).iter().filter(|e| matches!(e, Event::PeerJoined { .. }));
        assert_eq!(joins.count(), 1);
        assert!(!world.events(who).iter().any(|e| matches!(e, Event::PeerLeft { .. })));
    }
}

#[test]
fn a_newcomer_needs_one_announce_one_nudge_or_offer_and_one_answer() {
    let mut world = World::new();
    let (a, b) = (world.add("a"), world.add("b"));
    world.join(a, room("app", "room"));
    world.run_for(Duration::from_secs(5));
    world.published.clear();
    world.join(b, room("app", "room"));
    world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
    let keys = |keys: &[&str]| keys.iter().map(|key| key.to_string()).collect::<Vec<_>>();
    let expected = [
        (b, keys(&["peerId"])),
        (a, keys(&["peerId", "offerId", "offer"])),
        (b, keys(&["peerId", "answer", "offerId"])),
    ];
    assert_eq!(world.signals(), expected);
}

#[test]
fn the_larger_id_nudges_the_smaller_one() {
    let mut world = World::new();
    let (b, a) = (world.add("b"), world.add("a"));
    world.join(b, room("app", "room"));
    world.run_for(Duration::from_secs(5));
    world.published.clear();
    world.join(a, room("app", "room"));
    world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
    let kinds: Vec<_> = world.signals().into_iter().map(|(who, keys)| (who, keys.len())).collect();
    assert_eq!(kinds, [(a, 1), (b, 1), (a, 3), (b, 3)], "announce, nudge, offer, answer");
}

#[test]
fn messages_of_every_kind_arrive_as_sent_and_in_order() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.register(b, key, "x");
    let metadata = Some(json!({ "name": "grüße.txt" }));
    let payloads = [
        Payload::Text("hello — 世界".into()),
        Payload::Text(String::new()),
        Payload::Json(json!({ "a": [1, 2.5, null, "ü"] })),
        Payload::Json(json!(null)),
        Payload::Binary(Bytes::new()),
        Payload::Binary(Bytes::from_static(&[0, 255])),
        Payload::Binary(Bytes::from(vec![1; 16_348])),
        Payload::Binary(Bytes::from(vec![2; 16_349])),
        Payload::Binary(Bytes::from(vec![3; 1_000_003])),
    ];
    for metadata in [None, metadata, Some(json!(null))] {
        for payload in &payloads {
            let options = SendOptions { metadata: metadata.clone(), ..SendOptions::default() };
            world.send_with(a, key, "x", payload.clone(), &options);
        }
        world.run_until(|world| world.messages(b).len() == payloads.len());
        for (message, payload) in world.messages(b).iter().zip(&payloads) {
            assert!(message.payload == *payload, "{payload:?}");
            assert_eq!(message.metadata, metadata);
        }
        world.take_events(b);
    }
}

#[test]
fn a_message_waits_until_its_action_is_registered() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.send(a, key, "x", "first");
    world.send(a, key, "y", "other");
    world.send(a, key, "x", "second");
    world.run_for(Duration::from_secs(1));
    assert!(world.messages(b).is_empty());
    world.register(b, key, "x");
    let texts: Vec<_> = world.messages(b).into_iter().map(|message| message.payload).collect();
    assert_eq!(texts, [Payload::from("first"), Payload::from("second")]);
}

#[test]
fn what_is_sent_is_answered_once_with_who_did_not_get_it() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    let stranger = tristero_proto::PeerId::new("stranger").unwrap();
    let targets = Some(PeerIds::from_iter([world.id(b), stranger.clone()]));
    let options = SendOptions { targets, ..SendOptions::default() };
    world.take_events(a);
    world.send_with(a, key, "x", vec![0; 1_000_000], &options);
    assert!(world.events(a).is_empty(), "a megabyte is not handed over at once");
    world.run_for(Duration::from_secs(10));
    let sent: Vec<_> = world
        .events(a)
        .iter()
        .filter_map(|event| match event {
            Event::Sent { report, .. } => Some(report.clone()),
            _ => None,
        })
        .collect();
    let failed = vec![(stranger, SendFailure::NotInRoom)];
    assert_eq!(sent, [SendReport { delivered: world.id(b).into(), failed }]);
}

#[test]
fn a_file_does_not_hold_up_a_chat() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.register(b, key, "file");
    world.register(b, key, "chat");
    world.send(a, key, "file", vec![0; 4_000_000]);
    world.send(a, key, "chat", "hi");
    world.run_until(|world| world.messages(b).len() == 2);
    assert_eq!(world.messages(b)[0].payload, Payload::from("hi"));
}

#[test]
fn a_ping_is_answered() {
    let (mut world, a, b, _) = World::met(&room("app", "room"));
    let mut ping = BytesMut::new();
    Frame::emit_room_header(&RoomToken::of_room("app", "room"), &mut ping);
    ping.extend_from_slice(b"@_ping");
    ping.extend_from_slice(&[0; 28]);
    ping.extend_from_slice(&[1, 255]);
    for _ in 0..3 {
        world.forge(b, a, &ping);
    }
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.transmitted(a, "@_pong"), 3);
}

#[test]
fn leaving_is_seen_at_once_and_coming_back_uses_the_connection() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.take_events(b);
    world.leave(a, key);
    world.run_until(|world| world.has_left(b, a));
    assert!(matches!(
        world.events(b).last(),
        Some(Event::PeerLeft { reason: LeaveReason::Left, .. })
    ));
    world.run_for(Duration::from_secs(1));
    world.take_events(a);
    world.take_events(b);
    world.published.clear();
    world.join(a, room("app", "room"));
    world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
    let offers = world.signals().into_iter().filter(|(_, keys)| keys.len() > 1);
    assert_eq!(offers.count(), 0, "no new negotiation");
}

/// Two members of a room leave it at the same moment and come back after these pauses. A lobby
/// keeps them connected meanwhile.
fn cross_and_return(config: &RoomConfig, pauses: [u64; 2]) -> (World, [Who; 2]) {
    let (mut world, a, b, _) = World::met(&room("app", "lobby"));
    let keys = [a, b].map(|who| world.join(who, config.clone()));
    world.run_for(Duration::from_secs(10));
    for (who, key) in [a, b].into_iter().zip(keys) {
        world.leave(who, key);
    }
    world.take_events(a);
    world.take_events(b);
    let start = world.now;
    let mut returns = [(pauses[0], a), (pauses[1], b)];
    returns.sort_unstable();
    for (pause, who) in returns {
        world.run_for((start + Duration::from_millis(pause)).since(world.now));
        world.join(who, config.clone());
    }
    (world, [a, b])
}

#[test]
fn two_that_leave_at_once_and_come_back_meet_again() {
    let pauses = [[2_000, 3_000], [3_000, 2_000], [1, 20], [20, 1], [1, 1]];
    for config in
        [room("app", "match"), RoomConfig { password: "secret".into(), ..room("app", "match") }]
    {
        for pauses in pauses {
            let (mut world, [a, b]) = cross_and_return(&config, pauses);
            world.run_for(Duration::from_secs(5));
            for (who, other) in [(a, b), (b, a)] {
                assert!(world.has_joined(who, other), "{pauses:?}: {:?}", world.events(who));
            }
            let is_failure = |event: &Event| matches!(event, Event::JoinFailed { .. });
            assert!(!world.events(a).iter().chain(world.events(b)).any(is_failure), "{pauses:?}");
        }
    }
}

#[test]
fn a_target_that_is_named_twice_gets_one_message() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.register(b, key, "x");
    let id = world.id(b);
    let options = SendOptions {
        targets: Some(PeerIds::from_iter([id.clone(), id])),
        ..SendOptions::default()
    };
    world.send_with(a, key, "x", "once", &options);
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.messages(b).len(), 1);
    let report = SendReport { delivered: world.id(b).into(), failed: vec![] };
    let is_sent = |e: &Event| matches!(e, Event::Sent { report: r, .. } if *r == report);
    assert!(world.events(a).iter().any(is_sent));
}

#[test]
fn a_killed_peer_is_noticed_and_looked_for() {
    let (mut world, a, b, _) = World::met(&room("app", "room"));
    world.run_for(Duration::from_secs(20));
    world.freeze(a);
    world.published.clear();
    world.run_until(|world| world.has_left(b, a));
    assert!(matches!(
        world.events(b).last(),
        Some(Event::PeerLeft { reason: LeaveReason::Lost(_), .. })
    ));
    let [(who, topic, _)] = &world.published[..] else { panic!("{:?}", world.published) };
    let self_topic = Topic::of_peer("app", "room", &world.id(a));
    assert_eq!((*who, &**topic), (b, self_topic.as_str()), "it alone is asked for");
}

#[test]
fn members_prove_the_password_and_meet() {
    let (mut world, a, b, key) = World::met(&with_password("secret"));
    world.register(b, key, "x");
    world.send(a, key, "x", "hi");
    world.run_until(|world| !world.messages(b).is_empty());
}

#[test]
fn another_password_is_a_join_failure_and_never_a_join() {
    let mut world = World::new();
    let (a, b) = (world.add("a"), world.add("b"));
    world.join(a, with_password("secret"));
    world.join(b, with_password("other"));
    world.run_for(Duration::from_secs(30));
    let failures: Vec<_> = world
        .events(b)
        .iter()
        .filter_map(|event| match event {
            Event::JoinFailed { failure, .. } => Some(failure.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(failures.first(), Some(&JoinFailure::OfferPassword));
    assert!(!world.has_joined(a, b) && !world.has_joined(b, a));
}

#[test]
fn a_room_survives_the_loss_of_its_relay_and_meets_newcomers_after() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.stop_relay();
    world.run_for(Duration::from_secs(120));
    world.register(b, key, "x");
    world.send(a, key, "x", "hi");
    world.run_until(|world| !world.messages(b).is_empty());
    world.relay_is_down = false;
    let c = world.add("c");
    world.join(c, room("app", "room"));
    world.run_until(|world| world.has_joined(c, a) && world.has_joined(c, b));
    assert!(!world.has_left(a, b));
}

#[test]
fn a_mesh_forms_between_many() {
    let mut world = World::new();
    let all: Vec<_> = (0..12).map(|n| world.add(&format!("peer{n:02}"))).collect();
    for who in &all {
        world.join(*who, room("app", "room"));
    }
    for who in &all {
        for other in all.iter().filter(|other| *other != who) {
            world.run_until(|world| world.has_joined(*who, *other));
        }
    }
}

#[test]
fn two_rooms_share_one_connection() {
    let (mut world, a, b, _) = World::met(&room("app", "room"));
    world.published.clear();
    world.take_events(a);
    world.take_events(b);
    let second = world.join(a, room("app", "second"));
    world.join(b, room("app", "second"));
    world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
    assert!(world.signals().iter().all(|(_, keys)| keys.len() == 1), "nothing but announces");
    world.register(b, second, "x");
    world.send(a, second, "x", "hi");
    world.run_until(|world| !world.messages(b).is_empty());
}

#[test]
fn two_rooms_joined_at_once_end_up_on_one_connection() {
    let mut world = World::new();
    let (a, b) = (world.add("a"), world.add("b"));
    for name in ["one", "two", "three"] {
        world.join(a, room("app", name));
        world.join(b, room("app", name));
    }
    let joins = |world: &World, who| {
        world.events(who).iter().filter(|e| matches!(e, Event::PeerJoined { .. })).count()
    };
    world.run_until(|world| joins(world, a) == 3 && joins(world, b) == 3);
    world.run_for(Duration::from_secs(60));
    assert!(!world.has_left(a, b) && !world.has_left(b, a));
}

#[test]
fn an_unused_connection_is_closed_and_a_new_one_is_made_when_needed() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.leave(a, key);
    world.leave(b, key);
    world.run_for(Duration::from_secs(200));
    world.take_events(a);
    world.take_events(b);
    world.join(a, room("app", "room"));
    world.join(b, room("app", "room"));
    world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
}

#[test]
fn joining_twice_gives_the_same_room_or_says_what_differs() {
    let mut world = World::new();
    let a = world.add("a");
    let key = world.join(a, room("app", "room"));
    assert_eq!(world.join(a, room("app", "room")), key);
    let now = world.now;
    let again = world.with(a, |node| node.join(with_password("secret"), now));
    assert_eq!(again, Err(JoinError::Differs("password")));
    let empty = world.with(a, |node| node.join(room("", "room"), now));
    assert_eq!(empty, Err(JoinError::EmptyAppId));
}

#[test]
fn shutting_down_says_goodbye_and_ends() {
    let (mut world, a, b, _) = World::met(&room("app", "room"));
    let now = world.now;
    world.with(a, |node| node.shut_down(now));
    world.run_until(|world| world.events(a).contains(&Event::ShutDown));
    world.run_until(|world| world.has_left(b, a));
    assert_eq!(world.node(a).poll_timeout().filter(|d| d.why != "memory engine"), None);
    let now = world.now;
    let join = world.with(a, |node| node.join(room("app", "room"), now));
    assert_eq!(join, Err(JoinError::ShutDown));
}

#[test]
fn the_heartbeat_is_slow_once_the_mesh_stands() {
    let (mut world, ..) = World::met(&room("app", "room"));
    world.run_for(Duration::from_secs(10));
    world.published.clear();
    world.run_for(Duration::from_secs(600));
    assert!(world.published.len() <= 20, "{} in ten minutes", world.published.len());
}

#[test]
fn a_lost_offer_is_made_up_for() {
    let mut world = World::new();
    let (a, b) = (world.add("a"), world.add("b"));
    let mut lost = 0;
    world.is_lost = Some(Box::new(move |signal| {
        let is_first = signal.get("offer").is_some() && lost < 1;
        lost += u32::from(is_first);
        is_first
    }));
    world.join(a, room("app", "room"));
    world.join(b, room("app", "room"));
    world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
    assert!(world.now < Time::from_millis(70_000), "the next heartbeat at the latest");
}

#[test]
fn an_attempt_that_leads_to_no_connection_is_told_of_and_repeated() {
    let mut world = World::new();
    let (a, b) = (world.add("a"), world.add("b"));
    world.join(a, room("app", "room"));
    world.run_for(Duration::from_secs(5));
    world.network_is_cut = true;
    world.join(b, room("app", "room"));
    let has_failed = |world: &World, who| {
        let is_it = |event: &Event| {
            matches!(event, Event::JoinFailed { failure: JoinFailure::NotConnected { .. }, .. })
        };
        world.events(who).iter().any(is_it)
    };
    world.run_until(|world| has_failed(world, a) && has_failed(world, b));
    world.network_is_cut = false;
    let failed = world.now;
    world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
    assert!(world.now.since(failed) < Duration::from_secs(3), "no heartbeat is waited for");
}

#[test]
fn equal_seeds_and_inputs_give_equal_outputs() {
    let run = || {
        let (mut world, a, b, key) = World::met(&with_password("secret"));
        world.register(b, key, "x");
        world.send(a, key, "x", vec![1; 100_000]);
        world.run_until(|world| !world.messages(b).is_empty());
        world.leave(a, key);
        world.run_for(Duration::from_secs(100));
        world.trace
    };
    let (first, second) = (run(), run());
    assert!(first.len() > 50, "something happened");
    assert!(first == second);
}

#[test]
fn goodbyes_are_sent_before_a_busy_node_ends() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.jitter =
        Some((tristero_proto::Seed::from_number(1).rng("jitter"), Duration::from_millis(400)));
    world.send(a, key, "x", vec![0; 1_000_000]);
    world.run_for(Duration::from_millis(50));
    let now = world.now;
    world.with(a, |node| node.shut_down(now));
    world.run_until(|world| world.has_left(b, a));
    let left = |event: &Event| matches!(event, Event::PeerLeft { reason: LeaveReason::Left, .. });
    assert!(world.events(b).iter().any(left), "{:?}", world.events(b));
    world.run_until(|world| world.events(a).contains(&Event::ShutDown));
}

#[test]
fn what_came_for_a_room_that_we_are_not_in_makes_no_member_later() {
    let (mut world, a, b, _) = World::met(&room("app", "other"));
    let key = world.join(b, room("app", "room"));
    let token = RoomToken::of_room("app", "room");
    let mut ready = Vec::new();
    Frame::emit_room_header(&token, &mut ready);
    // The name, padded, and the nonce; then the tag of the last chunk, and its progress.
    ready.extend([b"@_hsready".as_slice(), &[0; 25], &[1, 255]].concat());
    world.forge(a, b, &ready);
    world.leave(b, key);
    world.forge(b, a, &ready);
    world.run_for(Duration::from_secs(1));
    world.take_events(a);
    let key = world.join(a, room("app", "room"));
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.node(a).peers(key).count(), 0, "{:?}", world.events(a));
}
