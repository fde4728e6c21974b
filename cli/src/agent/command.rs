//! Commands: what a line says, as types.
//!
//! A field that a command does not have is refused, for it is a typing error at best, and at worst
//! something goes to everyone that was meant for one. What is documented and not built yet is
//! refused by name.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tristero_tokio::PeerId;

use super::Refusal;
use super::payload::{PayloadSpec, present};

/// A command, and how it wants to be answered.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) asked: Asked,
    /// Whether the next command has to wait for this one.
    pub(crate) wait: bool,
    /// What to do, or why it can't be done.
    pub(crate) order: Result<Order, Refusal>,
}

/// What an answer repeats of its command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    /// Without one only a failure is answered. It may be JSON `null`.
    pub(crate) id: Option<Value>,
    pub(crate) cmd: Option<Value>,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Order {
    Join(JoinOrder),
    Leave(RoomOrder),
    Register(RegisterOrder),
    Count(CountOrder),
    Send(SendOrder),
    SendMany(SendManyOrder),
    Peers(RoomOrder),
    Pairs(RoomOrder),
    Relays,
    Stats,
    Sleep(SleepOrder),
    Exit,
}

/// Which room a command is about; the one joined last by default.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct InRoom(pub(crate) Option<String>);

/// What is said by a command that has nothing else to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomOrder {
    #[serde(default, rename = "room")]
    pub(crate) at: InRoom,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JoinOrder {
    pub(crate) app_id: String,
    pub(crate) room_id: String,
    #[serde(default)]
    pub(crate) relay_urls: Vec<String>,
    #[serde(default)]
    relay_config: RelayConfigSpec,
    room: Option<String>,
    #[serde(default)]
    pub(crate) password: String,
    pub(crate) trickle_ice: Option<bool>,
    handshake_timeout_ms: Option<u64>,
    strategy: Option<Value>,
    #[serde(default)]
    passive: bool,
    handshake: Option<Value>,
    #[serde(default)]
    rtc_config: Map<String, Value>,
    turn_config: Option<Value>,
}

/// Trystero's `relayConfig`, of which this is what applies to relays that are given.
#[derive(Debug, Default, Deserialize)]
struct RelayConfigSpec {
    #[serde(default)]
    urls: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterOrder {
    #[serde(default, rename = "room")]
    pub(crate) at: InRoom,
    pub(crate) action: String,
    #[serde(default)]
    kind: ActionKind,
    #[serde(default = "yes")]
    pub(crate) print: bool,
    #[serde(default = "yes")]
    pub(crate) hash: bool,
    #[serde(default)]
    pub(crate) progress: bool,
    pub(crate) expect: Option<u64>,
    pub(crate) save: Option<PathBuf>,
    #[serde(default, deserialize_with = "present")]
    respond: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    reply: Option<Value>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum ActionKind {
    #[default]
    Message,
    Request,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountOrder {
    #[serde(default, rename = "room")]
    pub(crate) at: InRoom,
    pub(crate) action: String,
}

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

/// Whom something is sent to, if not to all.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged, expecting = "a target is a peer's id or a list of them")]
pub(crate) enum Targets {
    One(PeerId),
    Several(Vec<PeerId>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SleepOrder {
    ms: u64,
    #[serde(rename = "room")]
    _at: Option<InRoom>,
}

impl Command {
    /// Reads a line.
    pub(crate) fn parse(line: &[u8]) -> Self {
        let unreadable = |why: String| Command {
            asked: Asked { id: None, cmd: None },
            wait: false,
            order: Err(Refusal::new(why)),
        };
        let value: Value = match serde_json::from_slice(line) {
            Ok(value) => value,
            Err(error) => return unreadable(format!("not JSON: {error}")),
        };
        let Value::Object(mut fields) = value else {
            return unreadable("a command is a JSON object".to_owned());
        };
        let asked = Asked { id: fields.shift_remove("id"), cmd: fields.shift_remove("cmd") };
        match fields.shift_remove("wait").unwrap_or(Value::Bool(false)) {
            Value::Bool(wait) => {
                let order = Order::parse(asked.cmd.as_ref(), fields);
                Command { asked, wait, order }
            }
            _ => {
                let order = Err(Refusal::new("wait: this is true or false"));
                Command { asked, wait: false, order }
            }
        }
    }
}

impl Order {
    fn parse(cmd: Option<&Value>, mut fields: Map<String, Value>) -> Result<Self, Refusal> {
        let cmd = cmd.ok_or_else(|| Refusal::new("a command needs a cmd"))?;
        let order = match cmd.as_str() {
            Some("join") => {
                let join: JoinOrder = read(fields)?;
                join.check()?;
                Order::Join(join)
            }
            Some("leave") => Order::Leave(read(fields)?),
            Some("register") => {
                let register: RegisterOrder = read(fields)?;
                register.check()?;
                Order::Register(register)
            }
            Some("count") => Order::Count(read(fields)?),
            Some("send") => {
                let payload = read(split_off(&mut fields, &PayloadSpec::FIELDS))?;
                let send = SendOrder { payload, ..read(fields)? };
                check_target(send.target.as_ref())?;
                Order::Send(send)
            }
            Some("sendMany") => {
                let many: SendManyOrder = read(fields)?;
                check_target(many.target.as_ref())?;
                Order::SendMany(many)
            }
            Some("peers") => Order::Peers(read(fields)?),
            Some("pairs") => Order::Pairs(read(fields)?),
            Some("relays") => read(fields).map(|RoomOrder { .. }| Order::Relays)?,
            Some("stats") => read(fields).map(|RoomOrder { .. }| Order::Stats)?,
            Some("sleep") => Order::Sleep(read(fields)?),
            Some("exit") => read(fields).map(|RoomOrder { .. }| Order::Exit)?,
            Some(later) if LATER.contains(&later) => return Err(Refusal::not_yet(later)),
            _ => return Err(Refusal::new(format!("unknown command {cmd}"))),
        };
        Ok(order)
    }
}

impl JoinOrder {
    /// The name by which later commands mean this room.
    pub(crate) fn name(&self) -> &str {
        self.room.as_deref().unwrap_or(&self.room_id)
    }

    /// Where to meet.
    pub(crate) fn relays(&self) -> &[String] {
        if self.relay_urls.is_empty() { &self.relay_config.urls } else { &self.relay_urls }
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
        if self.passive {
            return Err(Refusal::not_yet("passive"));
        }
        if self.handshake.is_some() {
            return Err(Refusal::not_yet("handshake"));
        }
        if self.turn_config.as_ref().is_some_and(|servers| !is_empty_list(servers)) {
            return Err(Refusal::not_yet("turnConfig"));
        }
        let rtc = self.rtc_config.iter();
        let mut unsupported = rtc.filter(|(key, value)| {
            // No servers is what this version has anyway.
            key.as_str() != "iceServers" || !is_empty_list(value)
        });
        match unsupported.next() {
            Some((key, _)) => Err(Refusal::not_yet(&format!("rtcConfig.{key}"))),
            None => Ok(()),
        }
    }
}

impl RegisterOrder {
    /// Refuses what would be left undone.
    fn check(&self) -> Result<(), Refusal> {
        if self.kind == ActionKind::Request {
            return Err(Refusal::not_yet("kind \"request\""));
        }
        for (field, given) in [("respond", &self.respond), ("reply", &self.reply)] {
            if given.is_some() {
                return Err(Refusal::not_yet(field));
            }
        }
        Ok(())
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

impl SleepOrder {
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_millis(self.ms)
    }
}

/// Reads the fields, or says which of them is wrong.
fn read<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Refusal> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let field = error.path().to_string();
        let why = error.into_inner().to_string();
        if why.starts_with("unknown field ") {
            // The list that follows lacks the fields that are read elsewhere.
            let unknown = why.rsplit_once(", expected ").map_or(&*why, |(unknown, _)| unknown);
            return Refusal::new(unknown);
        }
        // What is missing has no place.
        if field == "." { Refusal::new(why) } else { Refusal::new(format!("{field}: {why}")) }
    })
}

/// Takes these fields out of the others.
fn split_off(fields: &mut Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| fields.shift_remove_entry(*name)).collect()
}

/// Refuses a list of nobody, which is surely a mistake.
fn check_target(target: Option<&Targets>) -> Result<(), Refusal> {
    match target {
        Some(targets) if targets.peers().is_empty() => {
            Err(Refusal::new("the target is an empty list; leave it out to send to everyone"))
        }
        Some(_) | None => Ok(()),
    }
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

fn yes() -> bool {
    true
}

/// The size of the messages of `sendMany`, by convention.
fn many_size() -> usize {
    100
}

/// Commands that are documented and not built yet.
const LATER: [&str; 7] =
    ["request", "ping", "pauseRelays", "resumeRelays", "addStream", "replaceTrack", "removeStream"];

/// Strategies that are documented and not built yet.
const STRATEGIES_LATER: [&str; 6] = ["nostr", "mqtt", "torrent", "supabase", "firebase", "ipfs"];

#[cfg(test)]
mod tests;
