//! What a room's members send: which part of the room each transmission is for.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tracing::debug;

use super::action::{ActionKind, internal};
use super::reassembly::{Begin, Mode, Pieces, Progressed};
use super::{
    ActionOptions, LeaveReason, Message, RegisterError, Room, RoomOutput, TransferFailure,
};
use crate::conduct::Offence;
use crate::event::Event;
use crate::ids::{PeerId, TransferId};
use crate::limits;
use crate::time::Time;
use crate::wire::{ActionName, Chunk, MediaSaid, Payload, Renegotiation, Tag};

impl Room {
    /// Makes messages of an action arrive, also those that came before.
    pub(crate) fn register(
        &mut self,
        action: &ActionName,
        options: ActionOptions,
        now: Time,
    ) -> Result<(), RegisterError> {
        self.actions.register(action, options)?;
        for (peer, message) in self.unclaimed.take(action) {
            self.on_message(&peer, message, now);
        }
        if options.kind.is_handled_request() {
            self.hand_on_held(action);
        }
        Ok(())
    }

    /// Takes a chunk that an attached peer sent to this room.
    pub(crate) fn on_chunk(&mut self, peer: &PeerId, bytes: &Bytes, now: Time) {
        let Some(member) = self.members.get_mut(peer) else { return };
        let chunk = match Chunk::parse_named(bytes, |name| self.actions.name(name)) {
            Ok(chunk) if member.takes(&chunk.action) => chunk,
            Ok(_) => return,
            Err(error) => {
                debug!(%peer, %error, "a malformed chunk");
                return self.offend(peer, Offence::Malformed, "a malformed chunk");
            }
        };
        let is_tiny = (1..limits::CHUNK_BYTES_MIN).contains(&chunk.payload.len())
            && !chunk.tag.has(Tag::LAST)
            && !chunk.tag.has(Tag::META);
        let before = member.partial_bytes();
        let mode = match self.actions.kind(&chunk.action) {
            Some(ActionKind::Transfer) => Mode::Pieces(&mut self.next_transfer),
            Some(ActionKind::Message | ActionKind::Request { .. }) | None => Mode::Whole,
        };
        let action = chunk.action.clone();
        let progressed = member.receive(chunk, mode, &self.terms.limits, now);
        let ended = member.reassembly().take_ended();
        let overflowed = member.reassembly().take_overflowed();
        self.partial_bytes = self.partial_bytes - before + member.partial_bytes();
        self.note_deadline(peer);
        self.report_ended_transfers(ended);
        for _ in 0..overflowed {
            self.offend(peer, Offence::Unfinished, "too many unfinished transmissions");
        }
        if is_tiny {
            self.offend(peer, Offence::TinyChunks, "a tiny chunk");
        }
        self.on_progressed(peer, action, progressed, now);
    }

    /// Drops what a peer has begun and not gone on with.
    pub(super) fn expire_partials(&mut self, peer: &PeerId, now: Time) {
        let Some(member) = self.members.get_mut(peer) else { return };
        let before = member.partial_bytes();
        self.dropped += member.reassembly().expire(now);
        let ended = member.reassembly().take_ended();
        self.partial_bytes = self.partial_bytes - before + member.partial_bytes();
        self.report_ended_transfers(ended);
    }

    pub(super) fn report_ended_transfers(&mut self, ended: Vec<(TransferId, TransferFailure)>) {
        for (transfer, failure) in ended {
            let (room, result) = (self.terms.key, Err(failure));
            self.event(Event::TransferEnded { room, transfer, result });
        }
    }

    fn on_progressed(
        &mut self,
        peer: &PeerId,
        action: ActionName,
        progressed: Progressed,
        now: Time,
    ) {
        match progressed {
            Progressed::Complete(message) => {
                if self.actions.wants_progress(&message.action) {
                    let metadata = message.metadata.clone().map(Arc::new);
                    self.report_progress(peer, &message.action, 1.0, metadata, message.size);
                }
                self.on_received(peer, message, now);
            }
            Progressed::Partial { action, nonce, fraction } => {
                if self.actions.wants_progress(&action)
                    && let Some(member) = self.members.get_mut(peer)
                {
                    let before = member.partial_bytes();
                    let metadata = member.reassembly().metadata(&action, nonce);
                    let grown = member.partial_bytes() - before;
                    self.partial_bytes += grown;
                    self.report_progress(peer, &action, fraction, metadata, grown);
                }
            }
            Progressed::Pieces(pieces) => self.hand_pieces_on(peer, action, pieces),
            Progressed::TooLate => self.dropped += 1,
            Progressed::Dropped(offence, why) => self.offend(peer, offence, why),
        }
    }

    fn report_progress(
        &mut self,
        peer: &PeerId,
        action: &ActionName,
        fraction: f64,
        metadata: Option<Arc<Value>>,
        size: usize,
    ) {
        let (room, peer, action) = (self.terms.key, peer.clone(), action.clone());
        let metadata = match self.actions.kind(&action) {
            // The rest of it is the protocol's.
            Some(ActionKind::Request { .. }) => {
                metadata.and_then(|metadata| metadata.get("m").cloned().map(Arc::new))
            }
            Some(ActionKind::Message | ActionKind::Transfer) | None => metadata,
        };
        self.event(Event::Receiving { room, peer, action, fraction, metadata, size });
    }

    fn hand_pieces_on(&mut self, peer: &PeerId, action: ActionName, pieces: Pieces) {
        let room = self.terms.key;
        let Pieces { transfer, begins, pieces, fraction, is_last } = pieces;
        if let Some(Begin { metadata, size }) = begins {
            let peer = peer.clone();
            self.event(Event::TransferBegan { room, peer, transfer, action, metadata, size });
        }
        for bytes in pieces {
            self.event(Event::TransferPiece { room, transfer, bytes, fraction });
        }
        if is_last {
            self.event(Event::TransferEnded { room, transfer, result: Ok(()) });
        }
    }

    fn on_received(&mut self, peer: &PeerId, message: Message, now: Time) {
        match message.action.as_str() {
            internal::LEAVE => self.remove(peer, LeaveReason::Left),
            internal::HANDSHAKE_READY => self.on_handshake_ready(peer, &message.payload),
            internal::HANDSHAKE_DATA => self.on_handshake_data(peer, message),
            internal::PING => self.say(peer, internal::PONG, Payload::Text(String::new())),
            internal::PONG => self.on_pong(peer, now),
            internal::RESPONSE => self.on_response(peer, message),
            internal::SIGNAL => self.on_signal(peer, &message),
            MediaSaid::STREAM | MediaSaid::TRACK => self.on_media(peer, &message),
            name if name.starts_with("@_") => {
                debug!(%peer, name, "ignored an internal action");
            }
            _ => self.on_message(peer, message, now),
        }
    }

    /// A member says something about the connection to it.
    fn on_signal(&mut self, peer: &PeerId, message: &Message) {
        let said = match &message.payload {
            Payload::Json(value) => Renegotiation::parse(value),
            Payload::Text(_) | Payload::Binary(_) => None,
        };
        match said {
            Some(said) => self.outputs.push_back(RoomOutput::Signal { peer: peer.clone(), said }),
            None => debug!(%peer, "ignored what is no signal"),
        }
    }

    /// A member says something of the audio and video that it sends.
    fn on_media(&mut self, peer: &PeerId, message: &Message) {
        let said = match &message.payload {
            Payload::Json(value) => MediaSaid::parse(message.action.as_str(), value),
            Payload::Text(_) | Payload::Binary(_) => None,
        };
        let said = said.filter(|_| message.size <= limits::PENDING_MEDIA_BYTES_MAX);
        let Some(said) = said else {
            return self.offend(peer, Offence::Malformed, "what it says of media makes no sense");
        };
        let (peer, size) = (peer.clone(), message.size);
        self.outputs.push_back(RoomOutput::Media { peer, said, size });
    }

    fn on_message(&mut self, peer: &PeerId, message: Message, now: Time) {
        let room = self.terms.key;
        match self.actions.kind(&message.action) {
            None => {
                let limits = &self.terms.limits;
                self.unclaimed.push(peer.clone(), message, limits);
            }
            Some(ActionKind::Message) => {
                self.event(Event::Message { room, peer: peer.clone(), message });
            }
            Some(ActionKind::Request { handled }) => {
                self.on_request(peer, message, handled, now);
            }
            // It was complete before the action was registered for transfers.
            Some(ActionKind::Transfer) => {
                let Message { action, payload, metadata, size } = message;
                let (_, bytes) = payload.emit();
                let transfer = TransferId(self.next_transfer.next());
                let (begins, pieces) = (Some(Begin { metadata, size }), vec![bytes]);
                let pieces = Pieces { transfer, begins, pieces, fraction: 1.0, is_last: true };
                self.hand_pieces_on(peer, action, pieces);
            }
        }
    }

    /// What the unfinished transmissions of all members take in memory.
    pub(crate) fn partial_bytes(&self) -> usize {
        self.partial_bytes
    }

    /// Drops the oldest unfinished transmission of the member that takes most, because there is
    /// too much in all.
    pub(crate) fn drop_partial(&mut self) {
        let most = self.members.values_mut().max_by_key(|member| member.partial_bytes());
        let Some(member) = most else { return };
        let before = member.partial_bytes();
        member.reassembly().drop_oldest();
        let ended = member.reassembly().take_ended();
        self.partial_bytes = self.partial_bytes - before + member.partial_bytes();
        self.dropped += 1;
        self.report_ended_transfers(ended);
    }
}
