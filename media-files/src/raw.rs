//! Sound without any container: the bytes of G.722, µ-law or A-law, one channel.
//!
//! The name of a file alone tells what it is, by the endings that ffmpeg has for them.

use std::io::{Read, Seek, Write};
use std::sync::Arc;
use std::time::Duration;

use tristero_proto::media::{Codec, MediaFrame, MediaTime};

use crate::bytes;
use crate::error::{ReadError, WriteError};
use crate::limits::{AHEAD_MAX, GAP_MAX, GAPS_MAX};
use crate::sink::Form;
use crate::track::FileTrack;

/// The codec of files of that name.
pub fn codec_of_name(name: &str) -> Option<Codec> {
    let (_, ending) = name.rsplit_once('.')?;
    ENDINGS.iter().find(|(_, known)| known.eq_ignore_ascii_case(ending)).map(|(codec, _)| *codec)
}

/// Reads a file of raw sound, in frames of 20 ms.
#[derive(Debug)]
pub struct RawReader<R> {
    from: R,
    codec: Codec,
    frames: u64,
}

impl<R: Read> RawReader<R> {
    /// Reads it as sound of that codec: G.722, µ-law or A-law.
    pub fn new(from: R, codec: Codec) -> Result<Self, ReadError> {
        if ending(codec).is_none() {
            return Err(ReadError::Unsupported(format!("{codec}, which needs a container")));
        }
        Ok(RawReader { from, codec, frames: 0 })
    }

    /// What is in it.
    pub fn track(&self) -> FileTrack {
        FileTrack { channels: Some(1), ..FileTrack::new(self.codec) }
    }

    /// The next 20 ms, and what is left at the end; `None` after it.
    pub fn next_frame(&mut self) -> Result<Option<MediaFrame>, ReadError> {
        let mut bytes = Vec::with_capacity(FRAME_BYTES);
        self.from.by_ref().take(FRAME_BYTES as u64).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let rate = self.codec.clock_rate();
        let ticks = self.frames.saturating_mul(u64::from(rate / FRAMES_PER_SECOND));
        self.frames += 1;
        Ok(Some(MediaFrame {
            codec: self.codec,
            time: MediaTime::new(ticks, rate),
            is_key: true,
            is_contiguous: true,
            bytes: Arc::from(bytes),
        }))
    }
}

impl<R: Read + Seek> RawReader<R> {
    /// Goes back to the beginning.
    pub fn rewind(&mut self) -> Result<(), ReadError> {
        self.from.rewind()?;
        self.frames = 0;
        Ok(())
    }
}

/// Writes a file of raw sound.
///
/// What is missing between two frames becomes silence, up to [`GAP_MAX`], and to [`GAPS_MAX`] in all.
#[derive(Debug)]
pub struct RawWriter<W> {
    to: W,
    codec: Codec,
    begun: Option<u64>,
    written: u64,
    /// Bytes that may still become silence.
    silence_left: u64,
}

impl<W: Write> RawWriter<W> {
    /// Begins a file of G.722, µ-law or A-law.
    pub fn new(to: W, codec: Codec) -> Result<Self, WriteError> {
        if ending(codec).is_none() {
            return Err(WriteError::Codec { codec, form: Form::Separate });
        }
        Ok(RawWriter { to, codec, begun: None, written: 0, silence_left: bytes_of(GAPS_MAX) })
    }

    /// Writes one frame.
    pub fn write(&mut self, frame: &MediaFrame) -> Result<(), WriteError> {
        let silence = self.write_filling(frame, self.silence_left)?;
        self.silence_left -= silence;
        Ok(())
    }

    /// Writes one frame that came so long after the first one.
    pub(crate) fn write_after(
        &mut self,
        frame: &MediaFrame,
        passed: Duration,
    ) -> Result<(), WriteError> {
        let most = bytes_of(passed.saturating_add(AHEAD_MAX)).saturating_sub(self.written);
        self.write_filling(frame, most).map(drop)
    }

    /// Writes one frame, and silence before it. How many bytes that is.
    fn write_filling(&mut self, frame: &MediaFrame, most: u64) -> Result<u64, WriteError> {
        bytes::check(self.codec, frame)?;
        // A byte is a sample, and of G.722 it is two.
        let time = frame.time.rescaled(BYTES_PER_SECOND).ticks();
        let begun = *self.begun.get_or_insert(time);
        let missing = time.saturating_sub(begun).saturating_sub(self.written);
        let mut silence = 0;
        if missing >= FRAME_BYTES as u64 {
            silence = missing.min(bytes_of(GAP_MAX)).min(most);
            self.silence(silence)?;
            self.begun = Some(begun.saturating_add(missing - silence));
        }
        self.to.write_all(&frame.bytes)?;
        self.written += frame.bytes.len() as u64;
        Ok(silence)
    }

    /// Gives back what was written to.
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.to.flush()?;
        Ok(self.to)
    }

    fn silence(&mut self, bytes: u64) -> Result<(), WriteError> {
        let piece = [silent(self.codec); FRAME_BYTES];
        let mut left = bytes;
        while left > 0 {
            let now = left.min(FRAME_BYTES as u64);
            self.to.write_all(&piece[..usize::try_from(now).expect("a piece at most")])?;
            left -= now;
        }
        self.written += bytes;
        Ok(())
    }
}

pub(crate) fn ending(codec: Codec) -> Option<&'static str> {
    ENDINGS.iter().find(|(known, _)| *known == codec).map(|(_, ending)| *ending)
}

/// The first of a codec is the one that is written.
const ENDINGS: [(Codec, &str); 7] = [
    (Codec::G722, "g722"),
    (Codec::Pcmu, "ul"),
    (Codec::Pcmu, "ulaw"),
    (Codec::Pcmu, "mulaw"),
    (Codec::Pcmu, "pcmu"),
    (Codec::Pcma, "al"),
    (Codec::Pcma, "alaw"),
];

/// 20 ms, of which RTP makes its packets (RFC 3551, section 4.2).
const FRAMES_PER_SECOND: u32 = 50;
/// All three have 64 kbit/s.
const BYTES_PER_SECOND: u32 = 8_000;
const FRAME_BYTES: usize = (BYTES_PER_SECOND / FRAMES_PER_SECOND) as usize;

fn bytes_of(length: Duration) -> u64 {
    length.as_secs().saturating_mul(u64::from(BYTES_PER_SECOND))
}

/// A byte of silence. Of G.722, whose decoder adapts, it is what an encoder of ffmpeg makes of
/// silence most.
fn silent(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0xff,
        Codec::Pcma => 0xd5,
        _ => 0xfa,
    }
}
