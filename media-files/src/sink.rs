//! The tracks of one peer as files.
//!
//! A recording begins at a key frame, and after a gap video is left out up to the next one: what can't
//! be decoded is not written, and is counted. Sound has no such frames; gaps in it are filled.

mod part;
mod webm;

use std::fmt;
use std::io::{self, Seek, Write};
use std::time::Duration;

use tristero_proto::media::{Codec, MediaFrame, MediaKind};

use crate::error::WriteError;
use crate::limits::{PARTS_MAX, TRACKS_MAX};
use part::Part;
use webm::Gathering;

/// In what form tracks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Each track has a file of its own: IVF for video, Ogg for Opus, raw sound for the others.
    Separate,
    /// All tracks are in one WebM file, but for those of a codec that it can't hold: these have
    /// files of their own.
    Webm,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::Separate => "a file of one track",
            Form::Webm => "WebM",
        })
    }
}

/// What a file is for that a [`Sink`] begins. As text it is a name for it: `video-1.ivf`,
/// `audio-0.2.opus`, `tracks.webm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileName {
    /// Of which track it is; `None` if it holds several.
    pub track: Option<(MediaKind, usize)>,
    /// How many files there were before it for the same. A codec that changes begins one.
    pub part: usize,
    /// The ending that tells its form.
    pub ending: &'static str,
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.track {
            Some((kind, index)) => write!(f, "{kind}-{index}")?,
            None => f.write_str("tracks")?,
        }
        if self.part > 0 {
            write!(f, ".{}", self.part + 1)?;
        }
        write!(f, ".{}", self.ending)
    }
}

/// A track of a [`Sink`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SinkTrack(usize);

impl SinkTrack {
    /// How many tracks were added before it.
    pub fn index(self) -> usize {
        self.0
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is in the file, or will be.
    Taken,
    /// It is not: it can't be decoded before a key frame came, or at all. Whoever sends should be asked
    /// for a key frame.
    LeftOut,
}

/// What was written of a track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkStats {
    /// What it was encoded with last.
    pub codec: Option<Codec>,
    /// Frames that were taken.
    pub frames: u64,
    /// How many of them were key frames.
    pub key_frames: u64,
    /// Frames that were left out.
    pub left_out: u64,
    /// Bytes of the frames that were taken.
    pub bytes: u64,
    /// From its first frame to its last.
    pub length: Duration,
}

/// Writes the tracks of one peer to files, which it has opened by `open` as it needs them.
///
/// ```
/// use std::io::Cursor;
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tristero_media_files::{Form, Sink, Written};
/// use tristero_proto::media::{Codec, MediaFrame, MediaKind, MediaTime};
///
/// let mut names = Vec::new();
/// let mut sink = Sink::new(Form::Separate, |name| {
///     names.push(name.to_string());
///     Ok(Cursor::new(Vec::new()))
/// });
/// let audio = sink.add_track(MediaKind::Audio)?;
/// let silence = MediaFrame {
///     codec: Codec::Pcmu,
///     time: MediaTime::new(0, 8_000),
///     is_key: true,
///     is_contiguous: true,
///     bytes: Arc::from(vec![0xff; 160]),
/// };
/// assert_eq!(sink.write(audio, &silence, Duration::ZERO)?, Written::Taken);
/// assert_eq!(sink.finish()?[0].frames, 1);
/// assert_eq!(names, ["audio-0.ul"]);
/// # Ok::<(), tristero_media_files::WriteError>(())
/// ```
pub struct Sink<W: Write, O> {
    form: Form,
    open: O,
    tracks: Vec<Track<W>>,
    gathering: Gathering<W>,
}

struct Track<W: Write> {
    kind: MediaKind,
    gate: Gate,
    part: Part<W>,
    parts: usize,
    /// When the first frame of the part came.
    part_begun: Duration,
    /// The first frame of its codec: its time in the track, and when it came.
    begun: Option<(Duration, Duration)>,
    /// When the first frame of all came.
    first_arrived: Option<Duration>,
    stats: SinkStats,
}

/// Whether frames of a track can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// Not before the next key frame.
    Closed,
    Open,
}

impl<W: Write + Seek, O: FnMut(FileName) -> io::Result<W>> Sink<W, O> {
    /// A sink without tracks. No file is opened before a frame is written.
    pub fn new(form: Form, open: O) -> Self {
        Sink { form, open, tracks: Vec::new(), gathering: Gathering::new() }
    }

    /// Adds a track. If all go to one file it should be added before the first frame of any: one
    /// that comes later has a new file begin.
    pub fn add_track(&mut self, kind: MediaKind) -> Result<SinkTrack, WriteError> {
        if self.tracks.len() == TRACKS_MAX {
            return Err(WriteError::Tracks);
        }
        self.gathering.expect_track(self.tracks.len());
        self.tracks.push(Track::new(kind));
        Ok(SinkTrack(self.tracks.len() - 1))
    }

    /// Writes a frame that came `arrived` after the recording's beginning.
    ///
    /// After the first frame of a track the times of its frames count, and not when they arrived; but
    /// gaps in sound are filled no further than to [`AHEAD_MAX`](crate::limits::AHEAD_MAX) beyond the
    /// time that passed.
    pub fn write(
        &mut self,
        track: SinkTrack,
        frame: &MediaFrame,
        arrived: Duration,
    ) -> Result<Written, WriteError> {
        let index = track.0;
        let Some(track) = self.tracks.get_mut(index) else { return Err(WriteError::Tracks) };
        if track.gate(frame) == Gate::Closed {
            track.stats.left_out += 1;
            return Ok(Written::LeftOut);
        }
        let at = track.at(frame, arrived);
        let written = if self.form == Form::Webm && crate::webm::holds(frame.codec) {
            self.gathering.write(index, frame, (at, arrived), &mut self.open)
        } else {
            self.gathering.end_track(index, &mut self.open)?;
            track.write(index, frame, arrived, &mut self.open).map(|()| Written::Taken)
        };
        match written {
            Ok(Written::Taken) => {
                track.count(frame, at);
                Ok(Written::Taken)
            }
            // Others send what they like. One frame that is none is no reason to end a recording.
            Ok(Written::LeftOut) | Err(WriteError::NotOfCodec(_) | WriteError::FrameSize(_)) => {
                track.gate = Gate::Closed;
                track.stats.left_out += 1;
                Ok(Written::LeftOut)
            }
            Err(error) => Err(error),
        }
    }

    /// Ends a track: nothing more comes of it.
    pub fn end_track(&mut self, track: SinkTrack) -> Result<(), WriteError> {
        self.gathering.end_track(track.0, &mut self.open)?;
        match self.tracks.get_mut(track.0) {
            Some(track) => {
                track.gate = Gate::Closed;
                track.end()
            }
            None => Ok(()),
        }
    }

    /// Ends all files; they are whole only then. What was written of each track.
    ///
    /// # Errors
    ///
    /// The first one; all other files are ended all the same.
    pub fn finish(mut self) -> Result<Vec<SinkStats>, WriteError> {
        let mut result = self.gathering.finish(&mut self.open);
        for track in &mut self.tracks {
            result = result.and(track.end());
        }
        result.map(|()| self.tracks.iter().map(|track| track.stats).collect())
    }

    /// What was written of a track so far.
    pub fn stats(&self, track: SinkTrack) -> SinkStats {
        self.tracks.get(track.0).map(|track| track.stats).unwrap_or_default()
    }
}

impl<W: Write, O> fmt::Debug for Sink<W, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("form", &self.form)
            .field("tracks", &self.tracks.len())
            .finish_non_exhaustive()
    }
}

impl<W: Write + Seek> Track<W> {
    fn new(kind: MediaKind) -> Self {
        Track {
            kind,
            gate: Gate::Closed,
            part: Part::None,
            parts: 0,
            part_begun: Duration::ZERO,
            begun: None,
            first_arrived: None,
            stats: SinkStats::default(),
        }
    }

    fn gate(&mut self, frame: &MediaFrame) -> Gate {
        let goes_on = frame.is_contiguous && self.stats.codec == Some(frame.codec);
        let can_be_decoded = frame.codec.kind() == MediaKind::Audio || frame.is_key;
        self.gate = match self.gate {
            Gate::Open if goes_on => Gate::Open,
            Gate::Open | Gate::Closed if can_be_decoded => Gate::Open,
            Gate::Open | Gate::Closed => Gate::Closed,
        };
        self.gate
    }

    /// When a frame is to be shown, from the recording's beginning.
    fn at(&mut self, frame: &MediaFrame, arrived: Duration) -> Duration {
        let time = frame.time.since_beginning();
        if self.stats.codec.is_some_and(|codec| codec != frame.codec) {
            // Another codec counts from another beginning.
            self.begun = None;
        }
        self.first_arrived.get_or_insert(arrived);
        let (first, first_arrived) = *self.begun.get_or_insert((time, arrived));
        first_arrived.saturating_add(time.saturating_sub(first))
    }

    fn write(
        &mut self,
        index: usize,
        frame: &MediaFrame,
        arrived: Duration,
        open: &mut impl FnMut(FileName) -> io::Result<W>,
    ) -> Result<(), WriteError> {
        if self.part.codec() != Some(frame.codec) {
            self.end()?;
            if self.parts == PARTS_MAX {
                return Err(WriteError::Tracks);
            }
            let name = FileName {
                track: Some((self.kind, index)),
                part: self.parts,
                ending: part::ending(frame.codec),
            };
            self.part = Part::begin(open(name)?, frame.codec)?;
            self.parts += 1;
            self.part_begun = arrived;
        }
        self.part.write(frame, arrived.saturating_sub(self.part_begun))
    }

    fn end(&mut self) -> Result<(), WriteError> {
        std::mem::replace(&mut self.part, Part::None).finish()
    }

    fn count(&mut self, frame: &MediaFrame, at: Duration) {
        let begun = self.first_arrived.unwrap_or_default();
        self.stats.codec = Some(frame.codec);
        self.stats.frames += 1;
        self.stats.key_frames += u64::from(frame.is_key);
        self.stats.bytes += frame.bytes.len() as u64;
        self.stats.length = self.stats.length.max(at.saturating_sub(begun));
    }
}
