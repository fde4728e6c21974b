//! Writes WebM so that a file whose writing breaks off can be played: the segment and the last
//! cluster have no size before they end. At the end come positions for seeking, and the duration and
//! the sizes are written where place was left for them.

use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use tristero_proto::media::{Codec, MediaFrame, MediaKind};

use super::{CODECS, ebml, holds, id};
use crate::bytes;
use crate::error::WriteError;
use crate::limits::{CLUSTER_TIME_MAX, CUES_MAX, TRACKS_MAX};
use crate::opus::{self, Head, PRE_SKIP};
use crate::picture::{self, Av1Sequence};
use crate::sink::Form;

/// A track that a file is begun with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebmTrack {
    codec: Codec,
    size: Option<(u32, u32)>,
    channels: u8,
    private: Option<Vec<u8>>,
}

impl WebmTrack {
    /// The track that begins with this frame: its pictures' size, or its channels, are taken from
    /// it. Of video it has to be a key frame.
    ///
    /// # Errors
    ///
    /// Where the codec has no place in WebM, and where the frame is none of it.
    pub fn beginning_with(frame: &MediaFrame) -> Result<Self, WriteError> {
        let codec = frame.codec;
        if !holds(codec) {
            return Err(WriteError::Codec { codec, form: Form::Webm });
        }
        bytes::check(codec, frame)?;
        let not_of_codec = WriteError::NotOfCodec(codec);
        let mut track = WebmTrack { codec, size: None, channels: 1, private: None };
        match codec.kind() {
            MediaKind::Video => {
                track.size = Some(picture::size(codec, &frame.bytes).ok_or(not_of_codec)?);
                track.private = (codec == Codec::Av1)
                    .then(|| Av1Sequence::of(&frame.bytes))
                    .flatten()
                    .map(|sequence| sequence.configuration());
            }
            MediaKind::Audio => {
                opus::samples(&frame.bytes).ok_or(not_of_codec)?;
                // The bit for stereo; a sender may change it later, and decoders bear that.
                track.channels = 1 + (frame.bytes[0] >> 2 & 1);
                let head = Head { channels: track.channels, pre_skip: PRE_SKIP };
                track.private = Some(head.emit().to_vec());
            }
        }
        Ok(track)
    }
}

/// Writes a WebM file.
#[derive(Debug)]
pub struct WebmWriter<W> {
    to: W,
    tracks: Vec<Codec>,
    cluster: Option<Cluster>,
    cues: Vec<Cue>,
    /// The end of the last frame that is known, in milliseconds.
    length: u64,
    /// Bytes of all that was written.
    position: u64,
}

#[derive(Clone, Copy, Debug)]
struct Cluster {
    position: u64,
    time: u64,
}

/// A cluster in which playing can begin.
#[derive(Clone, Copy, Debug)]
struct Cue {
    time: u64,
    track: u64,
    cluster: u64,
}

impl<W: Write + Seek> WebmWriter<W> {
    /// Writes the headers, for a file with these tracks.
    pub fn new(mut to: W, tracks: &[WebmTrack]) -> Result<Self, WriteError> {
        if tracks.is_empty() || tracks.len() > TRACKS_MAX {
            return Err(WriteError::Tracks);
        }
        let head = head(tracks);
        to.write_all(&head)?;
        Ok(WebmWriter {
            to,
            tracks: tracks.iter().map(|track| track.codec).collect(),
            cluster: None,
            cues: Vec::new(),
            length: 0,
            position: head.len() as u64,
        })
    }

    /// Writes a frame of the track with that index, at a time of the file's own: the times of
    /// frames say nothing of those of another track. Times are kept in milliseconds.
    ///
    /// Frames should come about in the order of their times: one that is half a minute behind begins
    /// a cluster of its own.
    pub fn write(
        &mut self,
        track: usize,
        frame: &MediaFrame,
        at: Duration,
    ) -> Result<(), WriteError> {
        const KEY: u8 = 0x80;
        let codec = *self.tracks.get(track).ok_or(WriteError::Tracks)?;
        bytes::check(codec, frame)?;
        let time = u64::try_from(at.as_millis()).unwrap_or(u64::MAX >> 1);
        let in_cluster = self.time_in_cluster(track, frame, time)?;
        let mut block = Vec::with_capacity(16);
        ebml::put_head(&mut block, id::SIMPLE_BLOCK, frame.bytes.len() as u64 + 4);
        block.push(0x80 | u8::try_from(track + 1).expect("a few tracks"));
        block.extend_from_slice(&in_cluster.to_be_bytes());
        block.push(if frame.is_key { KEY } else { 0 });
        self.put(&block)?;
        self.put(&frame.bytes)?;
        self.length = self.length.max(time.saturating_add(duration(frame)));
        Ok(())
    }

    /// Writes the positions, the duration and the sizes, and gives back what was written to.
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.end_cluster()?;
        let cues_at = self.position;
        let cues = std::mem::take(&mut self.cues);
        if !cues.is_empty() {
            self.put(&cue_elements(&cues))?;
        }
        let end = self.position;
        self.patch(SEGMENT_SIZE_AT, &ebml::size_of_eight(end - SEGMENT_AT))?;
        let seek_head = seek_head((!cues.is_empty()).then(|| cues_at - SEGMENT_AT));
        self.patch(SEGMENT_AT, &seek_head)?;
        #[allow(clippy::cast_precision_loss)] // It would have to be of 285,000 years.
        let length = self.length as f64;
        let mut duration = Vec::with_capacity(DURATION_BYTES);
        ebml::put(&mut duration, id::DURATION, &length.to_be_bytes());
        self.patch(DURATION_AT, &duration)?;
        self.to.seek(SeekFrom::End(0))?;
        self.to.flush()?;
        Ok(self.to)
    }

    /// The time within the cluster that is open, and opens another if there is none for it.
    fn time_in_cluster(
        &mut self,
        track: usize,
        frame: &MediaFrame,
        time: u64,
    ) -> Result<i16, WriteError> {
        let is_video = frame.codec.kind() == MediaKind::Video;
        let has_video = self.tracks.iter().any(|codec| codec.kind() == MediaKind::Video);
        let is_entry = frame.is_key && (is_video || !has_video);
        if let Some(cluster) = self.cluster {
            let since = i128::from(time) - i128::from(cluster.time);
            let is_in_time = since <= CLUSTER_TIME_MAX.as_millis().cast_signed();
            let may_stay = is_in_time && !(is_video && frame.is_key && since > 0);
            if may_stay && let Ok(since) = i16::try_from(since) {
                return Ok(since);
            }
        }
        self.end_cluster()?;
        self.begin_cluster(time)?;
        if is_entry && self.cues.len() < CUES_MAX {
            let cluster = self.cluster.map_or(0, |cluster| cluster.position);
            self.cues.push(Cue { time, track: track as u64 + 1, cluster: cluster - SEGMENT_AT });
        }
        Ok(0)
    }

    fn begin_cluster(&mut self, time: u64) -> Result<(), WriteError> {
        self.cluster = Some(Cluster { position: self.position, time });
        let mut bytes = Vec::new();
        ebml::put_open(&mut bytes, id::CLUSTER);
        ebml::put_unsigned(&mut bytes, id::TIMESTAMP, time);
        self.put(&bytes)
    }

    fn end_cluster(&mut self) -> Result<(), WriteError> {
        let Some(cluster) = self.cluster.take() else { return Ok(()) };
        let size = self.position - cluster.position - OPEN_BYTES;
        self.patch(cluster.position + OPEN_BYTES - 8, &ebml::size_of_eight(size))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.to.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Writes over what is there.
    fn patch(&mut self, at: u64, bytes: &[u8]) -> Result<(), WriteError> {
        self.to.seek(SeekFrom::Start(at))?;
        self.to.write_all(bytes)?;
        self.to.seek(SeekFrom::Start(self.position))?;
        Ok(())
    }
}

/// An id of four bytes and a size of eight.
const OPEN_BYTES: u64 = 12;
/// The EBML header, whose length never changes.
const EBML_BYTES: u64 = 36;
const SEGMENT_SIZE_AT: u64 = EBML_BYTES + 4;
/// From which positions in the file are counted: the beginning of the segment's content.
const SEGMENT_AT: u64 = EBML_BYTES + OPEN_BYTES;
/// Left for the table of contents.
const SEEK_HEAD_BYTES: usize = 80;
const INFO_AT: u64 = SEGMENT_AT + SEEK_HEAD_BYTES as u64;
/// The first element in the information of the file, after the id of four bytes and the size of one.
const DURATION_AT: u64 = INFO_AT + 5;
const DURATION_BYTES: usize = 11;
const WRITER: &[u8] = b"tristero";

fn head(tracks: &[WebmTrack]) -> Vec<u8> {
    let mut head = Vec::new();
    ebml::put_master(&mut head, id::EBML, |body| {
        ebml::put_unsigned(body, id::EBML_VERSION, 1);
        ebml::put_unsigned(body, id::EBML_READ_VERSION, 1);
        ebml::put_unsigned(body, id::EBML_MAX_ID_LENGTH, 4);
        ebml::put_unsigned(body, id::EBML_MAX_SIZE_LENGTH, 8);
        ebml::put(body, id::DOC_TYPE, b"webm");
        ebml::put_unsigned(body, id::DOC_TYPE_VERSION, 4);
        ebml::put_unsigned(body, id::DOC_TYPE_READ_VERSION, 2);
    });
    debug_assert_eq!(head.len() as u64, EBML_BYTES);
    ebml::put_open(&mut head, id::SEGMENT);
    ebml::put_void(&mut head, SEEK_HEAD_BYTES);
    head.extend_from_slice(&information());
    ebml::put_master(&mut head, id::TRACKS, |body| {
        for (number, track) in (1..).zip(tracks) {
            ebml::put_master(body, id::TRACK_ENTRY, |body| put_track(body, number, track));
        }
    });
    head
}

fn information() -> Vec<u8> {
    let mut info = Vec::new();
    ebml::put_master(&mut info, id::INFO, |body| {
        ebml::put_void(body, DURATION_BYTES);
        ebml::put_unsigned(body, id::TIMESTAMP_SCALE, 1_000_000);
        ebml::put(body, id::MUXING_APP, WRITER);
        ebml::put(body, id::WRITING_APP, WRITER);
    });
    info
}

fn put_track(to: &mut Vec<u8>, number: u64, track: &WebmTrack) {
    const VIDEO: u64 = 1;
    const AUDIO: u64 = 2;
    ebml::put_unsigned(to, id::TRACK_NUMBER, number);
    ebml::put_unsigned(to, id::TRACK_UID, number);
    ebml::put_unsigned(to, id::FLAG_LACING, 0);
    let name = CODECS.iter().find(|(_, codec)| *codec == track.codec).map_or("", |(name, _)| name);
    ebml::put(to, id::CODEC_ID, name.as_bytes());
    if let Some(private) = &track.private {
        ebml::put(to, id::CODEC_PRIVATE, private);
    }
    match track.codec.kind() {
        MediaKind::Video => {
            let (width, height) = track.size.unwrap_or((0, 0));
            ebml::put_unsigned(to, id::TRACK_TYPE, VIDEO);
            ebml::put_master(to, id::VIDEO, |body| {
                ebml::put_unsigned(body, id::PIXEL_WIDTH, u64::from(width));
                ebml::put_unsigned(body, id::PIXEL_HEIGHT, u64::from(height));
            });
        }
        MediaKind::Audio => {
            ebml::put_unsigned(to, id::TRACK_TYPE, AUDIO);
            let delay = u64::from(PRE_SKIP) * 1_000_000_000 / u64::from(opus::RATE);
            ebml::put_unsigned(to, id::CODEC_DELAY, delay);
            // RFC 7845, section 4.6: 80 ms.
            ebml::put_unsigned(to, id::SEEK_PRE_ROLL, 80_000_000);
            ebml::put_master(to, id::AUDIO, |body| {
                let rate = f64::from(opus::RATE);
                ebml::put(body, id::SAMPLING_FREQUENCY, &rate.to_be_bytes());
                ebml::put_unsigned(body, id::CHANNELS, u64::from(track.channels));
            });
        }
    }
}

/// The table of contents, as long as the place that was left for it.
fn seek_head(cues: Option<u64>) -> Vec<u8> {
    let info = information().len() as u64;
    let at = [
        (id::INFO, Some(INFO_AT - SEGMENT_AT)),
        (id::TRACKS, Some(INFO_AT - SEGMENT_AT + info)),
        (id::CUES, cues),
    ];
    let mut head = Vec::new();
    ebml::put_master(&mut head, id::SEEK_HEAD, |body| {
        for (what, position) in at {
            let Some(position) = position else { continue };
            ebml::put_master(body, id::SEEK, |body| {
                ebml::put(body, id::SEEK_ID, &what.to_be_bytes());
                ebml::put_unsigned(body, id::SEEK_POSITION, position);
            });
        }
    });
    let left = SEEK_HEAD_BYTES - head.len();
    ebml::put_void(&mut head, left);
    head
}

fn cue_elements(cues: &[Cue]) -> Vec<u8> {
    let mut elements = Vec::new();
    ebml::put_master(&mut elements, id::CUES, |body| {
        for cue in cues {
            ebml::put_master(body, id::CUE_POINT, |body| {
                ebml::put_unsigned(body, id::CUE_TIME, cue.time);
                ebml::put_master(body, id::CUE_TRACK_POSITIONS, |body| {
                    ebml::put_unsigned(body, id::CUE_TRACK, cue.track);
                    ebml::put_unsigned(body, id::CUE_CLUSTER_POSITION, cue.cluster);
                });
            });
        }
    });
    elements
}

/// Of a packet of sound it is known, in milliseconds; of a picture the next one would have to be.
fn duration(frame: &MediaFrame) -> u64 {
    match frame.codec {
        Codec::Opus => opus::samples(&frame.bytes).unwrap_or(0) * 1_000 / u64::from(opus::RATE),
        _ => 0,
    }
}
