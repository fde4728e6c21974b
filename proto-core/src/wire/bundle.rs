//! Many small chunks of one room as one message, between peers that both know how.
//!
//! A message costs the layers below much more than its bytes do, so those that are sent in one go
//! travel together.
//!
//! spec: docs/protocol.md, section 12

use bytes::{Buf, BufMut, Bytes};

use super::chunk::Chunk;
use super::frame::{Frame, FrameError};
use crate::crypto::RoomToken;

/// The length of a chunk, before it.
const LENGTH_BYTES: usize = 2;

/// A message that is being written: a room frame as long as there is one chunk, then a bundle.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    bytes: Vec<u8>,
    header_bytes: usize,
    chunks: usize,
}

impl Bundle {
    /// The longest chunk that is put into a bundle, in bytes: where one is longer, what the message
    /// costs is little beside what its bytes do.
    pub(crate) const CHUNK_BYTES_MAX: usize = 4 * 1024;

    /// The longest bundle, in bytes: no longer than the message of a full chunk, which is what every
    /// peer takes.
    pub(crate) const BYTES_MAX: usize = 16 * 1024;

    /// Begins the message with the first chunk, of this room.
    pub(crate) fn begin(&mut self, token: &RoomToken, emit: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.clear();
        Frame::emit_room_header(token, &mut self.bytes);
        self.header_bytes = self.bytes.len();
        self.chunks = 1;
        emit(&mut self.bytes);
    }

    /// Whether a chunk of that room, of this many bytes, fits.
    pub(crate) fn has_room_for(&self, length: usize) -> bool {
        // The first gets a length too when it is no longer alone.
        let more = length + 2 * LENGTH_BYTES;
        self.chunks > 0
            && length <= Self::CHUNK_BYTES_MAX
            && self.bytes.len() + more <= Self::BYTES_MAX
    }

    /// Adds a chunk of that room, for which [there is room](Self::has_room_for).
    pub(crate) fn push(&mut self, length: usize, emit: impl FnOnce(&mut Vec<u8>)) {
        let to_wire = |length| u16::try_from(length).expect("bundled chunks are small");
        if self.chunks == 1 {
            let first = to_wire(self.bytes.len() - self.header_bytes);
            let at = self.header_bytes;
            self.bytes.splice(at..at, first.to_be_bytes());
            Frame::mark_bundle(&mut self.bytes);
        }
        self.bytes.put_u16(to_wire(length));
        emit(&mut self.bytes);
        self.chunks += 1;
    }

    /// The message so far.
    pub(crate) fn message(&self) -> &[u8] {
        &self.bytes
    }
}

/// The chunks of a bundle, none of them parsed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundledChunks(Bytes);

impl BundledChunks {
    /// Takes what follows the token, if all of it is chunks with their lengths.
    pub(super) fn parse(bytes: Bytes) -> Result<Self, FrameError> {
        let mut rest = &*bytes;
        loop {
            let (length, after) = rest.split_first_chunk().ok_or(FrameError::Truncated)?;
            let length = usize::from(u16::from_be_bytes(*length));
            if !(Chunk::HEADER_BYTES..=Bundle::CHUNK_BYTES_MAX).contains(&length) {
                return Err(FrameError::ChunkLength(length));
            }
            rest = after.get(length..).ok_or(FrameError::Truncated)?;
            if rest.is_empty() {
                return Ok(BundledChunks(bytes));
            }
        }
    }
}

/// A copy of what may be a view of a much longer message, for those who keep it. What is longer than
/// a bundled chunk may be came in a message of its own.
pub(crate) fn detached(bytes: &Bytes) -> Bytes {
    if bytes.len() <= Bundle::CHUNK_BYTES_MAX {
        Bytes::copy_from_slice(bytes)
    } else {
        bytes.clone()
    }
}

/// Each is a view of the message, which it keeps in memory.
impl Iterator for BundledChunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.0.is_empty() {
            return None;
        }
        let length = usize::from(self.0.get_u16());
        Some(self.0.split_to(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> RoomToken {
        RoomToken::from_wire(b"room")
    }

    fn chunk(byte: u8, length: usize) -> Vec<u8> {
        vec![byte; length]
    }

    fn bundle(chunks: &[Vec<u8>]) -> Bundle {
        let mut bundle = Bundle::default();
        bundle.begin(&token(), |out| out.extend(&chunks[0]));
        for chunk in &chunks[1..] {
            assert!(bundle.has_room_for(chunk.len()));
            bundle.push(chunk.len(), |out| out.extend(chunk));
        }
        bundle
    }

    fn parse(message: &[u8]) -> Result<Frame, FrameError> {
        Frame::parse(&Bytes::copy_from_slice(message))
    }

    #[test]
    fn one_chunk_is_a_room_frame() {
        let bundle = bundle(&[chunk(1, 40)]);
        let chunk = chunk(1, 40).into();
        assert_eq!(parse(bundle.message()), Ok(Frame::Room { token: token(), chunk }));
    }

    #[test]
    fn more_are_a_bundle_in_their_order() {
        let chunks = [chunk(1, 36), chunk(2, 4_000), chunk(3, 99)];
        let bundle = bundle(&chunks);
        assert_eq!(bundle.message()[..9], [4, 0, 4, b'r', b'o', b'o', b'm', 0, 36]);
        let Ok(Frame::Bundle { token: of, chunks: parsed }) = parse(bundle.message()) else {
            panic!("{:?}", parse(bundle.message()));
        };
        assert_eq!(of, token());
        assert!(parsed.eq(chunks));
    }

    #[test]
    fn a_bundle_is_never_longer_than_the_message_of_a_full_chunk() {
        let mut bundle = bundle(&[chunk(1, Bundle::CHUNK_BYTES_MAX)]);
        while bundle.has_room_for(100) {
            bundle.push(100, |out| out.extend(chunk(2, 100)));
        }
        assert!((Bundle::BYTES_MAX - 110..=Bundle::BYTES_MAX).contains(&bundle.message().len()));
        assert!(!Bundle::default().has_room_for(100), "it has not begun");
    }

    #[test]
    fn what_is_not_all_chunks_is_refused_as_a_whole() {
        let good = bundle(&[chunk(1, 40), chunk(2, 40)]).message().to_vec();
        let header = 1 + 2 + 4;
        for end in header..good.len() {
            let is_whole = end == header + 2 + 40;
            assert_eq!(parse(&good[..end]).is_ok(), is_whole, "{end}");
        }
        let mut short = good[..header].to_vec();
        short.extend([0, 35]);
        short.extend([0; 35]);
        assert_eq!(parse(&short), Err(FrameError::ChunkLength(35)));
    }

    #[test]
    fn longer_chunks_and_longer_bundles_than_ours_are_refused() {
        let header = |length: u16| {
            let mut bundle = vec![4, 0, 1, b'a'];
            bundle.extend(length.to_be_bytes());
            bundle
        };
        let longest = u16::try_from(Bundle::CHUNK_BYTES_MAX).unwrap();
        let mut message = header(longest);
        message.resize(message.len() + usize::from(longest), 1);
        assert!(parse(&message).is_ok());
        let mut message = header(longest + 1);
        message.resize(message.len() + usize::from(longest) + 1, 1);
        assert_eq!(parse(&message), Err(FrameError::ChunkLength(4_097)));
        let chunks: Vec<u8> = [&[0, 200][..], &[1; 200]].concat().repeat(81);
        let long = [&[4, 0, 1, b'a'][..], &chunks].concat();
        assert!(long.len() <= Bundle::BYTES_MAX && parse(&long).is_ok());
        let longer = [&long[..], &[0, 200], &[1; 200]].concat();
        assert_eq!(parse(&longer), Err(FrameError::BundleLength(longer.len())));
    }
}
