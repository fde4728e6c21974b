//! Chunks that came for rooms which are not attached to the connection yet.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::crypto::RoomToken;
use crate::limits::Limits;

/// A bounded queue; the oldest is dropped.
#[derive(Debug)]
pub(super) struct EarlyFrames {
    frames: VecDeque<(RoomToken, Bytes)>,
    bytes: usize,
    frames_max: usize,
    bytes_max: usize,
}

impl EarlyFrames {
    pub(super) fn new(limits: &Limits) -> Self {
        EarlyFrames {
            frames: VecDeque::new(),
            bytes: 0,
            frames_max: limits.early_frames,
            bytes_max: limits.early_frame_bytes,
        }
    }

    pub(super) fn push(&mut self, token: RoomToken, chunk: Bytes) {
        self.bytes += chunk.len();
        self.frames.push_back((token, chunk));
        while self.frames.len() > self.frames_max || self.bytes > self.bytes_max {
            let Some((_, dropped)) = self.frames.pop_front() else { break };
            self.bytes -= dropped.len();
        }
    }

    /// Takes what came for a room, in the order in which it came.
    pub(super) fn take(&mut self, token: &RoomToken) -> Vec<Bytes> {
        let (taken, kept): (VecDeque<_>, _) =
            std::mem::take(&mut self.frames).into_iter().partition(|(other, _)| other == token);
        self.frames = kept;
        self.bytes = self.frames.iter().map(|(_, chunk)| chunk.len()).sum();
        taken.into_iter().map(|(_, chunk)| chunk).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn frames_wait_for_their_own_room_and_the_oldest_are_dropped() {
        let (a, b) = (RoomToken::from_wire(b"a"), RoomToken::from_wire(b"b"));
        let mut early = EarlyFrames::new(&Limits::default());
        early.push(a.clone(), Bytes::from_static(b"1"));
        early.push(b.clone(), Bytes::from_static(b"2"));
        early.push(a.clone(), Bytes::from_static(b"3"));
        assert_eq!(early.take(&a), ["1", "3"]);
        assert_eq!(early.take(&a), [] as [&str; 0]);
        for n in 0..=limits::EARLY_FRAMES_MAX {
            early.push(a.clone(), Bytes::from(n.to_string()));
        }
        assert_eq!(early.take(&b), [] as [&str; 0], "it was the oldest");
        let half = Bytes::from(vec![0; limits::EARLY_FRAME_BYTES_MAX / 2]);
        (0..5).for_each(|_| early.push(b.clone(), half.clone()));
        assert_eq!(early.take(&b).len(), 2);
    }
}
