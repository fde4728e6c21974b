//! What a file says of a track.

use tristero_proto::media::Codec;

/// One track of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileTrack {
    /// How it is encoded.
    pub codec: Codec,
    /// Width and height in pixels, if the file says them.
    pub size: Option<(u32, u32)>,
    /// How many channels of sound, if the file says that.
    pub channels: Option<u8>,
}

impl FileTrack {
    pub(crate) const fn new(codec: Codec) -> Self {
        FileTrack { codec, size: None, channels: None }
    }
}
