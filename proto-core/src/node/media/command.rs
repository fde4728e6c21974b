//! The calls of a node about audio and video as data.

use serde_json::Value;

use crate::engine::Engine;
use crate::ids::{PeerId, PeerTrackId, RoomKey, StreamKey, TrackId};
use crate::media::{MediaFrame, MediaOptions, RtpPacket, TrackSpec};
use crate::node::{Node, Reply};
use crate::time::Time;

/// A call of a node about audio and video.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum MediaCommand {
    /// [`Node::add_stream`].
    AddStream(RoomKey, Vec<TrackSpec>, MediaOptions),
    /// [`Node::share_stream`].
    ShareStream(RoomKey, StreamKey, MediaOptions),
    /// [`Node::remove_stream`].
    RemoveStream(RoomKey, StreamKey, Option<Vec<PeerId>>),
    /// [`Node::add_track`].
    AddTrack(RoomKey, StreamKey, TrackSpec, MediaOptions),
    /// [`Node::remove_track`].
    RemoveTrack(RoomKey, TrackId, Option<Vec<PeerId>>),
    /// [`Node::replace_track`].
    ReplaceTrack(RoomKey, TrackId, TrackSpec, Option<Value>),
    /// [`Node::write_frame`].
    WriteFrame(TrackId, MediaFrame),
    /// [`Node::write_packet`].
    WritePacket(TrackId, RtpPacket),
    /// [`Node::mute_track`].
    MuteTrack(TrackId, bool),
    /// [`Node::relay_track`].
    RelayTrack(PeerTrackId, TrackId, bool),
    /// [`Node::request_key_frame`].
    RequestKeyFrame(PeerTrackId),
    /// [`Node::ignore_track`].
    IgnoreTrack(PeerTrackId, bool),
}

impl<E: Engine> Node<E> {
    /// Does what a command says of audio and video.
    pub(in crate::node) fn handle_media_command(
        &mut self,
        command: MediaCommand,
        now: Time,
    ) -> Reply {
        match command {
            MediaCommand::AddStream(room, tracks, options) => {
                Reply::StreamAdded(self.add_stream(room, &tracks, options, now))
            }
            MediaCommand::ShareStream(room, stream, options) => {
                Reply::StreamShared(self.share_stream(room, stream, options, now))
            }
            MediaCommand::RemoveStream(room, stream, targets) => {
                Reply::Media(self.remove_stream(room, stream, targets.as_deref(), now))
            }
            MediaCommand::AddTrack(room, stream, track, options) => {
                Reply::TrackAdded(self.add_track(room, stream, track, options, now))
            }
            MediaCommand::RemoveTrack(room, track, targets) => {
                Reply::Media(self.remove_track(room, track, targets.as_deref(), now))
            }
            MediaCommand::ReplaceTrack(room, old, track, metadata) => {
                Reply::TrackAdded(self.replace_track(room, old, track, metadata, now))
            }
            MediaCommand::WriteFrame(track, frame) => {
                Reply::Written(self.write_frame(track, &frame, now))
            }
            MediaCommand::WritePacket(track, packet) => {
                Reply::Written(self.write_packet(track, &packet, now))
            }
            MediaCommand::MuteTrack(track, is_muted) => {
                Reply::Media(self.mute_track(track, is_muted))
            }
            MediaCommand::RelayTrack(from, to, is_on) => {
                Reply::Media(self.relay_track(from, to, is_on, now))
            }
            MediaCommand::RequestKeyFrame(track) => {
                self.request_key_frame(track, now);
                Reply::Done
            }
            MediaCommand::IgnoreTrack(track, is_ignored) => {
                self.ignore_track(track, is_ignored, now);
                Reply::Done
            }
        }
    }
}
