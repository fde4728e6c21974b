//! How much may wait to be read.

use crate::inbox::Bounds;

/// How much of what came may wait for a reader that is slow, before something is dropped. Each
/// stream of messages or events has so much for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread {
    /// Messages, or events. At the bound the oldest one is dropped, and counted by
    /// [`Action::dropped`](crate::Action::dropped); 65,536 by default.
    pub messages: usize,
    /// Bytes that messages take in memory. At the bound the oldest one is dropped; a single larger
    /// one is kept. 256 MiB by default.
    pub bytes: usize,
}

impl Default for Unread {
    fn default() -> Self {
        Unread { messages: 65_536, bytes: 256 * 1024 * 1024 }
    }
}

impl Unread {
    pub(crate) fn messages(&self) -> Bounds {
        Bounds { items: self.messages, bytes: self.bytes }
    }
}
