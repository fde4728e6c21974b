//! The frames of the data channel: one message is one frame.
//!
//! spec: docs/protocol.md, section 3

use std::fmt;

use bytes::{BufMut, Bytes};

use super::bundle::{Bundle, BundledChunks};
use crate::crypto::RoomToken;

const KIND_ROOM: u8 = 1;
const KIND_PRESENCE: u8 = 2;
const KIND_HELLO: u8 = 3;
const KIND_BUNDLE: u8 = 4;
const PRESENT: u8 = 1;
const GONE: u8 = 0;

/// The longest room token that is taken from a peer, in bytes (JavaScript's have 64).
const TOKEN_BYTES_MAX: usize = 256;

/// One message of the data channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Something for a room.
    Room {
        /// The room.
        token: RoomToken,
        /// The action chunk, not parsed yet.
        chunk: Bytes,
    },
    /// The sender is in a room, or is there no longer.
    Presence {
        /// The room.
        token: RoomToken,
        /// Whether the sender is there.
        is_present: bool,
    },
    /// The sender is one of ours. JavaScript ignores it.
    ///
    /// spec: docs/protocol.md, section 12
    Hello(Hello),
    /// Some things for one room, in their order, from one of ours. JavaScript ignores it.
    ///
    /// spec: docs/protocol.md, section 12
    Bundle {
        /// The room.
        token: RoomToken,
        /// The action chunks, not parsed yet.
        chunks: BundledChunks,
    },
    /// A kind of frame that this version does not know, to be ignored.
    Unknown(
        /// The first byte.
        u8,
    ),
}

/// What a peer of ours says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// What it can do.
    pub capabilities: Capabilities,
    /// The secret that seals what it is told of this connection over relays, if it has
    /// [`Capabilities::RESTART`].
    pub secret: Option<ConnectionSecret>,
}

/// A secret that only the two ends of one connection know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ConnectionSecret(pub [u8; 16]);

impl fmt::Debug for ConnectionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionSecret(…)")
    }
}

/// What a peer of ours can do beyond Trystero, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(pub u32);

impl Capabilities {
    /// Both sides prove the password of a room.
    pub const MUTUAL_PROOF: u32 = 1;
    /// Its presence 0 for a room means that it is no member there, whatever was said before.
    pub const EXACT_PRESENCE: u32 = 2;
    /// It can be told, also over relays, that ICE of a connection restarts.
    pub const RESTART: u32 = 4;
    /// It takes many chunks of a room as one message.
    pub const BUNDLES: u32 = 8;
    /// It takes what is said of audio and video by names, whatever comes in between.
    pub const MEDIA: u32 = 16;
    /// All that this version has.
    pub const OURS: Capabilities = Capabilities(
        Self::MUTUAL_PROOF | Self::EXACT_PRESENCE | Self::RESTART | Self::BUNDLES | Self::MEDIA,
    );

    /// Whether this bit is set.
    pub const fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The frame ends before its header does.
    #[error("the frame is truncated")]
    Truncated,
    /// The token is empty, or longer than any room's.
    #[error("the room token has {0} bytes")]
    TokenLength(usize),
    /// A chunk of a bundle is shorter than its header, or longer than one may be.
    #[error("a bundled chunk has {0} bytes")]
    ChunkLength(usize),
    /// A bundle is longer than one may be.
    #[error("a bundle has {0} bytes")]
    BundleLength(usize),
}

impl Frame {
    /// Reads a frame; the chunk is a view of `bytes`.
    pub fn parse(bytes: &Bytes) -> Result<Frame, FrameError> {
        let (&kind, rest) = bytes.split_first().ok_or(FrameError::Truncated)?;
        match kind {
            KIND_ROOM => {
                let (token, length) = parse_token(rest)?;
                Ok(Frame::Room { token, chunk: bytes.slice(1 + length..) })
            }
            KIND_PRESENCE => {
                let (&presence, rest) = rest.split_first().ok_or(FrameError::Truncated)?;
                let (token, _) = parse_token(rest)?;
                Ok(Frame::Presence { token, is_present: presence == PRESENT })
            }
            KIND_HELLO => {
                // Later versions may say more.
                let (bits, rest) = rest.split_first_chunk().ok_or(FrameError::Truncated)?;
                let capabilities = Capabilities(u32::from_be_bytes(*bits));
                let secret = rest.first_chunk().filter(|_| capabilities.has(Capabilities::RESTART));
                let secret = secret.map(|secret| ConnectionSecret(*secret));
                Ok(Frame::Hello(Hello { capabilities, secret }))
            }
            KIND_BUNDLE if bytes.len() > Bundle::BYTES_MAX => {
                Err(FrameError::BundleLength(bytes.len()))
            }
            KIND_BUNDLE => {
                let (token, length) = parse_token(rest)?;
                let chunks = BundledChunks::parse(bytes.slice(1 + length..))?;
                Ok(Frame::Bundle { token, chunks })
            }
            kind => Ok(Frame::Unknown(kind)),
        }
    }

    /// Writes the header of a room frame; the chunk follows.
    pub fn emit_room_header(token: &RoomToken, out: &mut impl BufMut) {
        out.put_u8(KIND_ROOM);
        emit_token(token, out);
    }

    /// Makes a room frame a bundle, in which each chunk has its length before it.
    pub(super) fn mark_bundle(frame: &mut [u8]) {
        frame[0] = KIND_BUNDLE;
    }

    /// Writes a presence frame.
    pub fn emit_presence(token: &RoomToken, is_present: bool, out: &mut impl BufMut) {
        out.put_u8(KIND_PRESENCE);
        out.put_u8(if is_present { PRESENT } else { GONE });
        emit_token(token, out);
    }

    /// Writes a hello.
    pub fn emit_hello(hello: Hello, out: &mut impl BufMut) {
        out.put_u8(KIND_HELLO);
        out.put_u32(hello.capabilities.0);
        if let Some(secret) = hello.secret {
            out.put_slice(&secret.0);
        }
    }
}

/// The token, and how many bytes it took with its length.
fn parse_token(bytes: &[u8]) -> Result<(RoomToken, usize), FrameError> {
    let (length, rest) = bytes.split_first_chunk::<2>().ok_or(FrameError::Truncated)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length == 0 || length > TOKEN_BYTES_MAX {
        return Err(FrameError::TokenLength(length));
    }
    let token = rest.get(..length).ok_or(FrameError::Truncated)?;
    Ok((RoomToken::from_wire(token), 2 + length))
}

fn emit_token(token: &RoomToken, out: &mut impl BufMut) {
    let bytes = token.as_bytes();
    out.put_u16(u16::try_from(bytes.len()).expect("tokens have at most 256 bytes"));
    out.put_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_kinds_parse_as_such_and_short_frames_do_not() {
        assert_eq!(Frame::parse(&Bytes::from_static(&[5, 1, 2])), Ok(Frame::Unknown(5)));
        let truncated: [&[u8]; 8] = [
            &[],
            &[1],
            &[1, 0],
            &[1, 0, 2, b'a'],
            &[2],
            &[2, 1, 0, 1],
            &[3, 0, 0, 0],
            &[4, 0, 1, b'a'],
        ];
        for bytes in truncated {
            assert_eq!(
                Frame::parse(&Bytes::copy_from_slice(bytes)),
                Err(FrameError::Truncated),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn tokens_of_impossible_length_are_refused() {
        assert_eq!(Frame::parse(&Bytes::from_static(&[1, 0, 0])), Err(FrameError::TokenLength(0)));
        let mut huge = vec![1, 0xff, 0xff];
        huge.resize(70_000, b'a');
        assert_eq!(Frame::parse(&huge.into()), Err(FrameError::TokenLength(65_535)));
    }

    #[test]
    fn any_presence_but_one_means_gone() {
        let token = RoomToken::from_wire(b"t");
        for (byte, is_present) in [(0, false), (1, true), (2, false), (255, false)] {
            let frame = Frame::parse(&Bytes::copy_from_slice(&[2, byte, 0, 1, b't']));
            assert_eq!(frame, Ok(Frame::Presence { token: token.clone(), is_present }));
        }
    }

    #[test]
    fn a_hello_may_say_more_than_this_version_knows() {
        let mut bytes = Vec::new();
        let secret = Some(ConnectionSecret([7; 16]));
        let hello = Hello { capabilities: Capabilities::OURS, secret };
        Frame::emit_hello(hello, &mut bytes);
        assert_eq!(bytes[..6], [3, 0, 0, 0, 31, 7]);
        bytes.push(9);
        assert_eq!(Frame::parse(&bytes.into()), Ok(Frame::Hello(hello)));
    }

    #[test]
    fn a_hello_without_a_secret_is_one_too() {
        let parse = |bytes: &[u8]| Frame::parse(&Bytes::copy_from_slice(bytes));
        let capabilities = Capabilities(7);
        let hello = Ok(Frame::Hello(Hello { capabilities, secret: None }));
        assert_eq!(parse(&[3, 0, 0, 0, 7]), hello);
        assert_eq!(parse(&[3, 0, 0, 0, 7, 1, 2, 3]), hello, "it is cut off");
        assert_eq!(parse(&[3, 0, 0, 0]), Err(FrameError::Truncated));
    }
}
