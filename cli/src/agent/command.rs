//! Commands: what a line says, as types.
//!
//! A field that a command does not have is refused, for it is a typing error at best, and at worst
//! something goes to everyone that was meant for one.
//!
//! - [`joining`]: how a room is joined; [`registering`]: what is done with what comes
//! - [`sending`]: what goes to peers; [`media`]: what of audio and video does

mod joining;
mod media;
mod registering;
mod sending;

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::payload::PayloadSpec;
use super::reply::Refusal;
pub(crate) use joining::{HandshakeSpec, JoinOrder};
pub(crate) use media::{
    AddManner, AddStreamOrder, RecordOrder, RemoveStreamOrder, ReplaceTrackOrder,
};
pub(crate) use registering::{Kind, Manner, RegisterOrder, Respond};
pub(crate) use sending::{
    Asked, PingOrder, RequestOrder, RestartIceOrder, SendManyOrder, SendOrder, Targets,
};

/// A command, and how it wants to be answered.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) caller: Caller,
    /// Whether the next command has to wait for this one.
    pub(crate) wait: bool,
    /// What to do, or why it can't be done.
    pub(crate) order: Result<Order, Refusal>,
}

/// What an answer repeats of its command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Caller {
    /// Without one only a failure is answered. It may be JSON `null`.
    pub(crate) id: Option<Value>,
    pub(crate) cmd: Option<Value>,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Order {
    Join(Box<JoinOrder>),
    Leave(RoomOrder),
    Register(RegisterOrder),
    Count(CountOrder),
    Send(SendOrder),
    SendMany(SendManyOrder),
    Request(RequestOrder),
    Ping(PingOrder),
    RestartIce(RestartIceOrder),
    AddStream(AddStreamOrder),
    ReplaceTrack(ReplaceTrackOrder),
    RemoveStream(RemoveStreamOrder),
    Record(RecordOrder),
    Peers(RoomOrder),
    Pairs(RoomOrder),
    Relays,
    PauseRelays,
    ResumeRelays,
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
#[serde(deny_unknown_fields)]
pub(crate) struct CountOrder {
    #[serde(default, rename = "room")]
    pub(crate) at: InRoom,
    pub(crate) action: String,
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
            caller: Caller { id: None, cmd: None },
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
        let caller = Caller { id: fields.shift_remove("id"), cmd: fields.shift_remove("cmd") };
        match fields.shift_remove("wait").unwrap_or(Value::Bool(false)) {
            Value::Bool(wait) => {
                let order = Order::parse(caller.cmd.as_ref(), fields);
                Command { caller, wait, order }
            }
            _ => {
                let order = Err(Refusal::new("wait: this is true or false"));
                Command { caller, wait: false, order }
            }
        }
    }
}

impl Order {
    fn parse(cmd: Option<&Value>, fields: Map<String, Value>) -> Result<Self, Refusal> {
        let cmd = cmd.ok_or_else(|| Refusal::new("a command needs a cmd"))?;
        let order = match cmd.as_str() {
            Some("join") => Order::Join(Box::new(JoinOrder::parse(fields)?)),
            Some("leave") => Order::Leave(read(fields)?),
            Some("register") => Order::Register(RegisterOrder::parse(fields)?),
            Some("count") => Order::Count(read(fields)?),
            Some("send") => Order::Send(SendOrder::parse(fields)?),
            Some("sendMany") => Order::SendMany(SendManyOrder::parse(fields)?),
            Some("request") => Order::Request(RequestOrder::parse(fields)?),
            Some("ping") => Order::Ping(PingOrder::parse(fields)?),
            Some("restartIce") => Order::RestartIce(read(fields)?),
            Some("addStream") => Order::AddStream(AddStreamOrder::parse(fields)?),
            Some("replaceTrack") => Order::ReplaceTrack(read(fields)?),
            Some("removeStream") => Order::RemoveStream(read(fields)?),
            Some("record") => Order::Record(read(fields)?),
            Some("peers") => Order::Peers(read(fields)?),
            Some("pairs") => Order::Pairs(read(fields)?),
            Some("relays") => read(fields).map(|RoomOrder { .. }| Order::Relays)?,
            Some("pauseRelays") => read(fields).map(|RoomOrder { .. }| Order::PauseRelays)?,
            Some("resumeRelays") => read(fields).map(|RoomOrder { .. }| Order::ResumeRelays)?,
            Some("stats") => read(fields).map(|RoomOrder { .. }| Order::Stats)?,
            Some("sleep") => Order::Sleep(read(fields)?),
            Some("exit") => read(fields).map(|RoomOrder { .. }| Order::Exit)?,
            _ => return Err(Refusal::new(format!("unknown command {cmd}"))),
        };
        Ok(order)
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
            return Refusal::new(within(&field, unknown));
        }
        // What is missing has no place.
        if field == "." { Refusal::new(why) } else { Refusal::new(format!("{field}: {why}")) }
    })
}

/// What is wrong inside of a field is told with the name of that.
fn within(path: &str, why: &str) -> String {
    match path.rsplit_once('.') {
        Some((outer, _)) if !outer.is_empty() => format!("{outer}: {why}"),
        _ => why.to_owned(),
    }
}

/// Reads the fields of which some are those of a payload.
fn read_with_payload<T: DeserializeOwned>(
    mut fields: Map<String, Value>,
) -> Result<(PayloadSpec, T), Refusal> {
    let payload =
        PayloadSpec::FIELDS.iter().filter_map(|name| fields.shift_remove_entry(*name)).collect();
    Ok((read(payload)?, read(fields)?))
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests;
