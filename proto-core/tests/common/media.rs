//! Audio and video in the world of tests.

use serde_json::Value;
use tristero_proto::media::{
    AddedStream, AddedTrack, Codec, MediaFailure, MediaFrame, MediaKind, MediaOptions, MediaTime,
    TrackSpec, Written,
};
use tristero_proto::{Event, PeerStreamId, PeerTrackId, RoomKey, StreamKey, TrackId};

use super::{Who, World};

/// A track of sound, and one of pictures.
pub fn camera() -> [TrackSpec; 2] {
    [TrackSpec::of(Codec::Opus), TrackSpec::of(Codec::Vp8)]
}

pub fn video() -> [TrackSpec; 1] {
    [TrackSpec::of(Codec::Vp8)]
}

/// With this metadata, for everyone.
pub fn with(metadata: impl Into<Value>) -> MediaOptions {
    MediaOptions { metadata: Some(metadata.into()), ..MediaOptions::default() }
}

pub fn frame(codec: Codec, number: u8, is_key: bool) -> MediaFrame {
    let time = MediaTime::new(number.into(), codec.clock_rate());
    let bytes = vec![number; 100].into();
    MediaFrame { codec, time, is_key, is_contiguous: true, bytes }
}

/// What a node was told of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldStream {
    pub room: RoomKey,
    pub peer: Who,
    pub stream: PeerStreamId,
    pub tracks: Vec<(PeerTrackId, MediaKind)>,
    pub metadata: Option<Value>,
}

impl World {
    pub fn add_stream(
        &mut self,
        who: Who,
        room: RoomKey,
        tracks: &[TrackSpec],
        options: MediaOptions,
    ) -> AddedStream {
        let now = self.now;
        self.with(who, |node| node.add_stream(room, tracks, options, now)).unwrap()
    }

    pub fn share_stream(
        &mut self,
        who: Who,
        room: RoomKey,
        stream: StreamKey,
        options: MediaOptions,
    ) {
        let now = self.now;
        self.with(who, |node| node.share_stream(room, stream, options, now)).unwrap();
    }

    pub fn remove_stream(&mut self, who: Who, room: RoomKey, stream: StreamKey) {
        let now = self.now;
        self.with(who, |node| node.remove_stream(room, stream, None, now)).unwrap();
    }

    pub fn add_track(
        &mut self,
        who: Who,
        room: RoomKey,
        stream: StreamKey,
        track: TrackSpec,
        options: MediaOptions,
    ) -> AddedTrack {
        let now = self.now;
        self.with(who, |node| node.add_track(room, stream, track, options, now)).unwrap()
    }

    pub fn write(&mut self, who: Who, track: TrackId, frame: &MediaFrame) -> Written {
        let now = self.now;
        self.with(who, |node| node.write_frame(track, frame, now)).unwrap()
    }

    /// The streams that a node was told of.
    pub fn streams(&self, who: Who) -> Vec<ToldStream> {
        let stream = |event: &Event| match event {
            Event::PeerStream { room, peer, stream, tracks, metadata, .. } => Some(ToldStream {
                room: *room,
                peer: self.who(peer),
                stream: *stream,
                tracks: tracks.iter().map(|track| (track.track, track.kind)).collect(),
                metadata: metadata.clone(),
            }),
            _ => None,
        };
        self.events(who).iter().filter_map(stream).collect()
    }

    /// The tracks that a node was told of alone.
    pub fn tracks(&self, who: Who) -> Vec<(PeerStreamId, PeerTrackId, Option<Value>)> {
        let track = |event: &Event| match event {
            Event::PeerTrack { stream, track, metadata, .. } => {
                Some((*stream, *track, metadata.clone()))
            }
            _ => None,
        };
        self.events(who).iter().filter_map(track).collect()
    }

    /// What arrived of a track: the numbers of its frames.
    pub fn frames(&self, who: Who, of: PeerTrackId) -> Vec<u8> {
        let number = |event: &Event| match event {
            Event::Frame { track, frame } if *track == of => frame.bytes.first().copied(),
            _ => None,
        };
        self.events(who).iter().filter_map(number).collect()
    }

    /// What came of streams that were to be sent.
    pub fn sent_streams(&self, who: Who) -> Vec<(StreamKey, Who, Result<(), MediaFailure>)> {
        let sent = |event: &Event| match event {
            Event::StreamSent { stream, peer, result, .. } => {
                Some((*stream, self.who(peer), *result))
            }
            _ => None,
        };
        self.events(who).iter().filter_map(sent).collect()
    }

    /// What came of tracks that were to be sent.
    pub fn sent_tracks(&self, who: Who) -> Vec<(TrackId, Result<(), MediaFailure>)> {
        let sent = |event: &Event| match event {
            Event::TrackSent { track, result, .. } => Some((*track, *result)),
            _ => None,
        };
        self.events(who).iter().filter_map(sent).collect()
    }

    /// The tracks that ended, as a node was told.
    pub fn ended_tracks(&self, who: Who) -> Vec<(RoomKey, PeerTrackId)> {
        let ended = |event: &Event| match event {
            Event::PeerTrackEnded { room, track, .. } => Some((*room, *track)),
            _ => None,
        };
        self.events(who).iter().filter_map(ended).collect()
    }

    /// The streams that ended, as a node was told.
    pub fn ended_streams(&self, who: Who) -> Vec<(RoomKey, PeerStreamId)> {
        let ended = |event: &Event| match event {
            Event::PeerStreamEnded { room, stream, .. } => Some((*room, *stream)),
            _ => None,
        };
        self.events(who).iter().filter_map(ended).collect()
    }

    /// The tracks of which a node is asked for a key frame.
    pub fn wanted(&self, who: Who) -> Vec<TrackId> {
        let wanted = |event: &Event| match event {
            Event::KeyFrameWanted { track, .. } => Some(*track),
            _ => None,
        };
        self.events(who).iter().filter_map(wanted).collect()
    }
}
