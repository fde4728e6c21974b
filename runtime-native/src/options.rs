//! How a node is made, and started.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tristero::{
    Config, Dialers, JoinError, Limits, NodeHandle, Parts, PeerId, Room, Unread, drive,
};
use tristero_proto::{Clock, NodeConfig, Seed, Time};
use tristero_str0m::Str0mEngine;

use crate::anchored::Gone;
use crate::io::NativeIo;
use crate::links::Network;
use crate::proxy::Proxies;
use crate::reactor::Reactor;
use crate::tls::{ExtraRoots, Tls};

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
    pub(crate) fn network(&self) -> Network {
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
/// # Errors
///
/// Fails if [`node`] does, or the room can't be joined so.
pub fn join<R: Reactor>(config: &Config, room_id: &str) -> Result<Room, Error> {
    Ok(node::<R>(Options::default())?.join(config, room_id)?)
}

/// Starts a node, driven by a task of its own until its last handle is gone.
///
/// # Errors
///
/// Fails if no UDP socket can be bound, or the operating system has no random numbers.
pub fn node<R: Reactor>(options: Options) -> std::io::Result<NodeHandle> {
    let network = options.network();
    let Options { self_id, loopback, limits, unread, idle_ttl, manual_reconnection, .. } = options;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let seed = Seed::new(seed);
    let epoch = Instant::now();
    let io = NativeIo::<R>::bind(epoch, loopback, network)?;
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let clock = Clock { now: Time::ZERO, unix };
    let engine = Str0mEngine::new(&seed.fork("engine"), epoch);
    let config = NodeConfig { self_id, limits, idle_ttl, manual_reconnection };
    let (handle, driver) = drive(Parts { config, engine, seed, clock, unread }, io);
    R::spawn(driver);
    Ok(handle)
}
