//! Nodes do what applications do, while the network does what networks do; a reference model
//! follows, and every promise of the events is checked at every step.
//!
//! A scenario comes from proptest, or from a fuzzer: the crate of the fuzz targets has this module
//! too.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]
#![allow(unreachable_pub, reason = "the parts of one test see each other")]

mod act;
mod checks;
mod note;
mod parcel;
pub mod play;
mod record;
pub mod scenario;
mod talk;
mod under_way;

use tristero_proto::wire::ActionName;

use crate::common;

/// How many actions there are to send on. One more is used at the end alone.
const ACTIONS: usize = 3;
const ACTION_NAMES: [&str; ACTIONS + 1] = ["x", "y", "z", "end"];

fn action_name(index: usize) -> ActionName {
    common::action(ACTION_NAMES[index])
}

/// The number of an action; a name that is none's stands for none of them.
fn action_index(action: &ActionName) -> usize {
    ACTION_NAMES.iter().position(|name| *name == action.as_str()).unwrap_or(usize::MAX)
}
