//! What was sent in a run, and how long it took.

use std::collections::BTreeMap;
use std::time::Duration;

use tristero_proto::{Event, RequestFailure, RequestId, Time, TransferId};

use crate::soak::{Parcel, TRANSFERS, VisitId, number_in, number_of};

/// Everything that went from one peer to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Traffic {
    pub(super) messages: Flow,
    pub(super) transfers: Flow,
    pub(super) requests: Flow,
    pub(super) pings: Flow,
    /// When what was sent was sent, by its number.
    sent: BTreeMap<u64, Time>,
    asked: BTreeMap<(VisitId, RequestId), Time>,
    /// Which parcels the transfers are that are arriving.
    arriving: BTreeMap<(VisitId, TransferId), u64>,
    /// What there was no place for.
    pub(super) left_out: u64,
}

/// What went one kind of way.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Flow {
    /// How often it was sent; to three peers is three times.
    pub(super) sent: u64,
    /// How many bytes that were, without what carries them.
    pub(super) bytes: u64,
    /// How long each took that came to its end: to the other peer, or there and back.
    pub(super) took: Vec<Duration>,
}

impl Traffic {
    pub(super) fn on_sent(&mut self, action: &str, parcel: Parcel, targets: usize, now: Time) {
        let flow = if action == TRANSFERS { &mut self.transfers } else { &mut self.messages };
        flow.on_sent(parcel.size, targets);
        if self.sent.len() < KEPT_MAX {
            self.sent.insert(parcel.number, now);
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn on_asked(
        &mut self,
        visit: VisitId,
        request: RequestId,
        parcel: Parcel,
        now: Time,
    ) {
        self.requests.on_sent(parcel.size, 1);
        if self.asked.len() < KEPT_MAX {
            self.asked.insert((visit, request), now);
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn on_pinged(&mut self) {
        self.pings.on_sent(0, 1);
    }

    /// Looks at what somebody was told. True if something of another peer's arrived.
    pub(super) fn on_told(&mut self, visit: VisitId, event: &Event, now: Time) -> bool {
        match event {
            Event::Message { message, .. } => {
                let sent = number_of(&message.payload).and_then(|number| self.sent.get(&number));
                sent.into_iter().for_each(|sent| self.messages.on_end(now.since(*sent)));
                true
            }
            Event::TransferPiece { transfer, bytes, .. } => {
                // The first piece has the number in whole, unless it is empty.
                if let Some(number) = number_in(bytes)
                    && self.arriving.len() < KEPT_MAX
                {
                    self.arriving.entry((visit, *transfer)).or_insert(number);
                }
                false
            }
            Event::TransferEnded { transfer, result, .. } => {
                let number = self.arriving.remove(&(visit, *transfer));
                let sent = number.and_then(|number| self.sent.get(&number));
                let sent = sent.filter(|_| result.is_ok());
                sent.into_iter().for_each(|sent| self.transfers.on_end(now.since(*sent)));
                result.is_ok()
            }
            Event::Request { .. } => true,
            Event::Response { request, result, .. } => {
                let asked = self.asked.remove(&(visit, *request));
                let is_answer = matches!(result, Ok(_) | Err(RequestFailure::Rejected(_)));
                let asked = asked.filter(|_| is_answer);
                asked.into_iter().for_each(|asked| self.requests.on_end(now.since(asked)));
                is_answer
            }
            Event::Pong { rtt, .. } => {
                rtt.iter().for_each(|rtt| self.pings.on_end(*rtt));
                false
            }
            _ => false,
        }
    }
}

impl Flow {
    fn on_sent(&mut self, size: usize, targets: usize) {
        self.sent += targets as u64;
        self.bytes += (size * targets) as u64;
    }

    fn on_end(&mut self, took: Duration) {
        if self.took.len() < KEPT_MAX {
            self.took.push(took);
        }
    }
}

/// Many times what the longest runs have.
const KEPT_MAX: usize = 500_000;
