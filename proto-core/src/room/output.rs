//! What a room says: to its node, and through it to the application.

use bytes::Bytes;
use serde_json::Value;

use crate::conduct::Offence;
use crate::event::Event;
use crate::ids::{CallId, PeerId, SendId};
use crate::peer::Order;
use crate::wire::{ActionName, MediaSaid, Payload, Renegotiation, Transmission};

/// A message of a member.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The action it was sent on.
    pub action: ActionName,
    /// What was sent.
    pub payload: Payload,
    /// What was sent along; JSON `null` is not the same as nothing.
    pub metadata: Option<Value>,
    /// About what payload and metadata take in memory, in bytes.
    pub size: usize,
}

/// A request of a member.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// How to answer it.
    pub call: CallId,
    /// The action it was sent on.
    pub action: ActionName,
    /// What was asked.
    pub payload: Payload,
    /// What was sent along; JSON `null` is not the same as nothing.
    pub metadata: Option<Value>,
    /// About what payload and metadata take in memory, in bytes.
    pub size: usize,
}

/// The value that answers a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The value.
    pub payload: Payload,
    /// About what it takes in memory, in bytes.
    pub size: usize,
}

/// Why a request got no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestFailure {
    /// No response came in the time that it was given. The text is JavaScript Trystero's.
    #[error("request timed out")]
    TimedOut,
    /// The peer is not in the room, or left before it answered.
    #[error("peer disconnected")]
    Disconnected,
    /// The peer has registered the action and no handler for it.
    #[error("request handler unavailable")]
    NoHandler,
    /// The peer's handler refused, with this text.
    #[error("{0}")]
    Rejected(String),
    /// The request could not be handed over.
    #[error("the request was not sent: {0}")]
    NotSent(super::SendFailure),
}

/// Why a transfer ended before its last piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferFailure {
    /// The sender left.
    #[error("the sender left")]
    Left,
    /// The sender gave up, or sent nothing for too long.
    #[error("the sender gave up")]
    Idle,
    /// It is not what a transfer has to be, or there was too much of it.
    #[error("the transfer was dropped: {0}")]
    Invalid(&'static str),
}

/// What a room wants done or known.
#[derive(Debug)]
pub(crate) enum RoomOutput {
    /// Send a frame of the protocol's own.
    Control { peer: PeerId, frame: Bytes },
    /// Send a transmission.
    Transmit {
        peer: PeerId,
        send: SendId,
        order: Order,
        transmission: Transmission,
        wants_progress: bool,
    },
    /// More of a transmission that is fed.
    Feed { peer: PeerId, action: ActionName, send: SendId, pieces: Vec<Bytes>, is_finished: bool },
    /// What is left of a transmission is not wanted any more.
    Abort { peer: PeerId, send: SendId },
    /// The peer is no longer attached; it may have said that it left.
    Detach { peer: PeerId, has_left: bool },
    /// The peer did what no honest one does.
    Offence { peer: PeerId, offence: Offence },
    /// The peer says this about the connection to it.
    Signal { peer: PeerId, said: Renegotiation },
    /// The peer says this of what it sends, which takes about so many bytes in memory.
    Media { peer: PeerId, said: MediaSaid, size: usize },
    /// The peer showed that it hears us.
    Heard { peer: PeerId },
    /// Tell the application.
    Event(Event),
}
