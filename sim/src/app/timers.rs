//! The timers of an application.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tristero_proto::Time;

use super::clock::WorldClock;

/// All timers of one application, which go off in the order in which they were made where they do
/// so in one moment.
#[derive(Clone, Debug)]
pub(crate) struct Timers {
    clock: WorldClock,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Those that somebody waits for.
    waiting: BTreeMap<(Time, u64), Waker>,
    next: u64,
}

/// Waits for a time of the world; made by [`SimRuntime::sleep`](super::SimRuntime::sleep).
#[derive(Debug)]
#[must_use = "nothing waits unless this is awaited"]
pub struct Sleep {
    timers: Timers,
    key: (Time, u64),
}

impl Timers {
    pub(crate) fn new(clock: WorldClock) -> Self {
        Timers { clock, queue: Arc::default() }
    }

    pub(crate) fn sleep_until(&self, at: Time) -> Sleep {
        let mut queue = self.lock();
        queue.next += 1;
        let key = (at, queue.next);
        drop(queue);
        Sleep { timers: self.clone(), key }
    }

    pub(crate) fn handle_timeout(&self, now: Time) {
        loop {
            let mut queue = self.lock();
            let due = queue.waiting.first_entry().filter(|first| first.key().0 <= now);
            let waker = due.map(|first| first.remove());
            drop(queue);
            match waker {
                Some(waker) => waker.wake(),
                None => return,
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.lock().waiting.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Sleep { timers, key } = &*self;
        if key.0 <= timers.now() {
            return Poll::Ready(());
        }
        let before = timers.lock().waiting.insert(*key, cx.waker().clone());
        // Dropping a waker may do anything, so the lock is released by now.
        drop(before);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let waker = self.timers.lock().waiting.remove(&self.key);
        drop(waker);
    }
}
