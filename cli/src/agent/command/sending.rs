//! What goes to peers.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use tristero_tokio::PeerId;

use super::{InRoom, read, read_with_payload, yes};
use crate::agent::payload::{PayloadSpec, present};
use crate::agent::reply::Refusal;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendOrder {
    #[serde(default, rename = "room")]
    pub(crate) at: InRoom,
    pub(crate) action: String,
    /// Its fields stand among the others, and are read by themselves.
    #[serde(skip)]
    pub(crate) payload: PayloadSpec,
    #[serde(alias = "targets")]
    pub(crate) target: Option<Targets>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) metadata: Option<Value>,
    #[serde(default)]
    pub(crate) progress: bool,
    #[serde(default = "yes")]
    pub(crate) hash: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendManyOrder {
    #[serde(default, rename = "room")]
    pub(crate) at: InRoom,
    pub(crate) action: String,
    pub(crate) count: u32,
    #[serde(default = "many_size")]
    pub(crate) size: usize,
    /// Whether each message waits until the one before was handed over.
    #[serde(default = "yes", rename = "await")]
    pub(crate) in_turn: bool,
    #[serde(alias = "targets")]
    pub(crate) target: Option<Targets>,
}

#[derive(Debug)]
pub(crate) struct RequestOrder {
    pub(crate) at: InRoom,
    pub(crate) action: String,
    pub(crate) payload: PayloadSpec,
    pub(crate) asked: Asked,
    pub(crate) metadata: Option<Value>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) progress: bool,
    pub(crate) hash: bool,
}

/// Who is asked, and so, in which form the answer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    One(PeerId),
    Many(Vec<PeerId>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PingOrder {
    #[serde(default, rename = "room")]
    pub(crate) at: InRoom,
    pub(crate) target: PeerId,
    #[serde(default = "once")]
    pub(crate) count: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestartIceOrder {
    #[serde(default, rename = "room")]
    pub(crate) at: InRoom,
    pub(crate) target: PeerId,
}

/// Whom something is sent to, if not to all.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged, expecting = "a target is a peer's id or a list of them")]
pub(crate) enum Targets {
    One(PeerId),
    Several(Vec<PeerId>),
}

impl SendOrder {
    pub(super) fn parse(fields: Map<String, Value>) -> Result<Self, Refusal> {
        let (payload, rest) = read_with_payload(fields)?;
        let send = SendOrder { payload, ..rest };
        check_target(send.target.as_ref())?;
        Ok(send)
    }
}

impl SendManyOrder {
    pub(super) fn parse(fields: Map<String, Value>) -> Result<Self, Refusal> {
        let many: SendManyOrder = read(fields)?;
        check_target(many.target.as_ref())?;
        Ok(many)
    }
}

impl RequestOrder {
    pub(super) fn parse(fields: Map<String, Value>) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct Rest {
            #[serde(default, rename = "room")]
            at: InRoom,
            action: String,
            target: Option<PeerId>,
            targets: Option<Vec<PeerId>>,
            #[serde(default, deserialize_with = "present")]
            metadata: Option<Value>,
            timeout_ms: Option<u64>,
            #[serde(default)]
            progress: bool,
            #[serde(default = "yes")]
            hash: bool,
        }
        let (payload, rest) = read_with_payload(fields)?;
        let Rest { at, action, target, targets, metadata, timeout_ms, progress, hash } = rest;
        let asked = match (target, targets) {
            (Some(peer), None) => Asked::One(peer),
            (None, Some(peers)) => Asked::Many(peers),
            _ => return Err(Refusal::new("a request needs either a target or targets")),
        };
        let timeout = timeout_ms.map(Duration::from_millis);
        Ok(RequestOrder { at, action, payload, asked, metadata, timeout, progress, hash })
    }
}

impl PingOrder {
    pub(super) fn parse(fields: Map<String, Value>) -> Result<Self, Refusal> {
        let ping: PingOrder = read(fields)?;
        if ping.count > PINGS_MAX {
            return Err(Refusal::new(format!("the count is {PINGS_MAX} at most")));
        }
        Ok(ping)
    }
}

impl Targets {
    pub(crate) fn peers(&self) -> &[PeerId] {
        match self {
            Targets::One(peer) => std::slice::from_ref(peer),
            Targets::Several(peers) => peers,
        }
    }
}

impl Asked {
    pub(crate) fn peers(&self) -> &[PeerId] {
        match self {
            Asked::One(peer) => std::slice::from_ref(peer),
            Asked::Many(peers) => peers,
        }
    }
}

/// Refuses a list of nobody, which is surely a mistake.
pub(super) fn check_target(target: Option<&Targets>) -> Result<(), Refusal> {
    match target {
        Some(targets) if targets.peers().is_empty() => {
            Err(Refusal::new("the target is an empty list; leave it out to send to everyone"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The size of the messages of `sendMany`, by convention.
fn many_size() -> usize {
    100
}

fn once() -> u32 {
    1
}

/// Pings of one command: each is a number in its answer.
const PINGS_MAX: u32 = 100_000;
