//! Requests and responses, ours and the peers'.
//!
//! spec: docs/protocol.md, section 6

use serde_json::{Map, Value};
use tracing::debug;

use super::action::{ActionKind, check_size, internal};
use super::calls::{Call, NotTaken};
use super::requests::Match;
use super::{
    Message, Request, RequestError, RequestFailure, RequestOptions, RespondError, Response, Room,
    RoomOutput, SendFailure,
};
use crate::conduct::Offence;
use crate::event::Event;
use crate::ids::{CallId, PeerId, RequestId, SendId};
use crate::limits;
use crate::peer::Order;
use crate::text::shortened;
use crate::time::Time;
use crate::wire::{ActionName, Payload, Transmission};

/// The length of a request's id on the wire, in characters.
const WIRE_ID_LENGTH: usize = 20;
/// What Trystero says of a request that has no handler.
const NO_HANDLER: &str = "request handler unavailable";

impl Room {
    /// Asks a member. The answer is a `Response` event.
    pub(crate) fn request(
        &mut self,
        request: RequestId,
        action: &ActionName,
        payload: Payload,
        options: RequestOptions,
    ) -> Result<(), RequestError> {
        let requests_max = self.terms.limits.requests;
        if self.requests.len() >= requests_max {
            return Err(RequestError::TooMany(requests_max));
        }
        let RequestOptions { target: peer, metadata, timeout, progress: wants_progress } = options;
        let wire_id = self.terms.rng.alphanumeric(WIRE_ID_LENGTH);
        let mut sent_along = Map::new();
        sent_along.insert("r".to_owned(), wire_id.clone().into());
        sent_along.extend(metadata.map(|metadata| ("m".to_owned(), metadata)));
        let nonce = self.actions.next_nonce(action);
        let sent_along = Value::Object(sent_along);
        let transmission = Transmission::new(action.clone(), nonce, payload, Some(&sent_along));
        check_size(&transmission)?;
        if !self.is_member(&peer) {
            self.answer(request, Err(RequestFailure::Disconnected));
            return Ok(());
        }
        self.requests.begin(request, peer.clone(), wire_id, timeout);
        let (send, order) = (request.send_id(), Order::Queued);
        let output = RoomOutput::Transmit { peer, send, order, transmission, wants_progress };
        self.outputs.push_back(output);
        Ok(())
    }

    /// Forgets a request. Nothing more is said of it.
    pub(crate) fn abort_request(&mut self, request: RequestId) {
        if let Some(peer) = self.requests.give_up(request) {
            self.outputs.push_back(RoomOutput::Abort { peer, send: request.send_id() });
        }
    }

    /// Answers a request of a peer. A `Sent` event follows.
    pub(crate) fn respond(
        &mut self,
        send: SendId,
        call: CallId,
        result: Result<Payload, String>,
    ) -> Result<(), RespondError> {
        let Some(Call { peer, wire_id }) = self.calls.get(call).cloned() else {
            return Err(RespondError::Over);
        };
        let transmission = self.response(&wire_id, result);
        check_size(&transmission)?;
        self.calls.take(call);
        self.sends.begin(send, std::iter::once(peer.clone()), Vec::new());
        // A large response does not hold up the others.
        let order = Order::Beside(send);
        let output =
            RoomOutput::Transmit { peer, send, order, transmission, wants_progress: false };
        self.outputs.push_back(output);
        Ok(())
    }

    /// A message came on an action that is registered for requests.
    pub(super) fn on_request(
        &mut self,
        peer: &PeerId,
        message: Message,
        is_handled: bool,
        now: Time,
    ) {
        let Message { action, payload, metadata, size } = message;
        let Some((wire_id, metadata)) = metadata.and_then(split_metadata) else {
            self.dropped += 1;
            debug!(%peer, %action, "dropped a message on an action for requests");
            return;
        };
        match self.calls.open(peer, &wire_id, self.terms.limits.calls_per_peer) {
            Ok(call) => {
                let request = Request { call, action, payload, metadata, size };
                if is_handled {
                    self.hand_on(peer.clone(), request);
                } else {
                    self.calls.hold(peer.clone(), request, now);
                    self.reject_unhandled(now);
                }
            }
            Err(NotTaken::Repeated) => {
                self.offend(peer, Offence::TooManyRequests, "a request that was made already");
            }
            Err(NotTaken::TooMany) => {
                self.reject(&Call { peer: peer.clone(), wire_id }, "too many requests");
                self.offend(peer, Offence::TooManyRequests, "a request: too many are open");
            }
        }
    }

    pub(super) fn on_response(&mut self, peer: &PeerId, message: Message) {
        let metadata = message.metadata.as_ref();
        let text = |key: &str| metadata.and_then(|value| value.get(key)).and_then(Value::as_str);
        let matched = text("r").map_or(Match::Unasked, |id| self.requests.answer(peer, id));
        let request = match matched {
            Match::Answers(request) => request,
            Match::Late => {
                debug!(%peer, "a response came too late");
                return;
            }
            Match::Unasked => {
                let why = "a response that nobody asked for";
                return self.offend(peer, Offence::UnaskedResponse, why);
            }
        };
        let result = match text("e") {
            Some(NO_HANDLER) => Err(RequestFailure::NoHandler),
            Some(why) => Err(RequestFailure::Rejected(why.to_owned())),
            None => Ok(Response { payload: message.payload, size: message.size }),
        };
        self.answer(request, result);
    }

    /// A handler came: the requests that waited for it are handed on.
    pub(super) fn hand_on_held(&mut self, action: &ActionName) {
        for (peer, request) in self.calls.take_held(action) {
            self.hand_on(peer, request);
        }
    }

    pub(super) fn on_request_sent(
        &mut self,
        send: SendId,
        failure: Option<SendFailure>,
        now: Time,
    ) {
        let request = RequestId(send.0);
        match failure {
            None => self.requests.on_sent(request, now),
            Some(failure) => {
                if self.requests.take(request).is_some() {
                    self.answer(request, Err(RequestFailure::NotSent(failure)));
                }
            }
        }
    }

    pub(super) fn give_requests_up(&mut self, now: Time) {
        while let Some(request) = self.requests.pop_due(now) {
            self.answer(request, Err(RequestFailure::TimedOut));
        }
    }

    /// Rejects what waited in vain for a handler.
    pub(super) fn reject_unhandled(&mut self, now: Time) {
        while let Some(call) = self.calls.pop_overdue(now) {
            self.reject(&call, NO_HANDLER);
        }
    }

    /// A peer is gone; it answers nothing, and needs no answer.
    pub(super) fn end_asking(&mut self, peer: &PeerId) {
        for request in self.requests.forget(peer) {
            self.answer(request, Err(RequestFailure::Disconnected));
        }
        for call in self.calls.forget(peer) {
            self.event(Event::CallEnded { room: self.terms.key, call });
        }
    }

    fn answer(&mut self, request: RequestId, result: Result<Response, RequestFailure>) {
        self.event(Event::Response { room: self.terms.key, request, result });
    }

    fn hand_on(&mut self, peer: PeerId, request: Request) {
        self.event(Event::Request { room: self.terms.key, peer, request });
    }

    fn reject(&mut self, call: &Call, why: &str) {
        let transmission = self.response(&call.wire_id, Err(why.to_owned()));
        self.say_all(&call.peer, transmission);
    }

    fn response(&mut self, wire_id: &str, result: Result<Payload, String>) -> Transmission {
        let action = ActionName::internal(internal::RESPONSE);
        let nonce = self.actions.next_nonce(&action);
        let mut metadata = Map::new();
        metadata.insert("r".to_owned(), wire_id.into());
        let payload = match result {
            Ok(payload) => payload,
            Err(why) => {
                metadata
                    .insert("e".to_owned(), shortened(&why, limits::REJECTION_BYTES_MAX).into());
                Payload::Json(Value::Null)
            }
        };
        Transmission::new(action, nonce, payload, Some(&Value::Object(metadata)))
    }
}

/// The id of a request, and what its sender sent along.
fn split_metadata(metadata: Value) -> Option<(String, Option<Value>)> {
    let Value::Object(mut metadata) = metadata else { return None };
    let Some(Value::String(wire_id)) = metadata.remove("r") else { return None };
    let is_short = wire_id.len() <= limits::WIRE_ID_BYTES_MAX;
    is_short.then(|| (wire_id, metadata.remove("m")))
}

impl ActionKind {
    pub(super) fn is_handled_request(self) -> bool {
        matches!(self, ActionKind::Request { handled: true })
    }
}
