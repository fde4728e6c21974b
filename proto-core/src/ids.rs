//! The names of things. Each is a type of its own and is handed out by one owner.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::rng::Rng;

/// The name of a peer: its *self id*.
///
/// Ours are 20 characters of `0-9A-Za-z`; a remote one may be any text of 1 to
/// [`limits::PEER_ID_BYTES_MAX`] bytes without control characters, so that it can be shown. They are ordered as JavaScript orders strings, by UTF-16
/// code units: of two peers the smaller one makes the offer.
///
/// spec: docs/protocol.md, section 1
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerId(Arc<str>);

/// A text that can't be a peer's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a peer id has 1 to {} bytes and no control characters", limits::PEER_ID_BYTES_MAX)]
pub struct InvalidPeerId;

impl PeerId {
    /// The length of our own ids, in characters.
    pub const LENGTH: usize = 20;

    /// Takes a text as a peer's id.
    pub fn new(text: &str) -> Result<Self, InvalidPeerId> {
        let is_length_valid = (1..=limits::PEER_ID_BYTES_MAX).contains(&text.len());
        if !is_length_valid || text.contains(char::is_control) {
            return Err(InvalidPeerId);
        }
        Ok(PeerId(text.into()))
    }

    /// Draws an id of our own.
    pub fn generate(rng: &mut Rng) -> Self {
        PeerId(rng.alphanumeric(Self::LENGTH).into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Ord for PeerId {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.0.is_ascii() && other.0.is_ascii() {
            return self.0.cmp(&other.0);
        }
        self.0.encode_utf16().cmp(other.0.encode_utf16())
    }
}

impl PartialOrd for PeerId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl TryFrom<String> for PeerId {
    type Error = InvalidPeerId;

    fn try_from(text: String) -> Result<Self, InvalidPeerId> {
        PeerId::new(&text)
    }
}

impl From<PeerId> for String {
    fn from(id: PeerId) -> String {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u64);

        impl $name {
            /// The number, for logs and for tables outside the core.
            pub const fn number(self) -> u64 {
                self.0
            }

            /// The id with this number, for what reads such a table, and for what hands out ids in a
            /// node's place, such as the model of another implementation.
            pub const fn from_number(number: u64) -> Self {
                $name(number)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

number_id! {
    /// A room that this node has joined; never used twice by a node.
    RoomKey
}
number_id! {
    /// A relay that this node knows: one strategy and one URL.
    RelayId
}
number_id! {
    /// One attempt to reach a relay; each dial has a new one.
    LinkId
}
number_id! {
    /// A call of `send`, answered by one `Sent` event.
    SendId
}
number_id! {
    /// A request of ours, answered by one `Response` event unless it is aborted.
    RequestId
}
number_id! {
    /// A request of a peer, to be answered once.
    CallId
}
number_id! {
    /// A ping of ours, answered by one `Pong` event.
    PingId
}
number_id! {
    /// One run of the application's handshake with a peer.
    HandshakeId
}
number_id! {
    /// Something that arrives piece by piece.
    TransferId
}
number_id! {
    /// A WebRTC connection, from the first offer to its end.
    ConnId
}

number_id! {
    /// A track of audio or video that this node sends.
    TrackId
}
number_id! {
    /// A stream of ours: tracks that belong together.
    StreamKey
}
number_id! {
    /// A track of a peer, while it is sent over one connection; never used twice by a node.
    PeerTrackId
}
number_id! {
    /// A stream of a peer, on one connection.
    PeerStreamId
}

impl RequestId {
    /// What `Sending` events call the sending of the request.
    pub const fn send_id(self) -> SendId {
        SendId(self.0)
    }
}

/// Hands out ids of one kind, each once.
#[derive(Debug, Default)]
pub(crate) struct Counter(u64);

impl Counter {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_ids_are_ordered_by_utf16_code_units() {
        let id = |text| PeerId::new(text).unwrap();
        assert!(id("A") < id("a"));
        assert!(id("0zz") < id("1"));
        // U+1F600 is written as D83D DE00 in UTF-16, below U+FF5E, but above it in UTF-8.
        assert!(id("\u{1F600}") < id("\u{FF5E}"));
    }

    #[test]
    fn a_peer_id_is_neither_empty_nor_huge() {
        assert_eq!(PeerId::new(""), Err(InvalidPeerId));
        assert_eq!(PeerId::new("\u{1b}[2J"), Err(InvalidPeerId), "it would clear a terminal");
        assert_eq!(PeerId::new(&"x".repeat(limits::PEER_ID_BYTES_MAX + 1)), Err(InvalidPeerId));
        assert!(PeerId::new(&"x".repeat(limits::PEER_ID_BYTES_MAX)).is_ok());
    }
}
