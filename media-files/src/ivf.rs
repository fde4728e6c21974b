//! IVF: a header of 32 bytes, and before each frame its size and its time.
//!
//! The form is that of `ivfdec.c` and `ivfenc.c` of libvpx, and ffmpeg's. H.264 stands in it with
//! start codes, AV1 with a delimiter before each temporal unit; frames of a room have the former and
//! not the latter, so that is added and removed here.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use tristero_proto::media::{Codec, MediaFrame, MediaKind, MediaTime};

use crate::error::{ReadError, WriteError};
use crate::key_frame::is_key_frame;
use crate::limits::FRAME_BYTES_MAX;
use crate::sink::Form;
use crate::track::FileTrack;
use crate::{bytes, obu, picture};

/// Reads an IVF file. What it reads from should have a buffer.
#[derive(Debug)]
pub struct IvfReader<R> {
    from: R,
    track: FileTrack,
    ticks_per_second: u32,
    ticks_per_unit: u32,
}

impl<R: Read> IvfReader<R> {
    /// Reads the header.
    pub fn new(mut from: R) -> Result<Self, ReadError> {
        let mut header = [0; HEADER_BYTES];
        from.read_exact(&mut header)?;
        let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        if &header[..4] != MAGIC {
            return Err(ReadError::UnknownForm);
        }
        let Some(codec) = CODECS.iter().find(|(code, _)| header[8..12] == **code) else {
            let code = String::from_utf8_lossy(&header[8..12]).escape_default().to_string();
            return Err(ReadError::Unsupported(format!("the codec {code}")));
        };
        let (ticks_per_second, ticks_per_unit) = (word(16), word(20));
        if ticks_per_second == 0 || ticks_per_unit == 0 {
            return Err(ReadError::Damaged("its clock stands still"));
        }
        let mut rest = u64::from(half(6)).saturating_sub(HEADER_BYTES as u64);
        rest -= io::copy(&mut from.by_ref().take(rest), &mut io::sink())?;
        if rest > 0 {
            return Err(ReadError::Damaged("it ends in its header"));
        }
        let size = (u32::from(half(12)), u32::from(half(14)));
        let track = FileTrack { size: Some(size), ..FileTrack::new(codec.1) };
        Ok(IvfReader { from, track, ticks_per_second, ticks_per_unit })
    }

    /// What is in it.
    pub fn track(&self) -> FileTrack {
        self.track
    }

    /// The next frame; `None` at the end, which may be in a frame that was not written to its end.
    pub fn next_frame(&mut self) -> Result<Option<MediaFrame>, ReadError> {
        loop {
            let mut header = [0; FRAME_HEADER_BYTES];
            if !bytes::fill(&mut self.from, &mut header)? {
                return Ok(None);
            }
            let (size, time) = header.split_at(4);
            let size = u32::from_le_bytes(size.try_into().expect("four bytes"));
            let time = u64::from_le_bytes(time.try_into().expect("eight bytes"));
            let Some(bytes) = bytes::read(&mut self.from, u64::from(size))? else {
                return Ok(None);
            };
            // An encoder that leaves a picture out writes a frame without bytes.
            if bytes.is_empty() {
                continue;
            }
            return self.frame(bytes, time).map(Some);
        }
    }

    fn frame(&self, mut bytes: Vec<u8>, time: u64) -> Result<MediaFrame, ReadError> {
        let codec = self.track.codec;
        if codec == Codec::Av1 {
            bytes = obu::without_delimiters(&bytes)
                .ok_or(ReadError::Damaged("a frame of AV1 is not made of units"))?;
        }
        let ticks =
            u128::from(time) * u128::from(self.ticks_per_unit) * u128::from(codec.clock_rate())
                / u128::from(self.ticks_per_second);
        let ticks =
            u64::try_from(ticks).map_err(|_| ReadError::Damaged("a frame is an age away"))?;
        Ok(MediaFrame {
            codec,
            time: MediaTime::new(ticks, codec.clock_rate()),
            is_key: is_key_frame(codec, &bytes),
            is_contiguous: true,
            bytes: Arc::from(bytes),
        })
    }
}

impl<R: Read + Seek> IvfReader<R> {
    /// Goes back to the first frame.
    pub fn rewind(&mut self) -> Result<(), ReadError> {
        self.from.seek(SeekFrom::Start(6))?;
        let mut length = [0; 2];
        self.from.read_exact(&mut length)?;
        let length = u64::from(u16::from_le_bytes(length)).max(HEADER_BYTES as u64);
        self.from.seek(SeekFrom::Start(length))?;
        Ok(())
    }
}

/// Writes an IVF file.
///
/// Times in it are those of the frames, counted from the first one. What was lost is not made up
/// for: whoever writes decides what is left out ([`Sink`](crate::Sink) does).
#[derive(Debug)]
pub struct IvfWriter<W> {
    to: W,
    codec: Codec,
    frames: u64,
    begun: Option<u64>,
    /// The time of the last frame.
    last: u64,
    size: Option<(u16, u16)>,
}

impl<W: Write + Seek> IvfWriter<W> {
    /// Writes the header.
    pub fn new(mut to: W, codec: Codec) -> Result<Self, WriteError> {
        if codec.kind() != MediaKind::Video {
            return Err(WriteError::Codec { codec, form: Form::Separate });
        }
        to.write_all(&header(codec, 0, (0, 0)))?;
        Ok(IvfWriter { to, codec, frames: 0, begun: None, last: 0, size: None })
    }

    /// Writes one frame.
    pub fn write(&mut self, frame: &MediaFrame) -> Result<(), WriteError> {
        bytes::check(self.codec, frame)?;
        let ticks = frame.time.rescaled(self.codec.clock_rate()).ticks();
        let time = ticks.saturating_sub(*self.begun.get_or_insert(ticks));
        if self.size.is_none() && frame.is_key {
            self.size = picture::size(self.codec, &frame.bytes).map(|(width, height)| {
                (u16::try_from(width).unwrap_or(0), u16::try_from(height).unwrap_or(0))
            });
        }
        let delimiter: &[u8] = if self.codec == Codec::Av1 { &obu::DELIMITER } else { &[] };
        let size = u32::try_from(delimiter.len() + frame.bytes.len()).expect("of a few megabytes");
        self.to.write_all(&size.to_le_bytes())?;
        self.to.write_all(&time.to_le_bytes())?;
        self.to.write_all(delimiter)?;
        self.to.write_all(&frame.bytes)?;
        self.frames += 1;
        self.last = time;
        Ok(())
    }

    /// Writes how long it is and how large pictures are, and gives back what was written to. A file
    /// whose writing ended without this is read all the same.
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.to.rewind()?;
        self.to.write_all(&header(self.codec, self.length(), self.size.unwrap_or((0, 0))))?;
        self.to.seek(SeekFrom::End(0))?;
        self.to.flush()?;
        Ok(self.to)
    }

    /// How long it is in ticks, the last frame as long as the others: the number of frames, which the
    /// place in the header was for at first, is taken for that by FFmpeg.
    fn length(&self) -> u32 {
        let each = self.last.checked_div(self.frames.saturating_sub(1)).unwrap_or(0);
        u32::try_from(self.last.saturating_add(each)).unwrap_or(u32::MAX)
    }
}

pub(crate) const MAGIC: &[u8; 4] = b"DKIF";
const HEADER_LENGTH: u16 = 32;
const HEADER_BYTES: usize = HEADER_LENGTH as usize;
const FRAME_HEADER_BYTES: usize = 12;
const CODECS: [(&[u8; 4], Codec); 4] =
    [(b"VP80", Codec::Vp8), (b"VP90", Codec::Vp9), (b"H264", Codec::H264), (b"AV01", Codec::Av1)];

fn header(codec: Codec, length: u32, (width, height): (u16, u16)) -> Vec<u8> {
    let code = CODECS.iter().find(|(_, of)| *of == codec).map_or(b"    ", |(code, _)| *code);
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&0_u16.to_le_bytes());
    header.extend_from_slice(&HEADER_LENGTH.to_le_bytes());
    header.extend_from_slice(code);
    header.extend_from_slice(&width.to_le_bytes());
    header.extend_from_slice(&height.to_le_bytes());
    header.extend_from_slice(&codec.clock_rate().to_le_bytes());
    header.extend_from_slice(&1_u32.to_le_bytes());
    header.extend_from_slice(&length.to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    header
}

const _: () = assert!(FRAME_BYTES_MAX < u32::MAX as usize / 2);
