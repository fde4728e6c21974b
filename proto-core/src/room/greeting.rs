//! How peers become members: what a room does on behalf of their [`Admission`].

use tracing::debug;

use super::action::{self, internal};
use super::admission::{Admission, AdmissionOutput, CHALLENGE_LENGTH, HandshakeMessage, Terms};
use super::{HandshakeError, Member, Room, RoomOutput};
use crate::event::Event;
use crate::ids::{HandshakeId, PeerId};
use crate::join_failure::JoinFailure;
use crate::room::Message;
use crate::time::Time;
use crate::wire::{ActionName, Payload, Transmission};

impl Room {
    /// A connection to this peer is there for the room: its admission begins. `is_ours` is
    /// whether it said that it is one of ours; it may say so later.
    pub(crate) fn attach(&mut self, peer: &PeerId, is_ours: bool, now: Time) {
        let handshake = self.terms.handshake.then(|| HandshakeId(self.next_handshake.next()));
        let terms = Terms {
            self_id: self.terms.self_id.clone(),
            peer: peer.clone(),
            challenge: self.terms.secret.rng(peer.as_str()).alphanumeric(CHALLENGE_LENGTH),
            handshake,
        };
        let deadline = now + self.terms.handshake_timeout;
        let mut admission = Admission::new(terms, is_ours, deadline);
        let said = admission.begin(&self.terms.names);
        self.members.insert(peer.clone(), Member::pending(admission));
        self.act_on_admission(peer, said);
        self.note_deadline(peer);
    }

    /// An attached peer says that it is one of ours.
    pub(crate) fn on_hello(&mut self, peer: &PeerId) {
        if let Some(member) = self.members.get_mut(peer) {
            member.admission().on_hello();
        }
    }

    /// Sends a message of the application's handshake.
    pub(crate) fn handshake_send(
        &mut self,
        handshake: HandshakeId,
        payload: Payload,
        metadata: Option<&serde_json::Value>,
    ) -> Result<(), HandshakeError> {
        let peer = self.shaking_peer(handshake).ok_or(HandshakeError::Over)?;
        let action = ActionName::internal(internal::HANDSHAKE_DATA);
        let nonce = self.actions.next_nonce(&action);
        let transmission = Transmission::new(action, nonce, payload, metadata);
        action::check_handshake_size(&transmission)?;
        self.say_all(&peer, transmission);
        Ok(())
    }

    /// The application lets a peer in.
    pub(crate) fn handshake_accept(
        &mut self,
        handshake: HandshakeId,
    ) -> Result<(), HandshakeError> {
        let peer = self.shaking_peer(handshake).ok_or(HandshakeError::Over)?;
        let Some(member) = self.members.get_mut(&peer) else { return Err(HandshakeError::Over) };
        let said = member.admission().accept();
        self.act_on_admission(&peer, said);
        Ok(())
    }

    /// The application does not let a peer in. The peer is not told.
    pub(crate) fn handshake_refuse(
        &mut self,
        handshake: HandshakeId,
        reason: String,
    ) -> Result<(), HandshakeError> {
        let peer = self.shaking_peer(handshake).ok_or(HandshakeError::Over)?;
        self.fail(&peer, JoinFailure::HandshakeRefused { reason });
        Ok(())
    }

    pub(super) fn on_handshake_ready(&mut self, peer: &PeerId, payload: &Payload) {
        let Some(member) = self.members.get_mut(peer) else { return };
        let said = member.admission().on_ready(payload);
        self.act_on_admission(peer, said);
    }

    pub(super) fn on_handshake_data(&mut self, peer: &PeerId, message: Message) {
        let Some(member) = self.members.get_mut(peer) else { return };
        let Message { payload, metadata, size, .. } = message;
        let message = HandshakeMessage { payload, metadata, size };
        let said = member.admission().on_data(message, &self.terms.names);
        self.act_on_admission(peer, said);
    }

    /// A pending peer does not become a member. Its connection stays.
    pub(super) fn fail(&mut self, peer: &PeerId, failure: JoinFailure) {
        let Some(member) = self.members.remove(peer) else { return };
        self.due.set(peer.clone(), None);
        self.partial_bytes -= member.partial_bytes();
        debug!(room = ?self.terms.key, %peer, %failure, "a peer was not admitted");
        self.event(Event::JoinFailed { room: self.terms.key, peer: peer.clone(), failure });
        self.outputs.push_back(RoomOutput::Detach { peer: peer.clone(), has_left: false });
    }

    /// Tells the application that a run of its handshake is over that it has not ended.
    pub(super) fn end_handshake(&mut self, handshake: Option<HandshakeId>) {
        if let Some(handshake) = handshake {
            self.event(Event::HandshakeEnded { room: self.terms.key, handshake });
        }
    }

    fn act_on_admission(&mut self, peer: &PeerId, outputs: Vec<AdmissionOutput>) {
        let room = self.terms.key;
        for output in outputs {
            match output {
                AdmissionOutput::Say(action, payload) => self.say(peer, action, payload),
                AdmissionOutput::Shake(handshake) => {
                    let is_initiator = self.terms.self_id < *peer;
                    let peer = peer.clone();
                    self.event(Event::Handshake { room, peer, handshake, is_initiator });
                }
                AdmissionOutput::HandOn(handshake, message) => {
                    let HandshakeMessage { payload, metadata, size } = message;
                    self.event(Event::HandshakeData { room, handshake, payload, metadata, size });
                }
                AdmissionOutput::Admit => {
                    if let Some(member) = self.members.remove(peer) {
                        self.members.insert(peer.clone(), member.activate());
                        self.event(Event::PeerJoined { room, peer: peer.clone() });
                    }
                }
                AdmissionOutput::Refuse(failure) => self.fail(peer, failure),
            }
        }
    }

    fn shaking_peer(&self, handshake: HandshakeId) -> Option<PeerId> {
        let is_it = |member: &Member| member.handshake() == Some(handshake);
        self.members.iter().find(|(_, member)| is_it(member)).map(|(peer, _)| peer.clone())
    }
}
