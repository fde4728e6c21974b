//! Trystero rooms for Rust: peers find each other with no server of their own, connect directly by
//! WebRTC, and share rooms.
//!
//! This crate has the API and no runtime. Depend on one that has, which gives all of this again:
//! `tristero-tokio` or `tristero-smol`; `tristero-native` makes one of another async runtime, and
//! [`Io`] one of anything.
//!
//! - [`Config`]: how to meet; [`NodeHandle`]: one local peer; [`Room`]: who is there
//! - [`strategies`]: the services to meet over; [`signaling`], [`Dialer`]: what one of your own is
//!   made of
//! - [`Action`]: messages; [`RequestAction`]: questions and answers; [`TransferAction`]: bytes of
//!   any length; each under a name
//! - [`LocalTrack`], [`LocalStream`], [`RemoteTrack`]: audio and video
//! - [`Format`]: how typed values travel
//! - [`blocking`]: all of it without async
//! - [`Io`] and [`Driver`]: what a runtime is made of
//!
//! # Messages
//!
//! An [`Action`] is a name and a type: any that serde knows travels as JSON, which a browser sees as
//! plain objects. Rust programs among themselves may say [`Postcard`], and [`RawAction`] takes text,
//! JSON and bytes as they come. What is of another type is an error item, and the stream goes on.
//!
//! ```no_run
//! # async fn example(room: tristero::Room) -> Result<(), Box<dyn std::error::Error>> {
//! use serde::{Deserialize, Serialize};
//! use tristero::Action;
//!
//! #[derive(Debug, Serialize, Deserialize)]
//! struct Move { from: String, to: String }
//!
//! let mut moves: Action<Move> = room.action("move")?;
//! moves.send(Move { from: "e2".into(), to: "e4".into() }).await?; // to everyone in the room
//! while let Some(received) = moves.recv().await {
//!     match received {
//!         Ok(received) => println!("{} plays {:?}", received.peer, received.value),
//!         Err(wrong) => println!("{wrong}"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`SendBuilder`] has targets, metadata and progress. Its future resolves when all is handed over,
//! says for whom, and aborts what is not sent yet when it is dropped; [`SendBuilder::detach`] sends
//! without waiting.
//!
//! # Requests
//!
//! ```no_run
//! # use tristero::{PeerId, RequestAction, Room};
//! # async fn example(room: Room, peer: PeerId) -> Result<(), Box<dyn std::error::Error>> {
//! # fn spawn(_task: impl Future<Output = ()>) {}
//! use std::time::Duration;
//!
//! let divide: RequestAction<(i32, i32), i32> = room.request_action("divide")?;
//! spawn(divide.serve(async |request| {
//!     let (a, b) = request.value;
//!     a.checked_div(b).ok_or("that has no answer") // what an error says is what the caller reads
//! }));
//! let answer = divide.request(&peer, (42, 6)).timeout(Duration::from_secs(5)).await?;
//! let all = divide.request_many(room.peers().into_keys(), (42, 6)).timeout(Duration::from_secs(5));
//! for (peer, answer) in all.await {
//!     println!("{peer}: {answer:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Each way to have no answer is a variant of [`RequestError`]; a peer that did not make the action
//! holds the request and says nothing, so give a timeout. [`RequestAction::requests`] is a
//! stream of requests with a [`Responder`] each, and [`RequestManyBuilder::start`] gives the answers
//! as they come. Dropping the future of a request aborts it.
//!
//! # Transfers
//!
//! Bytes of any length go from a reader to a reader, as fast as the network and the sender's source
//! are, and never are all in memory. A receiver that reads slower by more than
//! [`Unread::transfer_bytes`] loses them. [`TransferAction::send_from`] takes any reader of `futures-io`, and [`Incoming`] is one.
//! Runtimes add `send_file` and `save` for files.
//!
//! ```no_run
//! # async fn example(room: tristero::Room) -> Result<(), Box<dyn std::error::Error>> {
//! use futures_util::io::Cursor;
//!
//! let mut files = room.transfer_action("file")?;
//! let sending = files.send_from(Cursor::new(vec![0; 40_000_000])).length(40_000_000);
//! sending.on_progress(|peer, done| println!("{peer}: {done}")).await?;
//! while let Some(mut incoming) = files.recv().await {
//!     while let Some(bytes) = incoming.piece().await? {
//!         println!("{} more bytes of {:?}, {}", bytes.len(), incoming.metadata, incoming.progress());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Audio and video
//!
//! Frames that an encoder made go in, and come out where a decoder takes them; this crate has neither
//! of the two. A [`LocalTrack`] is what the application writes to, a [`LocalStream`] is tracks that
//! belong together, and [`Room::add_stream`] sends one: to everyone in the room and to those who
//! join later, or to some. Browsers have it by `onPeerStream`.
//!
//! ```no_run
//! # use tristero::MediaFrame;
//! # struct Encoder;
//! # impl Encoder {
//! #     async fn next(&mut self) -> Option<MediaFrame> { None }
//! #     fn make_a_key_frame(&mut self) {}
//! # }
//! # async fn example(room: tristero::Room, mut encoder: Encoder) -> Result<(), Box<dyn std::error::Error>> {
//! use serde_json::json;
//! use tristero::{Codec, LocalStream, LocalTrack};
//!
//! let video = LocalTrack::video([Codec::Vp8]);
//! let stream = LocalStream::new([video.clone()]);
//! let added = room.add_stream(&stream).metadata(json!({ "camera": "door" })).await?;
//! println!("{} take it", added.taken.len());
//! while let Some(frame) = encoder.next().await {
//!     video.write(&frame)?; // it is sent now or dropped, and this never waits
//!     if video.take_key_frame_wanted() {
//!         encoder.make_a_key_frame(); // for somebody who has just come, or has lost something
//!     }
//! }
//! room.remove_stream(&stream)?;
//! # Ok(())
//! # }
//! ```
//!
//! What members send comes by [`Room::peer_streams`], and tracks that they add alone by
//! [`Room::peer_tracks`]. A reader that is too slow misses frames, within the bounds of [`Unread`];
//! [`MediaFrame::is_contiguous`] says where something is missing, and a key frame is asked for then.
//! What nobody reads is not kept.
//!
//! ```no_run
//! # async fn example(room: tristero::Room) {
//! # fn spawn(_task: impl Future<Output = ()>) {}
//! let mut streams = room.peer_streams();
//! while let Some(arrived) = streams.recv().await {
//!     println!("{} sends {:?}", arrived.peer, arrived.metadata);
//!     for mut track in arrived.stream.tracks {
//!         spawn(async move {
//!             while let Some(frame) = track.recv().await {
//!                 println!("{} bytes of {}", frame.bytes.len(), frame.codec);
//!             }
//!         });
//!     }
//! }
//! # }
//! ```
//!
//! [`LocalTrack::relay`] sends what one peer sends on to others, as a server for a conference does,
//! without a frame being looked at. [`Config::media`] names the codecs of a room, and has packets
//! received in place of frames. `tristero-media-files` reads and writes files of such frames.
//!
//! ```no_run
//! # async fn example(room: tristero::Room) -> Result<(), Box<dyn std::error::Error>> {
//! use tristero::{LocalStream, LocalTrack, MediaKind};
//!
//! let mut arrived = room.peer_streams().recv().await.ok_or("the room was left")?;
//! let camera = arrived.stream.take(MediaKind::Video).ok_or("it has no picture")?;
//! let (track, others) = (LocalTrack::any(MediaKind::Video), room.peers().into_keys());
//! let others: Vec<_> = others.filter(|peer| *peer != arrived.peer).collect();
//! room.add_stream(&LocalStream::new([track.clone()])).to_all(&others).await?;
//! track.relay(&camera)?.await; // until the camera's track ends
//! # Ok(())
//! # }
//! ```
//!
//! # Who may enter
//!
//! A password keeps out who does not know it, and hides the room's signals from the relays. On top of
//! it an application may shake hands: a peer joins once both sides have accepted each other.
//!
//! ```no_run
//! # async fn example(node: tristero::NodeHandle) -> Result<(), Box<dyn std::error::Error>> {
//! # fn spawn(_task: impl Future<Output = ()>) {}
//! use tristero::Config;
//!
//! let config = Config::new("my-app").relay("wss://relay.example").password("secret").handshake();
//! let room = node.join(&config, "private")?;
//! spawn(room.serve_handshakes(async |handshake| {
//!     handshake.send("swordfish").map_err(|error| error.to_string())?;
//!     match handshake.recv().await {
//!         Some(said) if said.payload == "swordfish".into() => Ok(()),
//!         _ => Err("it does not know the word".to_owned()), // as `JoinFailed` tells of it here
//!     }
//! }));
//! # Ok(())
//! # }
//! ```
//!
//! # Several rooms
//!
//! The rooms of one [`NodeHandle`], which `node(Options::default())` of a runtime gives, share one id,
//! and one connection to each peer.
//!
//! ```no_run
//! # async fn example(node: tristero::NodeHandle) -> Result<(), Box<dyn std::error::Error>> {
//! use tristero::Config;
//!
//! let config = Config::new("my-app").relay("wss://relay.example");
//! let (lobby, game) = (node.join(&config, "lobby")?, node.join(&config, "game 7")?);
//! lobby.leave().await; // the game goes on
//! node.shut_down().await; // and now it does not
//! # Ok(())
//! # }
//! ```
//!
//! # Passive peers
//!
//! One that is always there, such as an archive, need not tell the relays so all the time: it waits in
//! silence until it hears of somebody. Two of that kind never meet.
//!
//! ```no_run
//! # async fn example(node: tristero::NodeHandle) -> Result<(), Box<dyn std::error::Error>> {
//! use tristero::Config;
//!
//! let config = Config::new("my-app").relay("wss://relay.example").passive(true);
//! let archive = node.join(&config, "lobby")?;
//! assert!(archive.is_passive());
//! # Ok(())
//! # }
//! ```
//!
//! # Relays and connections
//!
//! Relays are only needed to meet; those who are connected talk without. A lost relay is dialled
//! again, and peers that were lost are met again, without the application doing anything.
//!
//! ```no_run
//! # async fn example(room: tristero::Room) -> Result<(), Box<dyn std::error::Error>> {
//! for relay in room.relays() {
//!     println!("{} is {:?}", relay.url, relay.state);
//! }
//! for (peer, connection) in room.peers() {
//!     println!("{peer} by {:?}: {:?}", connection.path, room.ping(&peer).await?);
//! }
//! room.node().pause_relays(); // until `resume_relays`
//! # Ok(())
//! # }
//! ```
//!
//! A relay of one's own is one way to meet; [`strategies`] has those over public services, which
//! choose their relays by the application's name. There may be several: whoever is in the room by
//! one of them is met, once.
//!
//! ```no_run
//! # fn example(node: tristero::NodeHandle) -> Result<(), Box<dyn std::error::Error>> {
//! use tristero::Config;
//! use tristero::strategies::{Nostr, Torrent};
//!
//! let config = Config::new("my-app").strategy(Nostr).strategy(Torrent).redundancy(3);
//! let room = node.join(&config.relay("wss://relay.example"), "lobby")?;
//! # Ok(())
//! # }
//! ```
//!
//! A service of one's own is a [`signaling::Strategy`]. If it is spoken to by something that is not
//! a WebSocket, a [`Dialer`] supplies the links.
//!
//! # Errors
//!
//! Each operation has an error type of its own, and one sentence for each of its ways to fail. What
//! peers do is never a reason to panic: a peer that can't join is [`RoomEvent::JoinFailed`], one that
//! is gone is [`RoomEvent::PeerLeft`] with a [`LeaveReason`], and the reader who is too slow finds out
//! by [`Action::dropped`], within the bounds of [`Unread`].
//!
//! ```no_run
//! # async fn example(room: tristero::Room, peer: tristero::PeerId) -> Result<(), Box<dyn std::error::Error>> {
//! use tristero::{Action, SendError};
//!
//! let chat: Action<String> = room.action("chat")?;
//! match chat.send("hi").to(&peer).await {
//!     Ok(_) => {}
//!     Err(SendError::Undelivered(failed)) => println!("{} did not get it", failed[0].0),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok(())
//! # }
//! ```
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
//! | `addStream`, `addTrack`, `removeStream`, `removeTrack`, `replaceTrack` | [`Room::add_stream`], [`Room::add_track`], [`Room::remove_stream`], [`Room::remove_track`], [`Room::replace_track`] |
//! | `onPeerStream`, `onPeerTrack` | [`Room::peer_streams`], [`Room::peer_tracks`] |
//! | `getRelaySockets()` | [`Room::relays`] |
//!
//! [From JavaScript] has every function, option and callback, and says where they differ.
//!
//! [From JavaScript]: https://github.com/tristero-rs/tristero/blob/main/docs/from-javascript.md

mod action;
pub mod blocking;
mod config;
mod desk;
mod dialer;
mod driver;
mod engine;
mod events;
mod format;
mod frame_inbox;
mod handle;
mod handshake;
mod inbox;
mod io;
mod media;
mod request;
mod room;
mod send;
mod shared;
mod trains;
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
pub use media::{
    AddBuilder, AddError, Added, Adding, LocalStream, LocalTrack, PeerStream, PeerStreams,
    PeerTrack, PeerTracks, Relaying, RemoteStream, RemoteTrack, ReplaceBuilder,
};
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
pub use tristero_proto::media::{
    Codec, MediaConfig, MediaError, MediaFailure, MediaFrame, MediaKind, MediaTime, Medium,
    PeerMedia, RtpPacket, TrackStats, Written,
};
pub use tristero_proto::signaling::{RelayState, RelayStatus};
pub use tristero_proto::wire::Payload;
pub use tristero_proto::{
    JoinFailure, LeaveReason, Offence, PeerId, PeerIds, PeerStreamId, PeerTrackId, RelayConfig,
    RestartError, SendFailure, StreamKey, Time, TrackId, TransferFailure,
};
pub use tristero_proto::{signaling, strategies};
pub use unread::Unread;
