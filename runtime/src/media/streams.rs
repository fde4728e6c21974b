//! What the members of a room send, as it begins.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use serde_json::Value;
use tristero_proto::{PeerId, PeerStreamId};

use super::remote_track::{RemoteStream, RemoteTrack};
use crate::inbox::Inbox;
use crate::room::Room;
use crate::shared::{ArrivedStream, ArrivedTrack};

/// A stream that a member began to send.
#[derive(Debug)]
#[non_exhaustive]
pub struct PeerStream {
    /// Who sends it.
    pub peer: PeerId,
    /// What was sent along; JSON `null` is not the same as nothing.
    pub metadata: Option<Value>,
    /// The stream.
    pub stream: RemoteStream,
}

/// A track that a member added alone, to a stream that it sends or does not.
#[derive(Debug)]
#[non_exhaustive]
pub struct PeerTrack {
    /// Who sends it.
    pub peer: PeerId,
    /// What was sent along; JSON `null` is not the same as nothing.
    pub metadata: Option<Value>,
    /// The stream that it belongs to.
    pub stream: PeerStreamId,
    /// The track.
    pub track: RemoteTrack,
}

/// The streams of a room's members; made by [`Room::peer_streams`]. Also a [`Stream`].
///
/// It ends when the room was left.
#[derive(Debug)]
pub struct PeerStreams {
    room: Room,
    arrivals: Inbox<ArrivedStream>,
}

/// The tracks that a room's members added alone; made by [`Room::peer_tracks`]. Also a [`Stream`].
///
/// It ends when the room was left.
#[derive(Debug)]
pub struct PeerTracks {
    room: Room,
    arrivals: Inbox<ArrivedTrack>,
}

impl PeerStreams {
    pub(crate) fn new(room: Room, arrivals: Inbox<ArrivedStream>) -> Self {
        PeerStreams { room, arrivals }
    }

    /// The next stream; `None` once the room was left. Nothing is lost if its future is dropped.
    pub async fn recv(&mut self) -> Option<PeerStream> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next stream, if there is one now.
    pub fn try_recv(&mut self) -> Option<PeerStream> {
        self.arrivals.try_next().map(|arrived| self.receive(arrived))
    }

    fn receive(&self, arrived: ArrivedStream) -> PeerStream {
        let ArrivedStream { peer, stream, metadata, tracks } = arrived;
        let track = |read| RemoteTrack::new(self.room.clone(), peer.clone(), read);
        let stream = RemoteStream::new(stream, tracks.into_iter().map(track).collect());
        PeerStream { peer, metadata, stream }
    }
}

impl PeerTracks {
    pub(crate) fn new(room: Room, arrivals: Inbox<ArrivedTrack>) -> Self {
        PeerTracks { room, arrivals }
    }

    /// The next track; `None` once the room was left. Nothing is lost if its future is dropped.
    pub async fn recv(&mut self) -> Option<PeerTrack> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next track, if there is one now.
    pub fn try_recv(&mut self) -> Option<PeerTrack> {
        self.arrivals.try_next().map(|arrived| self.receive(arrived))
    }

    fn receive(&self, arrived: ArrivedTrack) -> PeerTrack {
        let ArrivedTrack { peer, stream, metadata, track } = arrived;
        let track = RemoteTrack::new(self.room.clone(), peer.clone(), track);
        PeerTrack { peer, metadata, stream, track }
    }
}

impl Stream for PeerStreams {
    type Item = PeerStream;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PeerStream>> {
        let arrived = ready!(self.arrivals.poll_next(cx));
        Poll::Ready(arrived.map(|arrived| self.receive(arrived)))
    }
}

impl Stream for PeerTracks {
    type Item = PeerTrack;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PeerTrack>> {
        let arrived = ready!(self.arrivals.poll_next(cx));
        Poll::Ready(arrived.map(|arrived| self.receive(arrived)))
    }
}
