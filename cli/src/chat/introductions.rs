//! Who was introduced, so that nobody speaks before.
//!
//! Events and messages come by two streams with no order between them. What is said by somebody
//! whose joining was not read yet waits for it here.

use std::collections::BTreeSet;

use tristero_tokio::PeerId;

/// Lines that wait. Only as many come as are read between two events; more are shown at once.
const WAITING_MAX: usize = 1024;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Introductions {
    present: BTreeSet<PeerId>,
    waiting: Vec<(PeerId, String)>,
}

impl Introductions {
    /// Somebody joined. Returns what they said already.
    pub(crate) fn join(&mut self, peer: &PeerId) -> Vec<String> {
        self.present.insert(peer.clone());
        let said = self.waiting.extract_if(.., |(speaker, _)| speaker == peer);
        said.map(|(_, line)| line).collect()
    }

    /// Somebody left.
    pub(crate) fn leave(&mut self, peer: &PeerId) {
        self.present.remove(peer);
    }

    /// Somebody said something. Returns it if it may be shown now.
    pub(crate) fn say(&mut self, peer: PeerId, line: String) -> Option<String> {
        if self.present.contains(&peer) || self.waiting.len() >= WAITING_MAX {
            return Some(line);
        }
        self.waiting.push((peer, line));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_too_early_waits_for_its_speaker() {
        let (early, other) = (PeerId::new("early").unwrap(), PeerId::new("other").unwrap());
        let mut introductions = Introductions::default();
        assert_eq!(introductions.say(early.clone(), "one".to_owned()), None);
        assert_eq!(introductions.say(early.clone(), "two".to_owned()), None);
        assert!(introductions.join(&other).is_empty());
        assert_eq!(introductions.join(&early), ["one", "two"]);
        assert_eq!(introductions.say(early.clone(), "three".to_owned()), Some("three".to_owned()));
        introductions.leave(&early);
        assert_eq!(introductions.say(early, "four".to_owned()), None);
    }

    #[test]
    fn nobody_makes_memory_grow_by_speaking_too_early() {
        let early = PeerId::new("early").unwrap();
        let mut introductions = Introductions::default();
        for _ in 0..WAITING_MAX {
            assert_eq!(introductions.say(early.clone(), String::new()), None);
        }
        assert_eq!(introductions.say(early, String::new()), Some(String::new()));
    }
}
