//! Reads WebM, and of Matroska what rooms carry.
//!
//! It reads from the front to the back and follows no position that stands in the file, so a file
//! can't make it go round in circles. The crates that were looked at follow them: one panics and one
//! never ends on a table of contents that names itself.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use tristero_proto::media::{Codec, MediaFrame, MediaTime};

use super::{CODECS, ebml, id};
use crate::bytes;
use crate::error::ReadError;
use crate::key_frame::is_key_frame;
use crate::limits::{FRAME_BYTES_MAX, HEADER_BYTES_MAX, TRACKS_MAX};
use crate::opus::Head;
use crate::track::FileTrack;

/// Reads a WebM file: all its tracks of VP8, VP9, AV1 and Opus. Others are left out.
///
/// It reads single bytes, so what it reads from should have a buffer.
#[derive(Debug)]
pub struct WebmReader<R> {
    from: R,
    numbers: Vec<u64>,
    tracks: Vec<FileTrack>,
    /// Of a tick, in nanoseconds.
    scale: u64,
    cluster: u64,
    /// Where the first cluster's content begins.
    frames_at: u64,
}

impl<R: Read + Seek> WebmReader<R> {
    /// Reads up to the first frame.
    pub fn new(from: R) -> Result<Self, ReadError> {
        let mut reader = WebmReader {
            from,
            numbers: Vec::new(),
            tracks: Vec::new(),
            scale: 1_000_000,
            cluster: 0,
            frames_at: 0,
        };
        reader.read_ebml_header()?;
        reader.read_up_to_frames()?;
        if reader.tracks.is_empty() {
            let nothing = "no track of VP8, VP9, AV1 or Opus that is as it was encoded";
            return Err(ReadError::Unsupported(nothing.to_owned()));
        }
        Ok(reader)
    }

    /// What is in it, in the order in which [`WebmReader::next_frame`] counts.
    pub fn tracks(&self) -> &[FileTrack] {
        &self.tracks
    }

    /// The next frame and of which track it is; `None` at the end, which may be in a frame that was
    /// not written to its end.
    pub fn next_frame(&mut self) -> Result<Option<(usize, MediaFrame)>, ReadError> {
        while let Some(ebml::Header { id, size }) = ebml::header(&mut self.from)? {
            match (id, size) {
                // What is in these follows them, and where they end doesn't matter.
                (id::CLUSTER | id::BLOCK_GROUP, _) => {}
                (_, None) => return Err(ReadError::Damaged("an element has no size")),
                (id::TIMESTAMP, Some(size)) => {
                    let Some(body) = bytes::read(&mut self.from, size.min(9))? else {
                        return Ok(None);
                    };
                    self.cluster = ebml::unsigned(&body)?;
                }
                (id::SIMPLE_BLOCK | id::BLOCK, Some(size)) => {
                    let Some(block) = bytes::read(&mut self.from, size)? else { return Ok(None) };
                    if let Some(frame) = self.frame(&block)? {
                        return Ok(Some(frame));
                    }
                }
                (_, Some(size)) => {
                    if !ebml::skip(&mut self.from, size)? {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Goes back to the first frame.
    pub fn rewind(&mut self) -> Result<(), ReadError> {
        self.from.seek(SeekFrom::Start(self.frames_at))?;
        self.cluster = 0;
        Ok(())
    }

    fn read_ebml_header(&mut self) -> Result<(), ReadError> {
        let header = ebml::header(&mut self.from)?;
        let Some(ebml::Header { id: id::EBML, size: Some(size) }) = header else {
            return Err(ReadError::UnknownForm);
        };
        let body = self.body(size)?;
        match ebml::find(&body, id::DOC_TYPE)?.unwrap_or_default() {
            b"webm" | b"matroska" => Ok(()),
            _ => Err(ReadError::Unsupported("something else than WebM and Matroska".to_owned())),
        }
    }

    fn read_up_to_frames(&mut self) -> Result<(), ReadError> {
        loop {
            let ends = ReadError::Damaged("it ends before its first frame");
            match ebml::header(&mut self.from)?.ok_or(ends)? {
                ebml::Header { id: id::SEGMENT, .. } => {}
                ebml::Header { id: id::CLUSTER, .. } => {
                    self.frames_at = self.from.stream_position()?;
                    return Ok(());
                }
                ebml::Header { size: None, .. } => {
                    return Err(ReadError::Damaged("an element has no size"));
                }
                ebml::Header { id: id::INFO, size: Some(size) } => {
                    let body = self.body(size)?;
                    if let Some(scale) = ebml::find(&body, id::TIMESTAMP_SCALE)? {
                        self.scale = ebml::unsigned(scale)?;
                    }
                }
                ebml::Header { id: id::TRACKS, size: Some(size) } => {
                    let body = self.body(size)?;
                    self.read_tracks(&body)?;
                }
                ebml::Header { size: Some(size), .. } => {
                    if !ebml::skip(&mut self.from, size)? {
                        return Err(ReadError::Damaged("it ends before its first frame"));
                    }
                }
            }
        }
    }

    fn body(&mut self, size: u64) -> Result<Vec<u8>, ReadError> {
        if size > HEADER_BYTES_MAX as u64 {
            return Err(ReadError::Damaged("its header is too long"));
        }
        bytes::read(&mut self.from, size)?.ok_or(ReadError::Damaged("it ends in its header"))
    }

    fn read_tracks(&mut self, body: &[u8]) -> Result<(), ReadError> {
        for child in ebml::children(body) {
            let (its_id, entry) = child?;
            if its_id != id::TRACK_ENTRY {
                continue;
            }
            let Some((number, track)) = track(entry)? else { continue };
            if self.tracks.len() == TRACKS_MAX {
                return Err(ReadError::Damaged("it has too many tracks"));
            }
            self.numbers.push(number);
            self.tracks.push(track);
        }
        Ok(())
    }

    /// The frame of a block (RFC 9559, section 10); `None` if it is of a track that is left out.
    fn frame(&self, block: &[u8]) -> Result<Option<(usize, MediaFrame)>, ReadError> {
        const LACING: u8 = 0x06;
        const ENDS: ReadError = ReadError::Damaged("a block is shorter than its header");
        let mut rest = block;
        // Numbers of tracks are written as sizes are.
        let number = ebml::vint(&mut rest)?.ok_or(ENDS)?;
        let Some(index) = self.numbers.iter().position(|known| *known == number) else {
            return Ok(None);
        };
        let [time_high, time_low, flags, bytes @ ..] = rest else { return Err(ENDS) };
        if flags & LACING != 0 {
            return Err(ReadError::Unsupported("several frames in one block".to_owned()));
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let time = i16::from_be_bytes([*time_high, *time_low]);
        let codec = self.tracks[index].codec;
        let frame = MediaFrame {
            codec,
            time: self.time(codec, time)?,
            is_key: is_key_frame(codec, bytes),
            is_contiguous: true,
            bytes: Arc::from(bytes),
        };
        Ok(Some((index, frame)))
    }

    fn time(&self, codec: Codec, in_cluster: i16) -> Result<MediaTime, ReadError> {
        let rate = codec.clock_rate();
        let ticks = self.cluster.saturating_add_signed(i64::from(in_cluster));
        let nanoseconds = u128::from(ticks) * u128::from(self.scale);
        let ticks = nanoseconds.checked_mul(u128::from(rate)).map(|ticks| ticks / 1_000_000_000);
        let ticks = ticks
            .and_then(|ticks| u64::try_from(ticks).ok())
            .ok_or(ReadError::Damaged("a frame is an age away"))?;
        Ok(MediaTime::new(ticks, rate))
    }
}

/// A track and its number; `None` if rooms do not carry it.
fn track(entry: &[u8]) -> Result<Option<(u64, FileTrack)>, ReadError> {
    let number =
        ebml::find(entry, id::TRACK_NUMBER)?.ok_or(ReadError::Damaged("a track has no number"))?;
    let number = ebml::unsigned(number)?;
    let name = ebml::find(entry, id::CODEC_ID)?.unwrap_or_default();
    let Some((_, codec)) = CODECS.iter().find(|(known, _)| known.as_bytes() == name) else {
        return Ok(None);
    };
    // Frames that are compressed or encrypted besides.
    if ebml::find(entry, id::CONTENT_ENCODINGS)?.is_some_and(|body| !body.is_empty()) {
        return Ok(None);
    }
    let mut track = FileTrack::new(*codec);
    if let Some(video) = ebml::find(entry, id::VIDEO)? {
        track.size = side(video, id::PIXEL_WIDTH)?.zip(side(video, id::PIXEL_HEIGHT)?);
    }
    if *codec == Codec::Opus {
        let head = ebml::find(entry, id::CODEC_PRIVATE)?.unwrap_or_default();
        match Head::parse(head) {
            Ok(head) => track.channels = Some(head.channels),
            // What has more channels than two is several streams in one, which rooms don't carry.
            Err(ReadError::Unsupported(_)) => return Ok(None),
            Err(_) => {}
        }
    }
    Ok(Some((number, track)))
}

fn side(video: &[u8], id: u32) -> Result<Option<u32>, ReadError> {
    let Some(body) = ebml::find(video, id)? else { return Ok(None) };
    Ok(u32::try_from(ebml::unsigned(body)?).ok())
}

const _: () = assert!(FRAME_BYTES_MAX >= HEADER_BYTES_MAX);
