//! What a node tells its application.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::engine::ServerFailure;
use crate::ice::IceUrl;
use crate::ids::{
    CallId, HandshakeId, PeerId, PeerStreamId, PeerTrackId, PingId, RequestId, RoomKey, SendId,
    StreamKey, TrackId, TransferId,
};
use crate::join_failure::JoinFailure;
use crate::media::{Codec, MediaFailure, MediaFrame, MediaKind, RtpPacket, StreamTrack};
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
    /// A member sends a stream from now on, as `addStream` does in JavaScript.
    PeerStream {
        /// The room.
        room: RoomKey,
        /// Who sends it.
        peer: PeerId,
        /// How to name it. It is the same in all rooms.
        stream: PeerStreamId,
        /// Its tracks. Others may be [added](Event::PeerTrack) later.
        tracks: Vec<StreamTrack>,
        /// What was sent along.
        metadata: Option<Value>,
        /// About what that takes in memory, in bytes.
        size: usize,
    },
    /// A member sends a track from now on that it added alone, as `addTrack` does in JavaScript.
    PeerTrack {
        /// The room.
        room: RoomKey,
        /// Who sends it.
        peer: PeerId,
        /// The stream that it belongs to.
        stream: PeerStreamId,
        /// How to name it. It is the same in all rooms.
        track: PeerTrackId,
        /// What it is for.
        kind: MediaKind,
        /// What was sent along.
        metadata: Option<Value>,
        /// About what that takes in memory, in bytes.
        size: usize,
    },
    /// A member sends something else as a track from now on, as `replaceTrack` does in JavaScript.
    TrackReplaced {
        /// The room.
        room: RoomKey,
        /// Who sends it.
        peer: PeerId,
        /// The track, which is the same one as before.
        track: PeerTrackId,
        /// What was sent along.
        metadata: Option<Value>,
        /// About what that takes in memory, in bytes.
        size: usize,
    },
    /// A member sends a track no longer. It is said in each room that was told of it, also when the
    /// peer leaves, and then before [`Event::PeerLeft`].
    PeerTrackEnded {
        /// The room.
        room: RoomKey,
        /// Who sent it.
        peer: PeerId,
        /// The track.
        track: PeerTrackId,
    },
    /// A member sends none of the tracks of a stream any more.
    PeerStreamEnded {
        /// The room.
        room: RoomKey,
        /// Who sent it.
        peer: PeerId,
        /// The stream.
        stream: PeerStreamId,
    },
    /// A frame of a track arrived that some room was told of. It is said once, however many rooms.
    Frame {
        /// The track.
        track: PeerTrackId,
        /// The frame.
        frame: MediaFrame,
    },
    /// A packet of a track arrived that some room was told of. It is said once, however many rooms.
    Packet {
        /// The track.
        track: PeerTrackId,
        /// The packet.
        packet: RtpPacket,
    },
    /// A stream goes to a peer from now on, or does not. It answers `add_stream` and
    /// `share_stream` for each peer, and comes for those too that become members later.
    StreamSent {
        /// The room.
        room: RoomKey,
        /// The stream.
        stream: StreamKey,
        /// To whom.
        peer: PeerId,
        /// What came of it.
        result: Result<(), MediaFailure>,
    },
    /// A track goes to a peer from now on, or does not. It answers `add_track` and `replace_track`
    /// for each peer, and comes for those too that become members later.
    TrackSent {
        /// The room.
        room: RoomKey,
        /// The track.
        track: TrackId,
        /// To whom.
        peer: PeerId,
        /// What came of it.
        result: Result<(), MediaFailure>,
    },
    /// A peer said how it takes a track of ours, or changed it.
    TrackAgreed {
        /// The track.
        track: TrackId,
        /// Who.
        peer: PeerId,
        /// How its frames have to be encoded from now on, the best first; none if the peer does not
        /// take it, or it does not go there any more.
        codecs: Vec<Codec>,
    },
    /// A peer can't go on with a track of ours without a key frame. It is said at most every
    /// 500 ms.
    KeyFrameWanted {
        /// The track.
        track: TrackId,
        /// Who.
        peer: PeerId,
    },
    /// The node is shut down: every goodbye was sent, nothing follows.
    ShutDown,
}

impl Event {
    /// The room that this is about; none when the node was shut down, and for what is said of a
    /// track in all rooms together.
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
            | Event::RelayNotice { room, .. }
            | Event::PeerStream { room, .. }
            | Event::PeerTrack { room, .. }
            | Event::TrackReplaced { room, .. }
            | Event::PeerTrackEnded { room, .. }
            | Event::PeerStreamEnded { room, .. }
            | Event::StreamSent { room, .. }
            | Event::TrackSent { room, .. } => Some(*room),
            Event::Frame { .. }
            | Event::Packet { .. }
            | Event::TrackAgreed { .. }
            | Event::KeyFrameWanted { .. }
            | Event::ShutDown => None,
        }
    }
}
