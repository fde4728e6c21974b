//! The calls of a node as data: for a runtime's channel, a simulator, a fuzzer and replay.

use crate::ids::{RoomKey, SendId};
use crate::node::config::{JoinError, RoomConfig};
use crate::room::{ActionOptions, RegisterError, SendError, SendOptions};
use crate::wire::{ActionName, Payload};

/// A call of a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// [`Node::join`](crate::Node::join).
    Join(Box<RoomConfig>),
    /// [`Node::leave`](crate::Node::leave).
    Leave(RoomKey),
    /// [`Node::register`](crate::Node::register).
    Register(RoomKey, ActionName, ActionOptions),
    /// [`Node::send`](crate::Node::send).
    Send(RoomKey, ActionName, Payload, SendOptions),
    /// [`Node::shut_down`](crate::Node::shut_down).
    ShutDown,
}

/// What a [`Command`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// To [`Command::Join`].
    Joined(Result<RoomKey, JoinError>),
    /// To [`Command::Register`].
    Registered(Result<(), RegisterError>),
    /// To [`Command::Send`].
    Sending(Result<SendId, SendError>),
    /// To all others.
    Done,
}
