//! The whole Trystero protocol as a function of a seed, a clock and inputs.
//!
//! A [`Node`] is one local peer: it dials relays, meets peers there, connects to them by WebRTC
//! and shares rooms with them. It does so without a socket, a clock, a thread or a random number
//! of its own: something outside, a *runtime*, feeds it [`Input`]s and performs its [`Output`]s.
//! The crate `tristero` has runtimes and an async API; use this one to drive a node from a loop of
//! your own, or to simulate many.
//!
//! # Four verbs
//!
//! Every level here — node, relay, room, engine — is driven in the same way:
//!
//! ```text
//! loop {
//!     while let Some(output) = node.poll_output() { /* perform it */ }
//!     match node.poll_timeout() { /* sleep until then, or until something happens */ }
//!     node.handle_input(…, now);      // something happened, or
//!     node.handle_timeout(now);       // it is time
//! }
//! ```
//!
//! `now` is the last argument everywhere. Equal seeds and equal inputs give equal outputs.
//!
//! # Parts
//!
//! - [`wire`]: bytes to values and back; [`crypto`]: topics, envelopes and proofs
//! - [`signaling`]: relays, strategies, announcing and negotiating; [`strategies`]: the codecs
//! - [`engine`]: the trait behind which WebRTC is; [`media`]: audio and video as data,
//!   and who sends and gets what
//! - `peer`: one connection and what waits on it; `room`: members, actions and messages
//! - `node`: all of them together; [`Event`]: what it tells
//! - [`limits`]: every bound, and what happens there
//!
//! The protocol is described in `docs/protocol.md`; comments cite its sections.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate tristero_wasm_harness;

mod conduct;
pub mod crypto;
pub mod engine;
mod event;
pub mod ice;
mod ids;
mod join_failure;
pub mod limits;
pub mod media;
mod node;
mod peer;
mod peer_ids;
mod rng;
mod room;
pub mod signaling;
pub mod strategies;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod text;
mod time;
pub mod wire;

pub use conduct::Offence;
pub use event::Event;
pub use ids::{
    CallId, ConnId, HandshakeId, InvalidPeerId, LinkId, PeerId, PeerStreamId, PeerTrackId, PingId,
    RelayId, RequestId, RoomKey, SendId, StreamKey, TrackId, TransferId,
};
pub use join_failure::JoinFailure;
pub use node::{
    Command, Input, JoinError, Load, MediaCommand, Node, NodeConfig, Output, RelayConfig, Reply,
    RoomConfig,
};
pub use peer::IDLE_TTL;
pub use peer_ids::PeerIds;
pub use rng::{Rng, Seed};
pub use room::{
    ActionKind, ActionOptions, HANDSHAKE_TIMEOUT, HandshakeError, LeaveReason, Message, PingError,
    RegisterError, Request, RequestError, RequestFailure, RequestOptions, RespondError, Response,
    RestartError, SendError, SendFailure, SendOptions, SendReport, TransferFailure,
};
pub use time::{Clock, Deadline, Time};
