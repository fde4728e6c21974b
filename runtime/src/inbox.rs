//! A queue from the node to one reader: bounded in items and bytes.
//!
//! A reader that is too slow must not make memory grow, and must not hold up the driver, which
//! serves other rooms too. A queue of messages drops the oldest at its bounds; what may not have
//! gaps is [offered](Outlet::offer) and refused there.
//!
//! Writers run under the node's lock, and a waker may do anything, such as calling the node. So
//! writers wake nobody: they collect [`Wakes`], to be woken after the lock is released.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use atomic_waker::AtomicWaker;

/// What waits for a reader at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) items: usize,
    /// A single larger item is kept all the same.
    pub(crate) bytes: usize,
}

/// The reading end.
#[derive(Debug)]
pub(crate) struct Inbox<T>(Arc<Shared<T>>);

/// The writing end. It does not keep the reader alive. Where the node's lock is held it is
/// [ended](Outlet::end) and not just dropped, which wakes the reader at once.
#[derive(Debug)]
pub(crate) struct Outlet<T>(Weak<Shared<T>>);

/// Readers to be woken, in order, once no lock is held.
#[derive(Debug, Default)]
pub(crate) struct Wakes(Vec<Waker>);

/// Why something that was offered is not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unqueued {
    /// Nobody reads any more.
    #[error("nobody takes it")]
    Gone,
    /// Too much waits already.
    #[error("too much waits already")]
    Full,
}

#[derive(Debug)]
struct Shared<T> {
    bounds: Bounds,
    queue: Mutex<Queue<T>>,
    waker: AtomicWaker,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Queue<T> {
    items: VecDeque<(usize, T)>,
    bytes: usize,
    is_ended: bool,
}

impl Bounds {
    /// For what comes from our own node, in response to our own calls, a few at a time.
    pub(crate) const OWN: Bounds = Bounds { items: 65_536, bytes: usize::MAX };
}

impl<T> Inbox<T> {
    pub(crate) fn new(bounds: Bounds) -> (Inbox<T>, Outlet<T>) {
        let shared = Arc::new(Shared {
            bounds,
            queue: Mutex::new(Queue { items: VecDeque::new(), bytes: 0, is_ended: false }),
            waker: AtomicWaker::new(),
            dropped: AtomicU64::new(0),
        });
        let outlet = Outlet(Arc::downgrade(&shared));
        (Inbox(shared), outlet)
    }

    /// One that nothing is ever written to.
    pub(crate) fn ended() -> Inbox<T> {
        Inbox::new(Bounds::OWN).0
    }

    /// The next item; `None` once there are no more and the writing end is done.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.waker.register(cx.waker());
        let mut queue = self.0.lock();
        match queue.pop() {
            Some(item) => Poll::Ready(Some(item)),
            None if queue.is_ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// As [`poll_next`](Self::poll_next), to be awaited. Nothing is lost if that is given up.
    pub(crate) async fn next(&self) -> Option<T> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next item, if there is one now.
    pub(crate) fn try_next(&self) -> Option<T> {
        self.0.lock().pop()
    }

    /// Nobody waits here any more. Dropping a waker may do anything, so this comes before an inbox
    /// is dropped under the node's lock.
    pub(crate) fn hush(&self) {
        drop(self.0.waker.take());
    }

    /// All items that are there now, of a reader that reads no more.
    pub(crate) fn drain(self) -> impl Iterator<Item = T> {
        std::iter::from_fn(move || self.try_next())
    }

    /// How many items were dropped because nobody read them.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl<T> Outlet<T> {
    /// Adds an item of this many bytes, and drops the oldest ones beyond the bounds. False if
    /// nobody reads any more.
    pub(crate) fn push(&self, item: T, size: usize, wakes: &mut Wakes) -> bool {
        let Some(shared) = self.0.upgrade() else { return false };
        let mut queue = shared.lock();
        queue.push(item, size);
        while queue.exceeds(shared.bounds) && queue.items.len() > 1 {
            drop(queue.pop());
            shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        drop(queue);
        wakes.extend(shared.waker.take());
        true
    }

    /// Adds an item of this many bytes, unless that exceeds the bounds.
    pub(crate) fn offer(&self, item: T, size: usize, wakes: &mut Wakes) -> Result<(), Unqueued> {
        let shared = self.0.upgrade().ok_or(Unqueued::Gone)?;
        let mut queue = shared.lock();
        let Bounds { items, bytes } = shared.bounds;
        let is_full = queue.items.len() >= items || queue.bytes.saturating_add(size) > bytes;
        if is_full && !queue.items.is_empty() {
            return Err(Unqueued::Full);
        }
        queue.push(item, size);
        drop(queue);
        wakes.extend(shared.waker.take());
        Ok(())
    }

    /// Adds the last item, whatever waits already.
    pub(crate) fn finish(self, item: T, wakes: &mut Wakes) {
        if let Some(shared) = self.0.upgrade() {
            shared.lock().push(item, 0);
        }
        self.end(wakes);
    }

    /// Nothing follows any more.
    pub(crate) fn end(mut self, wakes: &mut Wakes) {
        if let Some(shared) = std::mem::take(&mut self.0).upgrade() {
            shared.lock().is_ended = true;
            wakes.extend(shared.waker.take());
        }
    }

    /// Nothing follows, and nobody is to be told.
    pub(crate) fn forget(mut self) {
        self.0 = Weak::new();
    }

    /// Whether somebody reads.
    pub(crate) fn is_read(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        // A writer may hold the queue just now, under the node's lock, and be the last to do so.
        self.hush();
    }
}

impl<T> Drop for Outlet<T> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.lock().is_ended = true;
            shared.waker.wake();
        }
    }
}

impl Wakes {
    /// Wakes everyone. No lock may be held.
    pub(crate) fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }

    /// Adds one, if there is one.
    pub(crate) fn extend(&mut self, waker: Option<Waker>) {
        self.0.extend(waker);
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        // The queue is whole between any two statements, so a panic elsewhere does not matter.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Queue<T> {
    fn push(&mut self, item: T, size: usize) {
        self.bytes += size;
        self.items.push_back((size, item));
    }

    fn pop(&mut self) -> Option<T> {
        let (size, item) = self.items.pop_front()?;
        self.bytes -= size;
        Some(item)
    }

    fn exceeds(&self, bounds: Bounds) -> bool {
        self.items.len() > bounds.items || self.bytes > bounds.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { items: 4, bytes: 100 };

    fn poll<T>(inbox: &Inbox<T>) -> Poll<Option<T>> {
        inbox.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    fn push<T>(outlet: &Outlet<T>, item: T, size: usize) -> bool {
        outlet.push(item, size, &mut Wakes::default())
    }

    #[test]
    fn what_is_left_is_read_after_the_writer_is_gone() {
        let (inbox, outlet) = Inbox::new(BOUNDS);
        assert_eq!(poll(&inbox), Poll::Pending);
        assert!(push(&outlet, 1, 0));
        drop(outlet);
        assert_eq!(poll(&inbox), Poll::Ready(Some(1)));
        assert_eq!(poll(&inbox), Poll::Ready(None));
        let (inbox, outlet) = Inbox::new(BOUNDS);
        outlet.finish(2, &mut Wakes::default());
        assert_eq!(poll(&inbox), Poll::Ready(Some(2)));
        assert_eq!(poll(&inbox), Poll::Ready(None));
    }

    #[test]
    fn a_reader_that_is_gone_is_noticed() {
        let (inbox, outlet) = Inbox::new(BOUNDS);
        assert!(outlet.is_read());
        drop(inbox);
        assert!(!outlet.is_read() && !push(&outlet, 1, 0));
        assert_eq!(outlet.offer(1, 0, &mut Wakes::default()), Err(Unqueued::Gone));
    }

    #[test]
    fn the_oldest_items_are_dropped_at_the_bounds() {
        let (inbox, outlet) = Inbox::new(BOUNDS);
        (0..=BOUNDS.items).for_each(|n| assert!(push(&outlet, n, 0)));
        assert_eq!(poll(&inbox), Poll::Ready(Some(1)));
        assert_eq!(inbox.dropped(), 1);
        let (inbox, outlet) = Inbox::new(BOUNDS);
        for n in 0..3 {
            push(&outlet, n, BOUNDS.bytes / 2 + 1);
        }
        push(&outlet, 3, BOUNDS.bytes * 2);
        assert_eq!(poll(&inbox), Poll::Ready(Some(3)), "one item is always kept");
    }

    #[test]
    fn what_is_offered_beyond_the_bounds_is_refused() {
        let (inbox, outlet) = Inbox::new(BOUNDS);
        let offer = |item, size| outlet.offer(item, size, &mut Wakes::default());
        assert_eq!(offer(1, BOUNDS.bytes + 1), Ok(()), "one item is always taken");
        assert_eq!(offer(2, 0), Err(Unqueued::Full));
        assert_eq!(poll(&inbox), Poll::Ready(Some(1)));
        (0..4).for_each(|n| assert_eq!(offer(n, 1), Ok(())));
        assert_eq!(offer(4, 1), Err(Unqueued::Full));
        assert_eq!(inbox.dropped(), 0);
    }
}
