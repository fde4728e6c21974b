//! Commands: what a line says, as types.
//!
//! Members that a command does not have are ignored, so that a script may give them to any
//! version. What is documented and not built yet is refused by name.

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
    Leave(InRoom),
    Register(RegisterOrder),
    Count(CountOrder),
    Send(SendOrder),
    SendMany(SendManyOrder),
    Peers(InRoom),
    Pairs(InRoom),
    Relays,
    Stats,
    Sleep(SleepOrder),
    Exit,
}

/// Which room a command is about; the one joined last by default.
#[derive(Debug, Deserialize)]
pub(crate) struct InRoom {
    pub(crate) room: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
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

/// Trystero's `relayConfig`.
#[derive(Debug, Default, Deserialize)]
struct RelayConfigSpec {
    #[serde(default)]
    urls: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RegisterOrder {
    #[serde(flatten)]
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
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum ActionKind {
    #[default]
    Message,
    Request,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CountOrder {
    #[serde(flatten)]
    pub(crate) at: InRoom,
    pub(crate) action: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SendOrder {
    #[serde(flatten)]
    pub(crate) at: InRoom,
    pub(crate) action: String,
    #[serde(flatten)]
    pub(crate) payload: PayloadSpec,
    pub(crate) target: Option<Targets>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) metadata: Option<Value>,
    #[serde(default)]
    pub(crate) progress: bool,
    #[serde(default = "yes")]
    pub(crate) hash: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SendManyOrder {
    #[serde(flatten)]
    pub(crate) at: InRoom,
    pub(crate) action: String,
    pub(crate) count: u32,
    #[serde(default = "many_size")]
    pub(crate) size: usize,
    /// Whether each message waits until the one before was handed over.
    #[serde(default = "yes", rename = "await")]
    pub(crate) in_turn: bool,
    pub(crate) target: Option<Targets>,
}

/// Whom something is sent to, if not to all.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged, expecting = "a target is a peer's id or a list of them")]
pub(crate) enum Targets {
    One(PeerId),
    Several(Vec<PeerId>),
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct SleepOrder {
    ms: u64,
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
        let wait = fields.shift_remove("wait") == Some(Value::Bool(true));
        let order = Order::parse(asked.cmd.as_ref(), fields);
        Command { asked, wait, order }
    }
}

impl Order {
    fn parse(cmd: Option<&Value>, fields: Map<String, Value>) -> Result<Self, Refusal> {
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
                if register.kind == ActionKind::Request {
                    return Err(Refusal::not_yet("kind \"request\""));
                }
                Order::Register(register)
            }
            Some("count") => Order::Count(read(fields)?),
            Some("send") => {
                let send: SendOrder = read(fields)?;
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
            Some("relays") => Order::Relays,
            Some("stats") => Order::Stats,
            Some("sleep") => Order::Sleep(read(fields)?),
            Some("exit") => Order::Exit,
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

impl Targets {
    pub(crate) fn peers(&self) -> &[PeerId] {
        match self {
            Targets::One(peer) => std::slice::from_ref(peer),
            Targets::Several(peers) => peers,
        }
    }
}

impl SleepOrder {
    pub(crate) fn duration(self) -> Duration {
        Duration::from_millis(self.ms)
    }
}

fn read<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Refusal> {
    serde_json::from_value(Value::Object(fields)).map_err(|error| Refusal::new(error.to_string()))
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
