//! Waiting on a thread, for scripts, tests and programs that have nothing else to do meanwhile.
//!
//! All of this crate that is awaited can be waited for instead, by [`Wait`], and what comes one after
//! the other is an [`iter`]. Nodes are driven elsewhere all the while: `tristero-smol` needs no more
//! than this; with tokio, a runtime has to be entered where the node is made, and to live on other
//! threads.
//!
//! ```no_run
//! # fn example(room: tristero::Room) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use tristero::blocking::{Wait as _, iter};
//! use tristero::{Action, RoomEvent};
//!
//! let mut chat: Action<String> = room.action("chat")?;
//! for event in iter(room.events()) {
//!     let RoomEvent::PeerJoined { peer } = event else { continue };
//!     chat.send("are you there?").to(&peer).wait()?;
//!     match chat.recv().wait_for(Duration::from_secs(5)) {
//!         Some(Some(Ok(answer))) => println!("{}", answer.value),
//!         Some(_) => break, // it is of another type, or the room was left
//!         None => println!("{peer} says nothing"),
//!     }
//! }
//! room.leave().wait();
//! # Ok(())
//! # }
//! ```
//!
//! Streams of audio and video are no different: `iter(room.peer_streams())`, and `iter(track)` of what
//! comes of a track. [`LocalTrack::write`](crate::LocalTrack::write) waits for nothing anyway.
//!
//! What blocks a thread blocks all that runs on it: none of this is for async functions. On an executor
//! with one thread, as smol's is by default, a task that waits so waits for ever, for the node runs there
//! too. Closures that
//! serve run where they are waited for, so they have a thread:
//! `thread::spawn(move || divide.serve(answer).wait())`.

use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use futures_core::Stream;

/// Waits for what else is awaited.
pub trait Wait: IntoFuture + Sized {
    /// Waits until it is done, for ever if it has to be.
    fn wait(self) -> Self::Output {
        let mut future = pin!(self.into_future());
        let parked = Arc::new(Parked::here());
        let waker = parked.clone().into();
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            while !parked.take_wake() {
                thread::park();
            }
        }
    }

    /// Waits no longer than this: `None` if it was not done by then. It is dropped then, which means
    /// to it what it means to a future: one that receives loses nothing, one that sends aborts.
    fn wait_for(self, patience: Duration) -> Option<Self::Output> {
        let mut future = pin!(self.into_future());
        let parked = Arc::new(Parked::here());
        let waker = parked.clone().into();
        let mut cx = Context::from_waker(&waker);
        let began = Instant::now();
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return Some(output);
            }
            while !parked.take_wake() {
                let left = patience.checked_sub(began.elapsed()).filter(|left| !left.is_zero())?;
                thread::park_timeout(left);
            }
        }
    }
}

impl<F: IntoFuture> Wait for F {}

/// Waits for one item of a stream after the other, until its end.
pub fn iter<S: Stream + Unpin>(stream: S) -> Iter<S> {
    Iter(stream)
}

/// See [`iter`].
#[derive(Debug)]
pub struct Iter<S>(S);

impl<S> Iter<S> {
    /// The stream, to go on with.
    pub fn into_inner(self) -> S {
        self.0
    }
}

impl<S: Stream + Unpin> Iterator for Iter<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        std::future::poll_fn(|cx| Pin::new(&mut self.0).poll_next(cx)).wait()
    }
}

/// A thread that waits. Others may park it too, while it is on its way through a future, and would
/// take its being woken for theirs: so that is noted.
struct Parked {
    thread: Thread,
    is_woken: AtomicBool,
}

impl Parked {
    fn here() -> Self {
        Parked { thread: thread::current(), is_woken: AtomicBool::new(false) }
    }

    /// Whether it was woken since it was asked last.
    fn take_wake(&self) -> bool {
        self.is_woken.swap(false, Ordering::Acquire)
    }
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_woken_by_another_thread_is_waited_for() {
        let mut is_asked = false;
        let later = std::future::poll_fn(|cx| {
            if std::mem::replace(&mut is_asked, true) {
                return Poll::Ready("done");
            }
            let waker = cx.waker().clone();
            thread::spawn(move || waker.wake());
            Poll::Pending
        });
        assert_eq!(later.wait(), "done");
    }

    #[test]
    fn a_future_that_parks_the_thread_itself_does_not_lose_its_being_woken() {
        let mut is_asked = false;
        let parking = std::future::poll_fn(|cx| {
            if std::mem::replace(&mut is_asked, true) {
                return Poll::Ready("done");
            }
            cx.waker().wake_by_ref();
            thread::park();
            Poll::Pending
        });
        assert_eq!(parking.wait(), "done");
    }

    #[test]
    fn what_is_not_done_in_time_is_given_up_and_what_is_done_takes_no_time() {
        assert_eq!(std::future::pending::<()>().wait_for(Duration::from_millis(1)), None);
        assert_eq!(std::future::ready(7).wait_for(Duration::ZERO), Some(7));
    }
}
