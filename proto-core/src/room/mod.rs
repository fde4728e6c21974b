//! What happens inside a room: who is in it, and what its members send each other.
//!
//! A room is told which peers are attached to it and gets their chunks. [`Admission`] decides
//! when a peer becomes a member, [`Reassembly`] makes transmissions of chunks, [`Unclaimed`]
//! holds messages for actions that are not registered yet, [`SendLedger`] knows which targets a
//! call of `send` still waits for. Connections and relays are not known here.
//!
//! Requests, the application's own handshake, ping and media belong here too, each in a file
//! beside these.
//!
//! spec: docs/protocol.md, sections 4, 5 and 8

mod action;
mod admission;
mod member;
mod reassembly;
mod send_ledger;
mod unclaimed;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use tracing::debug;

use crate::engine::CloseReason;
use crate::ids::{PeerId, RoomKey, SendId};
use crate::join_failure::JoinFailure;
use crate::rng::Seed;
use crate::signaling::RoomNames;
use crate::time::{Deadline, DueSet, Time};
use crate::wire::{ActionName, Chunk, Frame, Payload, Transmission};

pub(crate) use action::internal::LEAVE;
pub use action::{ActionOptions, RegisterError, SendError, SendFailure, SendOptions};
use action::{Actions, internal};
use admission::{Admission, AdmissionOutput, CHALLENGE_LENGTH};
use member::{Member, Phase};
use reassembly::Progressed;
use send_ledger::SendLedger;
pub use send_ledger::SendReport;
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
}

/// A message of a member.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The action it was sent on.
    pub action: ActionName,
    /// What was sent.
    pub payload: Payload,
    /// What was sent along; JSON `null` is not the same as nothing.
    pub metadata: Option<Value>,
    /// About what payload and metadata take in memory, in bytes.
    pub size: usize,
}

/// What a room wants done or known.
#[derive(Debug)]
pub(crate) enum RoomOutput {
    /// Send a frame of the protocol's own.
    Control {
        peer: PeerId,
        frame: Bytes,
    },
    /// Send a transmission.
    Transmit {
        peer: PeerId,
        send: SendId,
        transmission: Transmission,
        wants_progress: bool,
    },
    /// The peer is no longer attached; it may have said that it left.
    Detach {
        peer: PeerId,
        has_left: bool,
    },
    Joined {
        peer: PeerId,
    },
    Left {
        peer: PeerId,
        reason: LeaveReason,
    },
    Failed {
        peer: PeerId,
        failure: JoinFailure,
    },
    Message {
        peer: PeerId,
        message: Message,
    },
    Receiving {
        peer: PeerId,
        action: ActionName,
        fraction: f64,
        metadata: Option<Value>,
    },
    Sent {
        send: SendId,
        report: SendReport,
    },
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Room {
    key: RoomKey,
    self_id: PeerId,
    names: RoomNames,
    handshake_timeout: Duration,
    members: BTreeMap<PeerId, Member>,
    due: DueSet<PeerId>,
    actions: Actions,
    unclaimed: Unclaimed,
    sends: SendLedger,
    /// What challenges are made from.
    secret: Seed,
    outputs: VecDeque<RoomOutput>,
    dropped: u64,
}

impl Room {
    pub(crate) fn new(
        key: RoomKey,
        self_id: PeerId,
        names: RoomNames,
        handshake_timeout: Duration,
        secret: Seed,
    ) -> Self {
        Room {
            key,
            self_id,
            names,
            handshake_timeout,
            members: BTreeMap::new(),
            due: DueSet::new(),
            actions: Actions::default(),
            unclaimed: Unclaimed::default(),
            sends: SendLedger::default(),
            secret,
            outputs: VecDeque::new(),
            dropped: 0,
        }
    }

    /// A connection to this peer is there for the room: its admission begins.
    pub(crate) fn attach(&mut self, peer: &PeerId, now: Time) {
        let is_initiator = self.self_id < *peer;
        let deadline = now + self.handshake_timeout;
        let mut admission = Admission::new(is_initiator, deadline);
        let said = admission.begin(&self.names, &self.challenge(peer));
        self.members.insert(peer.clone(), Member::pending(admission));
        self.act_on_admission(peer, said);
        self.note_deadline(peer);
    }

    /// The connection to this peer is gone.
    pub(crate) fn on_lost(&mut self, peer: &PeerId, reason: CloseReason) {
        self.remove(peer, LeaveReason::Lost(reason));
    }

    /// Takes a chunk that an attached peer sent to this room.
    pub(crate) fn on_chunk(&mut self, peer: &PeerId, bytes: &Bytes, now: Time) {
        let Some(member) = self.members.get_mut(peer) else { return };
        let progressed = match Chunk::parse(bytes) {
            Ok(chunk) if member.takes(&chunk.action) => member.receive(chunk, now),
            Ok(_) => return,
            Err(error) => {
                self.dropped += 1;
                debug!(%peer, %error, "dropped a chunk");
                return;
            }
        };
        match progressed {
            Progressed::Complete(message) => self.on_received(peer, message),
            Progressed::Partial { action, nonce, fraction } => {
                if self.actions.wants_progress(&action) {
                    let metadata = member.metadata(&action, nonce).cloned();
                    let peer = peer.clone();
                    let output = RoomOutput::Receiving { peer, action, fraction, metadata };
                    self.outputs.push_back(output);
                }
            }
            Progressed::Dropped(why) => {
                self.dropped += 1;
                debug!(%peer, why, "dropped a transmission");
            }
        }
        self.note_deadline(peer);
    }

    /// Sends a payload to some members, or to all. The answer is a `Sent` output, at once if there
    /// is nobody to send to.
    pub(crate) fn send(
        &mut self,
        send: SendId,
        action: &ActionName,
        payload: Payload,
        options: &SendOptions,
    ) -> Result<(), SendError> {
        let nonce = self.actions.next_nonce(action);
        let transmission =
            Transmission::new(action.clone(), nonce, payload, options.metadata.as_ref());
        action::check_size(&transmission)?;
        let active = |peer: &PeerId| self.members.get(peer).is_some_and(Member::is_active);
        let (targets, absent): (BTreeSet<PeerId>, BTreeSet<PeerId>) = match &options.targets {
            None => (self.peers().cloned().collect(), BTreeSet::new()),
            Some(targets) => targets.iter().cloned().partition(active),
        };
        let absent = absent.into_iter().map(|peer| (peer, SendFailure::NotInRoom)).collect();
        let wants_progress = options.progress;
        self.sends.begin(send, targets.clone(), absent);
        for peer in targets {
            let transmission = transmission.clone();
            let output = RoomOutput::Transmit { peer, send, transmission, wants_progress };
            self.outputs.push_back(output);
        }
        self.report_sent(send);
        Ok(())
    }

    /// One target's transmission was handed over, or was not.
    pub(crate) fn on_sent(&mut self, peer: &PeerId, send: SendId, failure: Option<SendFailure>) {
        self.sends.settle(send, peer, failure);
        self.report_sent(send);
    }

    /// Makes messages of an action arrive, also those that came before.
    pub(crate) fn register(
        &mut self,
        action: &ActionName,
        options: ActionOptions,
    ) -> Result<(), RegisterError> {
        self.actions.register(action, options)?;
        for (peer, message) in self.unclaimed.take(action) {
            self.outputs.push_back(RoomOutput::Message { peer, message });
        }
        Ok(())
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
            let Some(member) = self.members.get_mut(&peer) else { continue };
            self.dropped += member.expire_partials(now);
            if member.is_overdue(now) {
                let after = self.handshake_timeout;
                self.fail(&peer, JoinFailure::HandshakeTimedOut { after });
            } else {
                self.note_deadline(&peer);
            }
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<RoomOutput> {
        self.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        self.due.next()
    }

    /// The members, in the order of their ids.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &PeerId> {
        self.members.iter().filter(|(_, member)| member.is_active()).map(|(peer, _)| peer)
    }

    pub(crate) fn names(&self) -> &RoomNames {
        &self.names
    }

    /// Chunks and messages that were dropped because they were malformed or too many.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped + self.unclaimed.dropped()
    }

    fn on_received(&mut self, peer: &PeerId, message: Message) {
        match message.action.as_str() {
            internal::LEAVE => self.remove(peer, LeaveReason::Left),
            internal::HANDSHAKE_READY => {
                let Some(admission) = self.admission(peer) else { return };
                let said = admission.on_ready();
                self.act_on_admission(peer, said);
            }
            internal::HANDSHAKE_DATA => {
                let Some(Member { phase: Phase::Pending(admission), .. }) =
                    self.members.get_mut(peer)
                else {
                    return;
                };
                let said = admission.on_data(&message.payload, &self.names);
                self.act_on_admission(peer, said);
            }
            internal::PING => self.say(peer, internal::PONG, Payload::Text(String::new())),
            name if name.starts_with("@_") => {
                // What is not built yet: our own pings, requests and media.
                debug!(%peer, name, "ignored an internal action");
            }
            _ => self.on_message(peer, message),
        }
    }

    fn on_message(&mut self, peer: &PeerId, message: Message) {
        let peer = peer.clone();
        if self.actions.is_registered(&message.action) {
            self.outputs.push_back(RoomOutput::Message { peer, message });
        } else {
            self.unclaimed.push(peer, message);
        }
    }

    fn act_on_admission(&mut self, peer: &PeerId, outputs: Vec<AdmissionOutput>) {
        for output in outputs {
            match output {
                AdmissionOutput::Say(action, payload) => self.say(peer, action, payload),
                AdmissionOutput::Admit => {
                    if let Some(member) = self.members.get_mut(peer) {
                        member.activate();
                        self.outputs.push_back(RoomOutput::Joined { peer: peer.clone() });
                    }
                }
                AdmissionOutput::Refuse(failure) => self.fail(peer, failure),
            }
        }
    }

    /// Sends one of the protocol's own transmissions; they all fit into one chunk.
    fn say(&mut self, peer: &PeerId, action: &'static str, payload: Payload) {
        let action = ActionName::internal(action);
        let nonce = self.actions.next_nonce(&action);
        let transmission = Transmission::new(action, nonce, payload, None);
        let mut frame = BytesMut::new();
        Frame::emit_room_header(&self.names.token, &mut frame);
        transmission.emit_next(&mut frame);
        let (peer, frame) = (peer.clone(), frame.freeze());
        self.outputs.push_back(RoomOutput::Control { peer, frame });
    }

    /// A pending peer does not become a member. Its connection stays.
    fn fail(&mut self, peer: &PeerId, failure: JoinFailure) {
        self.members.remove(peer);
        self.due.set(peer.clone(), None);
        debug!(room = ?self.key, %peer, %failure, "a peer was not admitted");
        self.outputs.push_back(RoomOutput::Failed { peer: peer.clone(), failure });
        self.outputs.push_back(RoomOutput::Detach { peer: peer.clone(), has_left: false });
    }

    fn remove(&mut self, peer: &PeerId, reason: LeaveReason) {
        let Some(member) = self.members.remove(peer) else { return };
        self.due.set(peer.clone(), None);
        self.unclaimed.forget(peer);
        for send in self.sends.forget(peer) {
            self.report_sent(send);
        }
        if member.is_active() {
            self.outputs.push_back(RoomOutput::Left { peer: peer.clone(), reason });
        }
        let has_left = reason == LeaveReason::Left;
        self.outputs.push_back(RoomOutput::Detach { peer: peer.clone(), has_left });
    }

    fn report_sent(&mut self, send: SendId) {
        if let Some(report) = self.sends.take_settled(send) {
            self.outputs.push_back(RoomOutput::Sent { send, report });
        }
    }

    /// What this peer is asked to prove the password with.
    fn challenge(&self, peer: &PeerId) -> String {
        self.secret.rng(peer.as_str()).alphanumeric(CHALLENGE_LENGTH)
    }

    fn admission(&mut self, peer: &PeerId) -> Option<&mut Admission> {
        match &mut self.members.get_mut(peer)?.phase {
            Phase::Pending(admission) => Some(admission),
            Phase::Active => None,
        }
    }

    fn note_deadline(&mut self, peer: &PeerId) {
        let deadline = self.members.get(peer).and_then(Member::poll_timeout);
        self.due.set(peer.clone(), deadline);
    }
}
