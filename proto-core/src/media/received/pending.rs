//! What a peer said of media that has not come yet.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde_json::Value;

use crate::ids::RoomKey;
use crate::limits;
use crate::time::{Deadline, Time};
use crate::wire::MediaSaid;

/// What is said of media comes just before its offer. JavaScript that waits for an answer first has
/// given that up by then.
const PENDING_TTL: Duration = Duration::from_secs(30);

/// What names nothing that came within this time names nothing at all.
const ORDER_PATIENCE: Duration = Duration::from_secs(2);

/// Something that was said.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) room: RoomKey,
    pub(super) said: MediaSaid,
    pub(super) size: usize,
    pub(super) since: Time,
    /// Whether it was told of once already.
    pub(super) is_kept: bool,
    /// Whether it is known to name nothing that comes.
    is_late: bool,
}

impl Pending {
    pub(super) fn new(room: RoomKey, said: MediaSaid, size: usize, since: Time) -> Self {
        Pending { room, said, size, since, is_kept: false, is_late: false }
    }

    /// To be kept though it was told of, if it is not too large for that.
    pub(super) fn into_kept(self) -> Option<Self> {
        let is_small = self.size <= limits::METADATA_BYTES_MAX;
        is_small.then_some(Pending { is_kept: true, ..self })
    }

    /// Whether it waited long enough to know that it names nothing.
    pub(super) fn is_late(&mut self, now: Time) -> bool {
        self.is_late |= now.since(self.since) >= ORDER_PATIENCE;
        self.is_late
    }

    pub(super) fn metadata(&self) -> Option<&Value> {
        match &self.said {
            MediaSaid::Stream { metadata, .. }
            | MediaSaid::Track { metadata, .. }
            | MediaSaid::Replacement { metadata, .. } => metadata.as_ref(),
        }
    }

    /// A number for its key and its metadata, which may be large. A peer that finds another thing
    /// with the same number has it not told, and harms nobody else.
    pub(super) fn digest(&self) -> u64 {
        let (MediaSaid::Stream { key, .. }
        | MediaSaid::Track { key, .. }
        | MediaSaid::Replacement { key, .. }) = &self.said;
        let mut hasher = DefaultHasher::new();
        (key, self.metadata().map(Value::to_string)).hash(&mut hasher);
        hasher.finish()
    }
}

/// All that was said, in order. See the [module](self).
#[derive(Debug, Default)]
pub(super) struct PendingMedia {
    said: VecDeque<Pending>,
    bytes: usize,
}

impl PendingMedia {
    /// Adds something; the oldest of its room is dropped, or of all.
    pub(super) fn push(&mut self, pending: Pending) {
        let of_room = |other: &&Pending| other.room == pending.room;
        if self.said.iter().filter(of_room).count() >= limits::PENDING_MEDIA_MAX
            && let Some(index) = self.said.iter().position(|other| other.room == pending.room)
        {
            self.remove(index);
        }
        self.bytes += pending.size;
        self.said.push_back(pending);
        while self.bytes > limits::PENDING_MEDIA_BYTES_MAX {
            self.remove(0);
        }
    }

    /// Adds what was told, as if it had not been.
    pub(super) fn restore(&mut self, pending: Option<Pending>, now: Time) {
        if let Some(pending) = pending.filter(|pending| now < pending.since + PENDING_TTL) {
            self.push(pending);
        }
    }

    pub(super) fn take_all(&mut self) -> VecDeque<Pending> {
        self.bytes = 0;
        std::mem::take(&mut self.said)
    }

    /// The streams that anything names.
    pub(super) fn streams(&self) -> BTreeSet<String> {
        let stream = |pending: &Pending| match &pending.said {
            MediaSaid::Stream { stream, .. } | MediaSaid::Track { stream, .. } => {
                Some(stream.clone())
            }
            MediaSaid::Replacement { .. } => None,
        };
        self.said.iter().filter_map(stream).collect()
    }

    pub(super) fn forget(&mut self, room: RoomKey) {
        self.said.retain(|pending| pending.room != room);
        self.bytes = self.said.iter().map(|pending| pending.size).sum();
    }

    /// Drops what is too old.
    pub(super) fn expire(&mut self, now: Time) {
        self.said.iter_mut().for_each(|pending| _ = pending.is_late(now));
        while let Some(index) =
            self.said.iter().position(|pending| pending.since + PENDING_TTL <= now)
        {
            self.remove(index);
        }
    }

    /// When something is late, or expires.
    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let due = |pending: &Pending| {
            pending.since + if pending.is_late { PENDING_TTL } else { ORDER_PATIENCE }
        };
        let at = self.said.iter().map(due).min()?;
        Some(Deadline::new(at, "give up what was said of media"))
    }

    fn remove(&mut self, index: usize) {
        if let Some(removed) = self.said.remove(index) {
            self.bytes -= removed.size;
        }
    }
}
