//! How the record changes with what nodes say. What they say was checked by then.

use tristero_proto::wire::Payload;
use tristero_proto::{Event, JoinFailure, RequestFailure, SendFailure, TransferFailure};

use super::action_index;
use super::parcel::{Parcel, number_of};
use super::record::{Record, Stay, StayId, VisitId};
use super::under_way::{AskedState, Call, Feeding, Greeting, Transfer};
use crate::common::Who;

impl Record {
    /// The application leaves: nothing that was under way in the visit matters any more.
    pub fn end_visit(&mut self, id: VisitId) {
        let now = self.now;
        self.visits[id.0].until = Some(now);
        for stay in self.stays.iter_mut().filter(|stay| stay.visit == id && stay.until.is_none()) {
            stay.until = Some(now);
        }
        self.sends.retain(|(visit, _), _| *visit != id);
        self.requests.retain(|(visit, _), _| *visit != id);
        self.calls.retain(|(visit, _), _| *visit != id);
        self.pings.retain(|(visit, _), _| *visit != id);
        self.greetings.retain(|(visit, _), _| *visit != id);
        self.transfers.retain(|(visit, _), _| *visit != id);
    }

    /// Notes an event of a visit that is not over.
    pub fn note(&mut self, visit: VisitId, event: &Event) {
        match event {
            Event::PeerJoined { peer, .. } => {
                let guest = self.known(peer);
                self.stays.push(Stay { visit, guest, from: self.now, until: None });
            }
            Event::PeerLeft { peer, .. } => self.note_left(visit, self.known(peer)),
            Event::JoinFailed { peer, failure: JoinFailure::HandshakeRefused { .. }, .. } => {
                let peer = self.known(peer);
                self.visits[visit.0].refused.remove(&peer);
            }
            Event::Message { peer, message, .. } => {
                let number = number_of(&message.payload, message.metadata.as_ref());
                self.note_arrival(visit, self.known(peer), number);
            }
            Event::Request { peer, request, .. } => {
                let (peer, metadata) = (self.known(peer), request.metadata.as_ref());
                let number = number_of(&request.payload, metadata);
                self.note_arrival(visit, peer, number);
                let call = Call { peer, parcel: number.unwrap_or_default(), is_open: true };
                self.calls.insert((visit, request.call), call);
            }
            Event::TransferBegan { peer, transfer, action, metadata, .. } => {
                let peer = self.known(peer);
                let parcel = number_of(&Payload::from(""), metadata.as_ref());
                let action = action_index(action);
                let begun = Transfer { peer, action, parcel, bytes: Vec::new(), is_open: true };
                self.transfers.insert((visit, *transfer), begun);
            }
            Event::TransferPiece { transfer, bytes, .. } => {
                if let Some(known) = self.transfers.get_mut(&(visit, *transfer)) {
                    known.bytes.extend_from_slice(bytes);
                }
            }
            other => self.note_end(visit, other),
        }
    }

    /// Notes what is said of things that are under way.
    fn note_end(&mut self, visit: VisitId, event: &Event) {
        match event {
            Event::Sent { send, report, .. } => {
                let Some(known) = self.sends.get_mut(&(visit, *send)) else { return };
                known.report = Some(report.clone());
                let left = report.failed.iter().filter(|(_, why)| *why == SendFailure::Left);
                let left: Vec<Who> = left.filter_map(|(id, _)| self.who(id)).collect();
                let staying = |who: &Who| self.sends[&(visit, *send)].staying.contains(who);
                let leaving = left.into_iter().filter(staying).map(|who| (visit, who));
                self.leaving.extend(leaving.collect::<Vec<_>>());
                let delivered: Vec<Who> =
                    report.delivered.iter().filter_map(|id| self.who(id)).collect();
                let is_it = |parcel: &&mut Parcel| parcel.from == visit && parcel.send == *send;
                if let Some(parcel) = self.parcels.iter_mut().find(is_it) {
                    parcel.handed_over.extend(delivered);
                }
            }
            Event::SendReady { send, .. } => {
                if let Some(known) = self.sends.get_mut(&(visit, *send))
                    && let Feeding::Owing { parcel } = known.feeding
                {
                    known.feeding = Feeding::Ready { parcel };
                }
            }
            Event::Sending { send, peer, fraction, .. } => {
                let peer = self.known(peer);
                if let Some(known) = self.sends.get_mut(&(visit, *send)) {
                    known.fractions.insert(peer, *fraction);
                }
            }
            Event::Response { request, result, .. } => {
                let Some(known) = self.requests.get_mut(&(visit, *request)) else { return };
                known.state = AskedState::Answered;
                let is_left = *result == Err(RequestFailure::Disconnected);
                if matches!(result, Err(RequestFailure::NotSent(_))) {
                    self.parcels[known.parcel].is_request_given_up = true;
                }
                let leaving = known.target.filter(|_| is_left).map(|(who, _)| (visit, who));
                self.leaving.extend(leaving);
            }
            Event::Pong { ping, rtt, .. } => {
                let Some(known) = self.pings.get_mut(&(visit, *ping)) else { return };
                known.is_open = false;
                self.leaving.extend(rtt.is_none().then_some((visit, known.peer)));
            }
            Event::CallEnded { call, .. } => {
                let Some(known) = self.calls.get_mut(&(visit, *call)) else { return };
                known.is_open = false;
                self.leaving.insert((visit, known.peer));
            }
            Event::Handshake { peer, handshake, .. } => {
                let peer = self.known(peer);
                self.visits[visit.0].accepted.remove(&peer);
                let begun = Greeting { peer, is_open: true, last_word: None };
                self.greetings.insert((visit, *handshake), begun);
            }
            Event::HandshakeEnded { handshake, .. } => {
                if let Some(known) = self.greetings.get_mut(&(visit, *handshake)) {
                    known.is_open = false;
                }
            }
            Event::TransferEnded { transfer, result, .. } => {
                let Some(known) = self.transfers.get_mut(&(visit, *transfer)) else { return };
                known.is_open = false;
                let (peer, bytes) = (known.peer, known.bytes.clone().into());
                let is_left = *result == Err(TransferFailure::Left);
                let number = known.parcel.or_else(|| number_of_bytes(bytes));
                self.leaving.extend(is_left.then_some((visit, peer)));
                if result.is_ok() {
                    self.note_arrival(visit, peer, number);
                }
            }
            _ => {}
        }
    }

    fn note_left(&mut self, visit: VisitId, guest: Who) {
        if let Some(StayId(index)) = self.stay(visit, guest) {
            self.stays[index].until = Some(self.now);
        }
        self.leaving.remove(&(visit, guest));
        for ((of, _), send) in &mut self.sends {
            if *of == visit {
                send.staying.remove(&guest);
            }
        }
    }

    fn note_arrival(&mut self, visit: VisitId, from: Who, number: Option<usize>) {
        let (who, place) = (self.visit(visit).who, self.visit(visit).place);
        let Some(number) = number.filter(|number| *number < self.parcels.len()) else { return };
        let parcel = &mut self.parcels[number];
        parcel.arrived.insert(who, self.now);
        self.last_arrivals.insert((who, from, place, parcel.action), number);
    }

    fn known(&self, id: &tristero_proto::PeerId) -> Who {
        self.who(id).expect("an event of someone unknown does not pass the checks")
    }
}

/// The number of the parcel that all these bytes are of, whatever form it had.
pub fn number_of_bytes(bytes: bytes::Bytes) -> Option<usize> {
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    if let Ok(json) = serde_json::from_str(text)
        && let Some(number) = number_of(&Payload::Json(json), None)
    {
        return Some(number);
    }
    let as_text = number_of(&Payload::from(text), None);
    as_text.or_else(|| number_of(&Payload::Binary(bytes), None))
}
