//! What applications do with audio and video. Streams and tracks are picked by number, so that many
//! are none of the node's.

use serde_json::json;
use tristero_proto::media::{Codec, MediaFrame, MediaKind, MediaOptions, MediaTime, TrackSpec};
use tristero_proto::{Command, MediaCommand, PeerTrackId, StreamKey, TrackId};

use super::Play;
use crate::world::Who;

impl Play {
    pub(super) fn add_stream(&mut self, who: Who, room: u8, shape: u8, to: u8) {
        let Some(room) = self.room(who, room) else { return };
        let specs = (0..=shape % 3).map(|n| spec(shape / 3 + n)).collect();
        let options = self.media_options(who, to);
        self.media(who, MediaCommand::AddStream(room, specs, options));
    }

    /// Something is added to a stream, or the stream to a room.
    pub(super) fn share(&mut self, who: Who, [room, pick, shape]: [u8; 3]) {
        let Some(room) = self.room(who, room) else { return };
        let options = self.media_options(who, shape);
        self.media(
            who,
            match shape % 2 {
                0 => MediaCommand::ShareStream(room, stream(pick), options),
                _ => MediaCommand::AddTrack(room, stream(pick), spec(shape / 2), options),
            },
        );
    }

    /// A stream or a track is not sent any more, or something else in its place.
    pub(super) fn unshare(&mut self, who: Who, [room, pick, shape]: [u8; 3]) {
        let Some(room) = self.room(who, room) else { return };
        let targets = self.targets(who, shape / 16);
        self.media(
            who,
            match shape % 3 {
                0 => MediaCommand::RemoveStream(room, stream(pick), targets),
                1 => MediaCommand::RemoveTrack(room, track(pick), targets),
                _ => {
                    let metadata = Some(json!(shape));
                    MediaCommand::ReplaceTrack(room, track(pick), spec(shape / 3), metadata)
                }
            },
        );
    }

    pub(super) fn write(&mut self, who: Who, pick: u8, shape: u8) {
        let codec = Codec::ALL[usize::from(shape) % Codec::ALL.len()];
        let is_key = codec.kind() == MediaKind::Audio || shape & 0x40 > 0;
        let time = MediaTime::new(shape.into(), codec.clock_rate());
        let bytes = vec![shape; 1 + usize::from(shape) * 300].into();
        let frame = MediaFrame { codec, time, is_key, is_contiguous: true, bytes };
        self.media(who, MediaCommand::WriteFrame(track(pick), frame));
    }

    /// Something is done with a track of the other node.
    pub(super) fn watch(&mut self, who: Who, [pick, to, shape]: [u8; 3]) {
        let from = PeerTrackId::from_number(u64::from(pick % 16) + 1);
        self.media(
            who,
            match shape % 4 {
                0 => MediaCommand::RequestKeyFrame(from),
                1 => MediaCommand::IgnoreTrack(from, shape & 0x40 > 0),
                2 => MediaCommand::RelayTrack(from, track(to), shape & 0x40 > 0),
                _ => MediaCommand::MuteTrack(track(to), shape & 0x40 > 0),
            },
        );
    }

    fn media(&mut self, who: Who, command: MediaCommand) {
        self.command(who, Command::Media(command));
    }

    fn media_options(&self, who: Who, shape: u8) -> MediaOptions {
        let metadata = (shape & 4 > 0).then(|| json!({ "n": shape }));
        let targets = self.targets(who, shape / 16);
        MediaOptions { targets, metadata, late_joiners: shape & 8 > 0 }
    }
}

fn spec(pick: u8) -> TrackSpec {
    match pick % 4 {
        0 => TrackSpec::any(MediaKind::Video),
        1 => TrackSpec::of(Codec::Vp8),
        2 => TrackSpec::of(Codec::Opus),
        _ => TrackSpec { kind: MediaKind::Audio, codecs: vec![Codec::Pcmu, Codec::G722] },
    }
}

fn stream(pick: u8) -> StreamKey {
    StreamKey::from_number(u64::from(pick % 8) + 1)
}

fn track(pick: u8) -> TrackId {
    TrackId::from_number(u64::from(pick % 32) + 1)
}
