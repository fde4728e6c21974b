//! What a simulated relay is: a server that reads and writes frames.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use tristero_proto::Time;
use tristero_proto::signaling::{LinkFrame, RelayUrl, Strategy};

/// A client of a relay: one link, from the relay's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub(crate) u64);

/// A server. It is as strict as those of the real service: what they would refuse, it refuses.
pub trait Service: fmt::Debug {
    /// How peers meet there.
    fn strategy(&self) -> Arc<dyn Strategy>;

    /// Where it is, if it runs on this host.
    fn url(&self, host: &str) -> RelayUrl;

    /// The sub-protocol that a WebSocket has to ask for.
    fn sub_protocol(&self) -> Option<&'static str> {
        None
    }

    /// A client's link stands.
    fn on_open(&mut self, client: ClientId, now: Time);

    /// A client sent a frame.
    fn on_frame(&mut self, client: ClientId, frame: LinkFrame, now: Time);

    /// A client is gone. It may be one that was never here.
    fn on_close(&mut self, client: ClientId);

    /// The machine stops: clients, subscriptions and all that was kept are lost.
    fn forget(&mut self);

    /// The next thing to do, until `None`.
    fn poll_output(&mut self) -> Option<ServiceOutput>;

    /// What becomes of a frame that is more than the relay takes of a client.
    fn on_excess(&mut self, _frame: &LinkFrame) -> Excess {
        Excess::End("too many messages")
    }

    /// A message of this topic, as an operator would write it who makes it up.
    fn invent(&mut self, topic: &str, body: &str) -> Message;

    /// Does what is due.
    fn handle_timeout(&mut self, _now: Time) {}

    /// When to call [`handle_timeout`](Self::handle_timeout).
    fn poll_timeout(&self) -> Option<Time> {
        None
    }
}

/// What a server does.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServiceOutput {
    /// Sends an answer of its own.
    Send(ClientId, LinkFrame),
    /// Passes on what somebody else published.
    Deliver(ClientId, Message),
    /// Has heard that a client announces a room, by the topic that stands for it there.
    Announced(ClientId, String),
    /// Ends a link, and why.
    Close(ClientId, &'static str),
}

/// Something that was published, on its way to one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub topic: String,
    /// What: the text of a JSON object.
    pub body: String,
    /// All of it as this service writes it.
    pub frames: Vec<LinkFrame>,
}

/// What becomes of a frame that is more than a relay takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Excess {
    /// It is taken all the same.
    Take,
    /// It is refused with this answer.
    Refuse(LinkFrame),
    /// The link ends, and why.
    End(&'static str),
}

/// Whether what was published under a topic announces its sender, if the topic is a room's.
///
/// spec: docs/protocol.md, section 2
pub(super) fn is_announce(body: &str) -> bool {
    let Ok(Value::Object(said)) = serde_json::from_str::<Value>(body) else { return false };
    said.get("peerId").is_some_and(Value::is_string)
        && ["offer", "answer", "candidate"].iter().all(|key| !said.contains_key(*key))
}
