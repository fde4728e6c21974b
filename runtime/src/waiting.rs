//! Who waits for what: the writing ends of inboxes, in the two ways in which they are used.
//!
//! What is queued there holds no handles of rooms or nodes: it may be dropped under the node's
//! lock, which those take.

use std::collections::BTreeMap;

use crate::inbox::{Bounds, Inbox, Outlet, Unqueued, Wakes};

/// Readers of one stream, each of which gets all of it from when it began to read. Bounded by the
/// application, which has all of them.
#[derive(Debug)]
pub(crate) struct Readers<T>(Vec<Outlet<T>>);

/// Calls that are under way, by their ids, and what they are told. Bounded by what the node has
/// under way.
#[derive(Debug)]
pub(crate) struct Waiters<K, T>(BTreeMap<K, Outlet<T>>);

impl<T> Default for Readers<T> {
    fn default() -> Self {
        Readers(Vec::new())
    }
}

impl<K, T> Default for Waiters<K, T> {
    fn default() -> Self {
        Waiters(BTreeMap::new())
    }
}

impl<T> Readers<T> {
    pub(crate) fn add(&mut self, bounds: Bounds) -> Inbox<T> {
        let (inbox, outlet) = Inbox::new(bounds);
        self.0.push(outlet);
        inbox
    }

    /// Adds a reader that begins with these.
    pub(crate) fn add_with(
        &mut self,
        bounds: Bounds,
        items: impl IntoIterator<Item = T>,
    ) -> Inbox<T> {
        let (inbox, outlet) = Inbox::new(bounds);
        for item in items {
            // There is nobody to wake yet.
            outlet.push(item, 0, &mut Wakes::default());
        }
        self.0.push(outlet);
        inbox
    }

    /// Tells all readers, the longest-standing first.
    pub(crate) fn tell(&mut self, item: T, size: usize, wakes: &mut Wakes)
    where
        T: Clone,
    {
        self.0.retain(Outlet::is_read);
        let Some((last, others)) = self.0.split_last() else { return };
        for reader in others {
            reader.push(item.clone(), size, wakes);
        }
        last.push(item, size, wakes);
    }

    /// Tells all readers something that is made for each of them.
    pub(crate) fn tell_each(
        &mut self,
        mut make: impl FnMut() -> T,
        size: usize,
        wakes: &mut Wakes,
    ) {
        self.0.retain(Outlet::is_read);
        for reader in &self.0 {
            reader.push(make(), size, wakes);
        }
    }

    /// Gives the longest-standing reader something that only one can have.
    pub(crate) fn offer_first(
        &mut self,
        item: T,
        size: usize,
        wakes: &mut Wakes,
    ) -> Result<(), Unqueued> {
        self.0.retain(Outlet::is_read);
        self.0.first().ok_or(Unqueued::Gone)?.offer(item, size, wakes)
    }

    /// Adds the readers of another stream, which get what follows here.
    pub(crate) fn append(&mut self, mut others: Readers<T>) {
        self.0.append(&mut others.0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|reader| !reader.is_read())
    }

    pub(crate) fn end(self, wakes: &mut Wakes) {
        self.0.into_iter().for_each(|reader| reader.end(wakes));
    }
}

impl<K: Ord, T> Waiters<K, T> {
    pub(crate) fn add(&mut self, id: K, bounds: Bounds) -> Inbox<T> {
        let (inbox, outlet) = Inbox::new(bounds);
        self.0.insert(id, outlet);
        inbox
    }

    pub(crate) fn tell(&mut self, id: &K, item: T, size: usize, wakes: &mut Wakes) {
        if let Some(waiter) = self.0.get(id) {
            waiter.push(item, size, wakes);
        }
    }

    /// Tells something that must not be missed.
    pub(crate) fn offer(
        &mut self,
        id: &K,
        item: T,
        size: usize,
        wakes: &mut Wakes,
    ) -> Result<(), Unqueued> {
        self.0.get(id).ok_or(Unqueued::Gone)?.offer(item, size, wakes)
    }

    /// Tells the last thing.
    pub(crate) fn finish(&mut self, id: &K, item: T, wakes: &mut Wakes) {
        if let Some(waiter) = self.0.remove(id) {
            waiter.finish(item, wakes);
        }
    }

    /// Nobody waits any more.
    pub(crate) fn forget(&mut self, id: &K) {
        if let Some(waiter) = self.0.remove(id) {
            waiter.forget();
        }
    }

    /// Nothing follows, and whoever waits knows what that means.
    pub(crate) fn end_one(&mut self, id: &K, wakes: &mut Wakes) {
        if let Some(waiter) = self.0.remove(id) {
            waiter.end(wakes);
        }
    }

    pub(crate) fn end(self, wakes: &mut Wakes) {
        self.0.into_values().for_each(|waiter| waiter.end(wakes));
    }
}
