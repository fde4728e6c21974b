//! What peers send: signals through relays, and messages over the data channel.

use bytes::{Bytes, BytesMut};
use tristero_proto::crypto::SignalKey;
use tristero_proto::wire::{CandidateInit, Chunk, Frame, Signal};

/// Reads bytes as each thing that a peer may send. What can be read is written and read again, and
/// is the same.
pub fn read(bytes: &[u8]) {
    read_frame(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        read_signal(text);
    }
}

fn read_frame(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let _ = Chunk::parse(&bytes);
    if let Ok(Frame::Room { token, chunk }) = Frame::parse(&bytes) {
        let mut again = BytesMut::new();
        Frame::emit_room_header(&token, &mut again);
        again.extend_from_slice(&chunk);
        assert_eq!(again.freeze(), bytes, "a frame is written as it was read");
        let _ = Chunk::parse(&chunk);
    }
}

fn read_signal(text: &str) {
    if let Ok(signal) = Signal::parse(text) {
        assert_eq!(Signal::parse(&signal.emit()), Ok(signal), "a signal says the same again");
    }
    if let Some(candidate) = CandidateInit::parse(text) {
        let again = CandidateInit::parse(&candidate.emit());
        assert_eq!(again, Some(candidate), "a candidate says the same again");
    }
    let _ = SignalKey::derive("password", "app", "room").open(text);
}
