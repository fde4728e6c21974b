//! What a node tells its application.

use serde_json::Value;

use crate::ids::{PeerId, RoomKey, SendId};
use crate::join_failure::JoinFailure;
use crate::room::{LeaveReason, Message, SendReport};
use crate::signaling::RelayStatus;
use crate::wire::ActionName;

/// Something that the application may care about.
///
/// `PeerJoined` precedes any other event of that peer in that room, but for `JoinFailed`; nothing
/// of the peer follows `PeerLeft`; after `leave` there is no event of that room.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A peer became a member of a room.
    PeerJoined {
        /// The room.
        room: RoomKey,
        /// The peer.
        peer: PeerId,
    },
    /// A member is one no longer.
    PeerLeft {
        /// The room.
        room: RoomKey,
        /// The peer.
        peer: PeerId,
        /// Why.
        reason: LeaveReason,
    },
    /// A peer was met and did not become a member. It may yet.
    JoinFailed {
        /// The room.
        room: RoomKey,
        /// The peer.
        peer: PeerId,
        /// Why.
        failure: JoinFailure,
    },
    /// A message arrived on a registered action.
    Message {
        /// The room.
        room: RoomKey,
        /// Who sent it.
        peer: PeerId,
        /// What.
        message: Message,
    },
    /// A part of a long message arrived, on an action that was registered with `progress`.
    Receiving {
        /// The room.
        room: RoomKey,
        /// Who sends it.
        peer: PeerId,
        /// On which action.
        action: ActionName,
        /// How much is here, from 0 to 1, as the sender says.
        fraction: f64,
        /// The metadata, if there is any.
        metadata: Option<Value>,
    },
    /// A part of what was sent with `progress` was handed over.
    Sending {
        /// The room.
        room: RoomKey,
        /// Which call of `send`.
        send: SendId,
        /// To whom.
        peer: PeerId,
        /// How much, from 0 to 1.
        fraction: f64,
    },
    /// A call of `send` is over: everything was handed over to the connections, but for the
    /// targets that failed.
    Sent {
        /// The room.
        room: RoomKey,
        /// Which call of `send`.
        send: SendId,
        /// Who got it, and who did not.
        report: SendReport,
    },
    /// The state of a relay of a room changed.
    Relay {
        /// The room.
        room: RoomKey,
        /// How it is doing now.
        status: RelayStatus,
    },
    /// The node is shut down: every goodbye was sent, nothing follows.
    ShutDown,
}
