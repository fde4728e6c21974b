//! The parts that have something to say.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Part;

/// For so many parts memory is kept while none is touched.
const KEPT_MAX: usize = 1_024;

/// A queue in order that keeps its memory when it is empty, as it is after every call. A part may be in
/// it more than once, and comes out once.
#[derive(Debug, Default)]
pub(super) struct Touched(BinaryHeap<Reverse<Part>>);

impl Touched {
    pub(super) fn insert(&mut self, part: Part) {
        // The same one after another is what most calls do.
        if self.0.peek() != Some(&Reverse(part)) {
            self.0.push(Reverse(part));
        }
    }

    pub(super) fn extend(&mut self, parts: impl IntoIterator<Item = Part>) {
        self.0.extend(parts.into_iter().map(Reverse));
    }

    /// Takes the first in order.
    pub(super) fn pop_first(&mut self) -> Option<Part> {
        let Some(Reverse(first)) = self.0.pop() else {
            self.0.shrink_to(KEPT_MAX);
            return None;
        };
        while self.0.peek() == Some(&Reverse(first)) {
            self.0.pop();
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ConnId, RoomKey};

    #[test]
    fn each_part_comes_out_once_and_in_order() {
        let mut touched = Touched::default();
        touched.extend([Part::Peer(ConnId(1)), Part::Room(RoomKey(1)), Part::Engine]);
        touched.insert(Part::Room(RoomKey(1)));
        assert_eq!(touched.pop_first(), Some(Part::Engine));
        assert_eq!(touched.pop_first(), Some(Part::Room(RoomKey(1))));
        touched.insert(Part::Engine);
        assert_eq!(touched.pop_first(), Some(Part::Engine));
        assert_eq!(touched.pop_first(), Some(Part::Peer(ConnId(1))));
        assert_eq!(touched.pop_first(), None);
    }
}
