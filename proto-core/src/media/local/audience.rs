//! Who gets something in a room, and with what metadata.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::ids::PeerId;
use crate::media::MediaOptions;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Audience {
    /// Everyone who comes, with this metadata.
    everyone: Option<Option<Value>>,
    named: BTreeMap<PeerId, Named>,
    /// Those who get nothing though everyone does.
    excepted: BTreeSet<PeerId>,
}

#[derive(Debug)]
struct Named {
    metadata: Option<Value>,
    /// Whether it is so when the peer comes again.
    comes_again: bool,
}

impl Audience {
    /// Adds whom the options name. `members` are those that are there.
    pub(super) fn add(&mut self, options: MediaOptions, members: &[PeerId]) {
        let MediaOptions { targets, metadata, late_joiners } = options;
        let named = match targets {
            Some(targets) => targets,
            None if late_joiners => {
                *self = Audience { everyone: Some(metadata), ..Audience::default() };
                return;
            }
            None => members.to_vec(),
        };
        for peer in named {
            if late_joiners || members.contains(&peer) {
                self.excepted.remove(&peer);
                let (metadata, comes_again) = (metadata.clone(), late_joiners);
                self.named.insert(peer, Named { metadata, comes_again });
            }
        }
    }

    /// These get it no longer, and not when they come again either.
    pub(super) fn remove(&mut self, peers: &[PeerId]) {
        for peer in peers {
            self.named.remove(peer);
            if self.everyone.is_some() {
                self.excepted.insert(peer.clone());
            }
        }
    }

    pub(super) fn set_metadata(&mut self, metadata: Option<Value>) {
        self.named.values_mut().for_each(|named| named.metadata.clone_from(&metadata));
        if let Some(everyone) = &mut self.everyone {
            *everyone = metadata;
        }
    }

    pub(super) fn on_member_left(&mut self, peer: &PeerId) {
        if self.named.get(peer).is_some_and(|named| !named.comes_again) {
            self.named.remove(peer);
        }
    }

    /// What goes along with it for a peer; `None` if the peer does not get it.
    pub(super) fn metadata_for(&self, peer: &PeerId) -> Option<Option<&Value>> {
        if let Some(named) = self.named.get(peer) {
            return Some(named.metadata.as_ref());
        }
        let everyone = self.everyone.as_ref().filter(|_| !self.excepted.contains(peer))?;
        Some(everyone.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_gets_it_but_those_who_are_excepted_and_the_named_with_their_own_metadata() {
        let [a, b, c] = ["a", "b", "c"].map(|id| PeerId::new(id).unwrap());
        let members = [a.clone(), b.clone()];
        let mut audience = Audience::default();
        audience.add(MediaOptions::default(), &members);
        let options = MediaOptions {
            targets: Some(vec![b.clone()]),
            metadata: Some("b".into()),
            ..MediaOptions::default()
        };
        audience.add(options, &members);
        audience.remove(std::slice::from_ref(&a));
        assert_eq!(audience.metadata_for(&a), None);
        assert_eq!(audience.metadata_for(&b), Some(Some(&"b".into())));
        assert_eq!(audience.metadata_for(&c), Some(None));
    }

    #[test]
    fn without_late_joiners_only_those_who_are_there_get_it_and_once() {
        let [a, b, c] = ["a", "b", "c"].map(|id| PeerId::new(id).unwrap());
        let members = [a.clone(), b];
        for targets in [None, Some(vec![a.clone(), c.clone()])] {
            let mut audience = Audience::default();
            let options = MediaOptions { targets, metadata: None, late_joiners: false };
            audience.add(options, &members);
            assert_eq!(audience.metadata_for(&a), Some(None));
            assert_eq!(audience.metadata_for(&c), None);
            audience.on_member_left(&a);
            assert_eq!(audience.metadata_for(&a), None);
        }
    }
}
