//! What was sent, and whether what arrives is that.
//!
//! Everything that an application sends says which parcel it is, and of whom.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    CallId, Event, PeerId, RequestFailure, RequestId, RoomKey, SendId, TransferId,
};

use super::Witness;

/// One call of `send`, `send_stream` or `request`.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) place: u8,
    pub(crate) action: ActionName,
    /// What was sent of it so far.
    pub(crate) payload: Payload,
    pub(crate) metadata: Option<Value>,
    pub(crate) is_request: bool,
    /// What was answered to a request.
    answer: Option<Result<Payload, String>>,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Parcels {
    sent: Vec<Parcel>,
    /// The last number that came from someone on an action of a place.
    last: BTreeMap<(PeerId, u8, ActionName), usize>,
    /// What is fed, until it is finished.
    streams: BTreeMap<SendId, usize>,
    requests: BTreeMap<RequestId, usize>,
    calls: BTreeMap<(RoomKey, CallId), usize>,
    /// What arrives piece by piece, where it says which parcel it is.
    transfers: BTreeMap<(RoomKey, TransferId), (usize, Vec<u8>)>,
}

impl Parcel {
    pub(crate) fn new(place: u8, action: ActionName, payload: Payload) -> Self {
        Parcel { place, action, payload, metadata: None, is_request: false, answer: None }
    }
}

impl Parcels {
    /// The number of the next parcel.
    pub(crate) fn next(&self) -> usize {
        self.sent.len()
    }

    pub(crate) fn note(&mut self, parcel: Parcel) {
        self.sent.push(parcel);
    }

    pub(crate) fn note_request(&mut self, request: RequestId) {
        self.requests.insert(request, self.sent.len() - 1);
    }

    pub(crate) fn note_stream(&mut self, send: SendId) {
        self.streams.insert(send, self.sent.len() - 1);
    }

    /// More of a stream, if it is one and was not finished.
    pub(crate) fn feed(&mut self, send: SendId, more: &[u8]) {
        let Some(number) = self.streams.get(&send) else { return };
        if let Payload::Binary(bytes) = &mut self.sent[*number].payload {
            *bytes = [bytes, more].concat().into();
        }
    }

    pub(crate) fn finish(&mut self, send: SendId) {
        self.streams.remove(&send);
    }

    /// The parcel of the other side that a request came in.
    pub(crate) fn of_call(&self, room: RoomKey, call: CallId) -> Option<usize> {
        self.calls.get(&(room, call)).copied()
    }

    pub(crate) fn note_answer(&mut self, number: usize, answer: Result<Payload, String>) {
        if let Some(parcel) = self.sent.get_mut(number) {
            parcel.answer = Some(answer);
        }
    }
}

impl Witness {
    pub(super) fn hear_of_parcels(&mut self, room: RoomKey, event: &Event, other: &Witness) {
        if self.is_deceived {
            return;
        }
        match event {
            Event::Message { peer, message, .. } => {
                let number = number_of(&message.payload, message.metadata.as_ref());
                let (number, parcel) = self.find(other, number);
                assert_eq!(parcel.payload, message.payload, "{number} was changed on its way");
                if !parcel.is_request {
                    assert_eq!(parcel.metadata, message.metadata, "{number}: other metadata");
                }
                self.check_order(room, peer, &message.action, number, other);
            }
            Event::Request { peer, request, .. } => {
                let number = number_of(&request.payload, request.metadata.as_ref());
                let (number, parcel) = self.find(other, number);
                assert!(parcel.is_request, "{number} was no request");
                assert_eq!(parcel.payload, request.payload, "{number} was changed on its way");
                assert_eq!(parcel.metadata, request.metadata, "{number}: other metadata");
                self.check_order(room, peer, &request.action, number, other);
                self.parcels.calls.insert((room, request.call), number);
            }
            Event::Response { request, result, .. } => {
                let asked = self.parcels.requests.get(request);
                let Some(number) = asked.filter(|_| !other.is_deceived) else { return };
                let answer = self.parcels.sent[*number].answer.as_ref();
                match result {
                    Ok(response) => {
                        assert_eq!(answer, Some(&Ok(response.payload.clone())), "{number}");
                    }
                    Err(RequestFailure::Rejected(why)) if why != "too many requests" => {
                        assert_eq!(answer, Some(&Err(why.clone())), "{number}");
                    }
                    Err(_) => {}
                }
            }
            Event::TransferBegan { transfer, metadata, .. } => {
                let number = metadata.as_ref().and_then(number_in);
                let begun = number.map(|number| ((room, *transfer), (number, Vec::new())));
                self.parcels.transfers.extend(begun);
            }
            Event::TransferPiece { transfer, bytes, .. } => {
                if let Some((_, sofar)) = self.parcels.transfers.get_mut(&(room, *transfer)) {
                    sofar.extend_from_slice(bytes);
                }
            }
            Event::TransferEnded { transfer, result: Ok(()), .. } => {
                let ended = self.parcels.transfers.remove(&(room, *transfer));
                let Some((number, bytes)) = ended else { return };
                let (_, parcel) = self.find(other, Some(number));
                let (_, sent) = parcel.payload.clone().emit();
                assert_eq!(sent, bytes, "{number} was changed on its way");
            }
            _ => {}
        }
    }

    /// The parcel with this number, which is of either side.
    fn find<'w>(&'w self, other: &'w Witness, number: Option<usize>) -> (usize, &'w Parcel) {
        let number = number.expect("nobody sent this");
        let sent = if self.is_ours(number) { &self.parcels.sent } else { &other.parcels.sent };
        (number, sent.get(number / 2).expect("nobody sent this yet"))
    }

    /// A node may be led to connect to itself under another name.
    fn is_ours(&self, number: usize) -> bool {
        number % 2 == self.index()
    }

    fn index(&self) -> usize {
        usize::from(self.id.as_str() != "a")
    }

    /// What numbers of this application look like outside.
    pub(crate) fn label(&self, number: usize) -> usize {
        number * 2 + self.index()
    }

    fn check_order(
        &mut self,
        room: RoomKey,
        peer: &PeerId,
        action: &ActionName,
        number: usize,
        other: &Witness,
    ) {
        let place = self.visits[&room].place;
        let (_, parcel) = self.find(other, Some(number));
        assert_eq!((parcel.place, &parcel.action), (place, action), "{number} is astray");
        let key = (peer.clone(), place, action.clone());
        let last = self.parcels.last.insert(key, number);
        assert!(last < Some(number), "{number} comes after {last:?}");
    }
}

/// A payload that says its number, with so many bytes more. They follow from what the fuzzer gave.
pub(crate) fn content(label: usize, form: u8, more: &[u8], size: usize) -> Payload {
    let fill: Vec<u8> = more.iter().copied().cycle().take(size).collect();
    match form % 4 {
        0 => Payload::Text(format!("{label}:{}", String::from_utf8_lossy(&fill))),
        1 => Payload::Json(json!({ "n": label, "fill": String::from_utf8_lossy(&fill) })),
        _ => Payload::Binary([&(label as u64).to_be_bytes()[..], &fill].concat().into()),
    }
}

fn number_in(metadata: &Value) -> Option<usize> {
    let own = metadata.get("m").unwrap_or(metadata);
    own.get("n").and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok())
}

fn number_of(payload: &Payload, metadata: Option<&Value>) -> Option<usize> {
    let in_bytes = |bytes: &Bytes| bytes.first_chunk().map(|number| u64::from_be_bytes(*number));
    let in_payload = || match payload {
        Payload::Text(text) => text.split_once(':').and_then(|(number, _)| number.parse().ok()),
        Payload::Json(value) => value.get("n").and_then(Value::as_u64),
        Payload::Binary(bytes) => in_bytes(bytes),
    };
    let number = || in_payload().and_then(|number| usize::try_from(number).ok());
    metadata.and_then(number_in).or_else(number)
}
