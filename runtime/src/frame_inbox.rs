//! A queue of frames from the node to one reader, bounded as an [inbox](crate::inbox) is.
//!
//! Frames are of no use without those before them, so what is dropped is more than the oldest one. Of
//! sound that is all there is to it. Of pictures everything goes up to the next key frame that
//! waits; if none does, everything goes, and nothing is queued before a key frame comes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use tristero_proto::media::{MediaFrame, MediaKind};

use crate::inbox::Wakes;

/// What may wait for readers of frames.
#[derive(Clone, Debug)]
pub(crate) struct FrameBounds {
    /// Frames of one reader.
    pub(crate) frames: usize,
    /// Bytes of one reader; a single larger frame is kept all the same.
    pub(crate) bytes: usize,
    /// Bytes of all readers together.
    pub(crate) all_bytes: usize,
    /// How many of those there are now.
    pub(crate) waiting: Arc<AtomicUsize>,
}

/// The reading end.
#[derive(Debug)]
pub(crate) struct FrameInbox(Arc<Shared>);

/// The writing end. It does not keep the reader alive.
#[derive(Debug)]
pub(crate) struct FrameOutlet(Weak<Shared>);

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Queued,
    /// It is dropped, and so is what comes before a key frame.
    AwaitsKey,
    /// Nobody reads any more.
    Gone,
}

#[derive(Debug)]
struct Shared {
    bounds: FrameBounds,
    queue: Mutex<Queue>,
    waker: AtomicWaker,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Queue {
    frames: VecDeque<MediaFrame>,
    bytes: usize,
    next: Next,
    is_ended: bool,
}

/// How the frame that comes next goes with the one before it in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Follows,
    /// Something is missing between the two.
    HasGap,
    /// It is of no use unless it is a key frame.
    AwaitsKey,
}

impl FrameInbox {
    pub(crate) fn new(bounds: FrameBounds) -> (FrameInbox, FrameOutlet) {
        let queue = Queue {
            frames: VecDeque::new(),
            bytes: 0,
            // What was before it nobody has read.
            next: Next::HasGap,
            is_ended: false,
        };
        let shared = Arc::new(Shared {
            bounds,
            queue: Mutex::new(queue),
            waker: AtomicWaker::new(),
            dropped: AtomicU64::new(0),
        });
        let outlet = FrameOutlet(Arc::downgrade(&shared));
        (FrameInbox(shared), outlet)
    }

    /// The next frame; `None` once there are no more and the writing end is done.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<MediaFrame>> {
        self.0.waker.register(cx.waker());
        // Under one lock: a frame may be the last one, and the end follow it at once.
        let mut queue = self.0.lock();
        match self.0.pop(&mut queue) {
            Some(frame) => Poll::Ready(Some(frame)),
            None if queue.is_ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// The next frame, if there is one now.
    pub(crate) fn try_next(&self) -> Option<MediaFrame> {
        self.0.pop(&mut self.0.lock())
    }

    /// How many frames were dropped because nobody read them.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Whether nothing more will come.
    pub(crate) fn is_ended(&self) -> bool {
        self.0.lock().is_ended
    }
}

impl FrameOutlet {
    /// Adds a frame, and drops what is beyond the bounds.
    pub(crate) fn push(&self, mut frame: MediaFrame, wakes: &mut Wakes) -> Pushed {
        let Some(shared) = self.0.upgrade() else { return Pushed::Gone };
        let mut queue = shared.lock();
        let is_video = frame.codec.kind() == MediaKind::Video;
        if queue.next == Next::AwaitsKey && is_video && !frame.is_key {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            return Pushed::AwaitsKey;
        }
        frame.is_contiguous &= queue.next == Next::Follows;
        queue.next = Next::Follows;
        shared.add(&mut queue, frame);
        while queue.frames.len() > 1 && shared.is_beyond(&queue) {
            shared.drop_oldest(&mut queue, is_video);
        }
        let pushed = if queue.next == Next::AwaitsKey { Pushed::AwaitsKey } else { Pushed::Queued };
        drop(queue);
        wakes.extend(shared.waker.take());
        pushed
    }

    /// What comes next does not follow what came last.
    pub(crate) fn skip(&self) {
        if let Some(shared) = self.0.upgrade() {
            let mut queue = shared.lock();
            if queue.next == Next::Follows {
                queue.next = Next::HasGap;
            }
        }
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

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // The queue is whole between any two statements, so a panic elsewhere does not matter.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_beyond(&self, queue: &Queue) -> bool {
        queue.frames.len() > self.bounds.frames
            || queue.bytes > self.bounds.bytes
            || self.bounds.waiting.load(Ordering::Relaxed) > self.bounds.all_bytes
    }

    fn add(&self, queue: &mut Queue, frame: MediaFrame) {
        let size = frame.bytes.len();
        queue.bytes += size;
        self.bounds.waiting.fetch_add(size, Ordering::Relaxed);
        queue.frames.push_back(frame);
    }

    fn pop(&self, queue: &mut Queue) -> Option<MediaFrame> {
        let frame = queue.frames.pop_front()?;
        self.forget(queue, frame.bytes.len());
        Some(frame)
    }

    fn forget(&self, queue: &mut Queue, size: usize) {
        queue.bytes -= size;
        self.bounds.waiting.fetch_sub(size, Ordering::Relaxed);
    }

    fn drop_oldest(&self, queue: &mut Queue, is_video: bool) {
        let kept = match is_video {
            false => Some(1),
            true => (1..queue.frames.len()).find(|index| queue.frames[*index].is_key),
        };
        for _ in 0..kept.unwrap_or(queue.frames.len()) {
            let Some(frame) = queue.frames.pop_front() else { break };
            self.forget(queue, frame.bytes.len());
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        match queue.frames.front_mut() {
            Some(first) => first.is_contiguous = false,
            None => queue.next = Next::AwaitsKey,
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let queue = self.queue.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.bounds.waiting.fetch_sub(queue.bytes, Ordering::Relaxed);
    }
}

impl Drop for FrameInbox {
    fn drop(&mut self) {
        // A writer may hold the queue just now, under the node's lock, and be the last to do so.
        drop(self.0.waker.take());
    }
}

impl Drop for FrameOutlet {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.lock().is_ended = true;
            shared.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use tristero_proto::media::{Codec, MediaTime};

    use super::*;

    fn bounds() -> FrameBounds {
        FrameBounds { frames: 4, bytes: 1_000, all_bytes: 1_500, waiting: Arc::default() }
    }

    fn frame(codec: Codec, ticks: u64, is_key: bool, size: usize) -> MediaFrame {
        MediaFrame {
            codec,
            time: MediaTime::new(ticks, codec.clock_rate()),
            is_key,
            is_contiguous: true,
            bytes: Arc::from(vec![0; size]),
        }
    }

    /// What waits: the times, and whether something is missing before each.
    fn read(inbox: &FrameInbox) -> Vec<(u64, bool)> {
        std::iter::from_fn(|| inbox.try_next())
            .map(|frame| (frame.time.ticks(), !frame.is_contiguous))
            .collect()
    }

    fn push(outlet: &FrameOutlet, frame: MediaFrame) -> Pushed {
        outlet.push(frame, &mut Wakes::default())
    }

    #[test]
    fn of_sound_the_oldest_is_dropped() {
        let (inbox, outlet) = FrameInbox::new(bounds());
        for time in 0..6 {
            assert_eq!(push(&outlet, frame(Codec::Opus, time, true, 10)), Pushed::Queued);
        }
        assert_eq!(read(&inbox), [(2, true), (3, false), (4, false), (5, false)]);
        assert_eq!(inbox.dropped(), 2);
    }

    #[test]
    fn of_pictures_all_is_dropped_up_to_the_next_key_frame() {
        let (inbox, outlet) = FrameInbox::new(bounds());
        for time in 0..5 {
            let pushed = push(&outlet, frame(Codec::Vp8, time, time % 3 == 0, 10));
            assert_eq!(pushed, Pushed::Queued);
        }
        assert_eq!(read(&inbox), [(3, true), (4, false)]);
        assert_eq!(inbox.dropped(), 3);
    }

    #[test]
    fn without_a_key_frame_that_waits_one_is_awaited() {
        let (inbox, outlet) = FrameInbox::new(bounds());
        for time in 0..4 {
            push(&outlet, frame(Codec::Vp8, time, time == 0, 10));
        }
        assert_eq!(push(&outlet, frame(Codec::Vp8, 4, false, 10)), Pushed::AwaitsKey);
        assert_eq!(push(&outlet, frame(Codec::Vp8, 5, false, 10)), Pushed::AwaitsKey);
        assert_eq!(read(&inbox), []);
        assert_eq!(push(&outlet, frame(Codec::Vp8, 6, true, 10)), Pushed::Queued);
        assert_eq!(push(&outlet, frame(Codec::Vp8, 7, false, 10)), Pushed::Queued);
        assert_eq!(read(&inbox), [(6, true), (7, false)]);
        assert_eq!(inbox.dropped(), 6);
    }

    #[test]
    fn a_single_frame_is_kept_however_large() {
        let (inbox, outlet) = FrameInbox::new(bounds());
        push(&outlet, frame(Codec::Vp8, 0, true, 10));
        assert_eq!(push(&outlet, frame(Codec::Vp8, 1, true, 5_000)), Pushed::Queued);
        assert_eq!(read(&inbox), [(1, true)]);
    }

    #[test]
    fn readers_have_a_bound_together() {
        let bounds = bounds();
        let (first, to_first) = FrameInbox::new(bounds.clone());
        let (second, to_second) = FrameInbox::new(bounds.clone());
        for time in 0..2 {
            push(&to_first, frame(Codec::Opus, time, true, 450));
            push(&to_second, frame(Codec::Opus, time, true, 450));
        }
        assert_eq!(read(&first).len(), 2);
        assert_eq!(read(&second), [(1, true)], "the one that went beyond it");
        push(&to_second, frame(Codec::Opus, 2, true, 450));
        drop(second);
        assert_eq!(bounds.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_left_is_read_after_the_writer_is_gone() {
        let (inbox, outlet) = FrameInbox::new(bounds());
        let poll = || inbox.poll_next(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(poll().is_pending());
        push(&outlet, frame(Codec::Opus, 0, true, 10));
        outlet.end(&mut Wakes::default());
        assert!(matches!(poll(), Poll::Ready(Some(_))));
        assert_eq!(poll(), Poll::Ready(None));
        let (inbox, outlet) = FrameInbox::new(bounds());
        drop(inbox);
        assert!(!outlet.is_read());
        assert_eq!(push(&outlet, frame(Codec::Opus, 0, true, 10)), Pushed::Gone);
    }
}
