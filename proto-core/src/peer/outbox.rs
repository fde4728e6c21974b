//! What waits to be sent to one peer.
//!
//! The protocol's own frames go first. Transmissions of one room and action go one after
//! another; those of different actions take turns, a chunk each, so that a large file does not
//! hold up a chat. The engine is offered as much as it takes, the rest stays here.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::crypto::RoomToken;
use crate::engine::{Engine, Lane, SendOutcome};
use crate::ids::{ConnId, RoomKey, SendId};
use crate::limits;
use crate::time::Time;
use crate::wire::{ActionName, Frame, Transmission};

type Key = (RoomKey, ActionName);

/// A transmission for this peer.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) room: RoomKey,
    pub(crate) token: RoomToken,
    pub(crate) send: SendId,
    pub(crate) transmission: Transmission,
    pub(crate) wants_progress: bool,
}

/// What became of a transmission.
#[derive(Debug)]
pub(crate) enum OutboxEvent {
    /// A part of it was handed over.
    Progress { room: RoomKey, send: SendId, fraction: f64 },
    /// All of it was handed over.
    Done { room: RoomKey, send: SendId },
    /// The engine does not take it.
    Refused { room: RoomKey, send: SendId },
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    control: VecDeque<Bytes>,
    streams: BTreeMap<Key, VecDeque<Outgoing>>,
    /// Whose turn it is.
    turns: VecDeque<Key>,
    queued: usize,
    /// The engine took nothing more, and will say when it does.
    is_blocked: bool,
    scratch: Vec<u8>,
}

impl Outbox {
    /// Queues a frame of the protocol itself. False if there are far too many already.
    pub(crate) fn push_control(&mut self, frame: Bytes) -> bool {
        self.control.push_back(frame);
        self.control.len() <= limits::OUTBOX_CONTROL_MAX
    }

    /// Queues a transmission. False, and it is not taken, if there are too many already.
    pub(crate) fn push(&mut self, outgoing: Outgoing) -> bool {
        if self.queued >= limits::OUTBOX_TRANSMISSIONS_MAX {
            return false;
        }
        let key = (outgoing.room, outgoing.transmission.action().clone());
        let stream = self.streams.entry(key.clone()).or_default();
        if stream.is_empty() {
            self.turns.push_back(key);
        }
        stream.push_back(outgoing);
        self.queued += 1;
        true
    }

    /// Drops all transmissions of a room.
    pub(crate) fn drop_room(&mut self, room: RoomKey) {
        self.turns.retain(|(other, _)| *other != room);
        let queued = &mut self.queued;
        self.streams.retain(|(other, _), stream| {
            if *other == room {
                *queued -= stream.len();
            }
            *other != room
        });
    }

    /// The engine has room again.
    pub(crate) fn on_drained(&mut self) {
        self.is_blocked = false;
    }

    /// Hands over to the engine what it takes, and notes what became of it.
    pub(crate) fn pump<E: Engine>(
        &mut self,
        engine: &mut E,
        conn: ConnId,
        now: Time,
        events: &mut VecDeque<OutboxEvent>,
    ) {
        while !self.is_blocked {
            if let Some(frame) = self.control.front() {
                match engine.send(conn, Lane::Control, frame, now) {
                    SendOutcome::Taken | SendOutcome::Refused => {
                        self.control.pop_front();
                    }
                    SendOutcome::Full => self.is_blocked = true,
                }
            } else if let Some(key) = self.turns.pop_front() {
                self.pump_stream(key, engine, conn, now, events);
            } else {
                return;
            }
        }
    }

    /// Sends one chunk of the stream whose turn it is.
    fn pump_stream<E: Engine>(
        &mut self,
        key: Key,
        engine: &mut E,
        conn: ConnId,
        now: Time,
        events: &mut VecDeque<OutboxEvent>,
    ) {
        let stream = self.streams.get_mut(&key).expect("a stream that has a turn exists");
        let outgoing = stream.front_mut().expect("a stream that has a turn is not empty");
        self.scratch.clear();
        Frame::emit_room_header(&outgoing.token, &mut self.scratch);
        outgoing.transmission.emit_next(&mut self.scratch);
        let (room, send) = (outgoing.room, outgoing.send);
        let is_over = match engine.send(conn, Lane::Control, &self.scratch, now) {
            SendOutcome::Taken => {
                let is_last = outgoing.transmission.advance();
                if outgoing.wants_progress {
                    let fraction = outgoing.transmission.progress();
                    events.push_back(OutboxEvent::Progress { room, send, fraction });
                }
                if is_last {
                    events.push_back(OutboxEvent::Done { room, send });
                }
                is_last
            }
            SendOutcome::Full => {
                self.is_blocked = true;
                self.turns.push_front(key);
                return;
            }
            SendOutcome::Refused => {
                events.push_back(OutboxEvent::Refused { room, send });
                true
            }
        };
        if is_over {
            stream.pop_front();
            self.queued -= 1;
        }
        if stream.is_empty() {
            self.streams.remove(&key);
        } else {
            self.turns.push_back(key);
        }
    }
}
