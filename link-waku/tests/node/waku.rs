//! What a service node does with messages: the rules, without streams.

use std::collections::{BTreeMap, BTreeSet};

use libp2p::PeerId;
use prost::Message;
use sha2::{Digest as _, Sha256};

/// The cluster of the node, and how many shards it has: those of the public network.
pub const CLUSTER: u32 = 1;
pub const SHARDS: u64 = 8;

#[derive(Clone, PartialEq, Message)]
pub struct FilterRequest {
    #[prost(string, tag = "1")]
    pub request_id: String,
    #[prost(enumeration = "FilterKind", tag = "2")]
    pub kind: i32,
    #[prost(string, optional, tag = "10")]
    pub pubsub_topic: Option<String>,
    #[prost(string, repeated, tag = "11")]
    pub content_topics: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum FilterKind {
    Ping = 0,
    Subscribe = 1,
    Unsubscribe = 2,
    UnsubscribeAll = 3,
}

/// Of filter and lightpush requests: their first fields are the same.
#[derive(Clone, PartialEq, Message)]
pub struct Response {
    #[prost(string, tag = "1")]
    pub request_id: String,
    #[prost(uint32, tag = "10")]
    pub status: u32,
    #[prost(string, optional, tag = "11")]
    pub text: Option<String>,
    #[prost(uint32, optional, tag = "12")]
    pub relay_peers: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct LightpushRequest {
    #[prost(string, tag = "1")]
    pub request_id: String,
    #[prost(string, optional, tag = "20")]
    pub pubsub_topic: Option<String>,
    #[prost(message, optional, tag = "21")]
    pub message: Option<WakuMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub struct WakuMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub payload: Vec<u8>,
    #[prost(string, tag = "2")]
    pub content_topic: String,
    #[prost(uint32, optional, tag = "3")]
    pub version: Option<u32>,
    #[prost(sint64, optional, tag = "10")]
    pub timestamp: Option<i64>,
    #[prost(bool, optional, tag = "31")]
    pub ephemeral: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Push {
    #[prost(message, optional, tag = "1")]
    pub message: Option<WakuMessage>,
    #[prost(string, optional, tag = "2")]
    pub pubsub_topic: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Metadata {
    #[prost(uint32, optional, tag = "1")]
    pub cluster: Option<u32>,
    #[prost(uint32, repeated, packed = "false", tag = "2")]
    pub shards: Vec<u32>,
}

/// The pubsub topic on which messages of a content topic travel, if it is one.
pub fn pubsub_topic(content_topic: &str) -> Option<String> {
    let mut parts = content_topic.strip_prefix('/')?.split('/');
    let (application, version) = (parts.next()?, parts.next()?);
    let (_name, _encoding, None) = (parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let hash = Sha256::new().chain_update(application).chain_update(version).finalize();
    let (_, last) = hash.split_last_chunk::<8>().expect("a hash has 32 bytes");
    let shard = u64::from_be_bytes(*last) % SHARDS;
    Some(format!("/waku/2/rs/{CLUSTER}/{shard}"))
}

/// Who is subscribed to what.
#[derive(Debug, Default)]
pub struct Subscriptions(BTreeMap<PeerId, BTreeSet<String>>);

impl Subscriptions {
    /// Answers a filter request.
    pub fn on_filter(&mut self, peer: PeerId, request: &FilterRequest) -> Response {
        let (status, text) = match self.change(peer, request) {
            Ok(()) => (200, "OK"),
            Err(refusal) => refusal,
        };
        let text = Some(text.to_owned());
        Response { request_id: request.request_id.clone(), status, text, relay_peers: None }
    }

    fn change(&mut self, peer: PeerId, request: &FilterRequest) -> Result<(), (u32, &'static str)> {
        if request.request_id.is_empty() {
            return Err((400, "no request id"));
        }
        let kind = FilterKind::try_from(request.kind).map_err(|_| (400, "no such request"))?;
        match kind {
            FilterKind::Ping => self.topics(peer).map(|_| ()),
            FilterKind::Subscribe => {
                check_topics(request)?;
                self.0.entry(peer).or_default().extend(request.content_topics.iter().cloned());
                Ok(())
            }
            FilterKind::Unsubscribe => {
                check_topics(request)?;
                let topics = self.topics(peer)?;
                topics.retain(|topic| !request.content_topics.contains(topic));
                if topics.is_empty() {
                    self.forget(peer);
                }
                Ok(())
            }
            FilterKind::UnsubscribeAll => {
                self.topics(peer)?;
                self.forget(peer);
                Ok(())
            }
        }
    }

    fn topics(&mut self, peer: PeerId) -> Result<&mut BTreeSet<String>, (u32, &'static str)> {
        self.0.get_mut(&peer).ok_or((404, "no subscriptions"))
    }

    /// Answers a lightpush request, and says whom the message is to be pushed to.
    pub fn on_lightpush(&self, request: LightpushRequest) -> (Response, Vec<PeerId>, Push) {
        let (mut subscribers, mut relay_peers) = (Vec::new(), None);
        let push = Push { message: request.message, pubsub_topic: request.pubsub_topic };
        let (status, text) = match &push.message {
            None => (400, Some("no message")),
            Some(message) if message.payload.is_empty() => (420, Some("no payload")),
            Some(message) if pubsub_topic(&message.content_topic).is_none() => {
                (420, Some("no content topic"))
            }
            Some(message) if pubsub_topic(&message.content_topic) != push.pubsub_topic => {
                (421, Some("not the shard of the content topic"))
            }
            Some(message) => {
                let is_subscribed = |topics: &BTreeSet<_>| topics.contains(&message.content_topic);
                subscribers.extend(
                    self.0.iter().filter(|(_, topics)| is_subscribed(topics)).map(|(peer, _)| peer),
                );
                relay_peers = Some(1);
                (200, None)
            }
        };
        let text = text.map(str::to_owned);
        let response = Response { request_id: request.request_id, status, text, relay_peers };
        (response, subscribers, push)
    }

    pub fn forget(&mut self, peer: PeerId) {
        self.0.remove(&peer);
    }

    /// How many have a subscription.
    pub fn subscribers(&self) -> usize {
        self.0.len()
    }
}

fn check_topics(request: &FilterRequest) -> Result<(), (u32, &'static str)> {
    if request.content_topics.is_empty() {
        return Err((400, "no content topics"));
    }
    let is_its_shard = |topic: &String| pubsub_topic(topic) == request.pubsub_topic;
    if request.pubsub_topic.is_none() || !request.content_topics.iter().all(is_its_shard) {
        return Err((400, "not the shard of the content topics"));
    }
    Ok(())
}

/// What the node says of itself.
pub fn metadata() -> Metadata {
    let shards = (0..SHARDS).map(|shard| u32::try_from(shard).expect("a few shards")).collect();
    Metadata { cluster: Some(CLUSTER), shards }
}
