//! What waits for one client to read it.
//!
//! Publishers fill it without waiting and the connection's writer empties it. When a client
//! does not keep up, the outbox overflows once and for all: its frames are freed at once, later
//! ones vanish, and the connection is told to end.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::Limits;

/// A bounded queue from many publishers to one writer.
#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    filled: Notify,
    overflowed: Notify,
    frames_max: usize,
    bytes_max: usize,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits for the writer.
    Queued,
    /// The client has not kept up, now or earlier; the frame is gone.
    Dropped,
}

#[derive(Debug)]
enum State {
    Open { frames: VecDeque<Utf8Bytes>, bytes: usize },
    Overflowed,
}

impl Outbox {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            state: Mutex::new(State::Open { frames: VecDeque::new(), bytes: 0 }),
            filled: Notify::new(),
            overflowed: Notify::new(),
            frames_max: limits.outbox_frames_max,
            bytes_max: limits.outbox_bytes_max,
        }
    }

    /// Queues a frame if it fits; an empty outbox takes any frame.
    pub(crate) fn push(&self, frame: Utf8Bytes) -> Pushed {
        let mut state = self.lock();
        let State::Open { frames, bytes } = &mut *state else { return Pushed::Dropped };
        let is_first = frames.is_empty();
        let fits = frames.len() < self.frames_max && *bytes + frame.len() <= self.bytes_max;
        if !is_first && !fits {
            *state = State::Overflowed;
            self.overflowed.notify_one();
            return Pushed::Dropped;
        }
        *bytes += frame.len();
        frames.push_back(frame);
        if is_first {
            self.filled.notify_one();
        }
        Pushed::Queued
    }

    /// The oldest frame, if one waits.
    pub(crate) fn pop(&self) -> Option<Utf8Bytes> {
        let mut state = self.lock();
        let State::Open { frames, bytes } = &mut *state else { return None };
        let frame = frames.pop_front()?;
        *bytes -= frame.len();
        if frames.is_empty() {
            frames.shrink_to(IDLE_CAPACITY);
        }
        Some(frame)
    }

    /// Waits for the oldest frame; forever once the outbox has overflowed. For one waiter;
    /// dropping the future loses nothing.
    pub(crate) async fn next(&self) -> Utf8Bytes {
        loop {
            if let Some(frame) = self.pop() {
                return frame;
            }
            self.filled.notified().await;
        }
    }

    /// Waits until the outbox overflows, which ends its connection. For one waiter.
    pub(crate) async fn overflowed(&self) {
        self.overflowed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

/// Frames an idle outbox keeps room for, so that a burst long ago costs no memory now.
const IDLE_CAPACITY: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(frames_max: usize, bytes_max: usize) -> Outbox {
        let limits = Limits {
            outbox_frames_max: frames_max,
            outbox_bytes_max: bytes_max,
            ..Limits::default()
        };
        Outbox::new(&limits)
    }

    #[test]
    fn frames_come_out_in_the_order_they_went_in() {
        let outbox = outbox(2, 100);
        assert_eq!(outbox.push("a".into()), Pushed::Queued);
        assert_eq!(outbox.push("b".into()), Pushed::Queued);
        assert_eq!(outbox.pop(), Some("a".into()));
        assert_eq!(outbox.pop(), Some("b".into()));
        assert_eq!(outbox.pop(), None);
    }

    #[test]
    fn one_frame_too_many_overflows() {
        let outbox = outbox(2, 100);
        outbox.push("a".into());
        outbox.push("b".into());
        assert_eq!(outbox.push("c".into()), Pushed::Dropped);
        assert_eq!(outbox.pop(), None, "what waited is freed");
        assert_eq!(outbox.push("d".into()), Pushed::Dropped, "it stays overflowed");
    }

    #[test]
    fn one_byte_too_many_overflows() {
        let outbox = outbox(10, 4);
        outbox.push("aa".into());
        assert_eq!(outbox.push("bb".into()), Pushed::Queued);
        assert_eq!(outbox.push("c".into()), Pushed::Dropped);
    }

    #[test]
    fn popped_bytes_make_room() {
        let outbox = outbox(10, 4);
        for _ in 0..100 {
            assert_eq!(outbox.push("aaaa".into()), Pushed::Queued);
            assert_eq!(outbox.pop(), Some("aaaa".into()));
        }
    }

    #[test]
    fn an_empty_outbox_takes_a_frame_of_any_size() {
        let outbox = outbox(0, 0);
        assert_eq!(outbox.push("longer than the bound".into()), Pushed::Queued);
        assert_eq!(outbox.push("a".into()), Pushed::Dropped);
    }

    #[tokio::test]
    async fn an_overflow_is_told_even_to_one_who_asks_later() {
        let outbox = outbox(1, 100);
        outbox.push("a".into());
        outbox.push("b".into());
        outbox.overflowed().await;
    }
}
