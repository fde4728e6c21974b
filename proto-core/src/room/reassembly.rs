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
    bytes: usize,
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
        if partial.bytes > bytes_max {
            return Progressed::Dropped("larger than a transmission may be");
        }
        if chunk.tag.has(Tag::LAST) {
            return partial.finish(chunk);
        }
        let fraction = f64::from(chunk.progress) / 255.0;
        self.bytes += partial.bytes;
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
        self.bytes = self.partials.values().map(|partial| partial.bytes).sum();
        (before - self.partials.len()) as u64
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let oldest = self.partials.values().map(|partial| partial.last_heard).min()?;
        Some(Deadline::new(oldest + limits::PARTIAL_IDLE_MAX, "drop a dead transmission"))
    }

    fn take(&mut self, key: &Key) -> Option<Partial> {
        let partial = self.partials.remove(key)?;
        self.bytes -= partial.bytes;
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
        Partial { metadata: None, pieces: Vec::new(), bytes: 0, progress: 0, last_heard: now }
    }

    /// Whether this can't be the beginning of the transmission that the chunk belongs to.
    fn is_remains_before(&self, chunk: &Chunk) -> bool {
        let has_begun = self.metadata.is_some() || !self.pieces.is_empty();
        has_begun && (chunk.tag.has(Tag::META) || chunk.progress < self.progress)
    }

    fn push(&mut self, chunk: &Chunk, now: Time) -> Result<(), &'static str> {
        self.last_heard = now;
        self.progress = chunk.progress;
        if chunk.tag.has(Tag::META) {
            let metadata = serde_json::from_slice(&chunk.payload);
            self.metadata = Some(metadata.map_err(|_| "metadata that is not JSON")?);
            self.bytes += chunk.payload.len();
        } else if !chunk.payload.is_empty() {
            self.bytes += chunk.payload.len();
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
                let mut whole = BytesMut::with_capacity(self.bytes);
                self.pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
                whole.freeze()
            }
        };
        let is_empty_json = bytes.is_empty() && !last.tag.has(Tag::BINARY);
        // Only a string can be empty; JavaScript sends its metadata as the one and last chunk.
        let payload = if is_empty_json {
            Ok(Payload::Text(String::new()))
        } else {
            Payload::parse(last.tag, bytes)
        };
        match payload {
            Ok(payload) => Progressed::Complete(Message {
                action: last.action,
                payload,
                metadata: self.metadata,
                size: self.bytes,
            }),
            Err(_) => Progressed::Dropped("a payload that is not what its tag says"),
        }
    }
}
