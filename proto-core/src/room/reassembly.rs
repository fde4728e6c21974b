//! Transmissions of one peer in one room, put together again from their chunks.
//!
//! spec: docs/protocol.md, section 4

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::Message;
use crate::limits;
use crate::time::{Deadline, Time};
use crate::wire::{ActionName, Chunk, Payload, Tag};

type Key = (ActionName, u16);

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    partials: BTreeMap<Key, Partial>,
    bytes: usize,
}

/// A transmission that has begun and not ended.
#[derive(Debug)]
struct Partial {
    metadata: Option<Value>,
    pieces: Vec<Bytes>,
    /// What the pieces take in memory.
    cost: usize,
    /// The progress that the last chunk claimed, in 255ths.
    progress: u8,
    last_heard: Time,
}

/// What a chunk led to.
#[derive(Debug)]
pub(super) enum Progressed {
    /// The transmission is complete.
    Complete(Message),
    /// More is to come.
    Partial { action: ActionName, nonce: u16, fraction: f64 },
    /// The transmission is not what it claims to be, or is too large.
    Dropped(&'static str),
}

impl Reassembly {
    pub(super) fn push(&mut self, chunk: Chunk, bytes_max: usize, now: Time) -> Progressed {
        let key = (chunk.action.clone(), chunk.nonce);
        let mut partial = self.take(&key).unwrap_or_else(|| Partial::new(now));
        if partial.is_remains_before(&chunk) {
            // The nonce wrapped, or a sender gave up without a word: this is a new one.
            partial = Partial::new(now);
        }
        if let Err(why) = partial.push(&chunk, now) {
            return Progressed::Dropped(why);
        }
        if partial.cost > bytes_max {
            return Progressed::Dropped("larger than a transmission may be");
        }
        if chunk.tag.has(Tag::LAST) {
            return partial.finish(chunk);
        }
        let fraction = f64::from(chunk.progress) / 255.0;
        self.bytes += partial.cost;
        self.partials.insert(key.clone(), partial);
        self.make_room(&key, bytes_max);
        Progressed::Partial { action: chunk.action, nonce: chunk.nonce, fraction }
    }

    /// The metadata of a transmission that has begun.
    pub(super) fn metadata(&self, action: &ActionName, nonce: u16) -> Option<&Value> {
        self.partials.get(&(action.clone(), nonce))?.metadata.as_ref()
    }

    /// Drops what got nothing for too long, and says how many.
    pub(super) fn expire(&mut self, now: Time) -> u64 {
        let before = self.partials.len();
        self.partials.retain(|_, partial| now.since(partial.last_heard) < limits::PARTIAL_IDLE_MAX);
        self.bytes = self.partials.values().map(|partial| partial.cost).sum();
        (before - self.partials.len()) as u64
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let oldest = self.partials.values().map(|partial| partial.last_heard).min()?;
        Some(Deadline::new(oldest + limits::PARTIAL_IDLE_MAX, "drop a dead transmission"))
    }

    fn take(&mut self, key: &Key) -> Option<Partial> {
        let partial = self.partials.remove(key)?;
        self.bytes -= partial.cost;
        Some(partial)
    }

    /// Drops the transmissions that were heard of longest ago, but not `newest`.
    fn make_room(&mut self, newest: &Key, bytes_max: usize) {
        while self.partials.len() > limits::PARTIAL_TRANSMISSIONS_MAX || self.bytes > bytes_max {
            let others = self.partials.iter().filter(|(key, _)| *key != newest);
            let oldest = others.min_by_key(|(_, partial)| partial.last_heard);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { return };
            self.take(&key);
        }
    }
}

impl Partial {
    fn new(now: Time) -> Self {
        Partial { metadata: None, pieces: Vec::new(), cost: 0, progress: 0, last_heard: now }
    }

    /// Whether this can't be the beginning of the transmission that the chunk belongs to.
    fn is_remains_before(&self, chunk: &Chunk) -> bool {
        let has_begun = self.metadata.is_some() || !self.pieces.is_empty();
        has_begun && (chunk.tag.has(Tag::META) || chunk.progress < self.progress)
    }

    fn push(&mut self, chunk: &Chunk, now: Time) -> Result<(), &'static str> {
        self.last_heard = now;
        self.progress = chunk.progress;
        self.cost += chunk.payload.len() + limits::CHUNK_COST;
        if chunk.tag.has(Tag::META) {
            if chunk.payload.len() > limits::REMOTE_METADATA_BYTES_MAX {
                return Err("metadata that is too large");
            }
            let metadata: Value =
                serde_json::from_slice(&chunk.payload).map_err(|_| "metadata that is not JSON")?;
            self.cost += memory_of(&metadata);
            self.metadata = Some(metadata);
        } else if !chunk.payload.is_empty() {
            self.pieces.push(chunk.payload.clone());
        } else if !chunk.tag.has(Tag::LAST) {
            return Err("a chunk that carries nothing");
        }
        Ok(())
    }

    fn finish(mut self, last: Chunk) -> Progressed {
        let bytes = match self.pieces.len() {
            0 => Bytes::new(),
            1 => self.pieces.remove(0),
            _ => {
                let length = self.pieces.iter().map(Bytes::len).sum();
                let mut whole = BytesMut::with_capacity(length);
                self.pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
                whole.freeze()
            }
        };
        let is_json = last.tag.has(Tag::JSON) && !last.tag.has(Tag::BINARY);
        if is_json && bytes.len() > limits::JSON_BYTES_MAX {
            return Progressed::Dropped("JSON that is too large");
        }
        let length = bytes.len();
        let is_empty_json = bytes.is_empty() && !last.tag.has(Tag::BINARY);
        // Only a string can be empty; JavaScript sends its metadata as the one and last chunk.
        let payload = if is_empty_json {
            Ok(Payload::Text(String::new()))
        } else {
            Payload::parse(last.tag, bytes)
        };
        match payload {
            Ok(payload) => {
                let size = match &payload {
                    Payload::Json(value) => memory_of(value),
                    Payload::Text(_) | Payload::Binary(_) => length,
                } + self.metadata.as_ref().map_or(0, memory_of);
                let (action, metadata) = (last.action, self.metadata);
                Progressed::Complete(Message { action, payload, metadata, size })
            }
            Err(_) => Progressed::Dropped("a payload that is not what its tag says"),
        }
    }
}

/// About what a value takes in memory, in bytes. serde_json reads at most 128 levels, so this ends.
fn memory_of(value: &Value) -> usize {
    let own = size_of::<Value>();
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => own,
        Value::String(text) => own + text.len(),
        Value::Array(items) => own + items.iter().map(memory_of).sum::<usize>(),
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| own + key.len() + memory_of(value);
            own + entries.iter().map(entry).sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(tag: u8, payload: Vec<u8>) -> Chunk {
        let action = ActionName::new("a").unwrap();
        Chunk { action, nonce: 0, tag: Tag(tag), progress: 1, payload: payload.into() }
    }

    #[test]
    fn tiny_chunks_count_as_what_they_take_in_memory() {
        let mut reassembly = Reassembly::default();
        let bound = 1024 * 1024;
        let mut taken = 0;
        while let Progressed::Partial { .. } = reassembly.push(chunk(0, vec![1]), bound, Time::ZERO)
        {
            taken += 1;
        }
        assert_eq!(taken, bound / (limits::CHUNK_COST + 1));
    }

    #[test]
    fn json_that_would_fill_the_memory_is_not_read() {
        let mut json = "[0".to_owned();
        json.push_str(&",0".repeat(limits::JSON_BYTES_MAX / 2));
        json.push(']');
        let mut reassembly = Reassembly::default();
        let pushed = reassembly.push(
            chunk(Tag::LAST | Tag::JSON, json.into_bytes()),
            limits::PARTIAL_BYTES_MAX,
            Time::ZERO,
        );
        assert!(matches!(pushed, Progressed::Dropped("JSON that is too large")), "{pushed:?}");
    }

    #[test]
    fn a_message_says_what_its_json_takes_in_memory() {
        let mut reassembly = Reassembly::default();
        let json = format!("[0{}]", ",0".repeat(999));
        let pushed = reassembly.push(
            chunk(Tag::LAST | Tag::JSON, json.into_bytes()),
            limits::PARTIAL_BYTES_MAX,
            Time::ZERO,
        );
        let Progressed::Complete(message) = pushed else { panic!("{pushed:?}") };
        assert_eq!(message.size, 1_001 * size_of::<Value>());
    }
}
