//! Trystero rooms for Rust: peers find each other with no server of their own, connect directly by
//! WebRTC, and share rooms.
//!
//! This crate has the API and no runtime. Depend on one that has, which gives all of this again:
//! `tristero-tokio`, or one of your own on [`Io`].
//!
//! - [`Config`]: how to meet; [`NodeHandle`]: one local peer; [`Room`]: who is there
//! - [`Action`]: messages; [`RequestAction`]: questions and answers; [`TransferAction`]: bytes of
//!   any length; each under a name
//! - [`Format`]: how typed values travel
//! - [`Io`] and [`Driver`]: what a runtime is made of
//!
//! # What ends what
//!
//! Handles are cheap to clone, and what was made from a room keeps the room: it is left by
//! [`Room::leave`], or with the last of them. All streams of a room end when it is left.
//!
//! Dropping the future of something that is on its way aborts it: [`Sending`], [`Transferring`],
//! [`Requesting`]. Dropping the future of a `recv` loses nothing. Everything else says in its own
//! words what dropping its future does.
//!
//! # Trystero's words
//!
//! | JavaScript | here |
//! |---|---|
//! | `joinRoom(config, id)` | `join(&config, id)`, [`NodeHandle::join`] |
//! | `config.appId`, `password`, `passive`, `trickleIce` | [`Config::new`], [`Config::password`], [`Config::passive`], [`Config::trickle_ice`] |
//! | `config.relayConfig.urls` | [`Config::relay`] |
//! | `config.relayConfig.manualReconnection` | `Options` of the runtime |
//! | `onJoinError` | [`RoomEvent::JoinFailed`] |
//! | `onPeerHandshake`, `handshakeTimeoutMs` | [`Config::handshake`] with [`Room::serve_handshakes`] or [`Room::handshakes`], [`Config::handshake_timeout`] |
//! | `selfId` | [`Room::self_id`] |
//! | `pauseRelayReconnection()`, `resumeRelayReconnection()` | [`NodeHandle::pause_relays`], [`NodeHandle::resume_relays`] |
//! | `getRelaySockets()` | [`Room::relays`], [`RoomEvent::Relay`] |
//! | `room.onPeerJoin`, `onPeerLeave` | [`Room::events`] |
//! | `room.getPeers()` | [`Room::peers`] |
//! | `room.ping(id)` | [`Room::ping`] |
//! | `room.isPassive()` | [`Room::is_passive`] |
//! | `room.leave()` | [`Room::leave`] |
//! | `room.makeAction(name)` | [`Room::action`]; for large bytes [`Room::transfer_action`] |
//! | `action.send(data, { target, metadata, onProgress, signal })` | [`Action::send`] with [`SendBuilder::to`], [`SendBuilder::metadata`], [`SendBuilder::on_progress`]; dropping the future |
//! | `action.onMessage` | [`Action::recv`] |
//! | `action.onReceiveProgress` | [`Action::receiving`], [`Incoming::progress`] |
//! | `room.makeAction(name, { kind: 'request' })` | [`Room::request_action`] |
//! | `action.request(data, { target, timeoutMs, metadata, onProgress, signal })` | [`RequestAction::request`] with [`RequestBuilder::timeout`], [`RequestBuilder::metadata`], [`RequestBuilder::on_progress`]; dropping the future |
//! | `action.requestMany(data, { targets, onResult })` | [`RequestAction::request_many`], [`RequestManyBuilder::start`] |
//! | `action.onRequest` | [`RequestAction::serve`], [`RequestAction::requests`] |
//! | `onRequest`'s `signal` | [`Responder::abandoned`] |
//! | `addStream`, `addTrack` and all of media | not here yet |

mod action;
mod config;
mod desk;
mod driver;
mod engine;
mod events;
mod format;
mod handle;
mod handshake;
mod inbox;
mod io;
mod request;
mod room;
mod send;
mod shared;
mod transfer;
mod unread;
mod waiting;

pub use action::{Action, ActionError, RawAction, Received, Receiving, ReceivingStream, Sender};
pub use config::{Config, JoinError};
pub use driver::{Driver, Parts, drive};
pub use events::{RoomEvent, RoomEvents};
pub use format::{Format, FormatError, Json, Postcard, Raw, WrongType};
pub use handle::NodeHandle;
pub use handshake::{Handshake, HandshakeError, HandshakeMessage, Handshakes};
pub use io::{Io, IoEvent, ReadClock};
pub use request::{
    Request, RequestAction, RequestBuilder, RequestError, RequestManyBuilder, Requesting,
    RequestingMany, Requests, RespondError, Responder, Responses,
};
pub use room::{PingError, Room};
pub use send::{SendBuilder, SendError, Sending, Sent};
pub use transfer::{
    Incoming, IncomingError, TransferAction, TransferBuilder, TransferError, Transferring,
};
pub use tristero_proto as proto;
pub use tristero_proto::engine::{CloseReason, ConnectionInfo};
pub use tristero_proto::limits::Limits;
pub use tristero_proto::signaling::{RelayState, RelayStatus};
pub use tristero_proto::wire::Payload;
pub use tristero_proto::{JoinFailure, LeaveReason, Offence, PeerId, SendFailure, TransferFailure};
pub use unread::Unread;
