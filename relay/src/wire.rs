//! The messages between clients and the relay: JSON text, one message per WebSocket frame.
//!
//! A client sends `{"type":"subscribe","topic":T}`, `{"type":"unsubscribe","topic":T}` and
//! `{"type":"publish","topic":T,"payload":P}`; the relay sends `{"topic":T,"payload":P}`.
//! Nothing is acknowledged. Trystero's payloads are strings, but any JSON value passes, and
//! byte for byte: the relay has no business in it, and a string that is not valid Unicode
//! (JavaScript makes such) survives.
//!
//! Unknown members are ignored, their order is free, and a member that appears twice makes the
//! message wrong.
// spec: docs/protocol.md#9-strategies

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;
use tungstenite::Utf8Bytes;

/// What a client asks of the relay.
#[derive(Debug, Clone)]
pub enum ClientMessage<'a> {
    /// From now on the client wants what is published on the topic.
    Subscribe {
        /// Any text; Trystero's are hashes.
        topic: Cow<'a, str>,
    },
    /// The client no longer wants what is published on the topic.
    Unsubscribe {
        /// As in the subscription.
        topic: Cow<'a, str>,
    },
    /// All subscribers of the topic shall get the payload.
    Publish {
        /// As in the subscriptions.
        topic: Cow<'a, str>,
        /// A JSON value exactly as it was sent.
        payload: &'a RawValue,
    },
}

/// Why a client's message is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Wrong {
    /// The text is not one JSON object.
    #[error("the message is not a JSON object")]
    Malformed,
    /// The `type` is missing or none of the three.
    #[error("the message is of no known type")]
    UnknownType,
    /// The topic is not a string, or it or the payload is missing.
    #[error("the message lacks a topic or a payload")]
    Incomplete,
    /// The topic is longer than the relay allows.
    #[error("the topic is too long")]
    TopicTooLong,
}

impl<'a> ClientMessage<'a> {
    /// Reads one message; its topic may have up to `topic_bytes_max` bytes of UTF-8.
    pub fn parse(text: &'a str, topic_bytes_max: usize) -> Result<Self, Wrong> {
        // Serde would also fill a struct from an array.
        if !text.trim_start_matches(JSON_WHITESPACE).starts_with('{') {
            return Err(Wrong::Malformed);
        }
        let members: Members<'a> = serde_json::from_str(text).map_err(|_| Wrong::Malformed)?;
        let kind = members.kind.and_then(string).ok_or(Wrong::UnknownType)?;
        let topic = || match members.topic.and_then(string) {
            None => Err(Wrong::Incomplete),
            Some(topic) if topic.len() > topic_bytes_max => Err(Wrong::TopicTooLong),
            Some(topic) => Ok(topic),
        };
        match &*kind {
            "subscribe" => Ok(Self::Subscribe { topic: topic()? }),
            "unsubscribe" => Ok(Self::Unsubscribe { topic: topic()? }),
            "publish" => Ok(Self::Publish {
                topic: topic()?,
                payload: members.payload.ok_or(Wrong::Incomplete)?,
            }),
            _ => Err(Wrong::UnknownType),
        }
    }

    /// Writes the message as a client sends it.
    pub fn emit(&self) -> String {
        let request = match self {
            Self::Subscribe { topic } => Request { kind: "subscribe", topic, payload: None },
            Self::Unsubscribe { topic } => Request { kind: "unsubscribe", topic, payload: None },
            Self::Publish { topic, payload } => {
                Request { kind: "publish", topic, payload: Some(payload) }
            }
        };
        serde_json::to_string(&request).expect("strings and raw JSON always serialize")
    }
}

/// What a subscriber gets: a payload, and the topic on which it was published.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery<'a> {
    /// As in the subscription.
    #[serde(borrow)]
    pub topic: Cow<'a, str>,
    /// A JSON value exactly as it was published.
    #[serde(borrow)]
    pub payload: &'a RawValue,
}

impl<'a> Delivery<'a> {
    /// Reads one message as a client gets it; `None` if it is not one.
    pub fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Writes the message, once for all subscribers: clones of the result share its bytes. It
    /// is never longer than the message that published the payload.
    pub fn emit(&self) -> Utf8Bytes {
        serde_json::to_string(self).expect("strings and raw JSON always serialize").into()
    }
}

/// The members of a client's message before any is understood. Taken raw, so that a topic that
/// is a number makes a message incomplete rather than unreadable.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, default, rename = "type", deserialize_with = "present")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    topic: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Request<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
}

/// An `Option` that is `None` only when the member is absent: `null` is a payload.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    // Serde borrows for a `Cow` only where a field says so.
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

/// RFC 8259 section 2.
const JSON_WHITESPACE: [char; 4] = [' ', '\t', '\n', '\r'];
