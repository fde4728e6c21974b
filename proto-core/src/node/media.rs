//! What an application does with audio and video.
//!
//! What is said of it between the parts is in `carry_media`.

mod command;

use serde_json::Value;

use super::Node;
use crate::engine::Engine;
use crate::ids::{PeerId, PeerTrackId, RoomKey, StreamKey, TrackId};
use crate::media::{
    AddedStream, AddedTrack, MediaError, MediaFrame, MediaOptions, PeerMedia, RtpPacket, TrackSpec,
    Written,
};
use crate::time::Time;

pub use command::MediaCommand;

impl<E: Engine> Node<E> {
    /// Sends a stream to the members of a room, or to some: what is [written](Self::write_frame) to
    /// its tracks from now on. One [`Event::StreamSent`] answers for each peer.
    ///
    /// The stream ends with the last room that has it.
    ///
    /// [`Event::StreamSent`]: crate::Event::StreamSent
    pub fn add_stream(
        &mut self,
        room: RoomKey,
        tracks: &[TrackSpec],
        options: MediaOptions,
        now: Time,
    ) -> Result<AddedStream, MediaError> {
        let _ = (room, tracks, options, now);
        Err(MediaError::RoomGone)
    }

    /// Sends a stream in another room too. It goes once to each peer, whichever rooms both are in.
    /// Gives whom it goes to now; one [`Event::StreamSent`] answers for each.
    ///
    /// In a room that has the stream already this adds targets, who get this metadata.
    ///
    /// [`Event::StreamSent`]: crate::Event::StreamSent
    pub fn share_stream(
        &mut self,
        room: RoomKey,
        stream: StreamKey,
        options: MediaOptions,
        now: Time,
    ) -> Result<Vec<PeerId>, MediaError> {
        let _ = (room, stream, options, now);
        Err(MediaError::RoomGone)
    }

    /// Sends a stream no longer to the members of a room, or not to some.
    pub fn remove_stream(
        &mut self,
        room: RoomKey,
        stream: StreamKey,
        targets: Option<&[PeerId]>,
        now: Time,
    ) -> Result<(), MediaError> {
        let _ = (room, stream, targets, now);
        Err(MediaError::RoomGone)
    }

    /// Adds a track to a stream, which is sent in a room or is to be. One [`Event::TrackSent`]
    /// answers for each peer.
    ///
    /// [`Event::TrackSent`]: crate::Event::TrackSent
    pub fn add_track(
        &mut self,
        room: RoomKey,
        stream: StreamKey,
        track: TrackSpec,
        options: MediaOptions,
        now: Time,
    ) -> Result<AddedTrack, MediaError> {
        let _ = (room, stream, track, options, now);
        Err(MediaError::RoomGone)
    }

    /// Sends a track no longer to the members of a room, or not to some.
    pub fn remove_track(
        &mut self,
        room: RoomKey,
        track: TrackId,
        targets: Option<&[PeerId]>,
        now: Time,
    ) -> Result<(), MediaError> {
        let _ = (room, track, targets, now);
        Err(MediaError::RoomGone)
    }

    /// Sends another track in place of one, to all that get it: for them it is the same track, and
    /// goes on after a key frame. The old one is no track any more. One [`Event::TrackSent`] answers
    /// for each peer.
    ///
    /// [`Event::TrackSent`]: crate::Event::TrackSent
    pub fn replace_track(
        &mut self,
        room: RoomKey,
        old: TrackId,
        track: TrackSpec,
        metadata: Option<Value>,
        now: Time,
    ) -> Result<AddedTrack, MediaError> {
        let _ = (room, old, track, metadata, now);
        Err(MediaError::RoomGone)
    }

    /// Sends a frame to all that a track goes to. It is sent now or not at all; nothing waits for a
    /// slow peer.
    pub fn write_frame(
        &mut self,
        track: TrackId,
        frame: &MediaFrame,
        now: Time,
    ) -> Result<Written, MediaError> {
        let _ = (track, frame, now);
        Err(MediaError::NoSuchTrack)
    }

    /// Sends an RTP packet to all that a track goes to.
    pub fn write_packet(
        &mut self,
        track: TrackId,
        packet: &RtpPacket,
        now: Time,
    ) -> Result<Written, MediaError> {
        let _ = (track, packet, now);
        Err(MediaError::NoSuchTrack)
    }

    /// Sends nothing of what is written to a track, until it is no longer so. The track stays.
    pub fn mute_track(&mut self, track: TrackId, is_muted: bool) -> Result<(), MediaError> {
        let _ = (track, is_muted);
        Err(MediaError::NoSuchTrack)
    }

    /// Sends what a peer sends as a track on as a track of ours, as if each frame or packet was
    /// written at once; what wants a key frame asks that peer for it. It is so until this says
    /// otherwise, or one of the two ends.
    pub fn relay_track(
        &mut self,
        from: PeerTrackId,
        to: TrackId,
        is_on: bool,
        now: Time,
    ) -> Result<(), MediaError> {
        let _ = (from, to, is_on, now);
        Err(MediaError::NoSuchTrack)
    }

    /// Asks the peer that sends a track for a key frame, at most every 500 ms. A node does so of its
    /// own where a track begins and after a gap.
    pub fn request_key_frame(&mut self, track: PeerTrackId, now: Time) {
        let _ = (track, now);
    }

    /// Drops what comes of a track, until it is no longer so, and asks for no key frames. Relays of
    /// it go on.
    pub fn ignore_track(&mut self, track: PeerTrackId, is_ignored: bool, now: Time) {
        let _ = (track, is_ignored, now);
    }

    /// What is known of the audio and video between us and a member; `None` if it is none.
    pub fn media_info(&self, room: RoomKey, peer: &PeerId) -> Option<PeerMedia> {
        let _ = (room, peer);
        None
    }
}
