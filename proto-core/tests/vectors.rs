//! The golden vectors and captures in `tests/wire`: what JavaScript's Trystero 0.25.4 computed and
//! sent. Where the description of the protocol and these disagree, these are right.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod wire;

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use tristero_proto::PeerId;
use tristero_proto::crypto::{RoomToken, SignalKey, Topic, password_proof};
use tristero_proto::wire::{CandidateInit, Chunk, Frame};

fn vectors(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(wire::read("vectors.json")).unwrap();
    all[name].as_array().unwrap().clone()
}

fn rows(name: &str) -> Vec<Value> {
    wire::read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
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
        Frame::Hello(_) | Frame::Bundle { .. } => panic!("JavaScript has neither"),
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
