//! Who was introduced, so that nobody speaks before.
//!
//! Events, messages and offers come by streams with no order between them. What is heard of
//! somebody whose joining was not read yet waits for it here.

use std::collections::BTreeSet;

use tristero_tokio::PeerId;

/// Things that wait. Only as many come as are read between two events; more are told at once.
const WAITING_MAX: usize = 1024;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Introductions<T> {
    present: BTreeSet<PeerId>,
    waiting: Vec<(PeerId, T)>,
}

impl<T> Introductions<T> {
    pub(crate) fn new() -> Self {
        Introductions { present: BTreeSet::new(), waiting: Vec::new() }
    }

    /// Somebody joined. Returns what was heard of them already.
    pub(crate) fn join(&mut self, peer: &PeerId) -> Vec<T> {
        self.present.insert(peer.clone());
        let heard = self.waiting.extract_if(.., |(speaker, _)| speaker == peer);
        heard.map(|(_, heard)| heard).collect()
    }

    /// Somebody left.
    pub(crate) fn leave(&mut self, peer: &PeerId) {
        self.present.remove(peer);
    }

    /// Something is heard of somebody. Returns it if it may be told now.
    pub(crate) fn hear(&mut self, peer: &PeerId, heard: T) -> Option<T> {
        if self.present.contains(peer) || self.waiting.len() >= WAITING_MAX {
            return Some(heard);
        }
        self.waiting.push((peer.clone(), heard));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_too_early_waits_for_its_speaker() {
        let (early, other) = (PeerId::new("early").unwrap(), PeerId::new("other").unwrap());
        let mut introductions = Introductions::new();
        assert_eq!(introductions.hear(&early, "one"), None);
        assert_eq!(introductions.hear(&early, "two"), None);
        assert!(introductions.join(&other).is_empty());
        assert_eq!(introductions.join(&early), ["one", "two"]);
        assert_eq!(introductions.hear(&early, "three"), Some("three"));
        introductions.leave(&early);
        assert_eq!(introductions.hear(&early, "four"), None);
    }

    #[test]
    fn nobody_makes_memory_grow_by_speaking_too_early() {
        let early = PeerId::new("early").unwrap();
        let mut introductions = Introductions::new();
        for _ in 0..WAITING_MAX {
            assert_eq!(introductions.hear(&early, ""), None);
        }
        assert_eq!(introductions.hear(&early, ""), Some(""));
    }
}
