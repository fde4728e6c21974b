//! What waits to be sent to one peer.
//!
//! The protocol's own frames go first. Transmissions of one room and action go one after
//! another; those of different actions take turns, a chunk each, so that a large file does not
//! hold up a chat. The engine is offered as much as it takes, the rest stays here. What an engine
//! takes nothing of for too long is given up, as JavaScript does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use crate::crypto::RoomToken;
use crate::engine::{Engine, Lane, SendOutcome};
use crate::ids::{ConnId, RoomKey, SendId};
use crate::limits;
use crate::room::SendFailure;
use crate::time::{Deadline, Time};
use crate::wire::{ActionName, Frame, Transmission};

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
    scratch: Vec<u8>,
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

    /// Whether frames of the protocol itself wait.
    pub(crate) fn has_control(&self) -> bool {
        !self.control.is_empty()
    }

    /// Queues a transmission. False, and it is not taken, if there are too many already.
    pub(crate) fn push(&mut self, outgoing: Outgoing) -> bool {
        if self.queued >= self.queued_max {
            return false;
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
        if self.poll_timeout().is_none_or(|deadline| deadline.at > now) {
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
        let since = self.blocked_since.filter(|_| !self.streams.keys().all(stays))?;
        Some(Deadline::new(since + limits::SEND_STALL_MAX, "give stalled transmissions up"))
    }

    /// Hands over to the engine what it takes.
    pub(crate) fn pump<E: Engine>(&mut self, engine: &mut E, conn: ConnId, now: Time) {
        while self.blocked_since.is_none() {
            if let Some(frame) = self.control.front() {
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

    /// What became of transmissions, until `None`.
    pub(crate) fn poll_event(&mut self) -> Option<OutboxEvent> {
        self.events.pop_front()
    }

    /// Sends one chunk of the stream whose turn it is.
    fn pump_stream<E: Engine>(&mut self, key: Key, engine: &mut E, conn: ConnId, now: Time) {
        let stream = self.streams.get_mut(&key).expect("a stream that has a turn exists");
        let outgoing = stream.front_mut().expect("a stream that has a turn is not empty");
        if !outgoing.transmission.is_ready() {
            self.hungry.insert(key);
            return;
        }
        self.scratch.clear();
        Frame::emit_room_header(&outgoing.token, &mut self.scratch);
        outgoing.transmission.emit_next(&mut self.scratch);
        let is_over = match engine.send(conn, Lane::Control, &self.scratch, now) {
            SendOutcome::Taken => {
                let is_last = outgoing.transmission.advance();
                let &mut Outgoing { room, send, wants_progress, .. } = outgoing;
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
                let &mut Outgoing { room, send, .. } = outgoing;
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
