//! Trystero rooms for Rust on tokio: peers find each other with no server of their own, connect
//! directly by WebRTC, and share rooms, with browsers too.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tristero_tokio::{Action, Config, RoomEvent, join};
//!
//! let room = join(&Config::new("my-app").relay("wss://relay.example"), "lobby")?;
//! let (mut chat, mut events): (Action<String>, _) = (room.action("chat")?, room.events());
//! loop {
//!     tokio::select! {
//!         Some(event) = events.recv() => if let RoomEvent::PeerJoined { peer } = event {
//!             chat.send("hello, you").to(&peer).await.ok(); // it may have left
//!         },
//!         Some(message) = chat.recv() => match message {
//!             Ok(message) => println!("{}: {}", message.peer, message.value),
//!             Err(error) => println!("{error}"),
//!         },
//!         else => break, // the room was left
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`join`] is the short way to one room; everything else is the API of [`tristero`], given again
//! here. It needs to be called inside a tokio runtime with time and I/O enabled.
//!
//! # Messages
//!
//! An [`Action`] is a name and a type: any that serde knows travels as JSON, which a browser sees as
//! plain objects. Rust programs among themselves may say [`Postcard`], and [`RawAction`] takes text,
//! JSON and bytes as they come. What is of another type is an error item, and the stream goes on.
//!
//! ```no_run
//! # async fn example(room: tristero_tokio::Room) -> Result<(), Box<dyn std::error::Error>> {
//! use serde::{Deserialize, Serialize};
//! use tristero_tokio::Action;
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
//! # use tristero_tokio::{PeerId, RequestAction, Room};
//! # async fn example(room: Room, peer: PeerId) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! let divide: RequestAction<(i32, i32), i32> = room.request_action("divide")?;
//! tokio::spawn(divide.serve(async |request| {
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
//! Bytes of any length go from a reader to a reader, as fast as both sides keep up, and never are all
//! in memory. [`send_file`] and [`save`] are for files; [`TransferAction::send_from`] takes any reader
//! of `futures-io` (`tokio-util` makes one of tokio's), and [`Incoming`] is one.
//!
//! ```no_run
//! # async fn example(room: tristero_tokio::Room) -> Result<(), Box<dyn std::error::Error>> {
//! use tristero_tokio::send_file;
//!
//! let mut files = room.transfer_action("file")?;
//! send_file(&files, "holiday.jpg").on_progress(|peer, done| println!("{peer}: {done}")).await?;
//! while let Some(mut incoming) = files.recv().await {
//!     while let Some(bytes) = incoming.piece().await? {
//!         println!("{} more bytes of {:?}, {}", bytes.len(), incoming.metadata, incoming.progress());
//!     }
//! }
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
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tristero_tokio::{Config, join};
//!
//! let config = Config::new("my-app").relay("wss://relay.example").password("secret").handshake();
//! let room = join(&config, "private")?;
//! tokio::spawn(room.serve_handshakes(async |handshake| {
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
//! [`node`] gives a [`NodeHandle`]: its rooms share one id, and one connection to each peer.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tristero_tokio::{Config, Options, node};
//!
//! let node = node(Options::default())?;
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
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tristero_tokio::{Config, join};
//!
//! let archive = join(&Config::new("my-app").relay("wss://relay.example").passive(true), "lobby")?;
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
//! # async fn example(room: tristero_tokio::Room) -> Result<(), Box<dyn std::error::Error>> {
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
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tristero_tokio::strategies::{Nostr, Torrent};
//! use tristero_tokio::{Config, join};
//!
//! let config = Config::new("my-app").strategy(Nostr).strategy(Torrent).redundancy(3);
//! let room = join(&config.relay("wss://relay.example"), "lobby")?;
//! # Ok(())
//! # }
//! ```
//!
//! A service of one's own is a [`signaling::Strategy`]. If it is spoken to by something that is not
//! a WebSocket, a [`Dialer`] in [`Options::dialers`] supplies the links. The examples `own_strategy`
//! and `over_redis` are one of each.
//!
//! `wss:` relays need a certificate that the operating system, Mozilla or [`Options::extra_roots`]
//! stand for. WebSockets go through the HTTP proxies that the environment names, as those of curl do:
//! see [`Proxies`].
//!
//! # Errors
//!
//! Each operation has an error type of its own, and one sentence for each of its ways to fail. What
//! peers do is never a reason to panic: a peer that can't join is [`RoomEvent::JoinFailed`], one that
//! is gone is [`RoomEvent::PeerLeft`] with a [`LeaveReason`], and the reader who is too slow finds out
//! by [`Action::dropped`], within the bounds of [`Unread`].
//!
//! ```no_run
//! # async fn example(room: tristero_tokio::Room, peer: tristero_tokio::PeerId) -> Result<(), Box<dyn std::error::Error>> {
//! use tristero_tokio::{Action, SendError};
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

mod addresses;
mod anchored;
mod files;
mod ice_probe;
mod interfaces;
mod io;
mod links;
mod mdns;
mod proxy;
mod servers;
mod tls;
mod udp;
mod web_socket;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use tristero::*;
use tristero_proto::{Clock, NodeConfig, Seed};
use tristero_str0m::Str0mEngine;

use anchored::Gone;
pub use files::{SendFile, save, send_file};
pub use ice_probe::{IceFinding, IceProbe};
use io::TokioIo;
use links::Network;
pub use mdns::{MdnsFailure, check_mdns};
pub use proxy::Proxies;
use tls::Tls;
pub use tls::{ExtraRoots, InvalidRoot};
pub use web_socket::WebSockets;

/// How a node is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node's id; a random one if there is none. Two nodes with one id never meet.
    pub self_id: Option<PeerId>,
    /// Whether peers on this machine may reach the node at its loopback addresses. Without it
    /// they are used only if there are no others.
    pub loopback: bool,
    /// What may be open, held and waiting at once.
    pub limits: Limits,
    /// How much may wait to be read before something is dropped.
    pub unread: Unread,
    /// How long a connection is kept that no room uses; 123 s by default.
    pub idle_ttl: Duration,
    /// Whether only [`NodeHandle::pause_relays`] and [`NodeHandle::resume_relays`] say when relays
    /// are dialled again. By default they are also dialled at once when this machine gets a new
    /// address.
    pub manual_reconnection: bool,
    /// What dials relays that are not WebSockets, for strategies of your own.
    pub dialers: Dialers,
    /// Root certificates that `wss:` relays may have theirs from, beside those of the operating
    /// system and of Mozilla.
    pub extra_roots: ExtraRoots,
    /// The HTTP proxies to relays; those of the environment by default.
    pub proxies: Proxies,
}

impl Default for Options {
    fn default() -> Self {
        let NodeConfig { self_id, limits, idle_ttl, manual_reconnection } = NodeConfig::default();
        Options {
            self_id,
            loopback: false,
            limits,
            unread: Unread::default(),
            idle_ttl,
            manual_reconnection,
            dialers: Dialers::default(),
            extra_roots: ExtraRoots::default(),
            proxies: Proxies::default(),
        }
    }
}

impl Options {
    /// What there is beside datagrams.
    fn network(&self) -> Network {
        let Options { dialers, extra_roots, proxies, .. } = self.clone();
        Network { tls: Tls::new(extra_roots), proxies, dialers, gone: Gone::default() }
    }
}

/// Why a node or a room could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No socket could be bound, or the operating system gave no random numbers.
    #[error("no node could be started: {0}")]
    Io(#[from] std::io::Error),
    /// The room can't be joined.
    #[error(transparent)]
    Join(#[from] JoinError),
}

/// Joins a room with a node of its own.
///
/// # Panics
///
/// Panics outside of a tokio runtime.
pub fn join(config: &Config, room_id: &str) -> Result<Room, Error> {
    Ok(node(Options::default())?.join(config, room_id)?)
}

/// Starts a node, driven by a task of its own until its last handle is gone.
///
/// # Errors
///
/// Fails if no UDP socket can be bound, or the operating system has no random numbers.
///
/// # Panics
///
/// Panics outside of a tokio runtime.
pub fn node(options: Options) -> std::io::Result<NodeHandle> {
    let network = options.network();
    let Options { self_id, loopback, limits, unread, idle_ttl, manual_reconnection, .. } = options;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let seed = Seed::new(seed);
    let epoch = Instant::now();
    let io = TokioIo::bind(epoch, loopback, network)?;
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let clock = Clock { now: Time::ZERO, unix };
    let engine = Str0mEngine::new(&seed.fork("engine"), epoch);
    let config = NodeConfig { self_id, limits, idle_ttl, manual_reconnection };
    let parts = Parts { config, engine, seed, clock, unread };
    let (handle, driver) = drive(parts, io);
    tokio::spawn(driver);
    Ok(handle)
}
