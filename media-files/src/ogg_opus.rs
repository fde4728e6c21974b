//! Opus in Ogg (RFC 7845). The crate `ogg` has pages and their checksums; packets, times and what is
//! believed of a file are ours.

use std::io::{Read, Seek, Write};
use std::sync::Arc;
use std::time::Duration;

use ogg::reading::{BasePacketReader, PageParser};
use ogg::{OggReadError, PacketWriteEndInfo, PacketWriter};
use tristero_proto::media::{Codec, MediaFrame, MediaTime};

use crate::error::{ReadError, WriteError};
use crate::limits::{AHEAD_MAX, GAP_MAX, GAPS_MAX, HEADER_BYTES_MAX};
use crate::opus::{self, Head, PRE_SKIP, RATE};
use crate::track::FileTrack;
use crate::{bytes, limits};

/// Reads an Ogg Opus file: the first stream of Opus in it.
///
/// Times are those that the packets' lengths make, from 0. What it reads from should have a buffer.
pub struct OggOpusReader<R> {
    from: R,
    packets: BasePacketReader,
    /// The stream that is read; `None` until one began.
    serial: Option<u32>,
    /// Bytes of pages since a packet was complete.
    unfinished: usize,
    head: Head,
    samples: u64,
}

impl<R: Read> OggOpusReader<R> {
    /// Reads the headers.
    pub fn new(from: R) -> Result<Self, ReadError> {
        let mut reader = OggOpusReader {
            from,
            packets: BasePacketReader::new(),
            serial: None,
            unfinished: 0,
            head: Head { channels: 1, pre_skip: 0 },
            samples: 0,
        };
        reader.read_headers()?;
        Ok(reader)
    }

    /// What is in it.
    pub fn track(&self) -> FileTrack {
        FileTrack { channels: Some(self.head.channels), ..FileTrack::new(Codec::Opus) }
    }

    /// The next packet; `None` at the end.
    pub fn next_frame(&mut self) -> Result<Option<MediaFrame>, ReadError> {
        let Some(packet) = self.next_packet()? else { return Ok(None) };
        let samples =
            opus::samples(&packet).ok_or(ReadError::Damaged("a packet is none of Opus"))?;
        let time = MediaTime::new(self.samples, RATE);
        self.samples = self.samples.saturating_add(samples);
        Ok(Some(MediaFrame {
            codec: Codec::Opus,
            time,
            is_key: true,
            is_contiguous: true,
            bytes: Arc::from(packet),
        }))
    }

    fn read_headers(&mut self) -> Result<(), ReadError> {
        let ends = ReadError::Damaged("it ends in its headers");
        self.head = Head::parse(&self.next_packet()?.ok_or(ends)?)?;
        match self.next_packet()? {
            Some(tags) if tags.starts_with(TAGS_MAGIC) => Ok(()),
            Some(_) => Err(ReadError::Damaged("there are no comments after its head")),
            None => Err(ReadError::Damaged("it ends in its headers")),
        }
    }

    fn next_packet(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        loop {
            if let Some(packet) = self.packets.read_packet() {
                self.unfinished = 0;
                return Ok(Some(packet.data));
            }
            if !self.next_page()? {
                return Ok(None);
            }
        }
    }

    /// Takes the next page in, if it is of the stream that is read. `false` at the end, which may be
    /// in a page that was not written to its end.
    fn next_page(&mut self) -> Result<bool, ReadError> {
        let mut header = [0; PAGE_HEADER_BYTES];
        if !bytes::fill(&mut self.from, &mut header)? {
            return Ok(false);
        }
        if &header[..4] != PAGE_MAGIC {
            return Err(ReadError::Damaged("no page begins where one should"));
        }
        let (mut page, segments) = PageParser::new(header).map_err(of_ogg)?;
        let mut lengths = vec![0; segments];
        if !bytes::fill(&mut self.from, &mut lengths)? {
            return Ok(false);
        }
        // 255 times 255 bytes are the most.
        let mut body = vec![0; page.parse_segments(lengths)];
        if !bytes::fill(&mut self.from, &mut body)? {
            return Ok(false);
        }
        if !self.is_ours(&header, &body) {
            return Ok(true);
        }
        self.unfinished += PAGE_HEADER_BYTES + body.len();
        if self.unfinished > HEADER_BYTES_MAX {
            return Err(ReadError::FrameTooLarge(self.unfinished as u64));
        }
        let page = page.parse_packet_data(body).map_err(of_ogg)?;
        self.packets.push_page(page).map_err(of_ogg)?;
        Ok(true)
    }

    fn is_ours(&mut self, header: &[u8; PAGE_HEADER_BYTES], body: &[u8]) -> bool {
        const BEGINS: u8 = 2;
        let serial = u32::from_le_bytes([header[14], header[15], header[16], header[17]]);
        let begins = header[5] & BEGINS != 0;
        match self.serial {
            None if begins && body.starts_with(opus::HEAD_MAGIC) => {
                self.serial = Some(serial);
                true
            }
            None => false,
            Some(ours) => serial == ours,
        }
    }
}

impl<R: Read + Seek> OggOpusReader<R> {
    /// Goes back to the first packet.
    pub fn rewind(&mut self) -> Result<(), ReadError> {
        self.from.rewind()?;
        self.packets = BasePacketReader::new();
        (self.serial, self.unfinished, self.samples) = (None, 0, 0);
        self.read_headers()
    }
}

impl<R> std::fmt::Debug for OggOpusReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OggOpusReader")
            .field("head", &self.head)
            .field("samples", &self.samples)
            .finish_non_exhaustive()
    }
}

/// Writes an Ogg Opus file.
///
/// What is missing between two packets becomes packets without sound that a decoder conceals, up to
/// [`GAP_MAX`], and to [`GAPS_MAX`] in all, so that what follows stands at its time.
pub struct OggOpusWriter<W: Write> {
    to: PacketWriter<'static, W>,
    phase: Phase,
    /// What was written, in samples.
    granule: u64,
    packets: u64,
    /// Samples that may still be concealed.
    gaps_left: u64,
}

/// Ogg marks the last packet as such, so one is always held back.
enum Phase {
    Empty,
    Holding {
        packet: Vec<u8>,
        /// The time of the track at which the file begins.
        begun: u64,
    },
}

impl<W: Write> OggOpusWriter<W> {
    /// Begins a file. Nothing is written before the first packet.
    pub fn new(to: W) -> Self {
        OggOpusWriter {
            to: PacketWriter::new(to),
            phase: Phase::Empty,
            granule: 0,
            packets: 0,
            gaps_left: samples_of(GAPS_MAX),
        }
    }

    /// Writes one packet of Opus.
    pub fn write(&mut self, frame: &MediaFrame) -> Result<(), WriteError> {
        let concealed = self.write_filling(frame, self.gaps_left)?;
        self.gaps_left -= concealed;
        Ok(())
    }

    /// Writes one packet that came so long after the first one.
    pub(crate) fn write_after(
        &mut self,
        frame: &MediaFrame,
        passed: Duration,
    ) -> Result<(), WriteError> {
        let most = samples_of(passed.saturating_add(AHEAD_MAX)).saturating_sub(self.granule);
        self.write_filling(frame, most).map(drop)
    }

    /// Writes one packet, and what conceals a gap before it. How many samples that is.
    fn write_filling(&mut self, frame: &MediaFrame, most: u64) -> Result<u64, WriteError> {
        bytes::check(Codec::Opus, frame)?;
        let Some(samples) = opus::samples(&frame.bytes) else {
            return Err(WriteError::NotOfCodec(Codec::Opus));
        };
        let time = frame.time.rescaled(RATE).ticks();
        let mut concealed = 0;
        let begun = match std::mem::replace(&mut self.phase, Phase::Empty) {
            Phase::Empty => {
                self.write_headers(&frame.bytes)?;
                time
            }
            Phase::Holding { packet, begun } => {
                let like = packet[0];
                self.put(packet, false)?;
                let missing = time.saturating_sub(begun).saturating_sub(self.granule);
                // Clocks of two machines differ; a packet's worth is no gap.
                if missing < TOLERANCE {
                    begun
                } else {
                    concealed = missing.min(samples_of(GAP_MAX)).min(most);
                    self.conceal(like, concealed)?;
                    begun.saturating_add(missing - concealed)
                }
            }
        };
        self.granule += samples;
        self.phase = Phase::Holding { packet: frame.bytes.to_vec(), begun };
        Ok(concealed)
    }

    /// Ends the file, and gives back what was written to. A file whose writing ended without this
    /// lacks a second at the most.
    pub fn finish(mut self) -> Result<W, WriteError> {
        match std::mem::replace(&mut self.phase, Phase::Empty) {
            // A file of Ogg Opus has its headers at least.
            Phase::Empty => self.write_headers(&[])?,
            Phase::Holding { packet, .. } => self.put(packet, true)?,
        }
        let mut to = self.to.into_inner();
        to.flush()?;
        Ok(to)
    }

    fn write_headers(&mut self, first: &[u8]) -> Result<(), WriteError> {
        const STEREO: u8 = 4;
        let channels = first.first().map_or(1, |toc| if toc & STEREO == 0 { 1 } else { 2 });
        let head = Head { channels, pre_skip: PRE_SKIP };
        self.to.write_packet(head.emit().to_vec(), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        self.to.write_packet(tags(), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        Ok(())
    }

    fn conceal(&mut self, like: u8, samples: u64) -> Result<(), WriteError> {
        for packet in opus::concealment(like, samples) {
            self.granule += opus::samples(&packet).unwrap_or(0);
            self.put(packet.to_vec(), false)?;
        }
        Ok(())
    }

    /// Writes the packet that ends at the granule position reached.
    fn put(&mut self, packet: Vec<u8>, is_last: bool) -> Result<(), WriteError> {
        self.packets += 1;
        let end = if is_last {
            PacketWriteEndInfo::EndStream
        } else if self.packets.is_multiple_of(PAGE_PACKETS) {
            PacketWriteEndInfo::EndPage
        } else {
            PacketWriteEndInfo::NormalPacket
        };
        self.to.write_packet(packet, SERIAL, end, self.granule)?;
        Ok(())
    }
}

impl<W: Write> std::fmt::Debug for OggOpusWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OggOpusWriter")
            .field("granule", &self.granule)
            .field("packets", &self.packets)
            .finish_non_exhaustive()
    }
}

pub(crate) const PAGE_MAGIC: &[u8; 4] = b"OggS";
const PAGE_HEADER_BYTES: usize = 27;
const TAGS_MAGIC: &[u8; 8] = b"OpusTags";

/// Of a file with one stream any number will do, and equal frames make equal files.
const SERIAL: u32 = 1;

/// A second in most files: what is lost of one whose writing breaks off.
const PAGE_PACKETS: u64 = 50;

/// 20 ms.
const TOLERANCE: u64 = 960;

const _: () = assert!(limits::FRAME_BYTES_MAX > HEADER_BYTES_MAX);

fn samples_of(length: Duration) -> u64 {
    length.as_secs().saturating_mul(u64::from(RATE))
}

/// RFC 7845, section 5.2: who wrote it, and no comments.
fn tags() -> Vec<u8> {
    const VENDOR: &[u8; 8] = b"tristero";
    let mut tags = TAGS_MAGIC.to_vec();
    tags.extend_from_slice(&[8, 0, 0, 0]);
    tags.extend_from_slice(VENDOR);
    tags.extend_from_slice(&[0; 4]);
    tags
}

fn of_ogg(error: OggReadError) -> ReadError {
    match error {
        OggReadError::ReadError(error) => ReadError::Io(error),
        OggReadError::HashMismatch(..) => ReadError::Damaged("the checksum of a page is wrong"),
        OggReadError::InvalidStreamStructVer(_) => {
            ReadError::Unsupported("a later form of Ogg".to_owned())
        }
        _ => ReadError::Damaged("its pages do not follow each other"),
    }
}
