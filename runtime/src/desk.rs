//! The desk of a room: who reads what of it, and who waits for what there.
//!
//! It takes what the node says of the room and hands it to inboxes. All of them end with it.

mod calls;
mod handshakes;
mod transfers;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    ActionKind, ActionOptions, Event, PeerId, PingId, RequestFailure, RequestId, Response, SendId,
    SendReport,
};

use crate::action::{Received, Receiving};
use crate::events::RoomEvent;
use crate::inbox::{Bounds, Inbox, Wakes};
use crate::unread::Unread;
use crate::waiting::{Readers, Waiters};
pub(crate) use calls::{Asked, Calls};
pub(crate) use handshakes::{Handshakes, Met};
pub(crate) use transfers::{Arrival, Piece, Transfers};

/// Failures to join that are kept for the first reader of events. The oldest is dropped.
const UNHEARD_MAX: usize = 64;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Desk {
    /// Handles of the room as [`NodeHandle::join`](crate::NodeHandle::join) gives them.
    pub(crate) handles: usize,
    /// Failures that came before anyone read events; all else can be asked for later.
    unheard: VecDeque<RoomEvent>,
    events: Readers<RoomEvent>,
    pub(crate) messages: BTreeMap<ActionName, Readers<Received<Payload>>>,
    pub(crate) receiving: BTreeMap<ActionName, Readers<Receiving>>,
    pub(crate) sends: Waiters<SendId, SendStep>,
    /// A call of `send` that begins, and what became of it if it is over already.
    beginning: Option<(SendId, Option<SendReport>)>,
    pub(crate) progress: Waiters<SendId, Progress>,
    pub(crate) requests: Waiters<RequestId, Result<Response, RequestFailure>>,
    pub(crate) calls: Calls,
    pub(crate) pings: Waiters<PingId, Option<Duration>>,
    pub(crate) handshakes: Handshakes,
    pub(crate) transfers: Transfers,
}

/// What is told of a call of `send`.
#[derive(Debug)]
pub(crate) enum SendStep {
    /// More can be added to what is sent as a stream.
    Ready,
    /// It is over.
    Sent(SendReport),
}

/// A part of what is sent to one peer was handed over.
pub(crate) type Progress = (PeerId, f64);

impl Desk {
    pub(crate) fn new(unread: Unread) -> Self {
        Desk {
            handles: 0,
            unheard: VecDeque::new(),
            events: Readers::default(),
            messages: BTreeMap::new(),
            receiving: BTreeMap::new(),
            sends: Waiters::default(),
            beginning: None,
            progress: Waiters::default(),
            requests: Waiters::default(),
            calls: Calls::default(),
            pings: Waiters::default(),
            handshakes: Handshakes::default(),
            transfers: Transfers::new(unread),
        }
    }

    /// Hands on what the node says of this room, but for requests, which may have to be answered
    /// at once.
    pub(crate) fn on_event(&mut self, event: Event, wakes: &mut Wakes) {
        match event {
            Event::PeerJoined { peer, .. } => self.tell(RoomEvent::PeerJoined { peer }, wakes),
            Event::PeerLeft { peer, reason, .. } => {
                self.tell(RoomEvent::PeerLeft { peer, reason }, wakes);
            }
            Event::JoinFailed { peer, failure, .. } => {
                self.on_join_failed(RoomEvent::JoinFailed { peer, failure }, wakes);
            }
            Event::Relay { status, .. } => self.tell(RoomEvent::Relay(status), wakes),
            Event::IceServerFailed { url, failure, .. } => {
                self.tell(RoomEvent::IceServerFailed { url, failure }, wakes);
            }
            Event::RelayNotice { url, text, .. } => {
                self.tell(RoomEvent::RelayNotice { url, text }, wakes);
            }
            Event::Message { peer, message, .. } => {
                if let Some(readers) = self.messages.get_mut(&message.action) {
                    let value = message.payload;
                    let received = Received { peer, value, metadata: message.metadata };
                    readers.tell(received, message.size, wakes);
                }
            }
            Event::Receiving { peer, action, fraction, metadata, size, .. } => {
                if let Some(readers) = self.receiving.get_mut(&action) {
                    readers.tell(Receiving { peer, fraction, metadata }, size, wakes);
                }
            }
            Event::Sending { send, peer, fraction, .. } => {
                self.progress.tell(&send, (peer, fraction), 0, wakes);
            }
            Event::SendReady { send, .. } => self.sends.tell(&send, SendStep::Ready, 0, wakes),
            Event::Sent { send, report, .. } => {
                if let Some((_, sent)) = self.beginning.as_mut().filter(|(id, _)| *id == send) {
                    *sent = Some(report);
                    return;
                }
                self.progress.end_one(&send, wakes);
                self.sends.finish(&send, SendStep::Sent(report), wakes);
            }
            Event::Response { request, result, .. } => {
                self.progress.end_one(&request.send_id(), wakes);
                self.requests.finish(&request, result, wakes);
            }
            Event::CallEnded { call, .. } => self.calls.on_over(call, wakes),
            Event::Pong { ping, rtt, .. } => self.pings.finish(&ping, rtt, wakes),
            Event::Handshake { peer, handshake, is_initiator, .. } => {
                self.handshakes.on_met(peer, handshake, is_initiator, wakes);
            }
            Event::HandshakeData { handshake, payload, metadata, size, .. } => {
                self.handshakes.on_said(handshake, payload, metadata, size, wakes);
            }
            Event::HandshakeEnded { handshake, .. } => self.handshakes.on_over(handshake, wakes),
            Event::TransferBegan { peer, transfer, action, metadata, size, .. } => {
                self.transfers.on_began(peer, transfer, &action, (metadata, size), wakes);
            }
            Event::TransferPiece { transfer, bytes, fraction, .. } => {
                self.transfers.on_piece(transfer, bytes, fraction, wakes);
            }
            Event::TransferEnded { transfer, result, .. } => {
                self.transfers.on_ended(transfer, result, wakes);
            }
            event => self.on_media_event(event, wakes),
        }
    }

    /// Tells readers of events of audio and video. Who reads those is not known here.
    fn on_media_event(&mut self, event: Event, wakes: &mut Wakes) {
        let (told, size) = match event {
            Event::PeerStream { peer, stream, metadata, size, .. } => {
                (RoomEvent::PeerStream { peer, stream, metadata }, size)
            }
            Event::PeerTrack { peer, stream, track, kind, metadata, size, .. } => {
                (RoomEvent::PeerTrack { peer, stream, track, kind, metadata }, size)
            }
            Event::TrackReplaced { peer, track, metadata, size, .. } => {
                (RoomEvent::TrackReplaced { peer, track, metadata }, size)
            }
            Event::PeerTrackEnded { peer, track, .. } => {
                (RoomEvent::PeerTrackEnded { peer, track }, 0)
            }
            Event::PeerStreamEnded { peer, stream, .. } => {
                (RoomEvent::PeerStreamEnded { peer, stream }, 0)
            }
            _ => return,
        };
        self.events.tell(told, size, wakes);
    }

    /// Nobody waits for this call yet.
    pub(crate) fn begin_send(&mut self, send: SendId) {
        self.beginning = Some((send, None));
    }

    /// What became of the call that began, if it is over already. Most are: there is room for what
    /// they send.
    pub(crate) fn take_sent(&mut self) -> Option<SendReport> {
        self.beginning.take()?.1
    }

    /// Adds a reader of events that begins with these, and with what nobody has heard.
    pub(crate) fn read_events(
        &mut self,
        bounds: Bounds,
        begin: Vec<RoomEvent>,
    ) -> Inbox<RoomEvent> {
        self.events.add_with(bounds, begin.into_iter().chain(self.unheard.drain(..)))
    }

    /// How an action of this kind is registered.
    pub(crate) fn options(&self, action: &ActionName, kind: ActionKind) -> ActionOptions {
        let readers = self.receiving.get(action);
        ActionOptions { kind, progress: readers.is_some_and(|readers| !readers.is_empty()) }
    }

    /// How an action for requests is registered.
    pub(crate) fn request_options(&self, action: &ActionName) -> ActionOptions {
        let handled = self.calls.is_handled(action);
        self.options(action, ActionKind::Request { handled })
    }

    /// Nothing of the room follows.
    pub(crate) fn end(self, wakes: &mut Wakes) {
        let Desk {
            handles: _,
            unheard: _,
            beginning: _,
            events,
            messages,
            receiving,
            sends,
            progress,
            requests,
            calls,
            pings,
            handshakes,
            transfers,
        } = self;
        events.end(wakes);
        messages.into_values().for_each(|readers| readers.end(wakes));
        receiving.into_values().for_each(|readers| readers.end(wakes));
        progress.end(wakes);
        sends.end(wakes);
        requests.end(wakes);
        calls.end(wakes);
        pings.end(wakes);
        handshakes.end(wakes);
        transfers.end(wakes);
    }

    fn on_join_failed(&mut self, failed: RoomEvent, wakes: &mut Wakes) {
        if !self.events.is_empty() {
            return self.tell(failed, wakes);
        }
        self.unheard.push_back(failed);
        if self.unheard.len() > UNHEARD_MAX {
            self.unheard.pop_front();
        }
    }

    fn tell(&mut self, event: RoomEvent, wakes: &mut Wakes) {
        self.events.tell(event, 0, wakes);
    }
}
