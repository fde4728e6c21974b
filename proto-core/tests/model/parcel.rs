//! What is sent, made so that it says which parcel it is and is the same in no two of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tristero_proto::wire::Payload;
use tristero_proto::{SendId, Time, limits};

use super::record::{StayId, VisitId};
use super::scenario::{Form, Shape};
use crate::common::Who;

/// A receiver drops a stream that pauses for [`limits::PARTIAL_IDLE_MAX`]. One that pauses for less
/// than that may come to it if its connection is cut off for a while, too.
const PAUSE_MAX: Duration = limits::PARTIAL_IDLE_MAX.saturating_sub(Duration::from_secs(12));

/// What one call of `send`, `send_stream` or `request` has sent. They are numbered in the order
/// in which they were sent.
#[derive(Debug)]
pub struct Parcel {
    pub from: VisitId,
    pub action: usize,
    pub body: Body,
    pub metadata: Option<Value>,
    pub sent_at: Time,
    /// Who was a member and is to get it.
    pub targets: BTreeMap<Who, StayId>,
    pub send: SendId,
    pub is_request: bool,
    /// Whether it was a request that was aborted, or could not be sent.
    pub is_request_given_up: bool,
    /// For whom all of it was handed over, as was reported.
    pub handed_over: BTreeSet<Who>,
    /// Who got it, and when.
    pub arrived: BTreeMap<Who, Time>,
    /// What the target answered to a request, and how that was sent.
    pub answer: Option<(Result<Payload, String>, VisitId, SendId)>,
}

#[derive(Debug)]
pub enum Body {
    Whole(Payload),
    /// What was fed so far, and when it was fed last.
    Stream {
        bytes: Vec<u8>,
        is_finished: bool,
        fed_at: Time,
        has_paused: bool,
    },
}

impl Body {
    pub fn stream(now: Time) -> Body {
        Body::Stream { bytes: Vec::new(), is_finished: false, fed_at: now, has_paused: false }
    }

    /// Adds to a stream, or finishes it.
    pub fn feed(&mut self, fed: &[u8], finishes: bool, now: Time) {
        let Body::Stream { bytes, is_finished, fed_at, has_paused } = self else { return };
        bytes.extend_from_slice(fed);
        *is_finished |= finishes;
        *has_paused |= now.since(*fed_at) >= PAUSE_MAX;
        *fed_at = now;
    }
}

impl Parcel {
    /// Whether this is what was sent, all of it.
    pub fn holds(&self, payload: &Payload) -> bool {
        match (&self.body, payload) {
            (Body::Whole(whole), _) => whole == payload,
            (Body::Stream { bytes, is_finished: true, .. }, Payload::Binary(arrived)) => {
                bytes[..] == arrived[..]
            }
            (Body::Stream { .. }, _) => false,
        }
    }

    /// Whether its receivers may have dropped it because nothing came for so long.
    pub fn has_paused(&self) -> bool {
        matches!(self.body, Body::Stream { has_paused: true, .. })
    }

    /// The bytes of what was sent so far, and whether that is all.
    pub fn bytes(&self) -> (Bytes, bool) {
        match &self.body {
            Body::Whole(payload) => (payload.clone().emit().1, true),
            Body::Stream { bytes, is_finished, .. } => {
                (Bytes::copy_from_slice(bytes), *is_finished)
            }
        }
    }
}

/// The payload of the parcel with this number, and what is sent along.
pub fn content(number: usize, shape: Shape) -> (Payload, Option<Value>) {
    let Shape { form, size, is_bare } = shape;
    let metadata = json!({ "n": number });
    if size == 0 {
        let empty = match form {
            Form::Text => Payload::from(""),
            Form::Json => Payload::Json(Value::Null),
            Form::Binary => Payload::Binary(Bytes::new()),
        };
        return (empty, Some(metadata));
    }
    let fill: String = pattern(number, 0, size).map(|byte| char::from(b'a' + byte % 26)).collect();
    let payload = match form {
        Form::Text => Payload::Text(format!("{number}:{fill}")),
        Form::Json => Payload::Json(json!({ "n": number, "fill": fill })),
        Form::Binary => {
            let mut bytes = (number as u64).to_be_bytes().to_vec();
            bytes.extend(pattern(number, 0, size));
            Payload::Binary(bytes.into())
        }
    };
    (payload, (!is_bare).then_some(metadata))
}

/// Bytes that tell their parcel and their place in it.
pub fn pattern(number: usize, start: usize, length: usize) -> impl Iterator<Item = u8> {
    (start..start + length).map(move |index| {
        let mixed = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ index as u64;
        mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93).to_be_bytes()[0]
    })
}

/// The number of the parcel that something arrived from.
pub fn number_of(payload: &Payload, metadata: Option<&Value>) -> Option<usize> {
    let sent_along = metadata.map(|metadata| metadata.get("m").unwrap_or(metadata));
    let number = |value: &Value| value.get("n").and_then(Value::as_u64);
    let number = sent_along.and_then(number).or_else(|| match payload {
        Payload::Text(text) => text.split_once(':')?.0.parse().ok(),
        Payload::Json(value) => number(value),
        Payload::Binary(bytes) => bytes.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)),
    })?;
    usize::try_from(number).ok()
}
