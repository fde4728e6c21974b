//! What waits to be sent to one peer.
//!
//! The protocol's own frames go first. Transmissions of one room and action go one after
//! another; those of different actions take turns, a chunk each, so that a large file does not
//! hold up a chat. The engine is offered as much as it takes, the rest stays here. What an engine
//! takes nothing of for too long is given up, as JavaScript does.
//!
//! Small chunks wait for others that are sent in the same go, and leave with them as one message, if
//! the peer takes that. They count as handed over from then on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use tracing::debug;

use crate::crypto::RoomToken;
use crate::engine::{Engine, Lane, SendOutcome};
use crate::ids::{ConnId, RoomKey, SendId};
use crate::limits;
use crate::room::SendFailure;
use crate::time::{Deadline, Time};
use crate::wire::{ActionName, Bundle, Transmission};

/// What is sent one after another.
type Key = (RoomKey, ActionName, Order);

/// Whether a transmission waits for those of its action that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// It does.
    Queued,
    /// It goes beside the others, as responses do.
    Beside(SendId),
}

/// A transmission for this peer.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) room: RoomKey,
    pub(crate) token: RoomToken,
    pub(crate) send: SendId,
    pub(crate) order: Order,
    pub(crate) transmission: Transmission,
    pub(crate) wants_progress: bool,
}

/// What became of a transmission.
#[derive(Debug)]
pub(crate) enum OutboxEvent {
    /// A chunk of it was handed over.
    Chunk { room: RoomKey, send: SendId, fraction: f64, wants_progress: bool },
    /// All of it was handed over.
    Done { room: RoomKey, send: SendId },
    /// It was not, and will not be.
    Failed { room: RoomKey, send: SendId, failure: SendFailure },
}

impl OutboxEvent {
    /// Whose transmission it is about.
    pub(crate) fn room(&self) -> RoomKey {
        match self {
            OutboxEvent::Chunk { room, .. }
            | OutboxEvent::Done { room, .. }
            | OutboxEvent::Failed { room, .. } => *room,
        }
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    control: VecDeque<Bytes>,
    streams: BTreeMap<Key, VecDeque<Outgoing>>,
    /// Whose turn it is.
    turns: VecDeque<Key>,
    /// Streams that wait for more of what is first in them.
    hungry: BTreeSet<Key>,
    queued: usize,
    /// How many transmissions may wait.
    queued_max: usize,
    /// The engine takes nothing more since then, and will say when it does.
    blocked_since: Option<Time>,
    events: VecDeque<OutboxEvent>,
    /// Whether the peer takes bundles.
    takes_bundles: bool,
    /// What is written and not handed over, or was last.
    bundle: Bundle,
    /// Whether it waits to be handed over.
    bundled: Option<Bundled>,
    /// Whether the engine was offered anything since that was asked.
    has_offered: bool,
}

/// Chunks that wait for others.
#[derive(Debug)]
struct Bundled {
    /// Of which room.
    room: RoomKey,
    since: Time,
    /// Nobody sends any more for now.
    is_due: bool,
}

impl Outbox {
    /// An outbox for this many transmissions.
    pub(crate) fn new(queued_max: usize) -> Self {
        Outbox { queued_max, ..Outbox::default() }
    }

    /// Queues a frame of the protocol itself. False if there are far too many already.
    pub(crate) fn push_control(&mut self, frame: Bytes) -> bool {
        self.control.push_back(frame);
        self.control.len() <= limits::OUTBOX_CONTROL_MAX
    }

    /// How many transmissions wait.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// Whether something waits that was said to be sent, or belongs to the protocol itself.
    pub(crate) fn has_promised(&self) -> bool {
        !self.control.is_empty() || self.bundled.is_some()
    }

    /// Notes whether the peer takes bundles.
    pub(crate) fn set_bundles(&mut self, takes_bundles: bool) {
        self.takes_bundles = takes_bundles;
    }

    /// Queues a transmission. False, and it is not taken, if there are too many already.
    pub(crate) fn push(&mut self, outgoing: Outgoing) -> bool {
        if self.queued >= self.queued_max {
            return false;
        }
        if self.joins_bundle(&outgoing) {
            return true;
        }
        let key = (outgoing.room, outgoing.transmission.action().clone(), outgoing.order);
        let stream = self.streams.entry(key.clone()).or_default();
        if stream.is_empty() {
            self.turns.push_back(key);
        }
        stream.push_back(outgoing);
        self.queued += 1;
        true
    }

    /// Adds a transmission of one small chunk to the bundle that is open, if nothing is before it.
    fn joins_bundle(&mut self, outgoing: &Outgoing) -> bool {
        let &Outgoing { room, send, ref transmission, wants_progress, .. } = outgoing;
        let length = transmission.next_bytes();
        let is_next = self.streams.is_empty() && self.control.is_empty();
        let joins = is_next && transmission.is_single() && self.has_room_for(room, length);
        if joins {
            self.bundle.push(length, |out| transmission.emit_next(out));
            let chunk = OutboxEvent::Chunk { room, send, fraction: 1.0, wants_progress };
            self.events.extend([chunk, OutboxEvent::Done { room, send }]);
        }
        joins
    }

    /// Whether chunks of this room wait for others, and for one of this many bytes.
    fn has_room_for(&self, room: RoomKey, length: usize) -> bool {
        let is_open = self.bundled.as_ref().is_some_and(|bundled| bundled.room == room);
        self.takes_bundles && is_open && self.bundle.has_room_for(length)
    }

    /// Adds pieces to a transmission that is fed.
    pub(crate) fn feed(
        &mut self,
        room: RoomKey,
        action: &ActionName,
        send: SendId,
        pieces: &[Bytes],
        is_finished: bool,
    ) {
        let key = (room, action.clone(), Order::Queued);
        let Some(stream) = self.streams.get_mut(&key) else { return };
        let Some(outgoing) = stream.iter_mut().find(|outgoing| outgoing.send == send) else {
            return;
        };
        outgoing.transmission.feed(pieces.iter().cloned(), is_finished);
        self.resume(&key);
    }

    /// Drops a transmission that is not wanted any more. Nothing is said of it.
    pub(crate) fn abort(&mut self, room: RoomKey, send: SendId) {
        let holds = |key: &Key, stream: &VecDeque<Outgoing>| {
            key.0 == room && stream.iter().any(|outgoing| outgoing.send == send)
        };
        let key = self.streams.iter().find(|(key, stream)| holds(key, stream));
        let Some(key) = key.map(|(key, _)| key.clone()) else { return };
        if let Some(stream) = self.streams.get_mut(&key) {
            let before = stream.len();
            stream.retain(|outgoing| outgoing.send != send);
            self.queued -= before - stream.len();
        }
        if self.tidy(&key) {
            self.turns.retain(|other| *other != key);
        }
        self.resume(&key);
    }

    /// Drops all transmissions of a room.
    pub(crate) fn drop_room(&mut self, room: RoomKey) {
        self.turns.retain(|(other, ..)| *other != room);
        self.hungry.retain(|(other, ..)| *other != room);
        let queued = &mut self.queued;
        self.streams.retain(|(other, ..), stream| {
            if *other == room {
                *queued -= stream.len();
            }
            *other != room
        });
    }

    /// The engine has room again.
    pub(crate) fn on_drained(&mut self) {
        self.blocked_since = None;
    }

    /// Gives up what waits for an engine that took nothing for too long. Responses stay: whoever
    /// asked waits for one as long as the peer is there.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        if let Some(bundled) = &mut self.bundled {
            bundled.is_due = true;
        }
        if self.stalled().is_none_or(|deadline| deadline.at > now) {
            return;
        }
        self.turns.retain(stays);
        self.hungry.retain(stays);
        let streams = std::mem::take(&mut self.streams);
        let (staying, given_up): (BTreeMap<_, _>, BTreeMap<_, _>) =
            streams.into_iter().partition(|(key, _)| stays(key));
        self.queued = staying.values().map(VecDeque::len).sum();
        self.streams = staying;
        for outgoing in given_up.into_values().flatten() {
            self.fail(&outgoing, SendFailure::Stalled);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let waiting = self.bundled.as_ref().filter(|_| self.blocked_since.is_none());
        let handed_over = waiting.map(|bundled| Deadline::new(bundled.since, "hand a bundle over"));
        Deadline::earlier(handed_over, self.stalled())
    }

    fn stalled(&self) -> Option<Deadline> {
        let since = self.blocked_since.filter(|_| !self.streams.keys().all(stays))?;
        Some(Deadline::new(since + limits::SEND_STALL_MAX, "give stalled transmissions up"))
    }

    /// Hands over to the engine what it takes. True if it was offered anything.
    pub(crate) fn pump<E: Engine>(&mut self, engine: &mut E, conn: ConnId, now: Time) -> bool {
        self.pump_all(engine, conn, now);
        std::mem::take(&mut self.has_offered)
    }

    fn pump_all<E: Engine>(&mut self, engine: &mut E, conn: ConnId, now: Time) {
        if self.bundled.as_ref().is_some_and(|bundled| bundled.is_due) {
            self.hand_over(engine, conn, now);
        }
        while self.blocked_since.is_none() {
            if let Some(frame) = self.control.front() {
                // What was sent before it comes before it.
                if self.bundled.is_some() {
                    self.hand_over(engine, conn, now);
                    continue;
                }
                self.has_offered = true;
                match engine.send(conn, Lane::Control, frame, now) {
                    SendOutcome::Taken | SendOutcome::Refused => {
                        self.control.pop_front();
                    }
                    SendOutcome::Full => self.blocked_since = Some(now),
                }
            } else if let Some(key) = self.turns.pop_front() {
                self.pump_stream(key, engine, conn, now);
            } else {
                return;
            }
        }
    }

    /// Hands over the chunks that wait for others.
    fn hand_over<E: Engine>(&mut self, engine: &mut E, conn: ConnId, now: Time) {
        if self.blocked_since.is_some() {
            return;
        }
        self.has_offered = true;
        match engine.send(conn, Lane::Control, self.bundle.message(), now) {
            SendOutcome::Taken => self.bundled = None,
            SendOutcome::Refused => {
                debug!(?conn, "a connection that ends took no bundle");
                self.bundled = None;
            }
            SendOutcome::Full => self.blocked_since = Some(now),
        }
    }

    /// What became of transmissions, until `None`.
    pub(crate) fn poll_event(&mut self) -> Option<OutboxEvent> {
        self.events.pop_front()
    }

    /// Sends one chunk of the stream whose turn it is.
    fn pump_stream<E: Engine>(&mut self, key: Key, engine: &mut E, conn: ConnId, now: Time) {
        let first = self.streams.get(&key).and_then(VecDeque::front);
        let first = first.expect("a stream that has a turn exists, and is not empty");
        if !first.transmission.is_ready() {
            self.hungry.insert(key);
            return;
        }
        let length = first.transmission.next_bytes();
        if self.bundled.is_some() && !self.has_room_for(key.0, length) {
            self.hand_over(engine, conn, now);
            if self.bundled.is_some() {
                self.turns.push_front(key);
                return;
            }
        }
        let stream = self.streams.get_mut(&key).expect("it was there a moment ago");
        let outgoing = stream.front_mut().expect("it was there a moment ago");
        let &mut Outgoing { room, send, wants_progress, ref token, ref transmission, .. } =
            outgoing;
        let outcome = if self.bundled.is_some() {
            self.bundle.push(length, |out| transmission.emit_next(out));
            SendOutcome::Taken
        } else {
            self.bundle.begin(token, |out| transmission.emit_next(out));
            if self.takes_bundles && length <= Bundle::CHUNK_BYTES_MAX {
                self.bundled = Some(Bundled { room, since: now, is_due: false });
                SendOutcome::Taken
            } else {
                self.has_offered = true;
                engine.send(conn, Lane::Control, self.bundle.message(), now)
            }
        };
        let is_over = match outcome {
            SendOutcome::Taken => {
                let is_last = outgoing.transmission.advance();
                let fraction = outgoing.transmission.progress();
                self.events.push_back(OutboxEvent::Chunk { room, send, fraction, wants_progress });
                if is_last {
                    self.events.push_back(OutboxEvent::Done { room, send });
                }
                is_last
            }
            SendOutcome::Full => {
                self.blocked_since = Some(now);
                self.turns.push_front(key);
                return;
            }
            SendOutcome::Refused => {
                let failure = SendFailure::Refused;
                self.events.push_back(OutboxEvent::Failed { room, send, failure });
                true
            }
        };
        if is_over {
            stream.pop_front();
            self.queued -= 1;
        }
        if !self.tidy(&key) {
            self.turns.push_back(key);
        }
    }

    /// Forgets a stream that is empty; true if it was.
    fn tidy(&mut self, key: &Key) -> bool {
        let is_empty = self.streams.get(key).is_some_and(VecDeque::is_empty);
        if is_empty {
            self.streams.remove(key);
            self.hungry.remove(key);
        }
        is_empty
    }

    /// Gives a stream that waited its turns again.
    fn resume(&mut self, key: &Key) {
        if self.hungry.remove(key) {
            self.turns.push_back(key.clone());
        }
    }

    fn fail(&mut self, outgoing: &Outgoing, failure: SendFailure) {
        let &Outgoing { room, send, .. } = outgoing;
        self.events.push_back(OutboxEvent::Failed { room, send, failure });
    }
}

/// Whether transmissions stay however long the engine takes nothing.
fn stays(key: &Key) -> bool {
    let (_, _, order) = key;
    match order {
        Order::Queued => false,
        Order::Beside(_) => true,
    }
}
