//! The actions of a room, and what can be wrong with using them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::ids::PeerId;
use crate::limits;
use crate::peer_ids::PeerIds;
use crate::wire::{ActionName, Transmission};

/// The protocol's own actions.
///
/// spec: docs/protocol.md, section 4
pub(crate) mod internal {
    pub(crate) const LEAVE: &str = "@_leave";
    pub(in crate::room) const HANDSHAKE_DATA: &str = "@_hsdata";
    pub(in crate::room) const HANDSHAKE_READY: &str = "@_hsready";
    pub(in crate::room) const PING: &str = "@_ping";
    pub(in crate::room) const PONG: &str = "@_pong";
    pub(in crate::room) const RESPONSE: &str = "@_response";
    pub(in crate::room) const SIGNAL: &str = "@_signal";
}

/// How an action is registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionOptions {
    /// What the action is for.
    pub kind: ActionKind,
    /// Whether to say how much of a transmission has arrived.
    pub progress: bool,
}

/// What an action is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ActionKind {
    /// Messages, told of when they are complete.
    #[default]
    Message,
    /// Transfers, told of piece by piece: they may be larger than memory.
    Transfer,
    /// Requests, which are answered.
    Request {
        /// Whether there is a handler now. Without one a request is held for 500 ms and then
        /// rejected.
        handled: bool,
    },
}

impl ActionKind {
    fn is_like(self, other: ActionKind) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// How something is sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SendOptions {
    /// Who gets it; `None` is everyone in the room.
    pub targets: Option<PeerIds>,
    /// What goes along with it: any JSON value, up to [`limits::METADATA_BYTES_MAX`].
    pub metadata: Option<Value>,
    /// Whether to say how much of it was handed over.
    pub progress: bool,
}

/// How a request is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestOptions {
    /// Who is asked.
    pub target: PeerId,
    /// What goes along with it: any JSON value, up to [`limits::METADATA_BYTES_MAX`].
    pub metadata: Option<Value>,
    /// How long the response may take once the request was handed over. `None` waits until the
    /// peer leaves.
    pub timeout: Option<Duration>,
    /// Whether to say how much of it was handed over.
    pub progress: bool,
}

impl RequestOptions {
    /// A request to this peer, with nothing else.
    pub fn to(target: PeerId) -> Self {
        RequestOptions { target, metadata: None, timeout: None, progress: false }
    }
}

/// Why something can't be requested.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It can't be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Too many requests wait for their response.
    #[error("a room has at most {0} requests under way")]
    TooMany(
        /// The limit.
        usize,
    ),
}

/// Why a request can't be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// It was answered already, or the peer has left.
    #[error("the request was answered already, or its sender left")]
    Over,
    /// The response can't be sent. The request is still to be answered.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Why ICE is not restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestartError {
    /// The room was left.
    #[error("this room was left")]
    RoomGone,
    /// The peer is not in the room.
    #[error("it is not in the room")]
    NotInRoom,
    /// The peer's WebRTC can't, as that of Trystero in Node.js, and would lose the connection.
    #[error("its WebRTC can't restart ICE")]
    NotPossible,
}

/// Why a peer can't be pinged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PingError {
    /// The room was left.
    #[error("this room was left")]
    RoomGone,
    /// The peer is not in the room.
    #[error("it is not in the room")]
    NotInRoom,
    /// It has not answered many others yet.
    #[error("{0} pings wait for an answer already")]
    TooMany(
        /// How many.
        usize,
    ),
}

/// Why a step of the application's handshake can't be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The handshake is over: the peer left, took too long, or was accepted or refused.
    #[error("this handshake is over")]
    Over,
    /// The message can't be sent.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Why something can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The room was left.
    #[error("this room was left")]
    RoomGone,
    /// The payload is too large.
    #[error("a payload of this kind has at most {max} bytes, and this one has {size}")]
    PayloadTooLarge {
        /// Its size in bytes.
        size: usize,
        /// The most that JSON, or anything else, may have.
        max: usize,
    },
    /// The metadata is too large.
    #[error(
        "metadata has at most {} bytes of JSON, and this has {size}",
        limits::METADATA_BYTES_MAX
    )]
    MetadataTooLarge {
        /// Its size in bytes of JSON.
        size: usize,
    },
}

/// Why something did not go to one of its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendFailure {
    /// The peer is not in the room.
    #[error("it is not in the room")]
    NotInRoom,
    /// The peer left before all was handed over.
    #[error("it left before all was handed over")]
    Left,
    /// Too much waits to be sent to the peer already.
    #[error("too much waits to be sent to it already")]
    QueueFull,
    /// The connection does not take it.
    #[error("the connection does not take it")]
    Refused,
    /// The connection took nothing for 10 s.
    #[error("its connection took nothing for too long")]
    Stalled,
    /// It was aborted by us.
    #[error("it was aborted")]
    Aborted,
}

/// Why an action can't be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The room was left.
    #[error("this room was left")]
    RoomGone,
    /// There are too many.
    #[error("a room has at most {} actions", limits::ACTIONS_MAX)]
    TooMany,
    /// The name is that of another kind of action already.
    #[error("{0:?} is another kind of action in this room already; take another name")]
    OtherKind(
        /// The name.
        ActionName,
    ),
}

/// What is known of a room's actions.
#[derive(Debug, Default)]
pub(super) struct Actions {
    registered: BTreeMap<ActionName, ActionOptions>,
    /// The nonce of the next transmission of each action that was sent so far.
    nonces: BTreeMap<ActionName, u16>,
}

impl Actions {
    pub(super) fn register(
        &mut self,
        action: &ActionName,
        options: ActionOptions,
    ) -> Result<(), RegisterError> {
        let is_full = self.registered.len() >= limits::ACTIONS_MAX;
        match self.registered.get_mut(action) {
            Some(known) if !known.kind.is_like(options.kind) => {
                Err(RegisterError::OtherKind(action.clone()))
            }
            Some(known) => {
                *known = options;
                Ok(())
            }
            None if is_full => Err(RegisterError::TooMany),
            None => {
                self.registered.insert(action.clone(), options);
                Ok(())
            }
        }
    }

    /// What a registered action is for.
    pub(super) fn kind(&self, action: &ActionName) -> Option<ActionKind> {
        self.registered.get(action).map(|options| options.kind)
    }

    /// The name of an action that is registered or was sent on: so nothing is allocated for names
    /// that are known.
    pub(super) fn name(&self, text: &str) -> Option<&ActionName> {
        let registered = self.registered.get_key_value(text).map(|(name, _)| name);
        registered.or_else(|| self.nonces.get_key_value(text).map(|(name, _)| name))
    }

    pub(super) fn wants_progress(&self, action: &ActionName) -> bool {
        self.registered.get(action).is_some_and(|options| options.progress)
    }

    pub(super) fn next_nonce(&mut self, action: &ActionName) -> u16 {
        let next = self.nonces.entry(action.clone()).or_default();
        let nonce = *next;
        *next = next.wrapping_add(1);
        nonce
    }
}

pub(super) fn check_size(transmission: &Transmission) -> Result<(), SendError> {
    let size = transmission.payload_bytes();
    let max =
        if transmission.is_json() { limits::JSON_BYTES_MAX } else { limits::PAYLOAD_BYTES_MAX };
    if size > max {
        return Err(SendError::PayloadTooLarge { size, max });
    }
    let size = transmission.metadata_bytes();
    if size > limits::METADATA_BYTES_MAX {
        return Err(SendError::MetadataTooLarge { size });
    }
    Ok(())
}

/// Like [`check_size`], for what is held while a peer is pending.
pub(super) fn check_handshake_size(transmission: &Transmission) -> Result<(), SendError> {
    check_size(transmission)?;
    let (size, max) = (transmission.payload_bytes(), limits::HANDSHAKE_BYTES_MAX);
    if size > max {
        return Err(SendError::PayloadTooLarge { size, max });
    }
    Ok(())
}
