//! What happens in a room, other than what its members send.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde_json::Value;
use tristero_proto::engine::ServerFailure;
use tristero_proto::ice::IceUrl;
use tristero_proto::media::MediaKind;
use tristero_proto::signaling::{RelayStatus, RelayUrl};
use tristero_proto::{JoinFailure, LeaveReason, PeerId, PeerStreamId, PeerTrackId};

use crate::inbox::Inbox;

/// Something that happened in a room, other than a message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RoomEvent {
    /// A peer joined: it is connected, and messages can be exchanged.
    PeerJoined {
        /// The peer.
        peer: PeerId,
    },
    /// A peer is in the room no longer.
    PeerLeft {
        /// The peer.
        peer: PeerId,
        /// Why.
        reason: LeaveReason,
    },
    /// A peer was met and could not join. It may yet.
    JoinFailed {
        /// The peer.
        peer: PeerId,
        /// Why.
        failure: JoinFailure,
    },
    /// The state of a relay of this room changed.
    Relay(RelayStatus),
    /// A STUN or TURN server of this room is of no help. Peers that reach each other without it
    /// connect.
    IceServerFailed {
        /// The server.
        url: IceUrl,
        /// Why.
        failure: ServerFailure,
    },
    /// A relay of this room said something for whoever looks after the application, such as that
    /// it refused a message.
    RelayNotice {
        /// The relay's URL.
        url: RelayUrl,
        /// What it said, in its words, which are a stranger's: up to 1,024 bytes.
        text: String,
    },
    /// A peer began to send a stream. [`Room::peer_streams`](crate::Room::peer_streams) has it to be
    /// read.
    PeerStream {
        /// The peer.
        peer: PeerId,
        /// The stream's name.
        stream: PeerStreamId,
        /// What was sent along.
        metadata: Option<Value>,
    },
    /// A peer began to send a track that it added alone.
    /// [`Room::peer_tracks`](crate::Room::peer_tracks) has it to be read.
    PeerTrack {
        /// The peer.
        peer: PeerId,
        /// The name of the stream that it belongs to.
        stream: PeerStreamId,
        /// The track's name.
        track: PeerTrackId,
        /// What it is for.
        kind: MediaKind,
        /// What was sent along.
        metadata: Option<Value>,
    },
    /// A peer sends something else as a track from now on. Its frames come where those before came.
    TrackReplaced {
        /// The peer.
        peer: PeerId,
        /// The track's name, which is the same as before.
        track: PeerTrackId,
        /// What was sent along.
        metadata: Option<Value>,
    },
    /// A peer sends a track no longer. It comes for all tracks of a peer that leaves too, before it
    /// has left.
    PeerTrackEnded {
        /// The peer.
        peer: PeerId,
        /// The track's name.
        track: PeerTrackId,
    },
    /// A peer sends none of the tracks of a stream any more.
    PeerStreamEnded {
        /// The peer.
        peer: PeerId,
        /// The stream's name.
        stream: PeerStreamId,
    },
}

/// What happens in a room; made by [`Room::events`](crate::Room::events). Also a [`Stream`].
///
/// It ends when the room was left.
#[derive(Debug)]
pub struct RoomEvents(Inbox<RoomEvent>);

impl RoomEvents {
    pub(crate) fn new(inbox: Inbox<RoomEvent>) -> Self {
        RoomEvents(inbox)
    }

    /// The next event; `None` once the room was left. Nothing is lost if its future is dropped.
    pub async fn recv(&mut self) -> Option<RoomEvent> {
        self.0.next().await
    }

    /// The next event, if there is one now.
    pub fn try_recv(&mut self) -> Option<RoomEvent> {
        self.0.try_next()
    }

    /// As [`recv`](Self::recv), for those who write futures by hand.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<RoomEvent>> {
        self.0.poll_next(cx)
    }
}

impl Stream for RoomEvents {
    type Item = RoomEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<RoomEvent>> {
        self.0.poll_next(cx)
    }
}
