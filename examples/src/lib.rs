//! Event loops of one's own under [`tristero_proto`]: no async, no threads, no runtime.
//!
//! A [`Node`](tristero_proto::Node) has no socket and no clock. Something has to tell it what happens
//! outside and do what it wants done; the async runtimes are one such thing, and this crate is
//! another, small enough to be read in an afternoon and copied into a program that has a loop of its
//! own: a game, a server on `epoll`, a device.
//!
//! - [`LocalPeer`] is a node with its sockets and links: it feeds the one and performs on the others.
//! - [`Sockets`] are its UDP sockets, one for each local address.
//! - [`Links`] are its WebSockets to relays, each a [`Link`] of a few states that never blocks.
//! - [`network`] answers what the engine wants of the network beside datagrams.
//! - [`Epoch`] turns the operating system's clock into the node's.
//! - [`Swarm`] is many peers in one thread.
//!
//! All of it waits in one place, [`mio::Poll`], which is the loop's own. `mio` and not `polling`,
//! because tokio stands on it, so that it is the better kept and in the tree anyway.
//!
//! The programs in `src/bin` are three loops: `event_loop` sleeps until something happens,
//! `game_loop` never sleeps in it, and `hundred_nodes` is a server of a hundred.
//!
//! What a runtime of `tristero` has beyond this: TLS and proxies, look-ups of names that nothing
//! waits for, streams to TURN servers, mDNS, addresses that come and go, and a calendar that is set.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod epoch;
mod game;
mod link;
mod links;
mod local_peer;
pub mod network;
mod room;
mod sockets;
mod swarm;
mod usage;

pub use epoch::Epoch;
pub use game::{Frame, Game, Position};
pub use link::{Link, LinkEvent};
pub use links::Links;
pub use local_peer::{LocalPeer, Traffic};
pub use room::{Place, addresses};
pub use sockets::Sockets;
pub use swarm::{Swarm, Wake};
pub use usage::Usage;
