//! The golden vectors and captures in `tests/wire`: what JavaScript's Trystero 0.25.4 computed and
//! sent. Where the description of the protocol and these disagree, these are right.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::path::Path;

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use tristero_proto::PeerId;
use tristero_proto::Time;
use tristero_proto::crypto::{RoomToken, SignalKey, Topic, password_proof};
use tristero_proto::signaling::{LinkFrame, RelayUrl, SessionInput, SessionOutput, Strategy};
use tristero_proto::strategies::WsRelay;
use tristero_proto::wire::{CandidateInit, Chunk, Frame, Signal, SignalBody};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn vectors(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(&read("vectors.json")).unwrap();
    all[name].as_array().unwrap().clone()
}

fn rows(name: &str) -> Vec<Value> {
    read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("no text {key} in {row}"))
}

fn unhex(text: &str) -> Bytes {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn key(row: &Value) -> SignalKey {
    SignalKey::derive(text(row, "password"), text(row, "appId"), text(row, "roomId"))
}

#[test]
fn topics_and_room_tokens() {
    for row in vectors("topics") {
        let (app, room) = (text(&row, "appId"), text(&row, "roomId"));
        let peer = PeerId::new(text(&row, "peerId")).unwrap();
        assert_eq!(Topic::root(app, room).as_str(), text(&row, "rootTopic"));
        assert_eq!(Topic::of_peer(app, room, &peer).as_str(), text(&row, "selfTopic"));
        assert_eq!(RoomToken::of_room(app, room).as_bytes(), text(&row, "roomToken").as_bytes());
    }
}

#[test]
fn envelopes_are_opened_and_with_their_iv_reproduced() {
    for row in vectors("encryption") {
        let (key, plaintext) = (key(&row), text(&row, "plaintext"));
        let iv = unhex(text(&row, "ivHex")).as_ref().try_into().unwrap();
        assert_eq!(key.seal_with_iv(plaintext, iv), text(&row, "wire"));
        assert_eq!(key.open(text(&row, "wire")).as_deref(), Ok(plaintext));
        assert_eq!(key.open(text(&row, "packageEncrypted")).as_deref(), Ok(plaintext));
    }
}

#[test]
fn envelopes_from_the_wire_of_every_strategy_are_opened() {
    for row in vectors("liveSamples") {
        let opened = key(&row).open(text(&row, "wire"));
        assert_eq!(opened.as_deref(), Ok(text(&row, "plaintext")), "{}", row["file"]);
        if text(&row, "field") == "candidate" {
            assert!(CandidateInit::parse(&opened.unwrap()).is_some(), "{row}");
        }
    }
}

#[test]
fn password_proofs() {
    for row in vectors("passwordHandshake") {
        let challenge = text(&row["challengeMessage"], "c");
        let (password, app, room) =
            (text(&row, "password"), text(&row, "appId"), text(&row, "roomId"));
        let proof = password_proof(challenge, password, app, room);
        assert_eq!(proof, text(&row["responseMessage"], "h"));
    }
}

/// Compares a frame with what the capture says of it, and writes it again.
fn check_frame(bytes: &Bytes, decoded: &Value) {
    let mut again = BytesMut::new();
    match Frame::parse(bytes).unwrap() {
        Frame::Presence { token, is_present } => {
            assert_eq!(text(decoded, "frame"), "presence");
            assert_eq!(decoded["present"], is_present);
            assert_eq!(token.as_bytes(), text(decoded, "roomToken").as_bytes());
            Frame::emit_presence(&token, is_present, &mut again);
        }
        Frame::Room { token, chunk } => {
            assert_eq!(text(decoded, "frame"), "room");
            assert_eq!(token.as_bytes(), text(decoded, "roomToken").as_bytes());
            let chunk = Chunk::parse(&chunk).unwrap();
            assert_eq!(chunk.action.as_str(), text(decoded, "action"));
            assert_eq!(decoded["nonce"], chunk.nonce);
            assert_eq!(decoded["tag"], chunk.tag.0);
            assert_eq!(decoded["progress"], chunk.progress);
            Frame::emit_room_header(&token, &mut again);
            chunk.emit(&mut again);
        }
        Frame::Hello(_) => panic!("JavaScript says no hello"),
        Frame::Unknown(kind) => panic!("frame of kind {kind}"),
    }
    assert_eq!(again, bytes);
}

#[test]
fn frames_are_parsed_and_written_again_to_the_same_bytes() {
    let frames = vectors("frames");
    assert_eq!(frames.len(), 59);
    for row in frames {
        check_frame(&unhex(text(&row, "hex")), &row["decoded"]);
    }
}

#[test]
fn every_captured_message_of_the_data_channel_is_parsed_and_written_again() {
    let mut checked = 0;
    for name in ["actions-open", "handshake-password-secret"] {
        let rows = rows(&format!("datachannel/{name}.jsonl"));
        let messages = rows.iter().filter(|row| row["dir"].is_string());
        for row in messages.filter(|row| row["truncated"] != true) {
            check_frame(&unhex(text(row, "hex")), &row["decoded"]);
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn the_ws_relay_captures_parse_and_their_signals_decrypt() {
    let mut kinds = [0; 4];
    for scenario in ["open", "passive", "password-secret", "wrong-password"] {
        let rows = rows(&format!("ws-relay/trystero-server-{scenario}.jsonl"));
        let meta = &rows[0]["meta"];
        let (app, room) = (text(meta, "appId"), text(meta, "roomId"));
        for row in rows.iter().filter(|row| row["dir"] == "s2c") {
            let mut session = WsRelay.session(&RelayUrl::web_socket("ws://localhost").unwrap());
            let frame = LinkFrame::Text(text(row, "text").to_owned());
            session.handle_input(SessionInput::Frame(frame), Time::ZERO);
            let Some(SessionOutput::Message { topic, body }) = session.poll_output() else {
                panic!("not a message: {row}");
            };
            let signal = Signal::parse(&body).unwrap();
            // Each server frame goes to a peer that is not always the sender.
            let sender_of = |config: &str| meta[config]["password"].as_str().unwrap_or_default();
            let passwords = [sender_of("configA"), sender_of("configB")];
            let opens = |sealed: &str| {
                passwords.iter().any(|p| SignalKey::derive(p, app, room).open(sealed).is_ok())
            };
            match &signal.body {
                SignalBody::Announce => kinds[0] += 1,
                SignalBody::Offer { sealed, .. } => {
                    assert!(opens(sealed));
                    kinds[1] += 1;
                }
                SignalBody::Answer { sealed, .. } => {
                    assert!(opens(sealed));
                    kinds[2] += 1;
                }
                SignalBody::Candidate { sealed, .. } => {
                    assert!(opens(sealed));
                    kinds[3] += 1;
                }
            }
            if topic == Topic::root(app, room) {
                assert_eq!(signal.body, SignalBody::Announce);
            }
            assert_eq!(signal.emit(), body, "ours writes the same bytes");
        }
    }
    assert!(kinds.iter().all(|count| *count >= 3), "{kinds:?}");
}

#[test]
fn what_ours_sends_to_a_ws_relay_has_the_captured_form() {
    let rows = rows("ws-relay/trystero-server-open.jsonl");
    for row in rows.iter().filter(|row| row["dir"] == "c2s") {
        let frame: Value = serde_json::from_str(text(row, "text")).unwrap();
        let topic = Topic::from_wire(text(&frame, "topic"));
        let input = match text(&frame, "type") {
            "subscribe" => SessionInput::Subscribe(&topic),
            "unsubscribe" => SessionInput::Unsubscribe(&topic),
            "publish" => SessionInput::Publish { topic: &topic, body: text(&frame, "payload") },
            other => panic!("a request of type {other}"),
        };
        let mut session = WsRelay.session(&RelayUrl::web_socket("ws://localhost").unwrap());
        session.handle_input(input, Time::ZERO);
        let ours = session.poll_output();
        let theirs = LinkFrame::Text(text(row, "text").to_owned());
        assert_eq!(ours, Some(SessionOutput::Send(theirs)));
    }
}
