//! Whatever comes from outside may be wrong, huge, late, doubled or malicious: it is dropped and
//! counted, memory stays bounded, and everyone else is served.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use common::{RELAY, Who, World, room, with_password};
use tristero_proto::crypto::{RoomToken, SignalKey, Topic};
use tristero_proto::engine::EngineInput;
use tristero_proto::signaling::LinkFrame;
use tristero_proto::wire::{Frame, Payload};
use tristero_proto::{
    Event, Input, JoinFailure, LeaveReason, Offence, PeerId, RequestOptions, RoomKey, Seed, limits,
};

const LAST: u8 = 1;
const META: u8 = 2;
const JSON: u8 = 8;

/// A room frame with one chunk, as a peer of room `room` of app `app` would send it.
fn frame(action: &str, nonce: u16, tag: u8, progress: u8, payload: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    Frame::emit_room_header(&RoomToken::of_room("app", "room"), &mut bytes);
    let mut name = [0; 32];
    name[..action.len()].copy_from_slice(action.as_bytes());
    bytes.extend_from_slice(&name);
    bytes.extend_from_slice(&nonce.to_be_bytes());
    bytes.extend_from_slice(&[tag, progress]);
    bytes.extend_from_slice(payload);
    bytes.freeze()
}

fn still_talks(world: &mut World, from: Who, to: Who, key: RoomKey) {
    world.take_events(to);
    world.register(to, key, "still");
    world.send(from, key, "still", "here");
    world.run_until(|world| world.messages(to).iter().any(|m| m.payload == Payload::from("here")));
}

fn root() -> Topic {
    Topic::root("app", "room")
}

#[test]
fn malformed_relay_frames_are_dropped_and_counted() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    let texts = ["", "7", "null", "{", "[]", "{}", r#"{"topic":7}"#, r#"{"topic":"t"}"#];
    for text in texts {
        world.forge_relay_frame(a, &LinkFrame::Text(text.into()));
    }
    world.forge_relay_frame(a, &LinkFrame::Binary(Bytes::from_static(&[0xff; 100])));
    world.forge_relay_frame(a, &LinkFrame::Text("[".repeat(100_000)));
    let status = world.node(a).relays(key).remove(0);
    assert_eq!(status.url.as_str(), RELAY);
    assert_eq!(status.malformed, texts.len() as u64 + 2);
    still_talks(&mut world, a, b, key);
}

#[test]
fn malformed_signals_are_dropped_and_counted_and_foreign_topics_ignored() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    let before = world.node(a).dropped(key);
    let malformed = ["", "nonsense", "[]", r#"{"peerId":7}"#, r#"{"peerId":"x","offer":7}"#];
    for signal in malformed {
        world.inject(root().as_str(), signal);
    }
    let foreign = serde_json::json!({ "topic": "foreign", "payload": r#"{"peerId":"x"}"# });
    world.forge_relay_frame(a, &LinkFrame::Text(foreign.to_string()));
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.node(a).dropped(key) - before, malformed.len() as u64);
    still_talks(&mut world, a, b, key);
}

#[test]
fn an_offer_that_does_not_decrypt_is_one_join_failure_however_often_it_comes() {
    let (mut world, a, b, key) = World::met(&with_password("secret"));
    let mut rng = Seed::from_number(9).rng("stranger");
    let sealed = SignalKey::derive("other", "app", "room").seal("v=0", &mut rng);
    let offer = serde_json::json!({ "peerId": "0", "offerId": "o", "offer": sealed });
    for _ in 0..10 {
        world.inject(root().as_str(), &offer.to_string());
    }
    world.run_for(Duration::from_secs(1));
    let failures: Vec<_> = world
        .events(a)
        .iter()
        .filter_map(|event| match event {
            Event::JoinFailed { failure, .. } => Some(failure),
            _ => None,
        })
        .collect();
    assert_eq!(failures, [&JoinFailure::OfferPassword]);
    still_talks(&mut world, a, b, key);
}

#[test]
fn a_description_that_the_engine_refuses_is_a_join_failure() {
    let (mut world, a, b, key) = World::met(&with_password("secret"));
    let mut rng = Seed::from_number(9).rng("stranger");
    let sealed = SignalKey::derive("secret", "app", "room").seal("v=0 nonsense", &mut rng);
    let offer = serde_json::json!({ "peerId": "0", "offerId": "o", "offer": sealed });
    world.inject(root().as_str(), &offer.to_string());
    world.run_for(Duration::from_secs(1));
    let is_refused = |event: &Event| {
        matches!(event, Event::JoinFailed { failure: JoinFailure::Description(_), .. })
    };
    assert!(world.events(a).iter().any(is_refused));
    still_talks(&mut world, a, b, key);
}

#[test]
fn a_crowd_of_strangers_that_never_connect_is_bounded_and_forgotten() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    for n in 0..limits::SESSIONS_PER_ROOM_MAX * 2 {
        world.inject(root().as_str(), &format!(r#"{{"peerId":"z{n:05}"}}"#));
    }
    world.run_for(Duration::from_secs(1));
    assert!(world.node(a).dropped(key) >= limits::SESSIONS_PER_ROOM_MAX as u64);
    world.run_for(Duration::from_secs(60));
    let newcomer = world.add("c");
    world.join(newcomer, room("app", "room"));
    world.run_until(|world| world.has_joined(a, newcomer));
    still_talks(&mut world, a, b, key);
}

#[test]
fn broken_frames_and_unknown_kinds_on_the_channel_are_dropped() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    let whole = frame("x", 0, LAST, 255, b"payload");
    for length in 0..=whole.len() - b"payload".len() - 1 {
        world.forge(b, a, &whole[..length]);
    }
    for kind in 4..=255 {
        world.forge(b, a, &[kind, 1, 2, 3]);
    }
    world.forge(b, a, &[1, 0xff, 0xff]);
    world.forge(b, a, &frame("", 0, LAST, 255, b"no name"));
    world.run_for(Duration::from_secs(1));
    assert!(world.node(a).dropped(key) > 0);
    still_talks(&mut world, b, a, key);
}

#[test]
fn payloads_that_are_not_what_their_tag_says_are_dropped() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.register(a, key, "x");
    let before = world.node(a).dropped(key);
    world.forge(b, a, &frame("x", 0, LAST | JSON, 255, b"{not json"));
    world.forge(b, a, &frame("x", 1, LAST, 255, &[0xff, 0xfe]));
    world.forge(b, a, &frame("x", 2, META, 128, b"not json"));
    world.forge(b, a, &frame("x", 3, 0, 0, b""));
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.messages(a), []);
    assert_eq!(world.node(a).dropped(key) - before, 4);
    still_talks(&mut world, b, a, key);
}

#[test]
fn transmissions_that_never_end_are_dropped_after_a_while() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.register(a, key, "x");
    for nonce in 0..100 {
        world.forge(b, a, &frame("x", nonce, 0, 1, &[0; limits::CHUNK_BYTES_MIN]));
    }
    world.run_for(Duration::from_secs(1));
    still_talks(&mut world, b, a, key);
    let before = world.node(a).dropped(key);
    world.run_for(limits::PARTIAL_IDLE_MAX + Duration::from_secs(1));
    assert_eq!(world.node(a).dropped(key) - before, 100);
    assert!(!world.has_left(a, b));
}

/// Three that are members of one room, all with an action `x`; the last one is to misbehave.
fn three() -> (World, [Who; 3], RoomKey) {
    let mut world = World::new();
    let all = ["a", "b", "c"].map(|id| world.add(id));
    let keys = all.map(|who| world.join(who, room("app", "room")));
    world.run_until(|world| {
        all.iter().all(|who| all.iter().all(|other| who == other || world.has_joined(*who, *other)))
    });
    all.iter().for_each(|who| world.register(*who, keys[0], "x"));
    (world, all, keys[0])
}

/// Lets `c` misbehave towards `a`, and checks that it is cut for that and that `b` is not disturbed.
fn is_cut_for(offence: Offence, misbehave: impl Fn(&mut World, Who, Who)) {
    let (mut world, [a, b, c], key) = three();
    misbehave(&mut world, c, a);
    world.run_for(Duration::from_secs(1));
    let (room, peer, reason) = (key, world.id(c), LeaveReason::Cut(offence));
    let cut = Event::PeerLeft { room, peer, reason };
    assert!(world.events(a).contains(&cut), "{:?}", world.events(a));
    assert!(!world.has_left(a, b) && !world.has_left(b, c));
    still_talks(&mut world, b, a, key);
}

#[test]
fn a_peer_that_begins_far_too_many_transmissions_is_cut() {
    is_cut_for(Offence::Unfinished, |world, c, a| {
        for nonce in 0..u16::MAX / 8 {
            world.forge(c, a, &frame("x", nonce, 0, 1, &[0; limits::CHUNK_BYTES_MIN]));
        }
    });
}

#[test]
fn a_peer_that_floods_tiny_chunks_is_cut() {
    is_cut_for(Offence::TinyChunks, |world, c, a| {
        for _ in 0..5_000 {
            world.forge(c, a, &frame("x", 0, 0, 1, b"."));
        }
    });
}

#[test]
fn a_peer_that_keeps_sending_metadata_that_is_not_json_is_cut() {
    is_cut_for(Offence::InvalidTransmission, |world, c, a| {
        for nonce in 0..2_000 {
            world.forge(c, a, &frame("x", nonce, META, 1, b"not json"));
        }
    });
}

#[test]
fn a_peer_that_answers_what_it_was_not_asked_is_cut_in_the_end() {
    let response = frame("@_response", 0, META | LAST, 255, br#"{"r":"01234567890123456789"}"#);
    is_cut_for(Offence::UnaskedResponse, move |world, c, a| {
        (0..2_000).for_each(|_| world.forge(c, a, &response));
    });
    is_cut_for(Offence::UnaskedPong, |world, c, a| {
        (0..2_000).for_each(|_| world.forge(c, a, &frame("@_pong", 0, LAST, 255, b"")));
    });
}

#[test]
fn a_peer_that_sends_broken_frames_without_end_is_cut() {
    is_cut_for(Offence::Malformed, |world, c, a| {
        (0..2_000).for_each(|_| world.forge(c, a, &[1, 0xff]));
    });
}

#[test]
fn a_few_offences_in_a_long_time_are_forgiven() {
    let (mut world, [a, _, c], _) = three();
    for _ in 0..3_000 {
        world.forge(c, a, &[1, 0xff]);
        world.run_for(Duration::from_millis(200));
    }
    assert!(!world.has_left(a, c));
}

#[test]
fn a_page_that_sends_sixty_messages_a_second_to_nobody_does_no_wrong() {
    let (mut world, [a, b, c], key) = three();
    for n in 0..60 * 60 {
        world.send(c, key, "position", "x, y");
        if n % 60 == 0 {
            world.run_for(Duration::from_secs(1));
        }
    }
    assert!(!world.has_left(a, c) && !world.has_left(b, c));
    assert!(world.node(a).dropped(key) > 2_000, "the oldest are dropped and counted");
}

#[test]
fn a_response_of_anyone_but_the_one_that_was_asked_is_ignored() {
    let (mut world, [a, b, c], key) = three();
    world.register_requests(b, key, "ask");
    let request = world.request(a, key, "ask", "?", RequestOptions::to(world.id(b)));
    world.run_until(|world| !world.requests(b).is_empty());
    let asked = world.sent_metadata(a, "ask").pop().unwrap();
    let wire_id = asked["r"].as_str().unwrap().to_owned();
    let claim = format!(r#"{{"r":"{wire_id}"}}"#);
    world.forge(c, a, &frame("@_response", 0, META | LAST, 255, claim.as_bytes()));
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.responses(a), []);
    let call = world.requests(b)[0].call;
    world.respond(b, key, call, Ok("!".into()));
    world.run_until(|world| !world.responses(a).is_empty());
    let [(answered, Ok(response))] = &world.responses(a)[..] else { panic!() };
    assert_eq!((*answered, &response.payload), (request, &Payload::from("!")));
}

#[test]
fn the_protocols_own_actions_out_of_turn_do_nothing() {
    let (mut world, [a, b, c], key) = three();
    world.take_events(a);
    for action in ["@_hsready", "@_hsdata", "@_stream", "@_signal", "@_nonsense"] {
        world.forge(c, a, &frame(action, 0, LAST, 255, b""));
        world.forge(c, a, &frame(action, 1, LAST | JSON, 255, br#"{"__trystero_pw":"challenge"}"#));
    }
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.events(a), []);
    assert!(!world.has_left(b, c));
    still_talks(&mut world, c, a, key);
}

#[test]
fn a_wrapped_nonce_does_not_append_to_what_remained_of_an_older_transmission() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.register(a, key, "x");
    world.forge(b, a, &frame("x", 7, 0, 200, b"remains"));
    world.forge(b, a, &frame("x", 7, 0, 128, b"new "));
    world.forge(b, a, &frame("x", 7, LAST, 255, b"text"));
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.messages(a)[0].payload, Payload::from("new text"));
}

#[test]
fn messages_that_nobody_asked_for_are_kept_within_bounds() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    for n in 0..limits::UNCLAIMED_MESSAGES_MAX + 10 {
        let nonce = u16::try_from(n % 65_536).unwrap();
        world.forge(b, a, &frame("x", nonce, LAST, 255, n.to_string().as_bytes()));
    }
    world.run_for(Duration::from_secs(1));
    world.register(a, key, "x");
    assert_eq!(world.messages(a).len(), limits::UNCLAIMED_MESSAGES_MAX);
    assert_eq!(world.messages(a)[0].payload, Payload::from("10"), "the oldest went first");
    assert_eq!(world.node(a).dropped(key), 10);
}

#[test]
fn a_peer_that_is_not_admitted_can_say_nothing() {
    let mut world = World::new();
    let (a, b) = (world.add("a"), world.add("b"));
    let key = world.join(a, with_password("secret"));
    // B has no password for the second room, so it is connected and never admitted there.
    world.join(b, with_password("secret"));
    world.run_until(|world| world.has_joined(a, b));
    let second = with_second_room("secret");
    let second_key = world.join(a, second);
    world.join(b, with_second_room(""));
    world.take_events(a);
    world.register(a, second_key, "x");
    let mut bytes = BytesMut::new();
    Frame::emit_room_header(&RoomToken::of_room("app", "second"), &mut bytes);
    let inner = frame("x", 0, LAST, 255, b"let me in");
    bytes.extend_from_slice(&inner[3 + 64..]);
    world.forge(b, a, &bytes);
    world.run_for(Duration::from_secs(20));
    assert_eq!(world.messages(a), []);
    let timed_out = |event: &Event| {
        matches!(event, Event::JoinFailed { failure: JoinFailure::HandshakeTimedOut { .. }, .. })
    };
    assert!(world.events(a).iter().any(timed_out), "{:?}", world.events(a));
    assert!(world.events(b).iter().any(timed_out), "{:?}", world.events(b));
    assert!(!world.has_left(a, b));
    still_talks(&mut world, b, a, key);
}

fn with_second_room(password: &str) -> tristero_proto::RoomConfig {
    tristero_proto::RoomConfig { password: password.into(), ..room("app", "second") }
}

#[test]
fn presence_in_very_many_rooms_is_forgotten() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    for n in 0..limits::REMOTE_ROOMS_MAX * 3 {
        let mut bytes = BytesMut::new();
        let token = RoomToken::of_room("app", &n.to_string());
        Frame::emit_presence(&token, true, &mut bytes);
        world.forge(b, a, &bytes);
    }
    world.run_for(Duration::from_secs(1));
    still_talks(&mut world, b, a, key);
}

#[test]
fn datagrams_from_strangers_change_nothing() {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    let mut rng = Seed::from_number(4).rng("strangers");
    for _ in 0..1_000 {
        let mut bytes = [0; 64];
        rng.fill(&mut bytes);
        let path = tristero_proto::engine::Path {
            local: ([10, 0, 0, 1], 1_000).into(),
            remote: ([192, 0, 2, 1], 9).into(),
        };
        let datagram = tristero_proto::engine::Datagram { path, ecn: None, bytes: &bytes };
        world.input(a, Input::Engine(EngineInput::Datagram(datagram)));
    }
    still_talks(&mut world, b, a, key);
}

#[test]
fn a_room_with_a_peer_of_any_name_works() {
    let (mut world, a, _, key) = World::met(&room("app", "room"));
    for id in ["\u{FFFD}", "\u{1F600}", "'\"<>&", " "] {
        let peer = PeerId::new(id).unwrap();
        world.inject(root().as_str(), &serde_json::json!({ "peerId": peer }).to_string());
    }
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.node(a).dropped(key), 0);
}

#[test]
fn a_nudge_and_a_leave_do_not_end_the_connection_of_other_rooms() {
    for leaver in 0..2 {
        let (mut world, a, b, key) = World::met(&room("app", "room"));
        for who in [a, b] {
            world.join(who, room("app", "second"));
        }
        world.run_for(Duration::from_secs(1));
        let topic = Topic::of_peer("app", "room", &world.id(a));
        world.inject(topic.as_str(), r#"{"peerId":"b"}"#);
        world.run_for(Duration::from_millis(7));
        world.leave([a, b][leaver], key);
        world.take_events(a);
        world.run_for(Duration::from_secs(10));
        let is_lost =
            |event: &Event| matches!(event, Event::PeerLeft { reason: LeaveReason::Lost(_), .. });
        assert!(!world.events(a).iter().any(is_lost), "{:?}", world.events(a));
    }
}

#[test]
fn a_peer_that_talks_is_not_replaced_because_its_answer_to_a_probe_is_late() {
    let (mut world, a, b, _) = World::met(&room("app", "room"));
    world.stalls.insert(b);
    let topic = Topic::of_peer("app", "room", &world.id(a));
    world.inject(topic.as_str(), r#"{"peerId":"b"}"#);
    for nonce in 0..100 {
        world.forge(b, a, &frame("x", nonce, LAST, 255, b"alive"));
        world.run_for(Duration::from_millis(100));
    }
    assert!(!world.has_left(a, b));
}

#[test]
fn answers_that_do_not_decrypt_are_one_join_failure_however_many_come() {
    let mut world = World::new();
    let a = world.add("a");
    let key = world.join(a, room("app", "room"));
    world.run_for(Duration::from_secs(1));
    let topic = Topic::root("app", "room");
    world.inject(topic.as_str(), r#"{"peerId":"z"}"#);
    world.run_for(Duration::from_millis(100));
    for _ in 0..1_000 {
        world.inject(topic.as_str(), r#"{"peerId":"z","answer":"nonsense"}"#);
    }
    world.run_for(Duration::from_secs(1));
    let is_failure = |event: &&Event| matches!(event, Event::JoinFailed { .. });
    assert_eq!(world.events(a).iter().filter(is_failure).count(), 1);
    assert!(world.node(a).dropped(key) >= 999);
}

#[test]
fn a_peer_that_was_cut_is_not_connected_to_for_a_minute() {
    let (mut world, [a, b, c], _) = three();
    (0..2_000).for_each(|_| world.forge(c, a, &[1, 0xff]));
    world.run_until(|world| world.has_left(a, c));
    world.take_events(a);
    world.run_for(Duration::from_secs(50));
    assert!(!world.has_joined(a, c) && !world.has_left(a, b));
    world.run_until(|world| world.has_joined(a, c));
}

#[test]
fn a_peer_that_comes_and_goes_without_end_is_cut() {
    let (mut world, [a, b, c], key) = three();
    let mut presence = Vec::new();
    Frame::emit_presence(&RoomToken::of_room("app", "room"), true, &mut presence);
    for nonce in 0..2_000 {
        world.forge(c, a, &frame("@_leave", nonce, LAST, 255, b""));
        world.forge(c, a, &presence);
        world.forge(c, a, &frame("@_hsready", nonce, LAST, 255, b""));
    }
    world.run_for(Duration::from_secs(30));
    let id = world.id(c);
    let is_join = |e: &&Event| matches!(e, Event::PeerJoined { peer, .. } if *peer == id);
    let joins = world.events(a).iter().filter(is_join).count();
    assert!(joins <= limits::OFFENCES_MAX as usize + 1, "{joins}");
    assert!(!world.node(a).peers(key).any(|peer| *peer == id) && !world.has_left(a, b));
}

#[test]
fn a_relay_that_repeats_an_announce_does_not_repeat_a_handshake_as_often() {
    let mut world = World::new();
    let (a, b) = (world.add("a"), world.add("b"));
    let guarded = || tristero_proto::RoomConfig { handshake: true, ..room("app", "room") };
    let key = world.join(a, guarded());
    world.join(b, guarded());
    let topic = Topic::root("app", "room");
    for _ in 0..500 {
        world.run_for(Duration::from_millis(10));
        world.inject(topic.as_str(), r#"{"peerId":"b"}"#);
        let now = world.now;
        let runs: Vec<_> = world
            .events(a)
            .iter()
            .filter_map(|event| match event {
                Event::Handshake { handshake, .. } => Some(*handshake),
                _ => None,
            })
            .collect();
        for run in runs {
            let _ = world.with(a, |node| node.handshake_refuse(key, run, "no".into(), now));
        }
    }
    let runs = world.events(a).iter().filter(|e| matches!(e, Event::Handshake { .. })).count();
    assert!((2..=6).contains(&runs), "{runs} in five seconds");
}
