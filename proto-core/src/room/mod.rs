//! What happens inside a room: who is in it, and what its members send each other.
//!
//! A room is told which peers are attached to it and gets their chunks. Connections and relays
//! are not known here. Its parts:
//!
//! - `admission` decides when a peer becomes a member, `greeting` acts on that
//! - `reassembly` makes transmissions of chunks, `receiving` says what each is for; `unclaimed`
//!   holds messages for actions that are not registered yet
//! - `send_ledger` knows which targets a call of `send` still waits for, `streams` how much of a
//!   stream waits for each; `sending` uses both
//! - `requests` are ours, `calls` the peers'; `asking` matches them with responses
//! - `pings` match pongs
//!
//! spec: docs/protocol.md, sections 4, 5, 6 and 8

mod action;
mod admission;
mod asking;
mod calls;
mod greeting;
mod member;
mod output;
mod pings;
mod reassembly;
mod receiving;
mod requests;
mod send_ledger;
mod sending;
mod streams;
mod unclaimed;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tracing::debug;

use crate::conduct::Offence;
use crate::engine::CloseReason;
use crate::event::Event;
use crate::ids::{Counter, PeerId, PingId, RoomKey};
use crate::join_failure::JoinFailure;
use crate::limits::Limits;
use crate::rng::{Rng, Seed};
use crate::signaling::RoomNames;
use crate::time::{Deadline, DueSet, Time};
use crate::wire::{ActionName, Frame, MediaSaid, Payload, Renegotiation, Transmission};

pub(crate) use action::internal::LEAVE;
pub use action::{
    ActionKind, ActionOptions, HandshakeError, PingError, RegisterError, RequestError,
    RequestOptions, RespondError, RestartError, SendError, SendFailure, SendOptions,
};
use action::{Actions, internal};
use calls::Calls;
use member::Member;
pub(crate) use output::RoomOutput;
pub use output::{Message, Request, RequestFailure, Response, TransferFailure};
use pings::{Asker, Pings};
use requests::Requests;
use send_ledger::SendLedger;
pub use send_ledger::SendReport;
use streams::Streams;
use unclaimed::Unclaimed;

/// A peer that did not become a member within this long failed to join, as in Trystero.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_millis(10_000);

/// Why a member is one no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaveReason {
    /// It said that it leaves.
    #[error("it left")]
    Left,
    /// The connection to it ended.
    #[error("the connection ended: {0}")]
    Lost(CloseReason),
    /// It did too often what no honest peer does, and we closed the connection.
    #[error("we closed the connection: {0}")]
    Cut(Offence),
}

/// What a room is told at its beginning.
#[derive(Debug)]
pub(crate) struct RoomTerms {
    pub(crate) key: RoomKey,
    pub(crate) self_id: PeerId,
    pub(crate) names: RoomNames,
    pub(crate) handshake_timeout: Duration,
    /// Whether the application takes a step of its own before a peer is let in.
    pub(crate) handshake: bool,
    pub(crate) limits: Limits,
    /// What challenges are made from. By name, so that it is the same on a later visit.
    pub(crate) secret: Seed,
    /// What the ids of requests are made from.
    pub(crate) rng: Rng,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Room {
    terms: RoomTerms,
    members: BTreeMap<PeerId, Member>,
    due: DueSet<PeerId>,
    actions: Actions,
    unclaimed: Unclaimed,
    sends: SendLedger,
    streams: Streams,
    requests: Requests,
    calls: Calls,
    pings: Pings,
    /// What the unfinished transmissions of all members take in memory.
    partial_bytes: usize,
    next_ping: Counter,
    next_handshake: Counter,
    next_transfer: Counter,
    outputs: VecDeque<RoomOutput>,
    dropped: u64,
}

impl Room {
    pub(crate) fn new(terms: RoomTerms) -> Self {
        Room {
            terms,
            members: BTreeMap::new(),
            due: DueSet::new(),
            actions: Actions::default(),
            unclaimed: Unclaimed::default(),
            sends: SendLedger::default(),
            streams: Streams::default(),
            requests: Requests::new(),
            calls: Calls::default(),
            pings: Pings::default(),
            partial_bytes: 0,
            next_ping: Counter::default(),
            next_handshake: Counter::default(),
            next_transfer: Counter::default(),
            outputs: VecDeque::new(),
            dropped: 0,
        }
    }

    /// The connection to this peer is gone.
    pub(crate) fn on_lost(&mut self, peer: &PeerId, reason: LeaveReason) {
        self.remove(peer, reason);
    }

    /// Asks a member how long it takes to answer. A `Pong` event follows.
    pub(crate) fn ping(&mut self, peer: &PeerId, now: Time) -> Result<PingId, PingError> {
        if !self.is_member(peer) {
            return Err(PingError::NotInRoom);
        }
        let ping = PingId(self.next_ping.next());
        let pings_max = self.terms.limits.pings_per_peer;
        if !self.pings.begin(peer, Asker::Application(ping), pings_max, now) {
            return Err(PingError::TooMany(pings_max));
        }
        self.say(peer, internal::PING, Payload::Text(String::new()));
        Ok(ping)
    }

    /// Asks a member whether it still hears us; a `Heard` output follows if it does. False if it
    /// can't be asked here.
    pub(crate) fn probe(&mut self, peer: &PeerId, now: Time) -> bool {
        let can_ask = self.is_member(peer)
            && self.pings.begin(peer, Asker::Node, self.terms.limits.pings_per_peer + 1, now);
        if can_ask {
            self.say(peer, internal::PING, Payload::Text(String::new()));
        }
        can_ask
    }

    /// Says goodbye to everyone, pending peers included.
    pub(crate) fn leave(&mut self) {
        let peers: Vec<PeerId> = self.members.keys().cloned().collect();
        for peer in peers {
            self.say(&peer, internal::LEAVE, Payload::Text(String::new()));
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        while let Some(peer) = self.due.pop_due(now) {
            self.expire_partials(&peer, now);
            let Some(member) = self.members.get_mut(&peer) else { continue };
            if member.is_overdue(now) {
                let after = self.terms.handshake_timeout;
                let handshake = member.handshake();
                self.end_handshake(handshake);
                self.fail(&peer, JoinFailure::HandshakeTimedOut { after });
            } else {
                self.note_deadline(&peer);
            }
        }
        self.give_requests_up(now);
        self.reject_unhandled(now);
    }

    pub(crate) fn poll_output(&mut self) -> Option<RoomOutput> {
        self.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let asking = Deadline::earlier(self.requests.poll_timeout(), self.calls.poll_timeout());
        Deadline::earlier(self.due.next(), asking)
    }

    /// The members, in the order of their ids.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &PeerId> {
        self.members.iter().filter(|(_, member)| member.is_active()).map(|(peer, _)| peer)
    }

    pub(crate) fn is_member(&self, peer: &PeerId) -> bool {
        self.members.get(peer).is_some_and(Member::is_active)
    }

    /// Whether anyone is attached, members and those that may become one.
    pub(crate) fn has_company(&self) -> bool {
        !self.members.is_empty()
    }

    pub(crate) fn names(&self) -> &RoomNames {
        &self.terms.names
    }

    /// Chunks and messages that were dropped because they were malformed or too many.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped + self.unclaimed.dropped()
    }

    fn on_pong(&mut self, peer: &PeerId, now: Time) {
        match self.pings.answer(peer, now) {
            Some((Asker::Application(ping), rtt)) => {
                let (room, peer) = (self.terms.key, peer.clone());
                self.event(Event::Pong { room, peer, ping, rtt: Some(rtt) });
            }
            Some((Asker::Node, _)) => {
                self.outputs.push_back(RoomOutput::Heard { peer: peer.clone() });
            }
            None => self.offend(peer, Offence::UnaskedPong, "a pong that nobody asked for"),
        }
    }

    /// Tells a member something about the connection to it; false if it is none, and would not
    /// listen.
    pub(crate) fn say_signal(&mut self, peer: &PeerId, said: &Renegotiation) -> bool {
        let is_member = self.is_member(peer);
        if is_member {
            self.say(peer, internal::SIGNAL, Payload::Json(said.emit()));
        }
        is_member
    }

    /// Tells a member something of the audio and video that we send; false if it is none. It goes
    /// ahead of what [`say_signal`](Self::say_signal) says later.
    pub(crate) fn say_media(&mut self, peer: &PeerId, said: &MediaSaid) -> bool {
        let is_member = self.is_member(peer);
        if is_member {
            self.say(peer, said.action(), Payload::Json(said.emit()));
        }
        is_member
    }

    /// Sends one of the protocol's own transmissions.
    fn say(&mut self, peer: &PeerId, action: &'static str, payload: Payload) {
        let action = ActionName::internal(action);
        let nonce = self.actions.next_nonce(&action);
        self.say_all(peer, Transmission::new(action, nonce, payload, None));
    }

    /// Sends a short transmission ahead of all that waits.
    fn say_all(&mut self, peer: &PeerId, mut transmission: Transmission) {
        loop {
            let mut frame = BytesMut::new();
            Frame::emit_room_header(&self.terms.names.token, &mut frame);
            transmission.emit_next(&mut frame);
            let (peer, frame): (_, Bytes) = (peer.clone(), frame.freeze());
            self.outputs.push_back(RoomOutput::Control { peer, frame });
            if transmission.advance() {
                return;
            }
        }
    }

    fn remove(&mut self, peer: &PeerId, reason: LeaveReason) {
        let Some(mut member) = self.members.remove(peer) else { return };
        self.due.set(peer.clone(), None);
        self.unclaimed.forget(peer);
        self.partial_bytes -= member.partial_bytes();
        member.reassembly().end_all();
        self.report_ended_transfers(member.reassembly().take_ended());
        self.end_handshake(member.handshake());
        self.end_sends(peer);
        self.end_asking(peer);
        let room = self.terms.key;
        for ping in self.pings.forget(peer) {
            self.event(Event::Pong { room, peer: peer.clone(), ping, rtt: None });
        }
        if member.is_active() {
            self.event(Event::PeerLeft { room, peer: peer.clone(), reason });
        }
        let has_left = reason == LeaveReason::Left;
        self.outputs.push_back(RoomOutput::Detach { peer: peer.clone(), has_left });
    }

    fn offend(&mut self, peer: &PeerId, offence: Offence, why: &'static str) {
        self.dropped += 1;
        debug!(%peer, why, "dropped");
        self.outputs.push_back(RoomOutput::Offence { peer: peer.clone(), offence });
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(RoomOutput::Event(event));
    }

    fn note_deadline(&mut self, peer: &PeerId) {
        let deadline = self.members.get(peer).and_then(Member::poll_timeout);
        self.due.set(peer.clone(), deadline);
    }
}
