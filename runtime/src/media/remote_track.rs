//! A track that a peer sends.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use tristero_proto::media::{MediaFrame, MediaKind, RtpPacket, TrackStats};
use tristero_proto::{PeerId, PeerStreamId, PeerTrackId};

use crate::frame_inbox::FrameInbox;
use crate::inbox::Inbox;
use crate::room::Room;
use crate::shared::{KnownTrack, ReadTrack, ReaderId};

/// A track of audio or video that a peer sends, and a reader of it; a [`Stream`] of its frames.
///
/// What waits to be read is bounded by [`Unread::frames`](crate::Unread::frames) and
/// [`Unread::frame_bytes`](crate::Unread::frame_bytes). Beyond, sound drops its oldest frame; pictures
/// drop all up to the next key frame that waits, or all, and then one is asked for. The frame after
/// a gap says that something is missing, by [`MediaFrame::is_contiguous`].
///
/// Nothing is kept of a track that nobody reads: it is ignored once its last reader is dropped, until
/// there is another one.
pub struct RemoteTrack {
    room: Room,
    peer: PeerId,
    track: KnownTrack,
    reader: ReaderId,
    frames: FrameInbox,
    packets: Inbox<RtpPacket>,
}

/// A stream that a peer sends.
#[derive(Debug)]
pub struct RemoteStream {
    id: PeerStreamId,
    /// The tracks that it began with; others may be added alone, and come by
    /// [`Room::peer_tracks`].
    pub tracks: Vec<RemoteTrack>,
}

impl RemoteTrack {
    pub(crate) fn new(room: Room, peer: PeerId, read: ReadTrack) -> Self {
        let ReadTrack { track, reader, frames, packets } = read;
        RemoteTrack { room, peer, track, reader, frames, packets }
    }

    /// The next frame; `None` once the track has ended, or the room was left. Nothing is lost if the
    /// future is dropped. In a room of [`Medium::Packets`](crate::Medium::Packets) there are none.
    ///
    /// The first one need not be a key frame: one is asked for, and comes after a moment.
    pub async fn recv(&mut self) -> Option<MediaFrame> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next frame, if there is one now.
    pub fn try_recv(&mut self) -> Option<MediaFrame> {
        self.frames.try_next()
    }

    /// As [`recv`](Self::recv), for those who write futures by hand.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<MediaFrame>> {
        self.frames.poll_next(cx)
    }

    /// The next packet, in a room of [`Medium::Packets`](crate::Medium::Packets); `None` once the track
    /// has ended. Nothing is lost if the future is dropped.
    pub async fn recv_packet(&mut self) -> Option<RtpPacket> {
        self.packets.next().await
    }

    /// Asks the sender for a key frame, at most every 500 ms: where decoding went wrong. Where
    /// something is missing that is done without being asked.
    pub fn request_key_frame(&self) {
        self.room.call(|state, _, now| state.node.request_key_frame(self.id(), now));
    }

    /// Takes nothing of what comes from now on, until it is no longer so: such as of a picture that
    /// nobody looks at. The sender does not notice.
    pub fn ignore(&self, is_ignored: bool) {
        self.room.call(|state, _, now| {
            state.with_tracks(now, |tracks, wishes| {
                tracks.pause(self.track.id, self.reader, is_ignored, wishes);
            });
        });
    }

    /// Its name, as [`RoomEvent`](crate::RoomEvent)s have it.
    pub fn id(&self) -> PeerTrackId {
        self.track.id
    }

    /// Who sends it.
    pub fn peer(&self) -> &PeerId {
        &self.peer
    }

    /// What it is for.
    pub fn kind(&self) -> MediaKind {
        self.track.kind
    }

    /// Whether nothing more will come but what waits to be read.
    pub fn is_ended(&self) -> bool {
        self.frames.is_ended()
    }

    /// How many frames or packets were dropped because this did not read them.
    pub fn dropped(&self) -> u64 {
        self.frames.dropped() + self.packets.dropped()
    }

    /// What was counted of it on its way to us, whoever reads it.
    pub fn stats(&self) -> TrackStats {
        let info = self.room.media_info(&self.peer);
        let received = info.map(|info| info.received).unwrap_or_default();
        let known = received.into_iter().find(|(track, _)| *track == self.id());
        known.map(|(_, stats)| stats).unwrap_or_default()
    }

    pub(crate) fn room(&self) -> &Room {
        &self.room
    }
}

impl RemoteStream {
    pub(crate) fn new(id: PeerStreamId, tracks: Vec<RemoteTrack>) -> Self {
        RemoteStream { id, tracks }
    }

    /// Its name, as [`RoomEvent`](crate::RoomEvent)s have it.
    pub fn id(&self) -> PeerStreamId {
        self.id
    }

    /// Takes the first track of that kind out, to be read where the others are not.
    pub fn take(&mut self, kind: MediaKind) -> Option<RemoteTrack> {
        let index = self.tracks.iter().position(|track| track.kind() == kind)?;
        Some(self.tracks.remove(index))
    }
}

impl Stream for RemoteTrack {
    type Item = MediaFrame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<MediaFrame>> {
        self.poll_recv(cx)
    }
}

impl fmt::Debug for RemoteTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteTrack")
            .field("id", &self.id())
            .field("peer", &self.peer)
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

impl Drop for RemoteTrack {
    fn drop(&mut self) {
        let track = self.id();
        // The inbox is still there, so this reader takes nothing more instead.
        self.room.call(|state, _, now| {
            state.with_tracks(now, |tracks, wishes| tracks.drop_reader(track, self.reader, wishes));
        });
    }
}
