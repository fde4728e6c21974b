//! A payload on its way out, cut into chunks one at a time.
//!
//! Nothing is copied until a chunk is written: the same bytes serve every target. A payload is
//! there as a whole, or is fed piece by piece while its beginning is already on its way.
//!
//! spec: docs/protocol.md, section 4

use std::collections::VecDeque;

use bytes::{BufMut, Bytes};
use serde_json::Value;

use super::payload::Emitted;
use super::{ActionName, Chunk, Payload, Tag};

/// How many chunks a payload of unknown length is taken to have left, as many times over as it
/// takes: its progress grows ever more slowly and stays below 1.
const CHUNKS_GUESSED: u64 = 64;
/// The progress of all chunks but the last, at most.
const PROGRESS_BEFORE_END: u8 = 254;

/// A payload for one target, and how far it has been cut.
#[derive(Clone, Debug)]
pub struct Transmission {
    action: ActionName,
    nonce: u16,
    kind: u8,
    metadata: Option<Bytes>,
    body: Body,
    /// How many chunks were cut off so far.
    cut: usize,
}

#[derive(Clone, Debug)]
enum Body {
    Whole { payload: Emitted, chunks: usize },
    Fed(Fed),
}

/// A payload that is not all there yet. One piece is one chunk.
#[derive(Clone, Debug, Default)]
struct Fed {
    pieces: VecDeque<Bytes>,
    is_finished: bool,
    /// How long the payload will be, as its owner says.
    length: Option<u64>,
    bytes_cut: u64,
}

impl Transmission {
    /// A transmission from its beginning. `metadata` that is `null` is sent, `None` is not.
    pub fn new(action: ActionName, nonce: u16, payload: Payload, metadata: Option<&Value>) -> Self {
        let (kind, payload) = payload.into_body();
        let metadata = metadata.map(emit_metadata);
        let pieces = payload.len().div_ceil(Chunk::PAYLOAD_BYTES) + usize::from(metadata.is_some());
        let body = Body::Whole { payload, chunks: pieces.max(1) };
        Transmission { action, nonce, kind, metadata, body, cut: 0 }
    }

    /// A transmission of bytes that come later, by [`feed`](Self::feed). `length` is how many
    /// they will be, for the progress that receivers see.
    pub fn fed(
        action: ActionName,
        nonce: u16,
        length: Option<u64>,
        metadata: Option<&Value>,
    ) -> Self {
        let kind = Tag::BINARY | Tag::JSON;
        let body = Body::Fed(Fed { length, ..Fed::default() });
        Transmission { action, nonce, kind, metadata: metadata.map(emit_metadata), body, cut: 0 }
    }

    /// Makes clones cheap, for many targets.
    pub(crate) fn share(&mut self) {
        if let Body::Whole { payload, .. } = &mut self.body {
            payload.share();
        }
    }

    /// Adds pieces of [`Chunk::PAYLOAD_BYTES`] each, but for the last one of all.
    pub fn feed(&mut self, pieces: impl IntoIterator<Item = Bytes>, is_finished: bool) {
        if let Body::Fed(fed) = &mut self.body {
            fed.pieces.extend(pieces);
            fed.is_finished |= is_finished;
        }
    }

    /// Whether there is a chunk to write now. A chunk is written once it is known whether another
    /// one follows.
    pub fn is_ready(&self) -> bool {
        match &self.body {
            Body::Whole { .. } => true,
            Body::Fed(fed) if fed.is_finished => true,
            Body::Fed(fed) => fed.pieces.len() > usize::from(!self.is_at_metadata()),
        }
    }

    /// Whether it is one chunk, and that chunk was not taken yet.
    pub(crate) fn is_single(&self) -> bool {
        self.cut == 0 && matches!(self.body, Body::Whole { chunks: 1, .. })
    }

    /// How many bytes [`emit_next`](Self::emit_next) writes.
    pub(crate) fn next_bytes(&self) -> usize {
        Chunk::HEADER_BYTES + self.next_payload().len()
    }

    /// Writes the next chunk without taking it; see [`advance`](Self::advance). Only when it
    /// [`is_ready`](Self::is_ready).
    pub fn emit_next(&self, out: &mut impl BufMut) {
        let mut tag = self.kind;
        if self.is_at_last() {
            tag |= Tag::LAST;
        }
        if self.is_at_metadata() {
            tag |= Tag::META;
        }
        let (progress, payload) = (self.progress_byte(), self.next_payload());
        Chunk::emit_parts(&self.action, self.nonce, Tag(tag), progress, payload, out);
    }

    /// Takes the chunk that [`emit_next`](Self::emit_next) wrote; true if it was the last.
    pub fn advance(&mut self) -> bool {
        let is_last = self.is_at_last();
        let is_metadata = self.is_at_metadata();
        self.cut += 1;
        if let Body::Fed(fed) = &mut self.body
            && !is_metadata
            && let Some(piece) = fed.pieces.pop_front()
        {
            fed.bytes_cut += piece.len() as u64;
        }
        is_last
    }

    /// The action.
    pub fn action(&self) -> &ActionName {
        &self.action
    }

    /// Which transmission of the action this is.
    pub fn nonce(&self) -> u16 {
        self.nonce
    }

    /// How much of it was taken, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a progress bar needs no 53 bits")]
    pub fn progress(&self) -> f64 {
        match &self.body {
            Body::Whole { chunks, .. } => self.cut as f64 / *chunks as f64,
            Body::Fed(fed) if fed.is_finished && fed.pieces.is_empty() => 1.0,
            Body::Fed(fed) => f64::from(fed.progress(0, self.cut)) / 255.0,
        }
    }

    /// Whether the payload is JSON, and neither a string nor binary.
    pub fn is_json(&self) -> bool {
        self.kind == Tag::JSON
    }

    /// The size of the payload that is there, in bytes.
    pub fn payload_bytes(&self) -> usize {
        match &self.body {
            Body::Whole { payload, .. } => payload.len(),
            Body::Fed(fed) => fed.pieces.iter().map(Bytes::len).sum(),
        }
    }

    /// The size of the metadata as JSON, in bytes.
    pub fn metadata_bytes(&self) -> usize {
        self.metadata.as_ref().map_or(0, Bytes::len)
    }

    fn is_at_metadata(&self) -> bool {
        self.cut == 0 && self.metadata.is_some()
    }

    fn is_at_last(&self) -> bool {
        match &self.body {
            Body::Whole { chunks, .. } => self.cut + 1 == *chunks,
            Body::Fed(fed) => {
                fed.is_finished && fed.pieces.len() <= usize::from(!self.is_at_metadata())
            }
        }
    }

    /// What the next chunk carries.
    fn next_payload(&self) -> &[u8] {
        match (&self.metadata, &self.body) {
            (Some(metadata), _) if self.is_at_metadata() => metadata,
            (_, Body::Whole { payload, .. }) => {
                let index = self.cut - usize::from(self.metadata.is_some());
                let start = (index * Chunk::PAYLOAD_BYTES).min(payload.len());
                let end = (start + Chunk::PAYLOAD_BYTES).min(payload.len());
                &payload[start..end]
            }
            (_, Body::Fed(fed)) => fed.pieces.front().map_or(&[], |piece| piece),
        }
    }

    /// The progress that the next chunk claims.
    fn progress_byte(&self) -> u8 {
        match &self.body {
            Body::Whole { chunks, .. } => rounded(self.cut as u64 + 1, *chunks as u64),
            Body::Fed(_) if self.is_at_last() => u8::MAX,
            Body::Fed(fed) if self.is_at_metadata() => fed.progress(0, 1),
            Body::Fed(fed) => {
                fed.progress(fed.pieces.front().map_or(0, Bytes::len) as u64, self.cut + 1)
            }
        }
    }
}

impl Fed {
    /// The progress with this many more bytes, after this many chunks, when more follow.
    fn progress(&self, more_bytes: u64, chunks: usize) -> u8 {
        let chunks = chunks as u64;
        let byte = match self.length {
            Some(length) => rounded((self.bytes_cut + more_bytes).min(length), length.max(1)),
            None => rounded(chunks, chunks + CHUNKS_GUESSED),
        };
        byte.min(PROGRESS_BEFORE_END)
    }
}

fn emit_metadata(metadata: &Value) -> Bytes {
    metadata.to_string().into()
}

/// `done / total × 255`, halves up.
fn rounded(done: u64, total: u64) -> u8 {
    let (done, total) = (u128::from(done), u128::from(total));
    u8::try_from((2 * 255 * done + total) / (2 * total)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(payload: Payload, metadata: Option<&Value>) -> Vec<Chunk> {
        let action = ActionName::new("a").unwrap();
        let mut transmission = Transmission::new(action, 7, payload, metadata);
        let mut chunks = Vec::new();
        loop {
            let mut bytes = Vec::new();
            transmission.emit_next(&mut bytes);
            assert_eq!(transmission.next_bytes(), bytes.len());
            chunks.push(Chunk::parse(&bytes.into()).unwrap());
            if transmission.advance() {
                return chunks;
            }
        }
    }

    fn shape(chunks: &[Chunk]) -> Vec<(u8, u8, usize)> {
        chunks.iter().map(|c| (c.tag.0, c.progress, c.payload.len())).collect()
    }

    #[test]
    fn a_payload_is_cut_at_16_348_bytes() {
        let binary = |length| Payload::Binary(vec![1; length].into());
        assert_eq!(shape(&cut(binary(16_348), None)), [(13, 255, 16_348)]);
        assert_eq!(shape(&cut(binary(16_349), None)), [(12, 128, 16_348), (13, 255, 1)]);
        assert_eq!(shape(&cut(binary(0), None)), [(13, 255, 0)]);
    }

    #[test]
    fn metadata_is_a_chunk_of_its_own_unless_it_is_all_there_is() {
        let text = |text: &str| Payload::Text(text.to_owned());
        let metadata = Some(&Value::Null);
        assert_eq!(shape(&cut(text("hi"), metadata)), [(2, 128, 4), (1, 255, 2)]);
        assert_eq!(shape(&cut(text(""), metadata)), [(3, 255, 4)]);
    }

    #[test]
    fn a_json_string_travels_as_text() {
        assert_eq!(shape(&cut(Payload::Json("hi".into()), None)), [(1, 255, 2)]);
        assert_eq!(shape(&cut(Payload::Json(1.into()), None)), [(9, 255, 1)]);
    }

    /// Feeds bytes of this length in pieces, and cuts as soon as there is something to cut.
    fn cut_fed(length: usize, claimed: Option<u64>, metadata: Option<&Value>) -> Vec<Chunk> {
        let action = ActionName::new("a").unwrap();
        let mut transmission = Transmission::fed(action, 7, claimed, metadata);
        let bytes = Bytes::from(vec![1; length]);
        let mut pieces = bytes.chunks(Chunk::PAYLOAD_BYTES).map(Bytes::copy_from_slice);
        let mut chunks = Vec::new();
        loop {
            while !transmission.is_ready() {
                let piece = pieces.next();
                let is_finished = piece.is_none();
                transmission.feed(piece, is_finished);
            }
            let mut bytes = Vec::new();
            transmission.emit_next(&mut bytes);
            assert_eq!(transmission.next_bytes(), bytes.len());
            chunks.push(Chunk::parse(&bytes.into()).unwrap());
            if transmission.advance() {
                assert!((transmission.progress() - 1.0).abs() < f64::EPSILON);
                return chunks;
            }
            assert!(transmission.progress() < 1.0);
        }
    }

    #[test]
    fn what_is_fed_looks_like_what_was_there_at_once() {
        for length in [0, 1, 16_348, 16_349, 50_000] {
            for metadata in [None, Some(&Value::Null)] {
                let whole = cut(Payload::Binary(vec![1; length].into()), metadata);
                let fed = cut_fed(length, Some(length as u64), metadata);
                let look = |chunks: &[Chunk]| -> Vec<(u8, usize)> {
                    chunks.iter().map(|c| (c.tag.0, c.payload.len())).collect()
                };
                assert_eq!(look(&fed), look(&whole), "{length} {metadata:?}");
            }
        }
    }

    #[test]
    fn progress_grows_and_stays_below_1_until_the_last_chunk() {
        let length = 1_000 * 16_348;
        for claimed in [None, Some(length as u64), Some(7), Some(u64::MAX), Some(0)] {
            let chunks = cut_fed(length, claimed, Some(&Value::Null));
            let progress: Vec<u8> = chunks.iter().map(|chunk| chunk.progress).collect();
            assert!(progress.is_sorted(), "{claimed:?}");
            let (last, before) = progress.split_last().unwrap();
            assert_eq!(*last, 255);
            assert!(before.iter().all(|progress| *progress < 255), "{claimed:?}");
        }
    }
}
