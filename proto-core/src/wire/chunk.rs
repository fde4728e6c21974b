//! Action chunks: the pieces that every transmission is cut into.
//!
//! spec: docs/protocol.md, section 4

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use bytes::{BufMut, Bytes};

const NAME_BYTES: usize = 32;

/// Trystero sends messages of 16 KiB, header included.
const CHUNK_BYTES: usize = 16 * 1024;

/// The name of an action: 1 to 32 bytes of UTF-8.
///
/// Names that begin with `@_` belong to the protocol.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionName(Arc<str>);

/// A text that can't name an action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidActionName {
    /// It is empty, or longer than the wire has room for.
    #[error("an action's name has 1 to 32 bytes, and {0:?} has {len}", len = .0.len())]
    Length(String),
    /// It begins as the protocol's own actions do.
    #[error("{0:?} is reserved: names that begin with \"@_\" belong to the protocol")]
    Reserved(String),
    /// It ends in the byte that pads names on the wire.
    #[error("an action's name can't contain a NUL character")]
    Nul,
}

impl ActionName {
    /// Takes a text as the name of an application's action.
    pub fn new(name: &str) -> Result<Self, InvalidActionName> {
        if name.is_empty() || name.len() > NAME_BYTES {
            return Err(InvalidActionName::Length(name.to_owned()));
        }
        if name.starts_with("@_") {
            return Err(InvalidActionName::Reserved(name.to_owned()));
        }
        if name.contains('\0') {
            return Err(InvalidActionName::Nul);
        }
        Ok(ActionName(name.into()))
    }

    /// One of the protocol's own names.
    pub(crate) fn internal(name: &'static str) -> Self {
        debug_assert!(name.starts_with("@_") && name.len() <= NAME_BYTES);
        ActionName(name.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(padded: &[u8; NAME_BYTES]) -> Result<&str, ChunkError> {
        let length = padded.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let name = str::from_utf8(&padded[..length]).map_err(|_| ChunkError::Name)?;
        if name.is_empty() {
            return Err(ChunkError::Name);
        }
        Ok(name)
    }
}

impl Borrow<str> for ActionName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What a chunk says of itself, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub u8);

impl Tag {
    /// The transmission ends with this chunk.
    pub const LAST: u8 = 1;
    /// The chunk is the metadata.
    pub const META: u8 = 2;
    /// The payload is binary.
    pub const BINARY: u8 = 4;
    /// The payload is not a string: JSON, or binary.
    pub const JSON: u8 = 8;

    /// Whether this bit is set.
    pub const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }
}

/// One piece of a transmission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// What the transmission is for.
    pub action: ActionName,
    /// Which transmission of that action this belongs to.
    pub nonce: u16,
    /// What the chunk is.
    pub tag: Tag,
    /// How much of the transmission was there with this chunk, in 255ths.
    pub progress: u8,
    /// The piece.
    pub payload: Bytes,
}

/// Why bytes are no chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The chunk ends before its header does.
    #[error("the chunk is truncated")]
    Truncated,
    /// The action's name is empty, or is not UTF-8.
    #[error("the action's name is not valid")]
    Name,
}

impl Chunk {
    /// What comes before the payload, in bytes.
    pub(crate) const HEADER_BYTES: usize = NAME_BYTES + 4;

    /// The most payload that one chunk carries, in bytes; metadata may be longer.
    pub const PAYLOAD_BYTES: usize = CHUNK_BYTES - Self::HEADER_BYTES;

    /// Reads a chunk; the payload is a view of `bytes`.
    pub fn parse(bytes: &Bytes) -> Result<Chunk, ChunkError> {
        Self::parse_named(bytes, |_| None)
    }

    /// Reads a chunk, and takes the name of its action from who knows it already.
    pub(crate) fn parse_named<'a>(
        bytes: &Bytes,
        known: impl FnOnce(&str) -> Option<&'a ActionName>,
    ) -> Result<Chunk, ChunkError> {
        let (header, _) =
            bytes.split_first_chunk::<{ Self::HEADER_BYTES }>().ok_or(ChunkError::Truncated)?;
        let (name, rest) = header.split_first_chunk().expect("the header holds the name");
        let [nonce_high, nonce_low, tag, progress] = *rest else {
            unreachable!("four bytes follow the name");
        };
        let name = ActionName::parse(name)?;
        Ok(Chunk {
            action: known(name).cloned().unwrap_or_else(|| ActionName(name.into())),
            nonce: u16::from_be_bytes([nonce_high, nonce_low]),
            tag: Tag(tag),
            progress,
            payload: bytes.slice(Self::HEADER_BYTES..),
        })
    }

    /// Whether it is a transmission by itself, without metadata.
    pub(crate) fn is_whole(&self) -> bool {
        self.tag.has(Tag::LAST) && !self.tag.has(Tag::META)
    }

    /// Writes the chunk.
    pub fn emit(&self, out: &mut impl BufMut) {
        let Chunk { action, nonce, tag, progress, payload } = self;
        Self::emit_parts(action, *nonce, *tag, *progress, payload, out);
    }

    /// Writes the chunk of these parts.
    pub(super) fn emit_parts(
        action: &ActionName,
        nonce: u16,
        tag: Tag,
        progress: u8,
        payload: &[u8],
        out: &mut impl BufMut,
    ) {
        let name = action.as_str().as_bytes();
        out.put_slice(name);
        out.put_bytes(0, NAME_BYTES - name.len());
        out.put_u16(nonce);
        out.put_u8(tag.0);
        out.put_u8(progress);
        out.put_slice(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_without_a_whole_header_or_a_name_are_refused() {
        assert_eq!(Chunk::parse(&Bytes::from(vec![b'a'; 35])), Err(ChunkError::Truncated));
        assert_eq!(Chunk::parse(&Bytes::from(vec![0; 36])), Err(ChunkError::Name));
        assert_eq!(Chunk::parse(&Bytes::from(vec![0xff; 36])), Err(ChunkError::Name));
    }

    #[test]
    fn names_have_1_to_32_bytes_and_are_not_the_protocols() {
        assert!(ActionName::new("ü".repeat(16).as_str()).is_ok());
        let long = "ü".repeat(17);
        assert_eq!(ActionName::new(&long), Err(InvalidActionName::Length(long)));
        assert_eq!(ActionName::new(""), Err(InvalidActionName::Length(String::new())));
        assert_eq!(ActionName::new("@_ping"), Err(InvalidActionName::Reserved("@_ping".into())));
        assert_eq!(ActionName::new("a\0"), Err(InvalidActionName::Nul));
    }
}
