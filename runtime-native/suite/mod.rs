//! What every runtime has to pass. A runtime's tests include this folder, beside two modules of
//! theirs: `rooms`, the API as the runtime gives it, and `runtime`, its reactor and how a future is
//! run to its end.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

mod admission;
mod blocking;
mod common;
mod connections;
mod ends;
mod ice_probe;
mod media;
mod messages;
mod proxies;
mod requests;
mod rooms;
mod tls;
mod transfers;
