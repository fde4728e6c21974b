//! A connection that rooms share, as Trystero keeps it.
//!
//! Transmissions that are under way take turns, chunk by chunk, so one overtakes another. What is
//! heard for a room that is not attached waits for it, frames of a room that was left among it.
//! Nothing is said to a peer that is dropped: its connection stays, and all that it says is ignored.
//!
//! spec: docs/protocol.md, sections 2 ("Lifetimes") and 3

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tristero_proto::crypto::RoomToken;
use tristero_proto::engine::{CloseReason, Engine, Lane, SendOutcome};
use tristero_proto::wire::{Frame, Transmission};
use tristero_proto::{ConnId, Deadline, PeerId, RoomKey, SendFailure, SendId, Time};

use super::JsPeer;

/// A connection in use.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) peer: PeerId,
    pub(super) app_id: String,
    /// The rooms that the other side says it is in.
    pub(super) theirs: BTreeSet<RoomToken>,
    /// Frames of rooms that are not attached.
    held: VecDeque<(RoomToken, Bytes)>,
    presences: VecDeque<Bytes>,
    under_way: VecDeque<Outgoing>,
    flow: Flow,
    health: Health,
    look: Time,
    /// Since when no room is attached.
    idle_since: Option<Time>,
}

/// A transmission under way.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) room: RoomKey,
    pub(super) token: RoomToken,
    pub(super) transmission: Transmission,
    /// Which call of the application waits for it.
    pub(super) send: Option<SendId>,
}

/// Whether the channel takes more.
#[derive(Clone, Copy, Debug)]
enum Flow {
    Free,
    Full { since: Time },
}

/// What ICE says of the connection, by the bytes that had come, and since when.
#[derive(Clone, Copy, Debug)]
enum Health {
    Connected { bytes: u64, since: Time },
    Disconnected { bytes: u64, since: Time },
}

impl Shared {
    pub(super) fn new(peer: PeerId, app_id: String, now: Time) -> Self {
        Shared {
            peer,
            app_id,
            theirs: BTreeSet::new(),
            held: VecDeque::new(),
            presences: VecDeque::new(),
            under_way: VecDeque::new(),
            flow: Flow::Free,
            health: Health::Connected { bytes: 0, since: now },
            look: now + LOOK_INTERVAL,
            idle_since: Some(now),
        }
    }

    pub(super) fn hold(&mut self, token: RoomToken, chunk: Bytes) {
        if self.held.len() >= HELD_MAX {
            self.held.pop_front();
        }
        self.held.push_back((token, chunk));
    }

    /// Takes what came for a room before it was attached.
    pub(super) fn release(&mut self, token: &RoomToken) -> Vec<Bytes> {
        let (of_it, others) = std::mem::take(&mut self.held)
            .into_iter()
            .partition::<Vec<_>, _>(|(other, _)| other == token);
        self.held = others.into();
        of_it.into_iter().map(|(_, chunk)| chunk).collect()
    }

    pub(super) fn say_presence(&mut self, token: &RoomToken, is_present: bool) {
        let mut frame = Vec::new();
        Frame::emit_presence(token, is_present, &mut frame);
        self.presences.push_back(frame.into());
    }

    /// Notes whether a room is attached.
    pub(super) fn set_used(&mut self, is_used: bool, now: Time) {
        self.idle_since = if is_used { None } else { self.idle_since.or(Some(now)) };
    }

    pub(super) fn transmit(&mut self, outgoing: Outgoing, now: Time) {
        if let (Flow::Full { since }, true) = (&mut self.flow, self.under_way.is_empty()) {
            *since = now;
        }
        self.under_way.push_back(outgoing);
    }

    /// Forgets what is under way for a room that is left.
    pub(super) fn forget(&mut self, room: RoomKey) {
        self.under_way.retain(|outgoing| outgoing.room != room);
    }

    /// Takes out what is under way.
    pub(super) fn abandon(&mut self) -> VecDeque<Outgoing> {
        std::mem::take(&mut self.under_way)
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let look = Deadline::new(self.look, "look at a connection");
        let idle = self.idle_since.map(|since| Deadline::new(since + IDLE_TTL, "close it"));
        let stall = match self.flow {
            Flow::Full { since } if !self.under_way.is_empty() => {
                Some(Deadline::new(since + FULL_MAX, "abort what is sent"))
            }
            Flow::Full { .. } | Flow::Free => None,
        };
        Deadline::earlier(Some(look), Deadline::earlier(idle, stall))
    }

    /// Looks at a connection that so many bytes have come over; true if it counts as lost.
    fn is_lost(&mut self, bytes: u64, now: Time) -> bool {
        self.look = now + LOOK_INTERVAL;
        match self.health {
            Health::Connected { bytes: before, .. }
            | Health::Disconnected { bytes: before, .. }
                if before != bytes =>
            {
                self.health = Health::Connected { bytes, since: now };
                false
            }
            Health::Connected { since, .. } => {
                if now.since(since) >= SILENT_MAX {
                    self.health = Health::Disconnected { bytes, since: now };
                }
                false
            }
            Health::Disconnected { since, .. } => now.since(since) >= DISCONNECTED_MAX,
        }
    }
}

impl JsPeer {
    /// Sends what the channel takes.
    pub(super) fn flush(&mut self, conn: ConnId, now: Time) {
        let mut settled = Vec::new();
        let Some(shared) = self.peers.get_mut(&conn) else { return };
        while matches!(shared.flow, Flow::Free) {
            let (frame, is_presence) = match (shared.presences.front(), shared.under_way.front()) {
                (Some(frame), _) => (frame.clone(), true),
                (None, Some(outgoing)) => (outgoing.frame(), false),
                (None, None) => break,
            };
            let outcome = self.engine.send(conn, Lane::Control, &frame, now);
            match outcome {
                SendOutcome::Full => shared.flow = Flow::Full { since: now },
                SendOutcome::Taken | SendOutcome::Refused if is_presence => {
                    shared.presences.pop_front();
                }
                SendOutcome::Taken => {
                    let Some(mut outgoing) = shared.under_way.pop_front() else { break };
                    if outgoing.transmission.advance() {
                        settled.push((outgoing, None));
                    } else {
                        shared.under_way.push_back(outgoing);
                    }
                }
                SendOutcome::Refused => {
                    let refused = shared.under_way.pop_front();
                    settled.extend(refused.map(|it| (it, Some(SendFailure::Refused))));
                }
            }
        }
        let peer = shared.peer.clone();
        for (outgoing, failure) in settled {
            self.settle_send(&outgoing, &peer, failure, now);
        }
    }

    pub(super) fn on_drained(&mut self, conn: ConnId, now: Time) {
        if let Some(shared) = self.peers.get_mut(&conn) {
            shared.flow = Flow::Free;
        }
        self.flush(conn, now);
    }

    /// Does what is due for the connections in use.
    pub(super) fn look_after_connections(&mut self, now: Time) {
        let due = |shared: &Shared| shared.poll_timeout().is_some_and(|due| due.at <= now);
        let conns: Vec<ConnId> =
            self.peers.iter().filter(|(_, shared)| due(shared)).map(|(conn, _)| *conn).collect();
        for conn in conns {
            self.look_after(conn, now);
        }
    }

    fn look_after(&mut self, conn: ConnId, now: Time) {
        let info = self.engine.connection_info(conn);
        let Some(shared) = self.peers.get_mut(&conn) else { return };
        if shared.look <= now && shared.is_lost(info.map_or(0, |info| info.bytes_received), now) {
            return self.lose(conn, CloseReason::Silent, now);
        }
        if shared.idle_since.is_some_and(|since| since + IDLE_TTL <= now) {
            self.peers.remove(&conn);
            return self.engine.close(conn, now);
        }
        if let Flow::Full { since } = shared.flow
            && since + FULL_MAX <= now
        {
            let peer = shared.peer.clone();
            for outgoing in shared.abandon() {
                self.settle_send(&outgoing, &peer, Some(SendFailure::Stalled), now);
                self.cut_short.insert(peer.clone());
            }
        }
    }
}

impl Outgoing {
    fn frame(&self) -> Bytes {
        let mut frame = Vec::new();
        Frame::emit_room_header(&self.token, &mut frame);
        self.transmission.emit_next(&mut frame);
        frame.into()
    }
}

/// How often it is looked whether anything came.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// ICE says `disconnected` when nothing was heard for about as long as this.
const SILENT_MAX: Duration = Duration::from_secs(5);

/// A peer is dropped when its connection was `disconnected` for this long.
const DISCONNECTED_MAX: Duration = Duration::from_millis(5_000);

/// ICE says `failed` when nothing was heard for about as long as this: the connection does not come
/// back then. The engine, which knows no such state, closes it.
pub(crate) const FAILED_AFTER: Duration = Duration::from_secs(30);

/// A sender waits so long for a channel that is full, then drops the rest of the transmission.
const FULL_MAX: Duration = Duration::from_secs(10);

/// A connection that no room uses is closed after this long.
const IDLE_TTL: Duration = Duration::from_millis(123_333);

/// Trystero holds frames without a bound. No run comes near this one.
const HELD_MAX: usize = 10_000;
