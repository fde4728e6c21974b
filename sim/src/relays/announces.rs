//! How often peers announce their rooms on relays.

use std::collections::{BTreeMap, VecDeque};

use sha1::{Digest as _, Sha1};
use tristero_proto::crypto::Topic;
use tristero_proto::{LinkId, Time};

use super::Relay;
use crate::world::Who;

/// An announce that a relay has heard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announce {
    /// Which it is, from 1 in the order in which they were heard.
    pub number: u64,
    /// When it was sent.
    pub at: Time,
    /// By whom.
    pub who: Who,
    /// Where it was heard.
    pub relay: Relay,
    /// Over which link of the peer.
    pub link: LinkId,
    /// The root topic of the room.
    pub root: Topic,
    /// Whether something was wrong with the relay when it was sent.
    pub is_in_trouble: bool,
}

/// All announces of late.
#[derive(Debug, Default)]
pub(super) struct Announces {
    /// The rooms that somebody joined, by their root topic and by what trackers call them.
    roots: BTreeMap<String, Topic>,
    heard: VecDeque<Announce>,
    count: u64,
}

impl Announces {
    /// Notes that a room has this root topic.
    pub(super) fn add_root(&mut self, root: &Topic) {
        self.roots.insert(root.as_str().to_owned(), root.clone());
        self.roots.insert(info_hash(root), root.clone());
    }

    /// Counts an announce, if it is one: a nudge has the same form, and another topic.
    pub(super) fn add(&mut self, topic: &str, heard: impl FnOnce(u64, Topic) -> Announce) {
        let Some(root) = self.roots.get(topic).cloned() else { return };
        self.count += 1;
        if self.heard.len() >= HEARD_MAX {
            self.heard.pop_front();
        }
        self.heard.push_back(heard(self.count, root));
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Announce> {
        self.heard.iter()
    }
}

/// What trackers call a room.
///
/// spec: docs/protocol.md, sections 1 and 9, "BitTorrent"
fn info_hash(root: &Topic) -> String {
    let digest = Sha1::digest(root.as_str());
    let digits = digest.iter().flat_map(|byte| in_base_36(*byte));
    digits.take(INFO_HASH_LENGTH).collect()
}

fn in_base_36(byte: u8) -> impl Iterator<Item = char> {
    let digit = |value: u8| char::from_digit(u32::from(value), 36);
    let (high, low) = (byte / 36, byte % 36);
    digit(high).filter(|_| high > 0).into_iter().chain(digit(low))
}

/// The length of an info hash.
const INFO_HASH_LENGTH: usize = 20;

/// Announces that are kept. The oldest is forgotten.
const HEARD_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracker_calls_a_room_as_in_the_captures() {
        assert_eq!(info_hash(&Topic::root("wire-trace", "demo")), "o173x5n12506v6b2c3f2");
    }
}
