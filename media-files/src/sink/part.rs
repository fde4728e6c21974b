//! A file that has one track.

use std::io::{Seek, Write};
use std::time::Duration;

use tristero_proto::media::{Codec, MediaFrame, MediaKind};

use crate::error::WriteError;
use crate::ivf::IvfWriter;
use crate::ogg_opus::OggOpusWriter;
use crate::raw::{self, RawWriter};

/// The file that a track is written to, if there is one.
pub(super) enum Part<W: Write> {
    None,
    Ivf(IvfWriter<W>, Codec),
    OggOpus(OggOpusWriter<W>),
    Raw(RawWriter<W>, Codec),
}

impl<W: Write + Seek> Part<W> {
    pub(super) fn begin(to: W, codec: Codec) -> Result<Self, WriteError> {
        Ok(match (codec.kind(), codec) {
            (MediaKind::Video, _) => Part::Ivf(IvfWriter::new(to, codec)?, codec),
            (MediaKind::Audio, Codec::Opus) => Part::OggOpus(OggOpusWriter::new(to)),
            (MediaKind::Audio, _) => Part::Raw(RawWriter::new(to, codec)?, codec),
        })
    }

    /// Writes a frame that came so long after the first one of the file.
    pub(super) fn write(&mut self, frame: &MediaFrame, passed: Duration) -> Result<(), WriteError> {
        match self {
            Part::None => Ok(()),
            Part::Ivf(writer, _) => writer.write(frame),
            Part::OggOpus(writer) => writer.write_after(frame, passed),
            Part::Raw(writer, _) => writer.write_after(frame, passed),
        }
    }

    pub(super) fn finish(self) -> Result<(), WriteError> {
        match self {
            Part::None => Ok(()),
            Part::Ivf(writer, _) => writer.finish().map(drop),
            Part::OggOpus(writer) => writer.finish().map(drop),
            Part::Raw(writer, _) => writer.finish().map(drop),
        }
    }

    pub(super) fn codec(&self) -> Option<Codec> {
        match self {
            Part::None => None,
            Part::OggOpus(_) => Some(Codec::Opus),
            Part::Ivf(_, codec) | Part::Raw(_, codec) => Some(*codec),
        }
    }
}

/// The ending of a file that has one track of that codec.
pub(super) fn ending(codec: Codec) -> &'static str {
    match (codec.kind(), codec) {
        (MediaKind::Video, _) => "ivf",
        (MediaKind::Audio, Codec::Opus) => "opus",
        (MediaKind::Audio, _) => raw::ending(codec).unwrap_or("raw"),
    }
}
