//! What takes many chunks: streams, aborts, progress, stalls and reception piece by piece.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::time::Duration;

use common::{Who, World, action, room};
use serde_json::json;
use tristero_proto::wire::{Chunk, Payload};
use tristero_proto::{
    ActionKind, ActionOptions, Event, NodeConfig, PeerIds, RoomKey, SendFailure, SendId,
    SendOptions, SendReport, TransferFailure, limits,
};

const CHUNK: usize = Chunk::PAYLOAD_BYTES;

/// Bytes that differ from one place to the next.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

fn send_stream(world: &mut World, who: Who, key: RoomKey, length: Option<u64>) -> SendId {
    let now = world.now;
    let options = SendOptions { metadata: Some(json!({ "name": "x" })), ..SendOptions::default() };
    world.with(who, |node| node.send_stream(key, &action("file"), &options, length, now)).unwrap()
}

/// Feeds all bytes whenever more is asked for, and finishes.
fn feed_all(world: &mut World, who: Who, key: RoomKey, send: SendId, bytes: &[u8], step: usize) {
    for piece in bytes.chunks(step) {
        world.run_until(|world| world.events(who).contains(&Event::SendReady { room: key, send }));
        world.take_events(who);
        let (now, piece) = (world.now, piece.to_vec().into());
        world.with(who, |node| node.feed(key, send, piece, now));
    }
    let now = world.now;
    world.with(who, |node| node.finish(key, send, now));
}

fn report(world: &World, who: Who, send: SendId) -> Option<SendReport> {
    world.events(who).iter().find_map(|event| match event {
        Event::Sent { send: other, report, .. } if *other == send => Some(report.clone()),
        _ => None,
    })
}

/// What arrived piece by piece, and how it ended.
fn transferred(world: &World, who: Who) -> (Vec<u8>, Option<Result<(), TransferFailure>>) {
    let (mut bytes, mut end) = (Vec::new(), None);
    for event in world.events(who) {
        match event {
            Event::TransferPiece { bytes: piece, .. } => bytes.extend_from_slice(piece),
            Event::TransferEnded { result, .. } => end = Some(*result),
            _ => {}
        }
    }
    (bytes, end)
}

#[test]
fn a_stream_of_any_length_arrives_whole_at_a_message_action() {
    for length in [0, 1, CHUNK, CHUNK + 1, 2_000_000] {
        for claimed in [None, Some(length as u64)] {
            let (mut world, a, b, key) = World::met(&room("app", "room"));
            world.register(b, key, "file");
            let bytes = pattern(length);
            let send = send_stream(&mut world, a, key, claimed);
            feed_all(&mut world, a, key, send, &bytes, 100_000);
            world.run_until(|world| !world.messages(b).is_empty());
            let message = world.messages(b).remove(0);
            assert!(message.payload == Payload::Binary(bytes.into()), "{length}");
            assert_eq!(message.metadata, Some(json!({ "name": "x" })));
            assert_eq!(report(&world, a, send).unwrap().delivered, [world.id(b)]);
        }
    }
}

#[test]
fn a_transfer_is_handed_on_piece_by_piece_and_nothing_of_it_is_kept() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.register_as(b, key, "file", ActionKind::Transfer);
    let bytes = pattern(3_000_000);
    let send = send_stream(&mut world, a, key, None);
    feed_all(&mut world, a, key, send, &bytes, 70_000);
    world.run_until(|world| transferred(world, b).1.is_some());
    assert_eq!(transferred(&world, b).1, Some(Ok(())));
    assert!(transferred(&world, b).0 == bytes);
    let fractions: Vec<f64> = world
        .events(b)
        .iter()
        .filter_map(|event| match event {
            Event::TransferPiece { fraction, .. } => Some(*fraction),
            _ => None,
        })
        .collect();
    assert!(fractions.is_sorted());
    let (last, before) = fractions.split_last().unwrap();
    assert!(*last >= 1.0 && before.iter().all(|fraction| *fraction < 1.0));
    let began = |event: &Event| match event {
        Event::TransferBegan { metadata, .. } => metadata.clone(),
        _ => None,
    };
    assert_eq!(world.events(b).iter().find_map(began), Some(json!({ "name": "x" })));
}

#[test]
fn what_began_before_the_action_was_registered_is_handed_on_too() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    let options = SendOptions::default();
    world.send_with(a, key, "file", pattern(100), &options);
    world.send_with(a, key, "file", pattern(3_000_000), &options);
    world.run_for(Duration::from_millis(30));
    world.register_as(b, key, "file", ActionKind::Transfer);
    let is_over = |event: &&Event| matches!(event, Event::TransferEnded { result: Ok(()), .. });
    world.run_until(|world| world.events(b).iter().filter(is_over).count() == 2);
    assert!(transferred(&world, b).0 == [pattern(100), pattern(3_000_000)].concat());
}

#[test]
fn a_stream_does_not_run_ahead_of_its_slowest_target() {
    let (mut world, a, _, key) = World::met(&room("app", "room"));
    world.network_is_cut = true;
    let send = send_stream(&mut world, a, key, None);
    let mut fed = 0;
    while world.take_events(a).contains(&Event::SendReady { room: key, send }) {
        let now = world.now;
        world.with(a, |node| node.feed(key, send, vec![0; CHUNK].into(), now));
        fed += 1;
        assert!(fed < 1_000, "the memory would be full");
    }
    // What the connection took, and what waits.
    assert!((limits::STREAM_WINDOW_CHUNKS..limits::STREAM_WINDOW_CHUNKS + 64).contains(&fed));
}

#[test]
fn an_abort_ends_the_sending_and_the_next_message_comes_through() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.register(b, key, "file");
    let now = world.now;
    let options = SendOptions::default();
    let large: Payload = pattern(4_000_000).into();
    let send = world.with(a, |node| node.send(key, &action("file"), large, &options, now)).unwrap();
    world.run_for(Duration::from_millis(30));
    let now = world.now;
    world.with(a, |node| node.abort(key, send, now));
    let failed = vec![(world.id(b), SendFailure::Aborted)];
    assert_eq!(report(&world, a, send), Some(SendReport { delivered: PeerIds::new(), failed }));
    world.send(a, key, "file", "next");
    world.run_until(|world| !world.messages(b).is_empty());
    assert_eq!(world.messages(b)[0].payload, Payload::from("next"));
    let dropped = world.node(b).dropped(key);
    world.run_for(limits::PARTIAL_IDLE_MAX + Duration::from_secs(1));
    assert_eq!(world.node(b).dropped(key), dropped + 1, "what remained is forgotten");
}

#[test]
fn an_aborted_transfer_ends_at_the_receiver_too() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.register_as(b, key, "file", ActionKind::Transfer);
    let send = send_stream(&mut world, a, key, None);
    let now = world.now;
    world.with(a, |node| node.feed(key, send, pattern(1_000_000).into(), now));
    world.run_for(Duration::from_secs(1));
    let now = world.now;
    world.with(a, |node| node.abort(key, send, now));
    world.run_until(|world| transferred(world, b).1.is_some());
    assert_eq!(transferred(&world, b).1, Some(Err(TransferFailure::Idle)));
}

#[test]
fn a_transfer_of_a_peer_that_leaves_ends_before_it_is_gone() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.register_as(b, key, "file", ActionKind::Transfer);
    world.send(a, key, "file", pattern(4_000_000));
    world.run_for(Duration::from_millis(30));
    world.leave(a, key);
    world.run_until(|world| world.has_left(b, a));
    assert_eq!(transferred(&world, b).1, Some(Err(TransferFailure::Left)));
    assert!(matches!(world.events(b).last(), Some(Event::PeerLeft { .. })));
}

#[test]
fn a_stalled_target_fails_after_a_while_and_does_not_hold_up_the_others() {
    let mut world = World::new();
    let all = ["a", "b", "c"].map(|id| world.add(id));
    let [a, b, c] = all;
    let key = all.map(|who| world.join(who, room("app", "room")))[0];
    world.run_until(|world| world.has_joined(a, b) && world.has_joined(a, c));
    world.register(b, key, "file");
    world.stalls.insert(c);
    let now = world.now;
    let (payload, options) = (Payload::from(pattern(2_000_000)), SendOptions::default());
    let send =
        world.with(a, |node| node.send(key, &action("file"), payload, &options, now)).unwrap();
    world.run_until(|world| !world.messages(b).is_empty());
    assert!(world.now.since(now) < limits::SEND_STALL_MAX);
    world.run_until(|world| report(world, a, send).is_some());
    let failed = vec![(world.id(c), SendFailure::Stalled)];
    assert_eq!(report(&world, a, send), Some(SendReport { delivered: world.id(b).into(), failed }));
    assert!(!world.has_left(a, c), "it is slow, and not gone");
}

#[test]
fn progress_ends_with_1_on_both_sides_and_tells_the_metadata() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    let options = ActionOptions { progress: true, ..ActionOptions::default() };
    let now = world.now;
    world.with(b, |node| node.register(key, &action("file"), options, now)).unwrap();
    let metadata = Some(json!(7));
    let options = SendOptions { metadata: metadata.clone(), progress: true, targets: None };
    for payload in [pattern(100_000), Vec::new()] {
        world.take_events(a);
        world.take_events(b);
        world.send_with(a, key, "file", payload, &options);
        world.run_until(|world| !world.messages(b).is_empty());
        let sending = world.events(a).iter().filter_map(|event| match event {
            Event::Sending { fraction, .. } => Some(*fraction),
            _ => None,
        });
        let receiving = world.events(b).iter().filter_map(|event| match event {
            Event::Receiving { fraction, metadata: told, .. } => {
                assert_eq!(told.as_deref(), metadata.as_ref());
                Some(*fraction)
            }
            _ => None,
        });
        for fractions in [sending.collect::<Vec<f64>>(), receiving.collect()] {
            assert!(fractions.is_sorted(), "{fractions:?}");
            assert!((fractions.last().unwrap() - 1.0).abs() < f64::EPSILON, "{fractions:?}");
        }
    }
}

#[test]
fn what_is_unfinished_in_all_rooms_together_is_bounded() {
    let mut config = NodeConfig::default();
    config.limits.partial_bytes_in_all = 4_000_000;
    let mut world = World::new();
    let (a, b) = (world.add_with("a", config), world.add("b"));
    let rooms = ["one", "two"].map(|name| room("app", name));
    let keys = rooms.map(|room| {
        world.join(a, room.clone());
        world.join(b, room)
    });
    world.run_until(|world| keys.iter().all(|key| world.node(b).peers(*key).count() == 1));
    for key in keys {
        for n in 0..3 {
            let now = world.now;
            let name = action(&format!("file{n}"));
            let options = SendOptions::default();
            let send = world.with(b, |node| node.send_stream(key, &name, &options, None, now));
            let (send, bytes) = (send.unwrap(), pattern(1_000_000).into());
            world.with(b, |node| node.feed(key, send, bytes, now));
        }
    }
    world.run_for(Duration::from_secs(5));
    // Six of nearly a megabyte were begun, and four megabytes are kept.
    assert!(world.node(a).dropped(keys[0]) + world.node(a).dropped(keys[1]) >= 2);
    assert!(!world.has_left(a, b), "it did nothing wrong");
}
