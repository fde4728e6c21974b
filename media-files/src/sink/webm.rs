//! Several tracks in one WebM file, whose header has to name all of them before the first frame.
//!
//! So frames are held until there is one of each track, for a moment at the most.

use std::collections::BTreeSet;
use std::io::{self, Seek, Write};
use std::time::Duration;

use tristero_proto::media::{Codec, MediaFrame, MediaKind};

use super::{FileName, Written};
use crate::error::WriteError;
use crate::limits::PARTS_MAX;
use crate::webm::{WebmTrack, WebmWriter};

/// The file that tracks are gathered in, and what leads to it.
pub(super) struct Gathering<W> {
    phase: Phase<W>,
    /// The tracks that were seen and are not over: a file waits for each of them.
    expected: BTreeSet<usize>,
    parts: usize,
}

enum Phase<W> {
    /// Frames are held until there is one of each track.
    Holding(Vec<Held>),
    Writing {
        writer: WebmWriter<W>,
        /// The tracks in it, in its order.
        tracks: Vec<(usize, Codec)>,
        /// Its beginning in the recording.
        begun: Duration,
    },
}

struct Held {
    track: usize,
    /// What a track is described by; of its first frame alone.
    described: Option<WebmTrack>,
    frame: MediaFrame,
    at: Duration,
    arrived: Duration,
}

impl<W: Write + Seek> Gathering<W> {
    pub(super) fn new() -> Self {
        Gathering { phase: Phase::Holding(Vec::new()), expected: BTreeSet::new(), parts: 0 }
    }

    /// A track that is to come.
    pub(super) fn expect_track(&mut self, track: usize) {
        self.expected.insert(track);
    }

    pub(super) fn write(
        &mut self,
        track: usize,
        frame: &MediaFrame,
        (at, arrived): (Duration, Duration),
        open: &mut impl FnMut(FileName) -> io::Result<W>,
    ) -> Result<Written, WriteError> {
        self.expected.insert(track);
        if let Phase::Writing { writer, tracks, begun } = &mut self.phase {
            if let Some(index) = tracks.iter().position(|known| *known == (track, frame.codec)) {
                writer.write(index, frame, at.saturating_sub(*begun))?;
                return Ok(Written::Taken);
            }
            // A track or a codec that its header does not name.
            self.end_file(open)?;
        }
        let Phase::Holding(held) = &mut self.phase else { return Ok(Written::LeftOut) };
        let described = match held.iter().any(|held| held.track == track) {
            true => None,
            // The file before this one may have ended between two key frames of this track.
            false if frame.codec.kind() == MediaKind::Video && !frame.is_key => {
                return Ok(Written::LeftOut);
            }
            false => Some(WebmTrack::beginning_with(frame)?),
        };
        held.push(Held { track, described, frame: frame.clone(), at, arrived });
        let bytes: usize = held.iter().map(|held| held.frame.bytes.len()).sum();
        let is_late = arrived.saturating_sub(held[0].arrived) >= HOLD_TIME_MAX
            || held.len() >= HOLD_FRAMES_MAX
            || bytes >= HOLD_BYTES_MAX;
        let has_all =
            self.expected.iter().all(|track| held.iter().any(|held| held.track == *track));
        if has_all || is_late {
            self.begin_file(open)?;
        }
        Ok(Written::Taken)
    }

    pub(super) fn end_track(
        &mut self,
        track: usize,
        open: &mut impl FnMut(FileName) -> io::Result<W>,
    ) -> Result<(), WriteError> {
        self.expected.remove(&track);
        if self.expected.is_empty() { self.end_file(open) } else { Ok(()) }
    }

    pub(super) fn finish(
        &mut self,
        open: &mut impl FnMut(FileName) -> io::Result<W>,
    ) -> Result<(), WriteError> {
        self.end_file(open)
    }

    /// Begins a file with the tracks of which there is a frame.
    fn begin_file(
        &mut self,
        open: &mut impl FnMut(FileName) -> io::Result<W>,
    ) -> Result<(), WriteError> {
        let Phase::Holding(held) = &mut self.phase else { return Ok(()) };
        let mut held = std::mem::take(held);
        let (tracks, described): (Vec<_>, Vec<_>) = held
            .iter_mut()
            .filter_map(|held| Some(((held.track, held.frame.codec), held.described.take()?)))
            .unzip();
        if self.parts == PARTS_MAX {
            return Err(WriteError::Tracks);
        }
        let to = open(FileName { track: None, part: self.parts, ending: "webm" })?;
        self.parts += 1;
        let mut writer = WebmWriter::new(to, &described)?;
        let begun = held.iter().map(|held| held.at).min().unwrap_or_default();
        for Held { track, frame, at, .. } in &held {
            // A codec that changed meanwhile leaves out what came of the new one.
            if let Some(index) = tracks.iter().position(|known| *known == (*track, frame.codec)) {
                writer.write(index, frame, at.saturating_sub(begun))?;
            }
        }
        self.phase = Phase::Writing { writer, tracks, begun };
        Ok(())
    }

    fn end_file(
        &mut self,
        open: &mut impl FnMut(FileName) -> io::Result<W>,
    ) -> Result<(), WriteError> {
        if matches!(&self.phase, Phase::Holding(held) if !held.is_empty()) {
            self.begin_file(open)?;
        }
        match std::mem::replace(&mut self.phase, Phase::Holding(Vec::new())) {
            Phase::Holding(_) => Ok(()),
            Phase::Writing { writer, .. } => writer.finish().map(drop),
        }
    }
}

/// How long a file waits for the first frame of a track, by when frames arrive: a key frame that is
/// asked for comes within it.
const HOLD_TIME_MAX: Duration = Duration::from_secs(2);
/// Frames of a recording that are held.
const HOLD_FRAMES_MAX: usize = 512;
/// Bytes of these frames, and a frame more.
const HOLD_BYTES_MAX: usize = 16 << 20;
