//! What audio and video are sent and recorded.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::sending::check_target;
use super::{InRoom, Targets, read, yes};
use crate::agent::payload::present;
use crate::agent::reply::Refusal;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddStreamOrder {
    #[serde(default, rename = "room")]
    pub(crate) at: InRoom,
    #[serde(default)]
    pub(crate) files: Vec<PathBuf>,
    /// What it is called here.
    #[serde(default = "stream")]
    pub(crate) stream: String,
    /// Another room, whose stream of that name is sent here too.
    pub(crate) of: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) metadata: Option<Value>,
    #[serde(alias = "targets")]
    pub(crate) target: Option<Targets>,
    #[serde(default, rename = "as")]
    pub(crate) manner: AddManner,
    /// Whether files begin anew at their ends.
    #[serde(default = "yes", rename = "loop")]
    pub(crate) repeats: bool,
    #[serde(default = "yes", rename = "lateJoiners")]
    pub(crate) late_joiners: bool,
}

/// How tracks are told of.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum AddManner {
    /// As a stream.
    #[default]
    Stream,
    /// Each alone, in a stream that there is.
    Tracks,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplaceTrackOrder {
    #[serde(default, rename = "room")]
    pub(crate) at: InRoom,
    #[serde(default = "stream")]
    pub(crate) stream: String,
    pub(crate) files: Vec<PathBuf>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) metadata: Option<Value>,
    #[serde(default = "yes", rename = "loop")]
    pub(crate) repeats: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveStreamOrder {
    #[serde(default, rename = "room")]
    pub(crate) at: InRoom,
    #[serde(default = "stream")]
    pub(crate) stream: String,
    #[serde(alias = "targets")]
    pub(crate) target: Option<Targets>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordOrder {
    #[serde(default, rename = "room")]
    pub(crate) at: InRoom,
    pub(crate) dir: PathBuf,
    #[serde(default)]
    pub(crate) webm: bool,
}

impl AddStreamOrder {
    pub(super) fn parse(fields: Map<String, Value>) -> Result<Self, Refusal> {
        let add: AddStreamOrder = read(fields)?;
        check_target(add.target.as_ref())?;
        match (&add.of, add.files.is_empty()) {
            (None, true) => Err(Refusal::new("files: there are none")),
            (Some(_), false) => Err(Refusal::new("of: a stream of another room has its files")),
            _ => Ok(add),
        }
    }
}

/// What a stream is called that has no name.
fn stream() -> String {
    "stream".to_owned()
}
