//! What happens later, in order.

use std::collections::BTreeMap;

use tristero_proto::Time;

/// Things that happen at a time. Those of one moment happen in the order in which they were added.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    entries: BTreeMap<(Time, u64), T>,
    added: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue { entries: BTreeMap::new(), added: 0 }
    }
}

impl<T> Queue<T> {
    pub(crate) fn push(&mut self, at: Time, thing: T) {
        self.added += 1;
        self.entries.insert((at, self.added), thing);
    }

    /// Takes one thing out that is due.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<T> {
        let entry = self.entries.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    pub(crate) fn next_at(&self) -> Option<Time> {
        self.entries.first_key_value().map(|((at, _), _)| *at)
    }
}
