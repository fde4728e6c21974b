//! What a node is asked to send, and what it answers.

use serde_json::Value;

use super::{Codec, MediaKind, TrackStats};
use crate::ids::{PeerId, PeerTrackId, StreamKey, TrackId};
use crate::limits;

/// A track that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackSpec {
    /// What it is for.
    pub kind: MediaKind,
    /// How its frames may be encoded, the best first; of the room's codecs any if it is empty. Each
    /// peer takes one of them, or several: see [`Event::TrackAgreed`](crate::Event::TrackAgreed).
    pub codecs: Vec<Codec>,
}

impl TrackSpec {
    /// A track whose frames are encoded in one way.
    pub fn of(codec: Codec) -> Self {
        TrackSpec { kind: codec.kind(), codecs: vec![codec] }
    }

    /// A track for this, with any codec.
    pub fn any(kind: MediaKind) -> Self {
        TrackSpec { kind, codecs: Vec::new() }
    }
}

/// To whom media goes, and what goes along with it.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaOptions {
    /// Who gets it; `None` is everyone in the room.
    pub targets: Option<Vec<PeerId>>,
    /// What goes along with it: any JSON value, up to [`limits::METADATA_BYTES_MAX`].
    pub metadata: Option<Value>,
    /// Whether those who become members later get it too; of `targets`, those among them that do.
    /// It is so by default, other than in JavaScript.
    pub late_joiners: bool,
}

impl Default for MediaOptions {
    fn default() -> Self {
        MediaOptions { targets: None, metadata: None, late_joiners: true }
    }
}

/// A stream that is sent from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddedStream {
    /// The stream.
    pub stream: StreamKey,
    /// Its tracks, in the order in which they were given.
    pub tracks: Vec<TrackId>,
    /// Whom it goes to now. One [`Event::StreamSent`](crate::Event::StreamSent) follows for each.
    pub peers: Vec<PeerId>,
}

/// A track that is sent from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddedTrack {
    /// The track.
    pub track: TrackId,
    /// Whom it goes to now. One [`Event::TrackSent`](crate::Event::TrackSent) follows for each.
    pub peers: Vec<PeerId>,
}

/// A track of a stream of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamTrack {
    /// The track.
    pub track: PeerTrackId,
    /// What it is for.
    pub kind: MediaKind,
}

/// To how many peers a frame or a packet went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Peers to which it is on its way.
    pub taken: usize,
    /// Peers that the track goes to and this frame does not: too much waits for them, they do not
    /// take its codec, or it is of no use to them without one that was dropped before.
    pub dropped: usize,
}

/// What is known of the audio and video between us and a member.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PeerMedia {
    /// Whether the other side can send or take media at all.
    pub is_possible: bool,
    /// What the path to it bears, in bits per second, if the room
    /// [estimates](super::MediaConfig::estimates_bandwidth) that.
    pub bitrate: Option<u64>,
    /// The tracks that we send to it.
    pub sent: Vec<(TrackId, TrackStats)>,
    /// The tracks that it sends, those among them that a room was told of.
    pub received: Vec<(PeerTrackId, TrackStats)>,
}

/// Why something can't be done with media.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The room was left.
    #[error("this room was left")]
    RoomGone,
    /// There is no such stream, or the room does not have it.
    #[error("there is no such stream; it ends with the last room that has it")]
    NoSuchStream,
    /// There is no such track, or the room does not have it.
    #[error("there is no such track; it ends with the last room that has it")]
    NoSuchTrack,
    /// A stream without tracks.
    #[error("a stream has at least one track")]
    NoTracks,
    /// There are too many streams.
    #[error("a node sends {} streams at most", limits::STREAMS_MAX)]
    TooManyStreams,
    /// There are too many tracks.
    #[error("a node sends {} tracks at most", limits::TRACKS_MAX)]
    TooManyTracks,
    /// A track and a codec, or two tracks, are not for the same.
    #[error("this is for {0}, and the track is not")]
    OtherKind(
        /// What the codec, or the other track, is for.
        MediaKind,
    ),
    /// The metadata is too large.
    #[error(
        "metadata has at most {} bytes of JSON, and this has {size}",
        limits::METADATA_BYTES_MAX
    )]
    MetadataTooLarge {
        /// Its size in bytes of JSON.
        size: usize,
    },
    /// A frame or a packet is empty.
    #[error("there is nothing in it")]
    Empty,
    /// A frame or a packet is too large.
    #[error("it has at most {max} bytes, and this has {size}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The most that it may have.
        max: usize,
    },
}

/// Why a stream or a track does not go to one of its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaFailure {
    /// The peer is not in the room.
    #[error("it is not in the room")]
    NotInRoom,
    /// The peer left, or the connection to it ended, before it had answered.
    #[error("it left before it answered")]
    Left,
    /// It was removed before the peer had answered.
    #[error("it was removed before the peer answered")]
    Removed,
    /// The peer takes none of its tracks, or nothing of how they are encoded.
    #[error("the peer does not take it")]
    Refused,
    /// The connection to the peer has no keys for media.
    #[error("the connection to it can't carry audio and video")]
    NotPossible,
    /// The peer did not answer in time.
    #[error("the peer did not answer")]
    NotAnswered,
    /// Too many tracks go to the peer already.
    #[error("{} tracks go to one peer at most", limits::SENT_TRACKS_MAX)]
    TooMany,
    /// The track was replaced, and JavaScript can't be told the metadata of this one: only that of
    /// a track which was added alone.
    #[error("the track is sent, and its metadata can't be told to this peer")]
    MetadataUntold,
}
