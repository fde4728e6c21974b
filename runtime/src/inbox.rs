//! A queue from the driver to one reader: bounded in items and bytes, the oldest is dropped.
//!
//! A reader that is too slow must not make memory grow, and must not hold up the driver, which
//! serves other rooms too.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;

/// Items that wait for a reader at most.
const ITEMS_MAX: usize = 65_536;
/// Bytes that wait for a reader at most; a single larger item is kept all the same.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// The reading end.
#[derive(Debug)]
pub(crate) struct Inbox<T>(Arc<Shared<T>>);

/// The writing end. It does not keep the reader alive.
#[derive(Debug)]
pub(crate) struct Outlet<T>(Weak<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
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

impl<T> Inbox<T> {
    pub(crate) fn new() -> (Inbox<T>, Outlet<T>) {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue { items: VecDeque::new(), bytes: 0, is_ended: false }),
            waker: AtomicWaker::new(),
            dropped: AtomicU64::new(0),
        });
        let outlet = Outlet(Arc::downgrade(&shared));
        (Inbox(shared), outlet)
    }

    /// The next item; `None` once there are no more and the writing end is done.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.waker.register(cx.waker());
        let mut queue = self.0.lock();
        match queue.items.pop_front() {
            Some((size, item)) => {
                queue.bytes -= size;
                Poll::Ready(Some(item))
            }
            None if queue.is_ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// The next item, if there is one now.
    pub(crate) fn try_next(&self) -> Option<T> {
        let mut queue = self.0.lock();
        let (size, item) = queue.items.pop_front()?;
        queue.bytes -= size;
        Some(item)
    }

    /// How many items were dropped because nobody read them.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl<T> Outlet<T> {
    /// Adds an item of this many bytes. False if nobody reads any more.
    pub(crate) fn push(&self, item: T, size: usize) -> bool {
        let Some(shared) = self.0.upgrade() else { return false };
        let mut queue = shared.lock();
        queue.bytes += size;
        queue.items.push_back((size, item));
        while queue.items.len() > ITEMS_MAX || (queue.bytes > BYTES_MAX && queue.items.len() > 1) {
            if let Some((size, _)) = queue.items.pop_front() {
                queue.bytes -= size;
                shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        drop(queue);
        shared.waker.wake();
        true
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

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        // The queue is whole between any two statements, so a panic elsewhere does not matter.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn poll<T>(inbox: &Inbox<T>) -> Poll<Option<T>> {
        inbox.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_is_left_is_read_after_the_writer_is_gone() {
        let (inbox, outlet) = Inbox::new();
        assert_eq!(poll(&inbox), Poll::Pending);
        assert!(outlet.push(1, 0));
        drop(outlet);
        assert_eq!(poll(&inbox), Poll::Ready(Some(1)));
        assert_eq!(poll(&inbox), Poll::Ready(None));
    }

    #[test]
    fn a_reader_that_is_gone_is_noticed() {
        let (inbox, outlet) = Inbox::new();
        drop(inbox);
        assert!(!outlet.push(1, 0));
    }

    #[test]
    fn the_oldest_items_are_dropped_at_the_bounds() {
        let (inbox, outlet) = Inbox::new();
        (0..=ITEMS_MAX).for_each(|n| assert!(outlet.push(n, 0)));
        assert_eq!(poll(&inbox), Poll::Ready(Some(1)));
        assert_eq!(inbox.dropped(), 1);
        let (inbox, outlet) = Inbox::new();
        for n in 0..3 {
            outlet.push(n, BYTES_MAX / 2 + 1);
        }
        outlet.push(3, BYTES_MAX * 2);
        assert_eq!(poll(&inbox), Poll::Ready(Some(3)), "one item is always kept");
    }
}
