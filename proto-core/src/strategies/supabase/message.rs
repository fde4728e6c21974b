//! Messages of Phoenix channels: what we write, and what Realtime writes.
//!
//! Version 2 has texts, lists of five, and binary broadcasts; version 1 has objects. We write
//! version 2 and read both.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::crypto::Topic;
use crate::signaling::{LinkFrame, Malformed};

/// What channels are named, around the topic.
const CHANNEL_PREFIX: &str = "realtime:room:";
const CHANNEL_SUFFIX: &str = ":messages";
/// The channel of the link itself.
const LINK_CHANNEL: &str = "phoenix";
/// The kinds of binary frames: a broadcast of a client, and of the server.
const CLIENT_BROADCAST: u8 = 3;
const SERVER_BROADCAST: u8 = 4;
/// The payload of a broadcast is JSON.
const ENCODING_JSON: u8 = 1;

/// A number that a request has and its answer repeats; 0 is none.
pub(super) type Ref = u64;

/// A signal as it is broadcast.
#[derive(Debug)]
pub(super) struct Broadcast {
    event: &'static str,
    payload: String,
}

/// What Realtime said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// An answer to the request `to` on a channel, or on the link if there is no topic.
    Reply { topic: Option<Topic>, to: Ref, outcome: Result<(), String> },
    /// A channel is gone that was joined with this request.
    Gone { topic: Topic, join: Ref },
    /// Someone published a signal.
    Signal { topic: Topic, body: String },
    /// The service complains about a channel.
    Complaint(String),
    /// Nothing that matters to us.
    Nothing,
}

#[derive(Deserialize)]
struct Message {
    join_ref: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    topic: String,
    event: String,
    payload: Value,
}

impl Broadcast {
    /// An announce is an object under `join`, anything else a text under `sdp`.
    pub(super) fn new(body: String, is_announce: bool) -> Self {
        if is_announce {
            Broadcast { event: "join", payload: body }
        } else {
            Broadcast { event: "sdp", payload: Value::String(body).to_string() }
        }
    }

    /// `03`, the lengths of the five texts, the encoding, the texts, and the payload.
    pub(super) fn emit(&self, join: Ref, reference: Ref, topic: &Topic) -> LinkFrame {
        let (join, reference) = (join.to_string(), reference.to_string());
        let channel = channel(topic);
        let texts = [&*join, &*reference, &*channel, self.event, ""];
        let length = |text: &str| u8::try_from(text.len()).expect("numbers and hashes are short");
        let mut frame = vec![CLIENT_BROADCAST];
        frame.extend(texts.iter().map(|text| length(text)));
        frame.push(ENCODING_JSON);
        texts.iter().for_each(|text| frame.extend_from_slice(text.as_bytes()));
        frame.extend_from_slice(self.payload.as_bytes());
        LinkFrame::Binary(frame.into())
    }
}

/// Joins a channel, without our own broadcasts, presence and changes of a database.
pub(super) fn join(reference: Ref, topic: &Topic, token: &str) -> LinkFrame {
    let config = json!({
        "broadcast": { "self": false },
        "presence": { "key": "", "enabled": false },
        "postgres_changes": [],
        "private": false,
    });
    let payload = json!({ "config": config, "access_token": token });
    request(Some(reference), reference, &channel(topic), "phx_join", payload)
}

/// Leaves a channel that was joined with the request `join`.
pub(super) fn leave(join: Ref, reference: Ref, topic: &Topic) -> LinkFrame {
    request(Some(join), reference, &channel(topic), "phx_leave", json!({}))
}

/// Asks the service whether it is there.
pub(super) fn heartbeat(reference: Ref) -> LinkFrame {
    request(None, reference, LINK_CHANNEL, "heartbeat", json!({}))
}

#[expect(clippy::needless_pass_by_value, reason = "the payload is made for this")]
fn request(
    join: Option<Ref>,
    reference: Ref,
    channel: &str,
    event: &str,
    payload: Value,
) -> LinkFrame {
    let join = join.map(|join| join.to_string());
    LinkFrame::Text(json!([join, reference.to_string(), channel, event, payload]).to_string())
}

fn channel(topic: &Topic) -> String {
    format!("{CHANNEL_PREFIX}{topic}{CHANNEL_SUFFIX}")
}

fn topic_of(channel: &str) -> Option<Topic> {
    let topic = channel.strip_prefix(CHANNEL_PREFIX)?.strip_suffix(CHANNEL_SUFFIX)?;
    Some(Topic::from_wire(topic))
}

/// Reads a frame of either version.
pub(super) fn parse(frame: LinkFrame) -> Result<Incoming, Malformed> {
    match frame {
        LinkFrame::Binary(bytes) => parse_binary(&bytes),
        LinkFrame::Text(text) => {
            let message = serde_json::from_str(&text);
            parse_message(message.map_err(|_| Malformed("a text is a list of five or an object"))?)
        }
    }
}

fn parse_binary(bytes: &Bytes) -> Result<Incoming, Malformed> {
    let short = Malformed("a broadcast has all that its lengths say");
    let [SERVER_BROADCAST, channel, event, meta, encoding, texts @ ..] = &bytes[..] else {
        return Err(Malformed("a binary frame is a broadcast"));
    };
    let (channel, rest) = texts.split_at_checked(usize::from(*channel)).ok_or(short)?;
    let (event, rest) = rest.split_at_checked(usize::from(*event)).ok_or(short)?;
    let (_, payload) = rest.split_at_checked(usize::from(*meta)).ok_or(short)?;
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Malformed("names are text"));
    if *encoding != ENCODING_JSON {
        return Err(Malformed("the payload of a broadcast is JSON"));
    }
    let payload = serde_json::from_slice(payload);
    let payload = payload.map_err(|_| Malformed("the payload of a broadcast is JSON"))?;
    signal(text(channel)?, text(event)?, payload)
}

fn parse_message(message: Message) -> Result<Incoming, Malformed> {
    let Message { join_ref, reference, topic: channel, event, mut payload } = message;
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
    let topic = topic_of(&channel);
    Ok(match (&*event, topic) {
        ("phx_reply", topic) if topic.is_some() || channel == LINK_CHANNEL => {
            Incoming::Reply { topic, to: number(reference), outcome: outcome(&payload) }
        }
        ("phx_close" | "phx_error", Some(topic)) => {
            Incoming::Gone { topic, join: number(join_ref) }
        }
        ("broadcast", Some(_)) => {
            let event = payload["event"].as_str().unwrap_or_default().to_owned();
            let inner = payload.get_mut("payload").map(Value::take);
            signal(&channel, &event, inner.ok_or(Malformed("a broadcast has a payload"))?)?
        }
        ("system", Some(_)) if payload["status"] == "error" => {
            Incoming::Complaint(payload["message"].as_str().unwrap_or("no reason").to_owned())
        }
        _ => Incoming::Nothing,
    })
}

fn outcome(payload: &Value) -> Result<(), String> {
    if payload["status"] == "ok" {
        return Ok(());
    }
    let response = &payload["response"];
    Err(response["reason"].as_str().map_or_else(|| response.to_string(), str::to_owned))
}

fn signal(channel: &str, event: &str, payload: Value) -> Result<Incoming, Malformed> {
    let Some(topic) = topic_of(channel).filter(|_| matches!(event, "join" | "sdp")) else {
        return Ok(Incoming::Nothing);
    };
    let body = match payload {
        Value::String(body) => body,
        object @ Value::Object(_) => object.to_string(),
        _ => return Err(Malformed("a signal is an object or a text")),
    };
    Ok(Incoming::Signal { topic, body })
}
