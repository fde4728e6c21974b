//! What is left of nodes on tokio.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use tristero_tokio as rooms;

#[path = "../../runtime-native/suite/common.rs"]
mod common;
#[path = "../../runtime-native/suite/leaks.rs"]
mod leaks;
mod runtime;
