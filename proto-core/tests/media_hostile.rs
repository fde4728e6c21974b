//! Peers that say of audio and video what no honest one does, or nothing at all.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use common::media::{frame, video, with};
use common::{Who, World, room};
use serde_json::{Value, json};
use tristero_proto::crypto::RoomToken;
use tristero_proto::media::{Codec, MediaFailure, TrackSpec};
use tristero_proto::wire::Frame;
use tristero_proto::{Event, LeaveReason, Offence, RoomKey, limits};

const SECOND: Duration = Duration::from_secs(1);

/// A room frame with one whole JSON value.
fn said(action: &str, nonce: u16, value: &Value) -> Bytes {
    let mut bytes = BytesMut::new();
    Frame::emit_room_header(&RoomToken::of_room("app", "room"), &mut bytes);
    let mut name = [0; 32];
    name[..action.len()].copy_from_slice(action.as_bytes());
    bytes.extend_from_slice(&name);
    bytes.extend_from_slice(&nonce.to_be_bytes());
    // A JSON value, and the last chunk of it.
    bytes.extend_from_slice(&[9, 255]);
    bytes.extend_from_slice(value.to_string().as_bytes());
    bytes.freeze()
}

/// An offer of these tracks, as the engine of the tests makes them.
fn offer(tracks: impl Iterator<Item = (u32, String)>) -> Value {
    let line = |(number, stream)| format!("\n{number} video {stream} t{number} VP8");
    let lines: String = tracks.map(line).collect();
    json!({"type": "offer", "sdp": format!("memory tracks offer a=rtpmap{lines}")})
}

/// A stream of `from` arrives at `to`.
fn still_sends(world: &mut World, from: Who, to: Who, key: RoomKey) {
    let added = world.add_stream(from, key, &video(), with("still"));
    world.run_for(90 * SECOND);
    let told = world.streams(to);
    let told = told.iter().find(|told| told.metadata == Some("still".into())).unwrap();
    world.write(from, added.tracks[0], &frame(Codec::Vp8, 9, true));
    world.run_for(SECOND);
    assert_eq!(world.frames(to, told.tracks[0].0), [9]);
}

#[test]
fn what_makes_no_sense_is_an_offence() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    let before = world.node(a).dropped(key);
    for (nonce, value) in
        [json!(7), json!({}), json!({"k": 1}), json!({"k": "k", "s": 1})].iter().enumerate()
    {
        let nonce = u16::try_from(nonce).unwrap();
        world.forge(b, a, &said("@_stream", nonce, value));
        world.forge(b, a, &said("@_track", nonce, value));
    }
    world.run_for(SECOND);
    assert_eq!(world.node(a).dropped(key) - before, 8);
    still_sends(&mut world, b, a, key);
    for nonce in 0..2_000 {
        world.forge(b, a, &said("@_stream", nonce, &json!({})));
    }
    world.run_for(SECOND);
    let cut = LeaveReason::Cut(Offence::Malformed);
    let is_cut = |event: &Event| matches!(event, Event::PeerLeft { reason, .. } if *reason == cut);
    assert!(world.events(a).iter().any(is_cut));
}

#[test]
fn a_flood_of_streams_that_never_come_takes_nobodys_place_for_long() {
    for is_plain in [false, true] {
        let mut world = World::new();
        world.is_plain = is_plain;
        let (a, b) = (world.add("a"), world.add("b"));
        let key = world.join(a, room("app", "room"));
        world.join(b, room("app", "room"));
        world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
        for n in 0..5_000_u16 {
            let value = json!({"k": n.to_string(), "s": n.to_string(), "m": "x".repeat(5_000)});
            world.forge(b, a, &said("@_stream", n, &value));
            let value = json!({"k": n.to_string(), "t": "nothing", "s": n.to_string()});
            world.forge(b, a, &said("@_track", n, &value));
            let value = json!({"k": n.to_string(), "t": "nothing"});
            world.forge(b, a, &said("@_track", n + 5_000, &value));
        }
        world.run_for(40 * SECOND);
        assert!(world.streams(a).is_empty() && world.tracks(a).is_empty());
        assert!(world.overdue.is_empty(), "{:?}", world.overdue.first());
        still_sends(&mut world, b, a, key);
        assert_eq!(world.streams(a).len(), 1);
    }
}

#[test]
fn tracks_that_nobody_announced_are_told_to_nobody_and_bounded() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    let tracks = (0..1_000).map(|n| (n, format!("s{n}")));
    world.forge(b, a, &said("@_signal", 0, &offer(tracks)));
    world.run_for(5 * SECOND);
    let late = json!({"k": "k", "s": "s999"});
    world.forge(b, a, &said("@_stream", 0, &late));
    let early = json!({"k": "k", "s": "s0"});
    world.forge(b, a, &said("@_stream", 1, &early));
    world.run_for(SECOND);
    assert_eq!(world.streams(a).len(), 1, "the first are known, and the rest is not");
    let info = world.node(a).media_info(key, &world.id(b)).unwrap();
    assert_eq!(info.received.len(), 1);
    still_sends(&mut world, b, a, key);
}

#[test]
fn a_flood_of_offers_is_answered_slowly_and_in_the_end() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    for round in 0..1_000_u16 {
        let tracks = (0..3).map(|n| (u32::from(round) * 3 + n, "s".to_owned()));
        world.forge(b, a, &said("@_signal", round, &offer(tracks)));
        world.run_for(Duration::from_millis(10));
    }
    world.run_for(5 * SECOND);
    let answers = world.transmitted(a, "memory tracks answer");
    assert!((55..=60).contains(&answers), "16 at once, and 4 each second: {answers}");
    assert_eq!(world.transmitted(a, "\\n2999 "), 1, "the last one too");
    still_sends(&mut world, b, a, key);
    still_sends(&mut world, a, b, key);
}

#[test]
fn answers_that_nobody_asked_for_and_endless_descriptions_are_nothing() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    let long = format!("memory tracks offer a=rtpmap{}", "\n".repeat(600 * 1_024));
    for (nonce, sdp) in
        ["memory tracks answer a=rtpmap\n1 VP8", "nonsense", ""].into_iter().enumerate()
    {
        let nonce = u16::try_from(nonce).unwrap();
        for kind in ["answer", "offer"] {
            let value = json!({"type": kind, "sdp": sdp});
            world.forge(b, a, &said("@_signal", nonce, &value));
        }
    }
    world.forge(b, a, &said("@_signal", 9, &json!({"type": "offer", "sdp": long})));
    world.run_for(5 * SECOND);
    assert_eq!(world.transmitted(a, "memory tracks answer"), 0);
    still_sends(&mut world, a, b, key);
    still_sends(&mut world, b, a, key);
}

#[test]
fn who_does_not_answer_gets_nothing_and_the_rest_goes_on() {
    for is_plain in [false, true] {
        let mut world = World::new();
        world.is_plain = is_plain;
        let [a, b, c] = ["a", "b", "c"].map(|id| world.add(id));
        let key = world.join(a, room("app", "room"));
        for who in [b, c] {
            world.join(who, room("app", "room"));
        }
        world.run_until(|world| world.has_joined(a, b) && world.has_joined(a, c));
        world.stalls.insert(b);
        let added = world.add_stream(a, key, &video(), with("video"));
        world.run_for(139 * SECOND);
        assert_eq!(world.sent_streams(a), [(added.stream, c, Ok(()))]);
        world.run_for(3 * SECOND);
        let unanswered = (added.stream, b, Err(MediaFailure::NotAnswered));
        assert_eq!(world.sent_streams(a)[1..], [unanswered]);
        assert_eq!(world.write(a, added.tracks[0], &frame(Codec::Vp8, 1, true)).taken, 1);
    }
}

#[test]
fn what_is_announced_again_to_who_does_not_answer_is_answered_and_blocks_nothing() {
    for is_plain in [false, true] {
        let mut world = World::new();
        world.is_plain = is_plain;
        let (a, b) = (world.add("a"), world.add("b"));
        let key = world.join(a, room("app", "room"));
        world.join(b, room("app", "room"));
        world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
        world.stalls.insert(b);
        let added = world.add_stream(a, key, &video(), with("video"));
        world.run_for(SECOND);
        world.share_stream(a, key, added.stream, with("again"));
        world.run_for(400 * SECOND);
        let unanswered = (added.stream, b, Err(MediaFailure::NotAnswered));
        assert_eq!(world.sent_streams(a), [unanswered; 2]);
        world.stalls.remove(&b);
        still_sends(&mut world, a, b, key);
    }
}

#[test]
fn so_many_tracks_go_to_one_peer_and_no_more() {
    for is_plain in [false, true] {
        let mut world = World::new();
        world.is_plain = is_plain;
        let (a, b) = (world.add("a"), world.add("b"));
        let key = world.join(a, room("app", "room"));
        world.join(b, room("app", "room"));
        world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
        let many = vec![TrackSpec::of(Codec::Opus); limits::SENT_TRACKS_MAX - 1];
        let first = world.add_stream(a, key, &many, with("first"));
        let second = world.add_stream(a, key, &many[..2], with("second"));
        world.run_for(5 * SECOND);
        let sent = [(first.stream, b, Ok(())), (second.stream, b, Err(MediaFailure::TooMany))];
        let mut results = world.sent_streams(a);
        results.sort_by_key(|(stream, ..)| *stream);
        assert_eq!(results, sent);
        world.remove_stream(a, key, first.stream);
        world.run_for(SECOND);
        still_sends(&mut world, a, b, key);
    }
}
