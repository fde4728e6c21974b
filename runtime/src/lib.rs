//! Trystero rooms for Rust: peers find each other with no server of their own, connect directly by
//! WebRTC, and share rooms.
//!
//! This crate has the API and no runtime. Depend on one that has, which gives all of this again:
//! `tristero-tokio`, or one of your own on [`Io`].
//!
//! - [`Config`]: how to meet; [`NodeHandle`]: one local peer; [`Room`]: who is there
//! - [`strategies`]: the services to meet over; [`signaling`], [`Dialer`]: what one of your own is
//!   made of
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
//! Names are those of Trystero's JavaScript API where Rust allows it:
//!
//! | JavaScript | here |
//! |---|---|
//! | `joinRoom(config, id)` | `join(&config, id)` of the runtime, [`NodeHandle::join`] |
//! | `onPeerJoin`, `onPeerLeave`, `onJoinError` | [`Room::events`] |
//! | `makeAction(name)` | [`Room::action`], [`Room::transfer_action`] |
//! | `send`, `onMessage` | [`Action::send`], [`Action::recv`] |
//! | `makeAction(name, { kind: 'request' })` | [`Room::request_action`] |
//! | `request`, `requestMany`, `onRequest` | [`RequestAction::request`], [`RequestAction::request_many`], [`RequestAction::serve`] |
//! | `onPeerHandshake` | [`Room::serve_handshakes`] |
//! | `getRelaySockets()` | [`Room::relays`] |
//!
//! [From JavaScript] has every function, option and callback, and says where they differ.
//!
//! [From JavaScript]: https://github.com/tristero-rs/tristero/blob/main/docs/from-javascript.md

mod action;
mod config;
mod desk;
mod dialer;
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
pub use dialer::{Dialer, Dialers, Dialling, Link};
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
pub use tristero_proto::engine::{CloseReason, ConnectionInfo, Obstacle, ServerFailure};
pub use tristero_proto::ice::{
    HostCandidates, IceConfig, IceCredentials, IceServer, IceServerKind, IceTransportPolicy,
    IceUrl, InvalidIceUrl,
};
pub use tristero_proto::limits::Limits;
pub use tristero_proto::signaling::{RelayState, RelayStatus};
pub use tristero_proto::wire::Payload;
pub use tristero_proto::{
    JoinFailure, LeaveReason, Offence, PeerId, RelayConfig, SendFailure, Time, TransferFailure,
};
pub use tristero_proto::{signaling, strategies};
pub use unread::Unread;
