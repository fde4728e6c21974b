//! Transmissions of one peer in one room, put together again from their chunks.
//!
//! spec: docs/protocol.md, section 4

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Message, TransferFailure};
use crate::conduct::Offence;
use crate::ids::{Counter, TransferId};
use crate::limits;
use crate::time::{Deadline, Time};
use crate::wire::{ActionName, Chunk, Payload, Tag, detached};

type Key = (ActionName, u16);

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    partials: BTreeMap<Key, Partial>,
    bytes: usize,
    /// Transfers that ended before their last piece, and why.
    ended: Vec<(TransferId, TransferFailure)>,
    overflowed: u64,
    /// When to see which ones are dead.
    check_at: Option<Time>,
    /// Transmissions that were given up here, and whose sender may go on.
    abandoned: BTreeMap<Key, Abandoned>,
    /// The same, the oldest first.
    abandoned_order: VecDeque<Key>,
}

/// What is known of a transmission that was given up here. If its sender goes on, the rest must
/// not look like a transmission of its own.
#[derive(Debug)]
struct Abandoned {
    /// The progress that its last chunk claimed.
    progress: u8,
    /// How many transmissions of the action began since. Nonces come again after 65,536.
    begun_since: u16,
}

/// After so many transmissions of an action its nonces may soon be used again, and nobody goes on
/// with one that was given up before.
const NONCES_APART: u16 = 32_768;

/// Why a transmission is dropped that takes more than all may.
const TOO_LARGE: &str = "larger than a transmission may be";

/// A transmission that has begun and not ended.
#[derive(Debug)]
struct Partial {
    metadata: Option<Metadata>,
    pieces: Vec<Bytes>,
    /// What the pieces take in memory.
    cost: usize,
    /// The progress that the last chunk claimed, in 255ths.
    progress: u8,
    last_heard: Time,
    /// Under which name its pieces are handed on as they come.
    transfer: Option<TransferId>,
}

/// Metadata, which is JSON. As a value it takes many times what it takes as text.
#[derive(Debug)]
enum Metadata {
    Text(Bytes),
    Value(Arc<Value>),
}

/// What becomes of pieces.
#[derive(Debug)]
pub(super) enum Mode<'a> {
    /// They are kept until the transmission is complete.
    Whole,
    /// They are handed on at once; this names new transfers.
    Pieces(&'a mut Counter),
}

/// What the unfinished transmissions of one peer may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReassemblyLimits {
    pub(super) bytes: usize,
    pub(super) transmissions: usize,
}

/// What a chunk led to.
#[derive(Debug)]
pub(super) enum Progressed {
    /// The transmission is complete.
    Complete(Message),
    /// More is to come.
    Partial { action: ActionName, nonce: u16, fraction: f64 },
    /// Pieces to be handed on.
    Pieces(Pieces),
    /// The chunk belongs to a transmission that was given up.
    TooLate,
    /// The transmission is not what it claims to be, or is too large.
    Dropped(Offence, &'static str),
}

/// Pieces of a transfer.
#[derive(Debug)]
pub(super) struct Pieces {
    pub(super) transfer: TransferId,
    /// Whether these are the first, and the metadata if they are.
    pub(super) begins: Option<Begin>,
    pub(super) pieces: Vec<Bytes>,
    pub(super) fraction: f64,
    pub(super) is_last: bool,
}

/// What comes with the first pieces of a transfer.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) metadata: Option<Value>,
    /// About what the metadata takes in memory, in bytes.
    pub(super) size: usize,
}

impl Reassembly {
    /// Takes a chunk.
    pub(super) fn push(
        &mut self,
        chunk: Chunk,
        mode: Mode<'_>,
        limits: ReassemblyLimits,
        now: Time,
    ) -> Progressed {
        let key = (chunk.action.clone(), chunk.nonce);
        if self.is_rest_of_abandoned(&key, &chunk) {
            return Progressed::TooLate;
        }
        let mut partial = match self.take(&key) {
            Some(partial) if partial.is_remains_before(&chunk) => {
                // The nonce wrapped, or a sender gave up without a word: this is a new one.
                self.end(&partial, TransferFailure::Idle);
                self.begin(&chunk.action, now)
            }
            Some(partial) => partial,
            None if chunk.is_whole() && matches!(mode, Mode::Whole) => {
                self.note_begun(&chunk.action);
                return finish_whole(chunk, limits);
            }
            None => self.begin(&chunk.action, now),
        };
        if let Err(why) = partial.push(&chunk, now) {
            self.end(&partial, TransferFailure::Invalid(why));
            self.abandon(key, &chunk);
            return Progressed::Dropped(Offence::InvalidTransmission, why);
        }
        if let Mode::Pieces(ids) = mode {
            return self.hand_on(&key, partial, &chunk, ids, limits);
        }
        if chunk.tag.has(Tag::LAST) {
            return partial.finish(chunk, limits);
        }
        if partial.cost > limits.bytes {
            self.abandon(key, &chunk);
            return Progressed::Dropped(Offence::InvalidTransmission, TOO_LARGE);
        }
        let fraction = f64::from(chunk.progress) / 255.0;
        self.keep(&key, partial, limits);
        Progressed::Partial { action: chunk.action, nonce: chunk.nonce, fraction }
    }

    /// The metadata of a transmission that has begun.
    pub(super) fn metadata(&mut self, action: &ActionName, nonce: u16) -> Option<Arc<Value>> {
        let partial = self.partials.get_mut(&(action.clone(), nonce))?;
        let before = partial.cost;
        let metadata = partial.shared_metadata();
        self.bytes += partial.cost - before;
        metadata
    }

    /// Drops what got nothing for too long, and says how many.
    pub(super) fn expire(&mut self, now: Time) -> u64 {
        let is_dead = |partial: &Partial| now.since(partial.last_heard) >= limits::PARTIAL_IDLE_MAX;
        let dead = self.partials.iter().filter(|(_, partial)| is_dead(partial));
        let dead: Vec<Key> = dead.map(|(key, _)| key.clone()).collect();
        for key in &dead {
            self.drop_partial(key, TransferFailure::Idle);
        }
        let oldest = self.partials.values().map(|partial| partial.last_heard).min();
        self.check_at = oldest.map(|oldest| oldest + limits::PARTIAL_IDLE_MAX);
        dead.len() as u64
    }

    /// Drops the transmission that was heard of longest ago.
    pub(super) fn drop_oldest(&mut self) {
        let oldest = self.partials.iter().min_by_key(|(_, partial)| partial.last_heard);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.drop_partial(&key, TransferFailure::Invalid("too much is arriving at once"));
        }
    }

    /// The sender is gone: all its transfers end.
    pub(super) fn end_all(&mut self) {
        let keys: Vec<Key> = self.partials.keys().cloned().collect();
        for key in keys {
            self.drop_partial(&key, TransferFailure::Left);
        }
    }

    /// Transfers that ended before their last piece since this was asked last.
    pub(super) fn take_ended(&mut self) -> Vec<(TransferId, TransferFailure)> {
        std::mem::take(&mut self.ended)
    }

    /// How many were dropped because there were too many, since this was asked last.
    pub(super) fn take_overflowed(&mut self) -> u64 {
        std::mem::take(&mut self.overflowed)
    }

    /// What everything unfinished takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let at = self.check_at.filter(|_| !self.partials.is_empty())?;
        Some(Deadline::new(at, "drop dead transmissions"))
    }

    fn hand_on(
        &mut self,
        key: &Key,
        mut partial: Partial,
        chunk: &Chunk,
        ids: &mut Counter,
        limits: ReassemblyLimits,
    ) -> Progressed {
        let is_new = partial.transfer.is_none();
        let transfer = *partial.transfer.get_or_insert_with(|| TransferId(ids.next()));
        let is_last = chunk.tag.has(Tag::LAST);
        let pieces = Pieces {
            transfer,
            begins: is_new.then(|| Begin::new(partial.metadata.take())),
            pieces: std::mem::take(&mut partial.pieces),
            fraction: f64::from(chunk.progress) / 255.0,
            is_last,
        };
        partial.cost = limits::CHUNK_COST;
        if !is_last {
            self.keep(key, partial, limits);
        }
        Progressed::Pieces(pieces)
    }

    fn end(&mut self, partial: &Partial, failure: TransferFailure) {
        self.ended.extend(partial.transfer.map(|transfer| (transfer, failure)));
    }

    fn drop_partial(&mut self, key: &Key, failure: TransferFailure) {
        if let Some(partial) = self.take(key) {
            self.end(&partial, failure);
            self.remember_abandoned(key.clone(), partial.progress);
        }
    }

    fn begin(&mut self, action: &ActionName, now: Time) -> Partial {
        self.note_begun(action);
        Partial::new(now)
    }

    /// A transmission of this action begins.
    fn note_begun(&mut self, action: &ActionName) {
        if self.abandoned.is_empty() {
            return;
        }
        let of_action = (action.clone(), u16::MIN)..=(action.clone(), u16::MAX);
        for (_, abandoned) in self.abandoned.range_mut(of_action) {
            abandoned.begun_since = abandoned.begun_since.saturating_add(1);
        }
    }

    /// Whether a chunk is more of a transmission that was given up. It is not if it can only be
    /// the beginning of another one.
    fn is_rest_of_abandoned(&mut self, key: &Key, chunk: &Chunk) -> bool {
        let Some(abandoned) = self.abandoned.get(key) else { return false };
        let is_rest = abandoned.begun_since < NONCES_APART
            && !chunk.tag.has(Tag::META)
            && chunk.progress >= abandoned.progress;
        if !is_rest || chunk.tag.has(Tag::LAST) {
            self.abandoned.remove(key);
            self.abandoned_order.retain(|other| other != key);
        }
        is_rest
    }

    /// Gives a transmission up at this chunk.
    fn abandon(&mut self, key: Key, chunk: &Chunk) {
        if !chunk.tag.has(Tag::LAST) {
            self.remember_abandoned(key, chunk.progress);
        }
    }

    fn remember_abandoned(&mut self, key: Key, progress: u8) {
        if self.abandoned.insert(key.clone(), Abandoned { progress, begun_since: 0 }).is_none() {
            self.abandoned_order.push_back(key);
        }
        while self.abandoned_order.len() > limits::ABANDONED_MAX {
            let Some(oldest) = self.abandoned_order.pop_front() else { return };
            self.abandoned.remove(&oldest);
        }
    }

    fn take(&mut self, key: &Key) -> Option<Partial> {
        let partial = self.partials.remove(key)?;
        self.bytes -= partial.cost;
        Some(partial)
    }

    /// Keeps a transmission that goes on, and drops those that were heard of longest ago if there
    /// are too many.
    fn keep(&mut self, key: &Key, partial: Partial, limits: ReassemblyLimits) {
        self.bytes += partial.cost;
        // Chunks that come later put it off, which is seen then: not for each of them.
        self.check_at.get_or_insert(partial.last_heard + limits::PARTIAL_IDLE_MAX);
        self.partials.insert(key.clone(), partial);
        while self.partials.len() > limits.transmissions || self.bytes > limits.bytes {
            let others = self.partials.iter().filter(|(other, _)| *other != key);
            let oldest = others.min_by_key(|(_, partial)| partial.last_heard);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            self.drop_partial(&oldest, TransferFailure::Invalid("too much is arriving at once"));
            self.overflowed += 1;
        }
    }
}

impl Partial {
    fn new(now: Time) -> Self {
        Partial {
            metadata: None,
            pieces: Vec::new(),
            cost: 0,
            progress: 0,
            last_heard: now,
            transfer: None,
        }
    }

    /// Whether this can't be the beginning of the transmission that the chunk belongs to.
    fn is_remains_before(&self, chunk: &Chunk) -> bool {
        let has_begun =
            self.metadata.is_some() || !self.pieces.is_empty() || self.transfer.is_some();
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
            let is_json = serde_json::from_slice::<IgnoredAny>(&chunk.payload).is_ok();
            if !is_json {
                return Err("metadata that is not JSON");
            }
            self.metadata = Some(Metadata::Text(detached(&chunk.payload)));
        } else if !chunk.payload.is_empty() {
            self.pieces.push(detached(&chunk.payload));
        } else if !chunk.tag.has(Tag::LAST) {
            return Err("a chunk that carries nothing");
        }
        Ok(())
    }

    /// The metadata as a value that is made once.
    fn shared_metadata(&mut self) -> Option<Arc<Value>> {
        let value = Arc::new(self.metadata.take()?.into_value());
        self.cost += memory_of(&value);
        self.metadata = Some(Metadata::Value(value.clone()));
        Some(value)
    }

    fn finish(mut self, last: Chunk, limits: ReassemblyLimits) -> Progressed {
        if self.cost > limits.bytes {
            return Progressed::Dropped(Offence::InvalidTransmission, TOO_LARGE);
        }
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
        complete(self.metadata, bytes, last)
    }
}

/// The message of a transmission that is one chunk.
fn finish_whole(chunk: Chunk, limits: ReassemblyLimits) -> Progressed {
    if chunk.payload.len() + limits::CHUNK_COST > limits.bytes {
        return Progressed::Dropped(Offence::InvalidTransmission, TOO_LARGE);
    }
    complete(None, detached(&chunk.payload), chunk)
}

/// The message that all bytes of a transmission make.
fn complete(metadata: Option<Metadata>, bytes: Bytes, last: Chunk) -> Progressed {
    let is_json = last.tag.has(Tag::JSON) && !last.tag.has(Tag::BINARY);
    if is_json && bytes.len() > limits::JSON_BYTES_MAX {
        let why = "JSON that is too large";
        return Progressed::Dropped(Offence::InvalidTransmission, why);
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
            };
            let Begin { metadata, size: size_of_metadata } = Begin::new(metadata);
            let (action, size) = (last.action, size + size_of_metadata);
            Progressed::Complete(Message { action, payload, metadata, size })
        }
        Err(_) => {
            let why = "a payload that is not what its tag says";
            Progressed::Dropped(Offence::InvalidTransmission, why)
        }
    }
}

impl Metadata {
    fn into_value(self) -> Value {
        match self {
            // It was seen to be JSON when it came.
            Metadata::Text(text) => serde_json::from_slice(&text).unwrap_or_default(),
            Metadata::Value(value) => Arc::unwrap_or_clone(value),
        }
    }
}

impl Begin {
    fn new(metadata: Option<Metadata>) -> Self {
        let metadata = metadata.map(Metadata::into_value);
        let size = metadata.as_ref().map_or(0, memory_of);
        Begin { metadata, size }
    }
}

/// What a table for the entries of an object takes when there is one entry, about, in bytes.
const TABLE_COST: usize = 400;

/// About what a value takes in memory, in bytes: lists have up to twice the room that they need,
/// and objects a table beside their entries. serde_json reads at most 128 levels, so this ends.
fn memory_of(value: &Value) -> usize {
    let own = size_of::<Value>();
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => own,
        Value::String(text) => own + text.len(),
        Value::Array(items) => own * (1 + items.len()) + items.iter().map(memory_of).sum::<usize>(),
        Value::Object(entries) if entries.is_empty() => own,
        Value::Object(entries) => {
            let slot = 2 * size_of::<(usize, String, Value)>();
            let entry = |(key, value): (&String, &Value)| slot + key.len() + memory_of(value);
            own + TABLE_COST + entries.iter().map(entry).sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ReassemblyLimits =
        ReassemblyLimits { bytes: limits::PARTIAL_BYTES_MAX, transmissions: 4 };

    fn chunk(tag: u8, payload: Vec<u8>) -> Chunk {
        let action = ActionName::new("a").unwrap();
        Chunk { action, nonce: 0, tag: Tag(tag), progress: 1, payload: payload.into() }
    }

    #[test]
    fn tiny_chunks_count_as_what_they_take_in_memory() {
        let mut reassembly = Reassembly::default();
        let limits = ReassemblyLimits { bytes: 1024 * 1024, ..LIMITS };
        let mut taken = 0;
        while let Progressed::Partial { .. } =
            reassembly.push(chunk(0, vec![1]), Mode::Whole, limits, Time::ZERO)
        {
            taken += 1;
        }
        assert_eq!(taken, limits.bytes / (limits::CHUNK_COST + 1));
    }

    #[test]
    fn json_that_would_fill_the_memory_is_not_read() {
        let mut json = "[0".to_owned();
        json.push_str(&",0".repeat(limits::JSON_BYTES_MAX / 2));
        json.push(']');
        let mut reassembly = Reassembly::default();
        let pushed = reassembly.push(
            chunk(Tag::LAST | Tag::JSON, json.into_bytes()),
            Mode::Whole,
            LIMITS,
            Time::ZERO,
        );
        assert!(
            matches!(
                pushed,
                Progressed::Dropped(Offence::InvalidTransmission, "JSON that is too large")
            ),
            "{pushed:?}"
        );
    }

    #[test]
    fn a_message_says_what_its_json_takes_in_memory() {
        let mut reassembly = Reassembly::default();
        let json = format!("[0{}]", ",0".repeat(999));
        let pushed = reassembly.push(
            chunk(Tag::LAST | Tag::JSON, json.into_bytes()),
            Mode::Whole,
            LIMITS,
            Time::ZERO,
        );
        let Progressed::Complete(message) = pushed else { panic!("{pushed:?}") };
        assert_eq!(message.size, 2_001 * size_of::<Value>(), "with the room that a list grows by");
    }

    fn of(nonce: u16, tag: u8, progress: u8, payload: &str) -> Chunk {
        Chunk { nonce, progress, ..chunk(tag, payload.as_bytes().to_vec()) }
    }

    /// Pushes chunks, and says what was complete.
    fn texts(reassembly: &mut Reassembly, chunks: &[Chunk], now: Time) -> Vec<Payload> {
        let pushed = chunks.iter().map(|chunk| {
            match reassembly.push(chunk.clone(), Mode::Whole, LIMITS, now) {
                Progressed::Complete(message) => Some(message.payload),
                _ => None,
            }
        });
        pushed.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    #[test]
    fn the_rest_of_what_was_given_up_is_no_message() {
        let rest = [of(0, 0, 150, "rest "), of(0, Tag::LAST, 255, "end")];
        let mut idle = Reassembly::default();
        texts(&mut idle, &[of(0, 0, 50, "begin ")], Time::ZERO);
        let later = Time::ZERO + limits::PARTIAL_IDLE_MAX;
        assert_eq!(idle.expire(later), 1);
        assert_eq!(texts(&mut idle, &rest, later), []);
        let again = [of(0, 0, 128, "a"), of(0, Tag::LAST, 255, "b")];
        assert_eq!(texts(&mut idle, &again, later), ["ab".into()], "that was the end of it");
        let mut invalid = Reassembly::default();
        assert_eq!(texts(&mut invalid, &[of(0, Tag::META, 50, "no JSON")], Time::ZERO), []);
        assert_eq!(texts(&mut invalid, &rest, Time::ZERO), []);
        let mut crowded = Reassembly::default();
        let begun: Vec<Chunk> = (0..5).map(|nonce| of(nonce, 0, 50, "begin ")).collect();
        texts(&mut crowded, &begun, Time::ZERO);
        assert_eq!(texts(&mut crowded, &rest, Time::ZERO), []);
    }

    #[test]
    fn what_is_given_up_does_not_swallow_another_transmission() {
        let give_up = || {
            let mut reassembly = Reassembly::default();
            texts(&mut reassembly, &[of(0, 0, 50, "begin ")], Time::ZERO);
            let later = Time::ZERO + limits::PARTIAL_IDLE_MAX;
            reassembly.expire(later);
            (reassembly, later)
        };
        let (mut reassembly, now) = give_up();
        let smaller = [of(0, 0, 30, "a"), of(0, Tag::LAST, 255, "b")];
        assert_eq!(texts(&mut reassembly, &smaller, now), ["ab".into()]);
        let (mut reassembly, now) = give_up();
        let with_metadata = [of(0, Tag::META, 128, "1"), of(0, Tag::LAST, 255, "b")];
        assert_eq!(texts(&mut reassembly, &with_metadata, now), ["b".into()]);
        let (mut reassembly, now) = give_up();
        for nonce in 1..=NONCES_APART {
            texts(&mut reassembly, &[of(nonce, Tag::LAST, 255, "x")], now);
        }
        let wrapped = [of(0, Tag::LAST, 255, "the nonce again")];
        assert_eq!(texts(&mut reassembly, &wrapped, now), ["the nonce again".into()]);
    }
}
