//! What can go wrong with a file.

use std::io;

use thiserror::Error;
use tristero_proto::media::Codec;

use crate::limits::FRAME_BYTES_MAX;
use crate::sink::Form;

/// Why a file can't be read, or can't be read further.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system says so.
    #[error("can't be read: {0}")]
    Io(#[from] io::Error),
    /// Neither its beginning nor its name tell what it is.
    #[error("is no file of IVF, Ogg Opus, WebM, .g722, .ul or .al")]
    UnknownForm,
    /// It breaks a rule of its form.
    #[error("is damaged: {0}")]
    Damaged(&'static str),
    /// It is as it should be, and rooms do not carry what is in it.
    #[error("has nothing that rooms carry, but {0}")]
    Unsupported(String),
    /// A frame has more than [`FRAME_BYTES_MAX`] bytes.
    #[error("has a frame of {0} bytes; {FRAME_BYTES_MAX} are the most")]
    FrameTooLarge(u64),
}

/// Why frames can't be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The system says so.
    #[error("can't be written: {0}")]
    Io(#[from] io::Error),
    /// That form has no place for this codec.
    #[error("{form} can't hold {codec}; write it to a file of its own")]
    Codec {
        /// What was to be written.
        codec: Codec,
        /// To what.
        form: Form,
    },
    /// The frame is of another codec than the track is.
    #[error("the track is {track} and the frame {frame}; begin another file")]
    OtherCodec {
        /// What the track was begun with.
        track: Codec,
        /// What came.
        frame: Codec,
    },
    /// The frame has no bytes, or more than [`FRAME_BYTES_MAX`].
    #[error("a frame of {0} bytes; it must have from 1 to {FRAME_BYTES_MAX}")]
    FrameSize(usize),
    /// The bytes are not what the codec makes.
    #[error("the frame is no {0}")]
    NotOfCodec(Codec),
    /// [`TRACKS_MAX`](crate::limits::TRACKS_MAX) or [`PARTS_MAX`](crate::limits::PARTS_MAX) is
    /// reached, or there is no track at all.
    #[error("too many tracks, or none, or too many changes of a codec")]
    Tracks,
}
