//! What is sent as a stream: its targets, and how much of it waits for each.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use crate::ids::{PeerId, SendId};
use crate::limits;
use crate::wire::{ActionName, Chunk};

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: BTreeMap<SendId, Stream>,
}

#[derive(Debug)]
struct Stream {
    action: ActionName,
    /// Chunks that wait for each target.
    waiting: BTreeMap<PeerId, usize>,
    /// What is not a whole chunk yet.
    rest: BytesMut,
    /// Whether the owner is waiting to be asked for more.
    owes_ready: bool,
    is_finished: bool,
}

/// Pieces for some targets, as many bytes as a chunk carries each.
#[derive(Debug)]
pub(super) struct Portion {
    pub(super) action: ActionName,
    pub(super) targets: Vec<PeerId>,
    pub(super) pieces: Vec<Bytes>,
}

impl Streams {
    pub(super) fn begin(
        &mut self,
        send: SendId,
        action: ActionName,
        targets: impl Iterator<Item = PeerId>,
    ) {
        let waiting = targets.map(|peer| (peer, 0)).collect();
        let stream =
            Stream { action, waiting, rest: BytesMut::new(), owes_ready: true, is_finished: false };
        self.streams.insert(send, stream);
    }

    /// Cuts more bytes into pieces, for all targets that there still are.
    pub(super) fn feed(
        &mut self,
        send: SendId,
        bytes: Bytes,
        is_finished: bool,
    ) -> Option<Portion> {
        let stream = self.streams.get_mut(&send).filter(|stream| !stream.is_finished)?;
        stream.is_finished = is_finished;
        stream.owes_ready = !is_finished;
        let pieces = stream.cut(bytes, is_finished);
        stream.waiting.values_mut().for_each(|waiting| *waiting += pieces.len());
        let targets = stream.waiting.keys().cloned().collect();
        Some(Portion { action: stream.action.clone(), targets, pieces })
    }

    /// A chunk was handed over.
    pub(super) fn on_chunk(&mut self, send: SendId, peer: &PeerId) {
        if let Some(waiting) = self.streams.get_mut(&send).and_then(|s| s.waiting.get_mut(peer)) {
            // The metadata is a chunk that nobody fed.
            *waiting = waiting.saturating_sub(1);
        }
    }

    /// A target has all, or gets no more.
    pub(super) fn on_settled(&mut self, send: SendId, peer: &PeerId) {
        if let Some(stream) = self.streams.get_mut(&send) {
            stream.waiting.remove(peer);
        }
    }

    /// A call is over.
    pub(super) fn remove(&mut self, send: SendId) {
        self.streams.remove(&send);
    }

    /// Whether the owner is to be asked for more now; it is asked once.
    pub(super) fn take_ready(&mut self, send: SendId) -> bool {
        let Some(stream) = self.streams.get_mut(&send) else { return false };
        let most = stream.waiting.values().max().copied().unwrap_or_default();
        let is_ready = stream.owes_ready && most < limits::STREAM_WINDOW_CHUNKS;
        stream.owes_ready &= !is_ready;
        is_ready
    }
}

impl Stream {
    fn cut(&mut self, mut bytes: Bytes, is_finished: bool) -> Vec<Bytes> {
        let mut pieces = Vec::with_capacity(bytes.len() / Chunk::PAYLOAD_BYTES + 2);
        if !self.rest.is_empty() {
            let missing = (Chunk::PAYLOAD_BYTES - self.rest.len()).min(bytes.len());
            self.rest.extend_from_slice(&bytes.split_to(missing));
            if self.rest.len() == Chunk::PAYLOAD_BYTES {
                pieces.push(self.rest.split().freeze());
            }
        }
        while bytes.len() >= Chunk::PAYLOAD_BYTES {
            pieces.push(bytes.split_to(Chunk::PAYLOAD_BYTES));
        }
        self.rest.extend_from_slice(&bytes);
        if is_finished && !self.rest.is_empty() {
            pieces.push(self.rest.split().freeze());
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: usize = Chunk::PAYLOAD_BYTES;

    fn stream() -> (Streams, SendId) {
        let (mut streams, send) = (Streams::default(), SendId(1));
        let targets = ["a", "b"].map(|id| PeerId::new(id).unwrap());
        streams.begin(send, ActionName::new("x").unwrap(), targets.into_iter());
        (streams, send)
    }

    #[test]
    fn bytes_of_any_length_become_whole_chunks() {
        let (mut streams, send) = stream();
        let mut cut = |length: usize, is_finished| -> Vec<usize> {
            let portion = streams.feed(send, vec![0; length].into(), is_finished).unwrap();
            portion.pieces.iter().map(Bytes::len).collect()
        };
        assert_eq!(cut(10, false), [] as [usize; 0]);
        assert_eq!(cut(CHUNK, false), [CHUNK]);
        assert_eq!(cut(2 * CHUNK, false), [CHUNK, CHUNK]);
        assert_eq!(cut(CHUNK - 10, false), [CHUNK]);
        assert_eq!(cut(CHUNK + 1, true), [CHUNK, 1]);
    }

    #[test]
    fn more_is_asked_for_once_when_the_slowest_target_has_little_left() {
        let (mut streams, send) = stream();
        assert!(streams.take_ready(send));
        assert!(!streams.take_ready(send), "it is asked once");
        let window = limits::STREAM_WINDOW_CHUNKS;
        streams.feed(send, vec![0; window * CHUNK].into(), false);
        let (a, b) = (PeerId::new("a").unwrap(), PeerId::new("b").unwrap());
        streams.on_chunk(send, &a);
        assert!(!streams.take_ready(send), "b has had nothing yet");
        streams.on_settled(send, &b);
        assert!(streams.take_ready(send), "it is not waited for any more");
    }
}
