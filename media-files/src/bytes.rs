//! Reads what a length says is there, and believes no length.

use std::io::{self, Read};

use tristero_proto::media::{Codec, MediaFrame};

use crate::error::{ReadError, WriteError};
use crate::limits::FRAME_BYTES_MAX;

/// Fills the buffer; `false` if there is less.
pub(crate) fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// That many bytes, up to a frame's; `None` if there are less. Memory grows with what is read.
pub(crate) fn read(from: &mut impl Read, length: u64) -> Result<Option<Vec<u8>>, ReadError> {
    if length > FRAME_BYTES_MAX as u64 {
        return Err(ReadError::FrameTooLarge(length));
    }
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 == length).then_some(bytes))
}

/// Whether a frame may be written to a track of that codec.
pub(crate) fn check(codec: Codec, frame: &MediaFrame) -> Result<(), WriteError> {
    if frame.codec != codec {
        return Err(WriteError::OtherCodec { track: codec, frame: frame.codec });
    }
    let size = frame.bytes.len();
    if size == 0 || size > FRAME_BYTES_MAX {
        return Err(WriteError::FrameSize(size));
    }
    Ok(())
}
