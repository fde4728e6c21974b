//! What waits to be written to one client, within bounds.

use std::{collections::VecDeque, mem};

use bytes::Bytes;

use crate::Limits;

/// Frames from many publishers, and what the WebSocket protocol asks for.
#[derive(Debug)]
pub(crate) struct Queue {
    /// The latest answer to the client's own pings, or to its close.
    answer: Option<Bytes>,
    ping: Option<Bytes>,
    frames: Frames,
    frames_max: usize,
    bytes_max: usize,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It is the first that waits: somebody has to write it.
    First,
    /// It waits behind others, for which somebody is there.
    Behind,
    /// The client has not kept up, now or earlier; the frame is gone.
    Dropped,
}

#[derive(Debug)]
enum Frames {
    Open {
        waiting: VecDeque<Bytes>,
        bytes: usize,
    },
    Overflowed,
    /// The connection ends.
    Closed,
}

impl Queue {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            answer: None,
            ping: None,
            frames: Frames::Open { waiting: VecDeque::new(), bytes: 0 },
            frames_max: limits.outbox_frames_max,
            bytes_max: limits.outbox_bytes_max,
        }
    }

    /// Queues a frame if it fits; an empty queue takes any frame. One that does not fit overflows
    /// the queue for good.
    pub(crate) fn push(&mut self, frame: Bytes) -> Pushed {
        let Frames::Open { waiting, bytes } = &mut self.frames else { return Pushed::Dropped };
        let is_first = waiting.is_empty();
        let fits = waiting.len() < self.frames_max && *bytes + frame.len() <= self.bytes_max;
        if !is_first && !fits {
            self.frames = Frames::Overflowed;
            return Pushed::Dropped;
        }
        *bytes += frame.len();
        waiting.push_back(frame);
        if is_first { Pushed::First } else { Pushed::Behind }
    }

    /// Queues an answer that the WebSocket protocol asks for, in place of one that still waits.
    pub(crate) fn answer(&mut self, frame: Bytes) {
        self.answer = Some(frame);
    }

    /// Queues a ping, unless one still waits.
    pub(crate) fn ping(&mut self) {
        self.ping = Some(Bytes::from_static(PING));
    }

    /// Moves what is next into `batch`, which is empty, to be written at once.
    pub(crate) fn take(&mut self, batch: &mut VecDeque<Bytes>) {
        self.take_frames(batch);
        // Steady traffic would keep these off for ever if they waited for all of it.
        batch.extend(self.answer.take());
        batch.extend(self.ping.take());
    }

    /// Takes no more frames, and frees those that wait. What is answered from now on is the last.
    /// Says whether it was open until now.
    pub(crate) fn close(&mut self) -> bool {
        self.ping = None;
        !matches!(mem::replace(&mut self.frames, Frames::Closed), Frames::Closed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        let no_frames = match &self.frames {
            Frames::Open { waiting, .. } => waiting.is_empty(),
            Frames::Overflowed | Frames::Closed => true,
        };
        no_frames && self.answer.is_none() && self.ping.is_none()
    }

    pub(crate) fn has_overflowed(&self) -> bool {
        matches!(self.frames, Frames::Overflowed)
    }

    fn take_frames(&mut self, batch: &mut VecDeque<Bytes>) {
        let Frames::Open { waiting, bytes } = &mut self.frames else { return };
        let mut room = BATCH_BYTES;
        while batch.len() < BATCH_FRAMES && room > 0 {
            let Some(frame) = waiting.pop_front() else { break };
            *bytes -= frame.len();
            room = room.saturating_sub(frame.len());
            batch.push_back(frame);
        }
        if waiting.is_empty() {
            waiting.shrink_to(IDLE_CAPACITY);
        }
    }
}

/// A ping without a payload.
// RFC 6455 section 5.5.2
const PING: &[u8] = &[0x89, 0];

/// Frames that are written in one go. Few calls to the kernel are left to be saved by more.
pub(crate) const BATCH_FRAMES: usize = 32;

/// Bytes that are written in one go, and no longer count as waiting. A frame may exceed it.
const BATCH_BYTES: usize = 64 * 1024;

/// Frames an idle queue keeps room for, so that a burst long ago costs no memory now.
pub(crate) const IDLE_CAPACITY: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(frames_max: usize, bytes_max: usize) -> Queue {
        let limits = Limits {
            outbox_frames_max: frames_max,
            outbox_bytes_max: bytes_max,
            ..Limits::default()
        };
        Queue::new(&limits)
    }

    fn batch(queue: &mut Queue) -> VecDeque<Bytes> {
        let mut batch = VecDeque::new();
        queue.take(&mut batch);
        batch
    }

    #[test]
    fn frames_come_out_in_the_order_they_went_in() {
        let mut queue = queue(2, 100);
        assert_eq!(queue.push("a".into()), Pushed::First);
        assert_eq!(queue.push("b".into()), Pushed::Behind);
        assert_eq!(batch(&mut queue), ["a", "b"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn answers_and_pings_wait_for_one_batch_at_most() {
        let mut queue = queue(100, 100);
        for _ in 0..=BATCH_FRAMES {
            queue.push("f".into());
        }
        queue.ping();
        queue.answer("early".into());
        queue.answer("late".into());
        let first = batch(&mut queue).split_off(BATCH_FRAMES);
        assert_eq!(first, ["late".as_bytes(), PING]);
        assert_eq!(batch(&mut queue), ["f"]);
    }

    #[test]
    fn one_frame_too_many_overflows() {
        let mut queue = queue(2, 100);
        queue.push("a".into());
        queue.push("b".into());
        assert_eq!(queue.push("c".into()), Pushed::Dropped);
        assert!(queue.has_overflowed());
        assert!(queue.is_empty(), "what waited is freed");
        assert_eq!(queue.push("d".into()), Pushed::Dropped, "it stays overflowed");
    }

    #[test]
    fn one_byte_too_many_overflows() {
        let mut queue = queue(10, 4);
        queue.push("aa".into());
        assert_eq!(queue.push("bb".into()), Pushed::Behind);
        assert_eq!(queue.push("c".into()), Pushed::Dropped);
    }

    #[test]
    fn taken_bytes_make_room() {
        let mut queue = queue(10, 4);
        for _ in 0..100 {
            assert_eq!(queue.push("aaaa".into()), Pushed::First);
            assert_eq!(batch(&mut queue), ["aaaa"]);
        }
    }

    #[test]
    fn an_empty_queue_takes_a_frame_of_any_size() {
        let mut queue = queue(0, 0);
        assert_eq!(queue.push("longer than the bound".into()), Pushed::First);
        assert_eq!(queue.push("a".into()), Pushed::Dropped);
    }

    #[test]
    fn a_closed_queue_has_room_for_the_last_frame_alone() {
        let mut queue = queue(10, 100);
        queue.push("frame".into());
        queue.ping();
        assert!(queue.close());
        queue.answer("close".into());
        assert_eq!(queue.push("late".into()), Pushed::Dropped);
        assert_eq!(batch(&mut queue), ["close"]);
        assert!(!queue.close());
    }
}
