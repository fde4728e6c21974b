//! Bytes as what happens, one step after another, and what happens as bytes.
//!
//! Everything is read from the front and has one length, but for texts, which say theirs: so a seed
//! can be written down, and a mutation in one place leaves the rest as it was.

use arbitrary::{Arbitrary, Result, Unstructured};
use tristero_proto::crypto::RoomToken;
use tristero_proto::wire::Frame;

/// Reads steps until the bytes end, at most so many.
pub(crate) fn steps<'a, T: Arbitrary<'a>>(bytes: &'a [u8], count_max: usize) -> Vec<T> {
    let mut bytes = Unstructured::new(bytes);
    let mut steps = Vec::new();
    while !bytes.is_empty() && steps.len() < count_max {
        steps.extend(bytes.arbitrary::<T>().ok());
    }
    steps
}

/// Bytes behind their length.
pub(crate) fn blob(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let length = usize::from(bytes.arbitrary::<u16>()?).min(bytes.len());
    Ok(bytes.bytes(length)?.to_vec())
}

/// The same as a text.
pub(crate) fn text(bytes: &mut Unstructured<'_>) -> Result<String> {
    Ok(String::from_utf8_lossy(&blob(bytes)?).into_owned())
}

/// Writes what [`blob`] reads. What is longer than any is cut off.
pub(crate) fn emit_blob(blob: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(blob.len()).unwrap_or(u16::MAX);
    out.extend(length.to_le_bytes());
    out.extend(&blob[..usize::from(length)]);
}

/// A room's frames of one chunk, so many times. The first three bytes say which action it is of,
/// and its tag and progress; all have a nonce of their own if they are to be many transmissions.
pub(crate) fn flood(token: &RoomToken, chunk: &[u8], times: usize) -> Vec<Vec<u8>> {
    let Some(([action, tag, progress], payload)) = chunk.split_first_chunk() else {
        return Vec::new();
    };
    let name = ACTIONS[usize::from(*action) % ACTIONS.len()].as_bytes();
    let is_many = tag & 0x80 > 0;
    let frame = |time: usize| {
        let mut frame = Vec::new();
        Frame::emit_room_header(token, &mut frame);
        frame.extend(name);
        frame.resize(frame.len() + 32 - name.len(), 0);
        let nonce = if is_many { time } else { usize::from(tag >> 4) };
        frame.extend(u16::try_from(nonce).unwrap_or(u16::MAX).to_be_bytes());
        frame.extend([tag & 0x0f, *progress]);
        frame.extend(payload);
        frame
    };
    (0..=times).map(frame).collect()
}

/// Actions that a chunk may be of: those that are registered, one that is not, and the protocol's.
const ACTIONS: [&str; 12] = [
    "x",
    "y",
    "z",
    "w",
    "other",
    "@_leave",
    "@_hsready",
    "@_hsdata",
    "@_ping",
    "@_pong",
    "@_response",
    "@_stream",
];
