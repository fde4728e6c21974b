//! A message of the data channel: a frame, the chunk in it, and the chunk's payload.

use bytes::{Bytes, BytesMut};
use tristero_proto::wire::{Chunk, Frame, Payload, Tag};

/// Reads bytes as a frame. What can be read is written and read again, and is the same.
pub fn run(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    read_chunk(&bytes);
    let Ok(frame) = Frame::parse(&bytes) else { return };
    let mut again = BytesMut::new();
    match &frame {
        Frame::Room { token, chunk } => {
            Frame::emit_room_header(token, &mut again);
            again.extend_from_slice(chunk);
            assert_eq!(again, bytes, "a frame is written as it was read");
            read_chunk(chunk);
        }
        Frame::Presence { token, is_present } => {
            Frame::emit_presence(token, *is_present, &mut again);
        }
        Frame::Bundle { token, chunks } => {
            Frame::emit_room_header(token, &mut again);
            let mut length = again.len();
            for chunk in chunks.clone() {
                length += 2 + chunk.len();
                read_chunk(&chunk);
            }
            assert_eq!(length, bytes.len(), "a bundle is its chunks and nothing else");
            return;
        }
        Frame::Hello(hello) => Frame::emit_hello(*hello, &mut again),
        Frame::Unknown(_) => return,
    }
    assert_eq!(Frame::parse(&again.freeze()), Ok(frame), "a frame says the same again");
}

fn read_chunk(bytes: &Bytes) {
    let Ok(chunk) = Chunk::parse(bytes) else { return };
    let mut again = BytesMut::new();
    chunk.emit(&mut again);
    assert_eq!(again, bytes, "a chunk is written as it was read");
    let Ok(payload) = Payload::parse(chunk.tag, chunk.payload) else { return };
    let (bits, emitted) = payload.clone().emit();
    let read = Payload::parse(Tag(bits), emitted).expect("what was written can be read");
    let is_same = match (&payload, &read) {
        // A JSON string travels as text.
        (Payload::Json(json), Payload::Text(text)) => json == text.as_str(),
        (payload, read) => payload == read,
    };
    assert!(is_same, "a payload says the same again: {payload:?} {read:?}");
}
