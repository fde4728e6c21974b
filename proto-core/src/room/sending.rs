//! What a room sends to its members.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::action::check_size;
use super::member::Member;
use super::streams::Portion;
use super::{Room, RoomOutput, SendError, SendFailure, SendOptions};
use crate::event::Event;
use crate::ids::{PeerId, SendId};
use crate::peer::Order;
use crate::time::Time;
use crate::wire::{ActionName, Payload, Transmission};

impl Room {
    /// Sends a payload to some members, or to all. The answer is a `Sent` event, at once if there
    /// is nobody to send to.
    pub(crate) fn send(
        &mut self,
        send: SendId,
        action: &ActionName,
        payload: Payload,
        options: &SendOptions,
    ) -> Result<(), SendError> {
        let nonce = self.actions.next_nonce(action);
        let metadata = options.metadata.as_ref();
        let transmission = Transmission::new(action.clone(), nonce, payload, metadata);
        check_size(&transmission)?;
        self.transmit(send, transmission, options);
        Ok(())
    }

    /// Sends bytes that come later. One `SendReady` event answers this and each `feed`.
    pub(crate) fn send_stream(
        &mut self,
        send: SendId,
        action: &ActionName,
        options: &SendOptions,
        length: Option<u64>,
    ) -> Result<(), SendError> {
        let nonce = self.actions.next_nonce(action);
        let metadata = options.metadata.as_ref();
        let transmission = Transmission::fed(action.clone(), nonce, length, metadata);
        check_size(&transmission)?;
        self.transmit(send, transmission, options);
        let targets = self.sends.targets(send);
        if targets.len() > 0 {
            self.streams.begin(send, action.clone(), targets.cloned());
            self.ask_for_more(send);
        }
        Ok(())
    }

    /// Adds bytes to a stream, or ends it.
    pub(crate) fn feed(&mut self, send: SendId, bytes: Bytes, is_finished: bool) {
        let Some(portion) = self.streams.feed(send, bytes, is_finished) else { return };
        let Portion { action, targets, pieces } = portion;
        for peer in targets {
            let (action, pieces) = (action.clone(), pieces.clone());
            let output = RoomOutput::Feed { peer, action, send, pieces, is_finished };
            self.outputs.push_back(output);
        }
        self.ask_for_more(send);
    }

    /// Ends a call of `send` before everything was handed over.
    pub(crate) fn abort(&mut self, send: SendId) {
        for peer in self.sends.abort(send) {
            self.outputs.push_back(RoomOutput::Abort { peer, send });
        }
        self.report_sent(send);
    }

    /// A chunk was handed over for a target.
    pub(crate) fn on_chunk_sent(
        &mut self,
        peer: &PeerId,
        send: SendId,
        fraction: f64,
        wants_progress: bool,
    ) {
        if wants_progress {
            let (room, peer) = (self.terms.key, peer.clone());
            self.event(Event::Sending { room, send, peer, fraction });
        }
        self.streams.on_chunk(send, peer);
        self.ask_for_more(send);
    }

    /// One target's transmission was handed over, or was not.
    pub(crate) fn on_sent(
        &mut self,
        peer: &PeerId,
        send: SendId,
        failure: Option<SendFailure>,
        now: Time,
    ) {
        self.on_request_sent(send, failure, now);
        self.sends.settle(send, peer, failure);
        self.streams.on_settled(send, peer);
        self.report_sent(send);
        self.ask_for_more(send);
    }

    /// A peer is gone; nothing more goes to it.
    pub(super) fn end_sends(&mut self, peer: &PeerId) {
        for send in self.sends.forget(peer) {
            self.streams.on_settled(send, peer);
            self.report_sent(send);
            self.ask_for_more(send);
        }
    }

    /// Queues a transmission for each target, and notes who is waited for.
    fn transmit(&mut self, send: SendId, mut transmission: Transmission, options: &SendOptions) {
        match &options.targets {
            None => {
                let members = self.members.iter().filter(|(_, member)| member.is_active());
                self.sends.begin(send, members.map(|(peer, _)| peer.clone()), Vec::new());
            }
            Some(targets) => {
                let absent = targets.iter().filter(|peer| !self.is_member(peer));
                let absent: BTreeSet<&PeerId> = absent.collect();
                let failed = absent.into_iter().map(|peer| (peer.clone(), SendFailure::NotInRoom));
                let members = &self.members;
                let is_active = |peer: &&PeerId| members.get(*peer).is_some_and(Member::is_active);
                let present = targets.iter().filter(is_active).cloned();
                self.sends.begin(send, present, failed.collect());
            }
        }
        let mut targets = self.sends.targets(send).cloned();
        let last = targets.next_back();
        if targets.len() > 0 {
            transmission.share();
        }
        let (order, wants_progress) = (Order::Queued, options.progress);
        for peer in targets {
            let transmission = transmission.clone();
            let output = RoomOutput::Transmit { peer, send, order, transmission, wants_progress };
            self.outputs.push_back(output);
        }
        if let Some(peer) = last {
            let output = RoomOutput::Transmit { peer, send, order, transmission, wants_progress };
            self.outputs.push_back(output);
        }
        self.report_sent(send);
    }

    fn report_sent(&mut self, send: SendId) {
        if let Some(report) = self.sends.take_settled(send) {
            self.streams.remove(send);
            self.event(Event::Sent { room: self.terms.key, send, report });
        }
    }

    fn ask_for_more(&mut self, send: SendId) {
        if self.streams.take_ready(send) {
            self.event(Event::SendReady { room: self.terms.key, send });
        }
    }
}
