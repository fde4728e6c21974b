//! Messages of Waku's protocols, to and from frames, and the names of topics.
//!
//! spec: Waku's RFCs 12 (filter), 14 (message), 19 (light push), 51 (shards) and 66 (metadata)

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::crypto::Topic;
use crate::rng::Rng;
use crate::signaling::{LinkFrame, Malformed};

/// The network that Trystero is on: The Waku Network.
pub(super) const CLUSTER: u32 = 1;
/// The shards that topics are spread over.
const SHARDS: u64 = 8;
/// Trystero's version of its application, in content topics and in the choice of a shard.
const APPLICATION_VERSION: &str = "0";

const FILTER_SUBSCRIBE: u8 = 1;
const LIGHT_PUSH: u8 = 2;
const FILTER_PUSH: u8 = 3;
const METADATA: u8 = 4;

/// What a client asks a node.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Request {
    /// Which networks and shards it serves.
    Metadata,
    /// Something about subscriptions.
    Filter(FilterRequest),
    /// Publish a message.
    LightPush(LightPushRequest),
}

/// What a node says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// It serves this network.
    Metadata { cluster: Option<u32> },
    /// An answer to a request about subscriptions, or to a light push.
    Answer(Answer),
    /// The link could not have a request answered: the oldest one of this protocol.
    NoAnswer(Protocol),
    /// Someone published a message.
    Message { topic: Topic, body: String },
}

/// The protocols by which a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Metadata,
    Filter,
    LightPush,
}

/// The kinds of requests about subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(super) enum FilterKind {
    Ping = 0,
    Subscribe = 1,
    Unsubscribe = 2,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FilterRequest {
    #[prost(string, tag = "1")]
    request_id: String,
    #[prost(enumeration = "FilterKind", tag = "2")]
    kind: i32,
    #[prost(string, optional, tag = "10")]
    pubsub_topic: Option<String>,
    #[prost(string, repeated, tag = "11")]
    content_topics: Vec<String>,
}

/// What both protocols answer.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Answer {
    #[prost(string, tag = "1")]
    pub(super) request_id: String,
    #[prost(uint32, tag = "10")]
    pub(super) status: u32,
    #[prost(string, optional, tag = "11")]
    pub(super) text: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct LightPushRequest {
    #[prost(string, tag = "1")]
    request_id: String,
    #[prost(string, optional, tag = "20")]
    pubsub_topic: Option<String>,
    #[prost(message, optional, tag = "21")]
    message: Option<WakuMessage>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct FilterPush {
    #[prost(message, optional, tag = "1")]
    message: Option<WakuMessage>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct WakuMessage {
    #[prost(bytes = "vec", tag = "1")]
    payload: Vec<u8>,
    #[prost(string, tag = "2")]
    content_topic: String,
    #[prost(uint32, optional, tag = "3")]
    version: Option<u32>,
    /// In nanoseconds since 1970.
    #[prost(sint64, optional, tag = "10")]
    timestamp: Option<i64>,
    #[prost(bool, optional, tag = "31")]
    ephemeral: Option<bool>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Metadata {
    #[prost(uint32, optional, tag = "1")]
    cluster: Option<u32>,
}

impl Request {
    pub(super) fn ping(request_id: &str) -> Self {
        Self::filter(FilterKind::Ping, request_id, None)
    }

    pub(super) fn filter(kind: FilterKind, request_id: &str, topic: Option<&Topic>) -> Self {
        Request::Filter(FilterRequest {
            request_id: request_id.to_owned(),
            kind: kind.into(),
            pubsub_topic: topic.map(pubsub_topic),
            content_topics: topic.map(content_topic).into_iter().collect(),
        })
    }

    /// An ephemeral message: nodes don't store it.
    pub(super) fn light_push(request_id: &str, topic: &Topic, body: String, unix_ms: u64) -> Self {
        let message = WakuMessage {
            payload: body.into_bytes(),
            content_topic: content_topic(topic),
            version: Some(0),
            timestamp: i64::try_from(unix_ms).ok().and_then(|millis| millis.checked_mul(1_000_000)),
            ephemeral: Some(true),
        };
        Request::LightPush(LightPushRequest {
            request_id: request_id.to_owned(),
            pubsub_topic: Some(pubsub_topic(topic)),
            message: Some(message),
        })
    }

    pub(super) fn emit(&self) -> LinkFrame {
        match self {
            // js-waku names no shards here, as a client that serves none.
            Request::Metadata => frame(METADATA, &Metadata { cluster: Some(CLUSTER) }),
            Request::Filter(request) => frame(FILTER_SUBSCRIBE, request),
            Request::LightPush(request) => frame(LIGHT_PUSH, request),
        }
    }
}

impl Said {
    pub(super) fn parse(frame: &LinkFrame) -> Result<Said, Malformed> {
        let LinkFrame::Binary(bytes) = frame else {
            return Err(Malformed("a Waku node sends bytes"));
        };
        let Some((protocol, message)) = bytes.split_first() else {
            return Err(Malformed("a frame begins with its protocol"));
        };
        match *protocol {
            // No message is empty, so the protocol alone says that there is none.
            FILTER_SUBSCRIBE if message.is_empty() => Ok(Said::NoAnswer(Protocol::Filter)),
            LIGHT_PUSH if message.is_empty() => Ok(Said::NoAnswer(Protocol::LightPush)),
            METADATA if message.is_empty() => Ok(Said::NoAnswer(Protocol::Metadata)),
            FILTER_SUBSCRIBE | LIGHT_PUSH => Ok(Said::Answer(read(message)?)),
            FILTER_PUSH => Said::pushed(read(message)?),
            METADATA => {
                let metadata: Metadata = read(message)?;
                Ok(Said::Metadata { cluster: metadata.cluster })
            }
            _ => Err(Malformed("a frame is of one of four protocols")),
        }
    }

    fn pushed(push: FilterPush) -> Result<Said, Malformed> {
        let message = push.message.ok_or(Malformed("a filter pushes a message"))?;
        let topic = topic_of(&message.content_topic)
            .ok_or(Malformed("a content topic is one of Trystero's"))?;
        let body = String::from_utf8(message.payload)
            .map_err(|_| Malformed("a message's payload is text"))?;
        Ok(Said::Message { topic, body })
    }
}

fn frame(protocol: u8, message: &impl Message) -> LinkFrame {
    let mut bytes = BytesMut::with_capacity(1 + message.encoded_len());
    bytes.put_u8(protocol);
    message.encode(&mut bytes).expect("a buffer grows");
    LinkFrame::Binary(Bytes::from(bytes))
}

fn read<M: Message + Default>(bytes: &[u8]) -> Result<M, Malformed> {
    M::decode(bytes).map_err(|_| Malformed("a message is not of its protocol"))
}

/// An id for a request: a UUID of version 4, as js-waku draws them.
pub(super) fn request_id(rng: &mut Rng) -> String {
    let mut bytes = rng.bytes::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = crate::crypto::token_text(&bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

fn application(topic: &Topic) -> String {
    format!("trystero-{topic}")
}

fn content_topic(topic: &Topic) -> String {
    format!("/{}/{APPLICATION_VERSION}/msg/json", application(topic))
}

fn topic_of(content_topic: &str) -> Option<Topic> {
    let rest = content_topic.strip_prefix("/trystero-")?;
    Some(Topic::from_wire(rest.strip_suffix("/0/msg/json")?))
}

/// The shard that a topic falls on, by name.
fn pubsub_topic(topic: &Topic) -> String {
    let hash = Sha256::digest(application(topic) + APPLICATION_VERSION);
    let last = hash.last_chunk().expect("a hash has 32 bytes");
    format!("/waku/2/rs/{CLUSTER}/{}", u64::from_be_bytes(*last) % SHARDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_a_content_topic_and_a_shard() {
        // spec: tests/wire/ipfs/js-libp2p-service-open.jsonl
        for (topic, shard) in [
            ("v725w3j403y542u3p3n324u5s2s4v3061y4ep", 2),
            ("3m2k6y1o2h6s5i56251f6p486z113z6l5t3a6t6d", 3),
            ("444v286tq3y344u4i463g5z3n3wc5im3a6c6w", 5),
        ] {
            let topic = Topic::from_wire(topic);
            assert_eq!(pubsub_topic(&topic), format!("/waku/2/rs/1/{shard}"));
            assert_eq!(topic_of(&content_topic(&topic)), Some(topic));
        }
        assert_eq!(topic_of("/other/0/msg/json"), None);
    }

    #[test]
    fn request_ids_are_uuids() {
        let id = request_id(&mut crate::rng::Seed::from_number(1).rng("ids"));
        assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
    }

    #[test]
    fn a_ping_is_about_no_topic() {
        let LinkFrame::Binary(bytes) = Request::ping("id").emit() else { unreachable!("bytes") };
        assert_eq!(&bytes[..], b"\x01\x0a\x02id");
    }
}
