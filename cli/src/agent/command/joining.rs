//! How a room is joined.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use tristero_tokio::IceConfig;

use super::{read, read_with_payload};
use crate::agent::payload::{PayloadSpec, present};
use crate::agent::reply::Refusal;
use crate::ice::{HostCandidatesSpec, IceServerSpec, RtcConfigSpec, ice_config};
use crate::strategies::{Meeting, Settings, StrategyName};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JoinOrder {
    pub(crate) app_id: String,
    pub(crate) room_id: String,
    room: Option<String>,
    #[serde(default)]
    pub(crate) password: String,
    pub(crate) trickle_ice: Option<bool>,
    #[serde(default)]
    pub(crate) passive: bool,
    handshake_timeout_ms: Option<u64>,
    /// Of audio and video, the best first; all by default.
    pub(crate) codecs: Option<Vec<String>>,
    /// Read by itself, for a payload is among its fields.
    #[serde(skip)]
    pub(crate) handshake: Option<HandshakeSpec>,
    /// Read by themselves, for there may be a list of them.
    #[serde(skip)]
    pub(crate) meetings: Vec<Meeting>,
    #[serde(skip)]
    manual_reconnection: Option<bool>,
    #[serde(default)]
    rtc_config: RtcConfigSpec,
    #[serde(default)]
    turn_config: Vec<IceServerSpec>,
    #[serde(default)]
    host_candidates: HostCandidatesSpec,
}

/// How to meet by one strategy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MeetingSpec {
    #[serde(default)]
    strategy: StrategyName,
    #[serde(default)]
    relay_urls: Vec<String>,
    #[serde(default)]
    relay_config: RelayConfigSpec,
}

/// Trystero's `relayConfig`, with what single strategies add to it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RelayConfigSpec {
    #[serde(default)]
    urls: Vec<String>,
    manual_reconnection: Option<bool>,
    /// How many of a strategy's own relays are used. Relays that are given are all used.
    redundancy: Option<usize>,
    /// Nothing is printed here that could be left out.
    #[serde(rename = "warnOnRelayFailure")]
    _warn_on_relay_failure: Option<bool>,
    supabase_key: Option<String>,
    firebase_path: Option<String>,
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
        let meetings = MeetingSpec::parse(&mut fields)?;
        let mut join: JoinOrder = read(fields)?;
        join.handshake = handshake.map(HandshakeSpec::parse).transpose()?;
        for meeting in meetings {
            let manual = meeting.relay_config.manual_reconnection;
            if let (Some(before), Some(now)) = (join.manual_reconnection, manual)
                && before != now
            {
                return Err(Refusal::new("manualReconnection is for all strategies: it is one"));
            }
            join.manual_reconnection = join.manual_reconnection.or(manual);
            join.meetings.push(meeting.into_meeting()?);
        }
        // So that what is wrong is told before anything is done.
        join.ice()?;
        Ok(join)
    }

    /// The name by which later commands mean this room.
    pub(crate) fn name(&self) -> &str {
        self.room.as_deref().unwrap_or(&self.room_id)
    }

    /// Whether relays are dialled again on being told only, if this says anything about it.
    pub(crate) fn manual_reconnection(&self) -> Option<bool> {
        self.manual_reconnection
    }

    pub(crate) fn handshake_timeout(&self) -> Option<Duration> {
        self.handshake_timeout_ms.map(Duration::from_millis)
    }

    /// The STUN and TURN servers to use, and how peers are told of our addresses.
    pub(crate) fn ice(&self) -> Result<IceConfig, Refusal> {
        let config = ice_config(&self.rtc_config, &self.turn_config).map_err(Refusal::new)?;
        Ok(config.with_host_candidates(self.host_candidates.into()))
    }
}

impl MeetingSpec {
    /// Takes what is said of strategies out of the fields: of one, or of a list of them.
    fn parse(fields: &mut Map<String, Value>) -> Result<Vec<Self>, Refusal> {
        let mut said: Map<String, Value> = ["strategy", "relayUrls", "relayConfig"]
            .iter()
            .filter_map(|name| fields.shift_remove_entry(*name))
            .collect();
        let list = match said.shift_remove("strategy") {
            Some(Value::Array(list)) => list,
            Some(one) => {
                said.insert("strategy".to_owned(), one);
                return Ok(vec![read(said)?]);
            }
            None => return Ok(vec![read(said)?]),
        };
        if let Some(name) = said.keys().next() {
            return Err(Refusal::new(format!("{name}: in a list each strategy has its own")));
        }
        if list.is_empty() {
            return Err(Refusal::new("strategy: the list is empty"));
        }
        let read_one = |(index, one)| {
            let Value::Object(one) = one else {
                let expected = "this is {strategy, relayUrls, relayConfig}";
                return Err(Refusal::new(format!("strategy[{index}]: {expected}")));
            };
            read(one).map_err(|refusal| Refusal::new(format!("strategy[{index}]: {refusal}")))
        };
        list.into_iter().enumerate().map(read_one).collect()
    }

    fn into_meeting(self) -> Result<Meeting, Refusal> {
        let MeetingSpec { strategy, relay_urls, relay_config } = self;
        let RelayConfigSpec { urls, redundancy, supabase_key, firebase_path, .. } = relay_config;
        for (key, is_given, of) in [
            ("supabaseKey", supabase_key.is_some(), StrategyName::Supabase),
            ("firebasePath", firebase_path.is_some(), StrategyName::Firebase),
        ] {
            if is_given && strategy != of {
                let why = format!("relayConfig: {key} is of the strategy {of}, not of {strategy}");
                return Err(Refusal::new(why));
            }
        }
        let settings = Settings { redundancy, supabase_key, firebase_path };
        let urls = if relay_urls.is_empty() { urls } else { relay_urls };
        Ok(Meeting { strategy, urls, settings })
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
