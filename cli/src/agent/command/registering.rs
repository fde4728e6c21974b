//! What is done with what comes under a name.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};
use tristero_tokio::Payload;

use super::{InRoom, read, yes};
use crate::agent::payload::{present, travelling};
use crate::agent::reply::Refusal;

#[derive(Debug)]
pub(crate) struct RegisterOrder {
    pub(crate) at: InRoom,
    pub(crate) action: String,
    pub(crate) kind: Kind,
    pub(crate) manner: Manner,
}

/// What comes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Message,
    /// Without a way to respond they are rejected after a moment.
    Request(Option<Respond>),
}

/// How it is told of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manner {
    pub(crate) print: bool,
    pub(crate) hash: bool,
    pub(crate) progress: bool,
    pub(crate) expect: Option<u64>,
    pub(crate) save: Option<PathBuf>,
}

/// How requests are answered.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Respond {
    Echo,
    Upper,
    Reverse,
    Sum,
    Length,
    Null,
    Throw,
    Never,
    #[serde(skip)]
    Constant(Payload),
}

/// The fields, as they are written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default, rename = "room")]
    at: InRoom,
    action: String,
    #[serde(default)]
    kind: KindName,
    #[serde(default = "yes")]
    print: bool,
    #[serde(default = "yes")]
    hash: bool,
    #[serde(default)]
    progress: bool,
    expect: Option<u64>,
    save: Option<PathBuf>,
    respond: Option<Respond>,
    #[serde(default, deserialize_with = "present")]
    reply: Option<Value>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindName {
    #[default]
    Message,
    Request,
}

impl RegisterOrder {
    pub(super) fn parse(fields: Map<String, Value>) -> Result<Self, Refusal> {
        let fields: Fields = read(fields)?;
        let Fields { at, action, kind, print, hash, progress, expect, save, respond, reply } =
            fields;
        let respond = match (respond, reply) {
            (Some(_), Some(_)) => {
                return Err(Refusal::new("a request is answered by respond or by reply, not both"));
            }
            (respond, None) => respond,
            (None, Some(reply)) => Some(Respond::Constant(travelling(reply))),
        };
        let kind = match (kind, respond) {
            (KindName::Message, None) => Kind::Message,
            (KindName::Message, Some(_)) => {
                return Err(Refusal::new("only what has the kind \"request\" is answered"));
            }
            (KindName::Request, respond) => Kind::Request(respond),
        };
        let manner = Manner { print, hash, progress, expect, save };
        Ok(RegisterOrder { at, action, kind, manner })
    }
}

impl Default for Manner {
    fn default() -> Self {
        Manner { print: true, hash: true, progress: false, expect: None, save: None }
    }
}
