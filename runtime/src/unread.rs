//! How much may wait to be read.

use std::sync::Arc;

use crate::frame_inbox::FrameBounds;
use crate::inbox::Bounds;

/// How much of what came may wait for a reader that is slow. Each stream of messages, requests or
/// events has so much for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread {
    /// Messages, requests, or events; 65,536 by default. At the bound the oldest message is
    /// dropped, and counted by [`Action::dropped`](crate::Action::dropped); a request is rejected.
    /// Of streams and tracks that began there are 1,024 at most, and 16 MiB of what was said of them.
    pub messages: usize,
    /// Bytes that messages or requests take in memory; 256 MiB by default. At the bound the
    /// oldest message is dropped, and a request is rejected; a single larger one is kept.
    pub bytes: usize,
    /// Bytes of one transfer; 64 MiB by default. The transfer ends with an error at the bound.
    pub transfer_bytes: usize,
    /// Bytes of all transfers of a room; 256 MiB by default. A transfer that goes beyond ends
    /// with an error.
    pub all_transfer_bytes: usize,
    /// Frames of one track; 256 by default, which are some seconds. At the bound the oldest are
    /// dropped, of video up to the next key frame, and counted by
    /// [`RemoteTrack::dropped`](crate::RemoteTrack::dropped). Of packets there may be eight times as
    /// many.
    pub frames: usize,
    /// Bytes of the frames or packets of one track; 16 MiB by default. A single larger frame is kept.
    pub frame_bytes: usize,
    /// Bytes of the frames of all tracks of the node; 256 MiB by default. What goes beyond is treated
    /// as what goes beyond the bound of its track.
    pub all_frame_bytes: usize,
}

impl Default for Unread {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Unread {
            messages: 65_536,
            bytes: 256 * MIB,
            transfer_bytes: 64 * MIB,
            all_transfer_bytes: 256 * MIB,
            frames: 256,
            frame_bytes: 16 * MIB,
            all_frame_bytes: 256 * MIB,
        }
    }
}

impl Unread {
    pub(crate) fn messages(&self) -> Bounds {
        Bounds { items: self.messages, bytes: self.bytes }
    }

    /// For streams and tracks that began. Each has a queue of frames for each of its tracks.
    pub(crate) fn arrivals(&self) -> Bounds {
        const ARRIVALS_MAX: usize = 1_024;
        const BYTES_MAX: usize = 16 * 1024 * 1024;
        Bounds { items: self.messages.min(ARRIVALS_MAX), bytes: self.bytes.min(BYTES_MAX) }
    }

    pub(crate) fn transfer(&self) -> Bounds {
        Bounds { items: usize::MAX, bytes: self.transfer_bytes }
    }

    /// For readers of one node.
    pub(crate) fn frame_bounds(&self) -> FrameBounds {
        FrameBounds {
            frames: self.frames,
            bytes: self.frame_bytes,
            all_bytes: self.all_frame_bytes,
            waiting: Arc::default(),
        }
    }
}
