//! A payload on its way out, cut into chunks one at a time.
//!
//! Nothing is copied until a chunk is written: the same bytes serve every target.
//!
//! spec: docs/protocol.md, section 4

use bytes::{BufMut, Bytes};
use serde_json::Value;

use super::{ActionName, Chunk, Payload, Tag};

/// A payload for one target, and how far it has been cut.
#[derive(Clone, Debug)]
pub struct Transmission {
    action: ActionName,
    nonce: u16,
    kind: u8,
    metadata: Option<Bytes>,
    payload: Bytes,
    /// How many chunks were cut off so far.
    cut: usize,
    total: usize,
}

impl Transmission {
    /// A transmission from its beginning. `metadata` that is `null` is sent, `None` is not.
    pub fn new(action: ActionName, nonce: u16, payload: Payload, metadata: Option<&Value>) -> Self {
        let (kind, payload) = payload.emit();
        let metadata: Option<Bytes> = metadata.map(|value| value.to_string().into());
        let pieces = payload.len().div_ceil(Chunk::PAYLOAD_BYTES) + usize::from(metadata.is_some());
        Transmission { action, nonce, kind, metadata, payload, cut: 0, total: pieces.max(1) }
    }

    /// Writes the next chunk without taking it; see [`advance`](Self::advance).
    pub fn emit_next(&self, out: &mut impl BufMut) {
        self.peek().emit(out);
    }

    /// Takes the chunk that [`emit_next`](Self::emit_next) wrote; true if it was the last.
    pub fn advance(&mut self) -> bool {
        self.cut += 1;
        self.cut >= self.total
    }

    /// The action.
    pub fn action(&self) -> &ActionName {
        &self.action
    }

    /// Whether it takes more than one chunk to send the payload.
    pub fn is_long(&self) -> bool {
        self.total - usize::from(self.metadata.is_some()) > 1
    }

    /// How much of it was taken, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a progress bar needs no 53 bits")]
    pub fn progress(&self) -> f64 {
        self.cut as f64 / self.total as f64
    }

    /// Whether the payload is JSON, and neither a string nor binary.
    pub fn is_json(&self) -> bool {
        self.kind == Tag::JSON
    }

    /// The size of the payload, in bytes.
    pub fn payload_bytes(&self) -> usize {
        self.payload.len()
    }

    /// The size of the metadata as JSON, in bytes.
    pub fn metadata_bytes(&self) -> usize {
        self.metadata.as_ref().map_or(0, Bytes::len)
    }

    fn peek(&self) -> Chunk {
        let index = self.cut;
        let is_metadata = index == 0 && self.metadata.is_some();
        let mut tag = self.kind;
        if index + 1 == self.total {
            tag |= Tag::LAST;
        }
        let payload = match &self.metadata {
            Some(metadata) if is_metadata => {
                tag |= Tag::META;
                metadata.clone()
            }
            metadata => self.piece(index - usize::from(metadata.is_some())),
        };
        Chunk {
            action: self.action.clone(),
            nonce: self.nonce,
            tag: Tag(tag),
            progress: progress_byte(index + 1, self.total),
            payload,
        }
    }

    fn piece(&self, index: usize) -> Bytes {
        let start = (index * Chunk::PAYLOAD_BYTES).min(self.payload.len());
        let end = (start + Chunk::PAYLOAD_BYTES).min(self.payload.len());
        self.payload.slice(start..end)
    }
}

/// `done / total × 255`, halves up.
fn progress_byte(done: usize, total: usize) -> u8 {
    let (done, total) = (done as u64, total as u64);
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
}
