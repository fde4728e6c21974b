//! Audio and video as data: what tracks carry, and how a connection is told to carry them.
//!
//! Nothing here encodes or decodes: frames are what an encoder made and what a decoder takes.

mod local;
mod received;
mod sent;
mod terms;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::ids::TrackId;
pub(crate) use local::LocalMedia;
pub(crate) use received::{Arrived, KEY_FRAME_PAUSE, Received, ReceivedIds, Viewer};
pub(crate) use sent::{Passed, Round, Sent, Subject};
pub use terms::{
    AddedStream, AddedTrack, MediaError, MediaFailure, MediaOptions, PeerMedia, StreamTrack,
    TrackSpec, Written,
};

/// What a track is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MediaKind::Audio => "audio",
            MediaKind::Video => "video",
        })
    }
}

/// How frames are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// Opus (RFC 7587). A frame is one packet of it.
    Opus,
    /// G.711 µ-law at 8 kHz, one channel (RFC 3551).
    Pcmu,
    /// G.711 A-law at 8 kHz, one channel (RFC 3551).
    Pcma,
    /// G.722 at 16 kHz, one channel (RFC 3551).
    G722,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9, profile 0 (RFC 9628).
    Vp9,
    /// H.264 (RFC 6184). A frame is an access unit with start codes (Annex B of the standard), and
    /// a key frame has its parameter sets with it.
    H264,
    /// AV1. A frame is a temporal unit: OBUs that have a size, without temporal delimiters.
    Av1,
}

impl Codec {
    /// All of them, in the order in which they are preferred if nothing else is said.
    pub const ALL: [Codec; 8] = [
        Codec::Opus,
        Codec::G722,
        Codec::Pcmu,
        Codec::Pcma,
        Codec::Vp8,
        Codec::Vp9,
        Codec::H264,
        Codec::Av1,
    ];

    /// What it encodes.
    pub const fn kind(self) -> MediaKind {
        match self {
            Codec::Opus | Codec::Pcmu | Codec::Pcma | Codec::G722 => MediaKind::Audio,
            Codec::Vp8 | Codec::Vp9 | Codec::H264 | Codec::Av1 => MediaKind::Video,
        }
    }

    /// How many ticks of a [`MediaTime`] make a second: the samples of audio, and 90,000 for video.
    ///
    /// Of G.722 these are the 16,000 samples that there are, and not the 8,000 that RTP counts by a
    /// mistake of long ago (RFC 3551, section 4.5.2).
    pub const fn clock_rate(self) -> u32 {
        match self {
            Codec::Opus => 48_000,
            Codec::Pcmu | Codec::Pcma => 8_000,
            Codec::G722 => 16_000,
            Codec::Vp8 | Codec::Vp9 | Codec::H264 | Codec::Av1 => 90_000,
        }
    }

    /// Its name in session descriptions.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Opus => "opus",
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Vp8 => "VP8",
            Codec::Vp9 => "VP9",
            Codec::H264 => "H264",
            Codec::Av1 => "AV1",
        }
    }

    /// The codec of that name, in letters of either case.
    pub fn from_name(name: &str) -> Option<Self> {
        Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A moment of a track, counted from some beginning of its own. Two tracks of one stream have no
/// beginning in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MediaTime {
    ticks: u64,
    rate: u32,
}

impl MediaTime {
    /// `ticks` of which `rate` make a second; a rate of 0 is taken as 1.
    pub const fn new(ticks: u64, rate: u32) -> Self {
        MediaTime { ticks, rate: if rate == 0 { 1 } else { rate } }
    }

    /// A time since the beginning, in ticks of the codec's clock.
    pub fn of(codec: Codec, since_beginning: Duration) -> Self {
        let nanos = u64::try_from(since_beginning.as_nanos()).unwrap_or(u64::MAX);
        MediaTime::new(nanos, 1_000_000_000).rescaled(codec.clock_rate())
    }

    /// How many ticks.
    pub const fn ticks(self) -> u64 {
        self.ticks
    }

    /// How many of them make a second.
    pub const fn rate(self) -> u32 {
        self.rate
    }

    /// The same moment in ticks of another rate, rounded down, or the last one that there is.
    pub fn rescaled(self, rate: u32) -> Self {
        let rate = rate.max(1);
        let ticks = u128::from(self.ticks) * u128::from(rate) / u128::from(self.rate);
        MediaTime { ticks: u64::try_from(ticks).unwrap_or(u64::MAX), rate }
    }

    /// The time since the beginning.
    pub fn since_beginning(self) -> Duration {
        let seconds = self.ticks / u64::from(self.rate);
        let rest = self.ticks % u64::from(self.rate);
        let nanos = rest * 1_000_000_000 / u64::from(self.rate);
        Duration::new(seconds, u32::try_from(nanos).unwrap_or_default())
    }
}

/// What an encoder made of one picture, or of a few milliseconds of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFrame {
    /// How it is encoded.
    pub codec: Codec,
    /// When it is to be shown or heard.
    pub time: MediaTime,
    /// Whether it can be decoded without those before it. Always so for audio.
    pub is_key: bool,
    /// Whether nothing was lost between the frame before it and this one. Of frames that are sent
    /// nobody asks.
    pub is_contiguous: bool,
    /// The bytes: up to [`limits::AUDIO_FRAME_BYTES_MAX`](crate::limits::AUDIO_FRAME_BYTES_MAX) or
    /// [`limits::FRAME_BYTES_MAX`](crate::limits::FRAME_BYTES_MAX) of them if it is to be sent. They
    /// are shared and never copied, to however many peers they go.
    pub bytes: Arc<[u8]>,
}

/// An RTP packet (RFC 3550) without its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpPacket {
    /// How its payload is encoded.
    pub codec: Codec,
    /// Its sequence number, with the times that it has wrapped around above the lower 16 bits.
    pub sequence: u64,
    /// Its timestamp, in ticks of RTP.
    pub time: u32,
    /// Its marker bit: for video, whether it ends a frame.
    pub is_marked: bool,
    /// Its payload: up to [`limits::RTP_PAYLOAD_BYTES_MAX`](crate::limits::RTP_PAYLOAD_BYTES_MAX)
    /// bytes if it is to be sent.
    pub payload: Bytes,
}

/// In which form media is taken and given. It is that of a whole connection, of the room that made
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Medium {
    /// As frames: packets are put together, and put in order, and lost ones asked for again.
    #[default]
    Frames,
    /// Received as RTP packets, as they come. What is sent may be either.
    Packets,
}

/// How a connection carries audio and video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaConfig {
    /// What is received and sent, the best first. What is not named is refused.
    pub codecs: Vec<Codec>,
    /// Whether frames or packets are received.
    pub medium: Medium,
    /// Whether the rate that the path bears is estimated while media is sent. It costs a timer of 40
    /// ms for each connection.
    pub estimates_bandwidth: bool,
    /// Whether tracks of others are taken at all.
    pub receives: bool,
}

impl Default for MediaConfig {
    fn default() -> Self {
        MediaConfig {
            codecs: Codec::ALL.to_vec(),
            medium: Medium::Frames,
            estimates_bandwidth: false,
            receives: true,
        }
    }
}

/// The names that a session description gives to a track and to the stream it belongs to
/// (`a=msid`, RFC 8830): up to [`limits::MSID_BYTES_MAX`](crate::limits::MSID_BYTES_MAX) bytes each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Msid {
    /// The stream's: `MediaStream.id` in JavaScript.
    pub stream: String,
    /// The track's: `MediaStreamTrack.id` of the side that sends.
    pub track: String,
}

/// A track that a connection is to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentTrack {
    /// Which.
    pub track: TrackId,
    /// What it is for.
    pub kind: MediaKind,
    /// What the other side is to call it.
    pub msid: Msid,
    /// How its frames may be encoded, the best first; of the connection's codecs any if it is empty.
    pub codecs: Vec<Codec>,
}

/// What was counted of a track on one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackStats {
    /// How it is encoded, once that is known.
    pub codec: Option<Codec>,
    /// Frames that were taken or given.
    pub frames: u64,
    /// How many of them were key frames.
    pub key_frames: u64,
    /// RTP packets of media.
    pub packets: u64,
    /// Bytes of payload.
    pub bytes: u64,
    /// Frames that were not sent because too much was waiting, or not given because they made no
    /// sense.
    pub dropped: u64,
    /// Gaps in what was received: frames before which something was lost.
    pub gaps: u64,
    /// How often a key frame was asked for, by the side that receives.
    pub key_frame_requests: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_its_moment_in_other_ticks() {
        let time = MediaTime::of(Codec::Vp8, Duration::from_millis(1_500));
        assert_eq!((time.ticks(), time.rate()), (135_000, 90_000));
        assert_eq!(time.rescaled(1_000).ticks(), 1_500);
        assert_eq!(time.since_beginning(), Duration::from_millis(1_500));
        assert_eq!(MediaTime::new(7, 0).since_beginning(), Duration::from_secs(7));
        let late = MediaTime::new(u64::MAX, u32::MAX);
        assert_eq!(late.rescaled(u32::MAX), late, "nothing overflows");
    }

    #[test]
    fn codecs_are_found_by_their_names() {
        for codec in Codec::ALL {
            assert_eq!(Codec::from_name(&codec.name().to_lowercase()), Some(codec));
        }
        assert_eq!(Codec::from_name("flexfec-03"), None);
    }
}
