//! Trystero rooms for Rust: peers find each other with no server of their own, connect directly by
//! WebRTC, and share rooms.
//!
//! This crate has the API and no runtime. Depend on one that has, which gives all of this again:
//! `tristero-tokio`, or one of your own on [`Io`].
//!
//! - [`Config`]: how to meet; [`NodeHandle`]: one local peer; [`Room`]: who is there
//! - [`Action`]: what is sent and received under a name
//! - [`Io`] and [`Driver`]: what a runtime is made of
//!
//! # Trystero's words
//!
//! | JavaScript | here |
//! |---|---|
//! | `joinRoom(config, id)` | `join(&config, id)`, [`NodeHandle::join`] |
//! | `selfId` | [`Room::self_id`] |
//! | `room.makeAction(name)` | [`Room::action`] |
//! | `action.send(data, targets, metadata, onProgress)` | [`Action::send`] with [`SendBuilder::to`], [`SendBuilder::metadata`], [`SendBuilder::on_progress`] |
//! | `action.onMessage` | [`Action::recv`] |
//! | `room.onPeerJoin`, `onPeerLeave` | [`Room::events`] |
//! | `room.getPeers()` | [`Room::peers`] |
//! | `getRelaySockets()` | [`Room::relays`] |
//! | `room.leave()` | [`Room::leave`] |

mod action;
mod config;
mod desk;
mod driver;
mod engine;
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
pub use format::{Format, FormatError, Json, Postcard, Raw, WrongType};
pub use handle::NodeHandle;
pub use handshake::{Handshake, HandshakeError, HandshakeMessage, Handshakes};
pub use io::{Io, IoEvent, ReadClock};
pub use request::{
    Request, RequestAction, RequestBuilder, RequestError, RequestManyBuilder, Requesting,
    RequestingMany, Requests, RespondError, Responder, Responses,
};
pub use room::{PingError, Room, RoomEvent, RoomEvents};
pub use send::{SendBuilder, SendError, Sending, Sent};
pub use transfer::{
    Incoming, IncomingError, TransferAction, TransferBuilder, TransferError, Transferring,
};
pub use tristero_proto as proto;
pub use tristero_proto::engine::ConnectionInfo;
pub use tristero_proto::limits::Limits;
pub use tristero_proto::signaling::{RelayState, RelayStatus};
pub use tristero_proto::wire::Payload;
pub use tristero_proto::{JoinFailure, LeaveReason, PeerId, SendFailure, TransferFailure};
pub use unread::Unread;
