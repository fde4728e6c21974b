//! Topics and room tokens.
//!
//! spec: docs/protocol.md, section 1

use std::fmt::{self, Write as _};
use std::sync::Arc;

use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::ids::PeerId;

/// Where signals are published: a hash of the room's name, and for a *self topic* of a peer's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

impl Topic {
    /// The topic on which a room's peers announce themselves.
    pub fn root(app_id: &str, room_id: &str) -> Self {
        Self::hash(&format!("Trystero@{app_id}@{room_id}"))
    }

    /// The topic on which one peer of a room gets its signals.
    pub fn of_peer(app_id: &str, room_id: &str, peer: &PeerId) -> Self {
        Self::hash(&format!("Trystero@{app_id}@{room_id}@{peer}"))
    }

    /// A topic as it came from a relay.
    pub fn from_wire(text: &str) -> Self {
        Topic(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// SHA-1, each byte in base 36 without padding.
    pub(crate) fn hash(name: &str) -> Self {
        let mut text = String::with_capacity(40);
        for byte in Sha1::digest(name.as_bytes()) {
            if byte >= 36 {
                text.push(base36_digit(byte / 36));
            }
            text.push(base36_digit(byte % 36));
        }
        Topic(text.into())
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({})", self.0)
    }
}

/// The name of a room inside a connection.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomToken(Arc<[u8]>);

impl RoomToken {
    /// The token of a room.
    pub fn of_room(app_id: &str, room_id: &str) -> Self {
        let text = token_text(&Sha256::digest(format!("Trystero:{app_id}:{room_id}")));
        RoomToken(text.into_bytes().into())
    }

    /// A token as it came from a peer.
    pub fn from_wire(bytes: &[u8]) -> Self {
        RoomToken(bytes.into())
    }

    /// The bytes, as they travel.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RoomToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomToken({})", self.0.escape_ascii())
    }
}

/// Lowercase hexadecimal.
pub(crate) fn token_text(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string can't fail");
        text
    })
}

fn base36_digit(value: u8) -> char {
    char::from_digit(value.into(), 36).expect("a digit below 36")
}
