//! The actions of a room, and what can be wrong with using them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ids::PeerId;
use crate::limits;
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
}

/// How an action is registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionOptions {
    /// Whether to say how much of a long transmission has arrived.
    pub progress: bool,
}

/// How something is sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SendOptions {
    /// Who gets it; `None` is everyone in the room.
    pub targets: Option<Vec<PeerId>>,
    /// What goes along with it: any JSON value, up to [`limits::METADATA_BYTES_MAX`].
    pub metadata: Option<Value>,
    /// Whether to say how much of it was handed over.
    pub progress: bool,
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
        let is_known = self.registered.contains_key(action);
        if !is_known && self.registered.len() >= limits::ACTIONS_MAX {
            return Err(RegisterError::TooMany);
        }
        self.registered.insert(action.clone(), options);
        Ok(())
    }

    pub(super) fn is_registered(&self, action: &ActionName) -> bool {
        self.registered.contains_key(action)
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
