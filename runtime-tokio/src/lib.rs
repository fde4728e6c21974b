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
//! [`join`] is the short way to one room; [`node`] gives a [`NodeHandle`], on which several rooms
//! share one id and one connection per peer. Everything else is the API of [`tristero`], given
//! again here. Both need to be called inside a tokio runtime with time and I/O enabled.

mod addresses;
mod files;
mod io;
mod links;
mod tls;
mod udp;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use tristero::*;
use tristero_proto::{Clock, NodeConfig, Seed, Time};
use tristero_str0m::Str0mEngine;

pub use files::{SendFile, save, send_file};
use io::TokioIo;

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
}

impl Default for Options {
    fn default() -> Self {
        let NodeConfig { self_id, limits, idle_ttl, manual_reconnection } = NodeConfig::default();
        let (loopback, unread) = (false, Unread::default());
        Options { self_id, loopback, limits, unread, idle_ttl, manual_reconnection }
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
    let Options { self_id, loopback, limits, unread, idle_ttl, manual_reconnection } = options;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let seed = Seed::new(seed);
    let epoch = Instant::now();
    let io = TokioIo::bind(epoch, loopback)?;
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let clock = Clock { now: Time::ZERO, unix };
    let engine = Str0mEngine::new(&seed.fork("engine"), epoch);
    let config = NodeConfig { self_id, limits, idle_ttl, manual_reconnection };
    let parts = Parts { config, engine, seed, clock, unread };
    let (handle, driver) = drive(parts, io);
    tokio::spawn(driver);
    Ok(handle)
}
