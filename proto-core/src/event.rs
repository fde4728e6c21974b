//! What a node tells its application.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::engine::ServerFailure;
use crate::ice::IceUrl;
use crate::ids::{CallId, HandshakeId, PeerId, PingId, RequestId, RoomKey, SendId, TransferId};
use crate::join_failure::JoinFailure;
use crate::room::{
    LeaveReason, Message, Request, RequestFailure, Response, SendReport, TransferFailure,
};
use crate::signaling::{RelayStatus, RelayUrl};
use crate::wire::{ActionName, Payload};

/// Something that the application may care about.
///
/// `PeerJoined` precedes any other event of that peer in that room, but for its handshake and
/// `JoinFailed`; nothing of the peer follows `PeerLeft`, by when all that was under way with it has
/// ended; after `leave` there is no event of that room.
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
        /// The metadata, if there is any; the same value each time.
        metadata: Option<Arc<Value>>,
        /// About what the metadata takes in memory, in bytes, where it was not told of before.
        size: usize,
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
    /// A call of `send` is over: everything was handed over to the connections, or leaves with the
    /// next `handle_timeout`, but for the targets that failed.
    Sent {
        /// The room.
        room: RoomKey,
        /// Which call of `send`.
        send: SendId,
        /// Who got it, and who did not.
        report: SendReport,
    },
    /// More can be added to a stream. One answers `send_stream` and each `feed`, unless the
    /// stream is over by then.
    SendReady {
        /// The room.
        room: RoomKey,
        /// Which stream.
        send: SendId,
    },
    /// A request arrived on an action that has a handler. It is answered by `respond`.
    Request {
        /// The room.
        room: RoomKey,
        /// Who asks.
        peer: PeerId,
        /// What.
        request: Request,
    },
    /// Who asked left before it was answered.
    CallEnded {
        /// The room.
        room: RoomKey,
        /// Which request.
        call: CallId,
    },
    /// A request of ours is over.
    Response {
        /// The room.
        room: RoomKey,
        /// Which request.
        request: RequestId,
        /// What came of it.
        result: Result<Response, RequestFailure>,
    },
    /// A ping of ours is over.
    Pong {
        /// The room.
        room: RoomKey,
        /// Who was pinged.
        peer: PeerId,
        /// Which ping.
        ping: PingId,
        /// How long the answer took; `None` if the peer left before.
        rtt: Option<Duration>,
    },
    /// A peer is connected, and the application may decide whether it becomes a member: by
    /// `handshake_accept` or `handshake_refuse`.
    Handshake {
        /// The room.
        room: RoomKey,
        /// The peer.
        peer: PeerId,
        /// How to name this run.
        handshake: HandshakeId,
        /// Whether it is ours to begin: one of the two sides is told so.
        is_initiator: bool,
    },
    /// The other side of a handshake sent something.
    HandshakeData {
        /// The room.
        room: RoomKey,
        /// Which run.
        handshake: HandshakeId,
        /// What.
        payload: Payload,
        /// What was sent along.
        metadata: Option<Value>,
        /// About what payload and metadata take in memory, in bytes.
        size: usize,
    },
    /// A handshake is over that the application did not end: the peer left, or it took too long.
    HandshakeEnded {
        /// The room.
        room: RoomKey,
        /// Which run.
        handshake: HandshakeId,
    },
    /// A transfer begins to arrive, on an action that is registered for transfers.
    TransferBegan {
        /// The room.
        room: RoomKey,
        /// Who sends it.
        peer: PeerId,
        /// How to name it.
        transfer: TransferId,
        /// On which action.
        action: ActionName,
        /// What was sent along.
        metadata: Option<Value>,
        /// About what that takes in memory, in bytes.
        size: usize,
    },
    /// More of a transfer.
    TransferPiece {
        /// The room.
        room: RoomKey,
        /// Which transfer.
        transfer: TransferId,
        /// The next bytes.
        bytes: Bytes,
        /// How much is here, from 0 to 1, as the sender says.
        fraction: f64,
    },
    /// A transfer is complete, or will not be.
    TransferEnded {
        /// The room.
        room: RoomKey,
        /// Which transfer.
        transfer: TransferId,
        /// How it ended.
        result: Result<(), TransferFailure>,
    },
    /// The state of a relay of a room changed.
    Relay {
        /// The room.
        room: RoomKey,
        /// How it is doing now.
        status: RelayStatus,
    },
    /// A STUN or TURN server of a room is of no help. Peers that reach each other without it connect.
    IceServerFailed {
        /// The room.
        room: RoomKey,
        /// The server.
        url: IceUrl,
        /// Why.
        failure: ServerFailure,
    },
    /// A relay of a room said something for whoever looks after the application.
    RelayNotice {
        /// The room.
        room: RoomKey,
        /// The relay's URL.
        url: RelayUrl,
        /// What it said, in its words: up to 1,024 bytes.
        text: String,
    },
    /// The node is shut down: every goodbye was sent, nothing follows.
    ShutDown,
}

impl Event {
    /// The room that this is about; none when the node was shut down.
    pub fn room(&self) -> Option<RoomKey> {
        match self {
            Event::PeerJoined { room, .. }
            | Event::PeerLeft { room, .. }
            | Event::JoinFailed { room, .. }
            | Event::Message { room, .. }
            | Event::Receiving { room, .. }
            | Event::Sending { room, .. }
            | Event::Sent { room, .. }
            | Event::SendReady { room, .. }
            | Event::Request { room, .. }
            | Event::CallEnded { room, .. }
            | Event::Response { room, .. }
            | Event::Pong { room, .. }
            | Event::Handshake { room, .. }
            | Event::HandshakeData { room, .. }
            | Event::HandshakeEnded { room, .. }
            | Event::TransferBegan { room, .. }
            | Event::TransferPiece { room, .. }
            | Event::TransferEnded { room, .. }
            | Event::Relay { room, .. }
            | Event::IceServerFailed { room, .. }
            | Event::RelayNotice { room, .. } => Some(*room),
            Event::ShutDown => None,
        }
    }
}
