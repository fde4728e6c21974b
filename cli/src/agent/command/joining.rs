//! How a room is joined.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{read, read_with_payload};
use crate::agent::payload::{PayloadSpec, present};
use crate::agent::reply::Refusal;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JoinOrder {
    pub(crate) app_id: String,
    pub(crate) room_id: String,
    #[serde(default)]
    relay_urls: Vec<String>,
    #[serde(default)]
    relay_config: RelayConfigSpec,
    room: Option<String>,
    #[serde(default)]
    pub(crate) password: String,
    pub(crate) trickle_ice: Option<bool>,
    #[serde(default)]
    pub(crate) passive: bool,
    handshake_timeout_ms: Option<u64>,
    /// Read by itself, for a payload is among its fields.
    #[serde(skip)]
    pub(crate) handshake: Option<HandshakeSpec>,
    strategy: Option<Value>,
    #[serde(default)]
    rtc_config: Map<String, Value>,
    turn_config: Option<Value>,
}

/// Trystero's `relayConfig`. It has other fields for other strategies.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RelayConfigSpec {
    #[serde(default)]
    urls: Vec<String>,
    manual_reconnection: Option<bool>,
    /// How many of a strategy's own relays are used. Relays that are given are all used.
    #[serde(rename = "redundancy")]
    _redundancy: Option<u32>,
    /// Nothing is printed here that could be left out.
    #[serde(rename = "warnOnRelayFailure")]
    _warn_on_relay_failure: Option<bool>,
}

/// What is said to a peer before it is let in, and whether it is.
#[derive(Debug)]
pub(crate) struct HandshakeSpec {
    pub(crate) payload: PayloadSpec,
    pub(crate) metadata: Option<Value>,
    /// Refuses everyone, for this reason.
    pub(crate) reject: Option<String>,
}

impl JoinOrder {
    pub(super) fn parse(mut fields: Map<String, Value>) -> Result<Self, Refusal> {
        let handshake = fields.shift_remove("handshake");
        let mut join: JoinOrder = read(fields)?;
        join.handshake = handshake.map(HandshakeSpec::parse).transpose()?;
        join.check()?;
        Ok(join)
    }

    /// The name by which later commands mean this room.
    pub(crate) fn name(&self) -> &str {
        self.room.as_deref().unwrap_or(&self.room_id)
    }

    /// Where to meet.
    pub(crate) fn relays(&self) -> &[String] {
        if self.relay_urls.is_empty() { &self.relay_config.urls } else { &self.relay_urls }
    }

    /// Whether relays are dialled again on being told only, if this says anything about it.
    pub(crate) fn manual_reconnection(&self) -> Option<bool> {
        self.relay_config.manual_reconnection
    }

    pub(crate) fn handshake_timeout(&self) -> Option<Duration> {
        self.handshake_timeout_ms.map(Duration::from_millis)
    }

    /// Refuses what would be left undone.
    fn check(&self) -> Result<(), Refusal> {
        match &self.strategy {
            None => {}
            Some(Value::String(name)) if name == "ws" => {}
            Some(Value::String(name)) if STRATEGIES_LATER.contains(&name.as_str()) => {
                return Err(Refusal::not_yet(&format!("the strategy {name:?}")));
            }
            Some(Value::Array(_)) => return Err(Refusal::not_yet("several strategies at once")),
            Some(other) => return Err(Refusal::new(format!("there is no strategy {other}"))),
        }
        if self.turn_config.as_ref().is_some_and(|servers| !is_empty_list(servers)) {
            return Err(Refusal::not_yet("turnConfig"));
        }
        let mut unsupported = self.rtc_config.iter().filter(|(key, value)| {
            // No servers is what this version has anyway.
            key.as_str() != "iceServers" || !is_empty_list(value)
        });
        match unsupported.next() {
            Some((key, _)) => Err(Refusal::not_yet(&format!("rtcConfig.{key}"))),
            None => Ok(()),
        }
    }
}

impl HandshakeSpec {
    fn parse(value: Value) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Rest {
            #[serde(default, deserialize_with = "present")]
            metadata: Option<Value>,
            reject: Option<String>,
        }
        let Value::Object(fields) = value else {
            return Err(Refusal::new("handshake: this is an object with a payload"));
        };
        let (payload, Rest { metadata, reject }) = read_with_payload(fields)
            .map_err(|refusal| Refusal::new(format!("handshake: {refusal}")))?;
        Ok(HandshakeSpec { payload, metadata, reject })
    }
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// Strategies that are documented and not built yet.
const STRATEGIES_LATER: [&str; 6] = ["nostr", "mqtt", "torrent", "supabase", "firebase", "ipfs"];
