//! What JavaScript's Trystero 0.25.4 and real services said to each other, in `tests/wire`, read by
//! each strategy: nothing of it is malformed, and every signal decrypts and is one that was sent.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod capture;
mod firebase;
mod ipfs;
mod mqtt;
mod nostr;
mod supabase;
mod torrent;
#[path = "../wire/mod.rs"]
mod wire;
mod ws_relay;
