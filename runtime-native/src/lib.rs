//! What runtimes of Trystero rooms have in common where there is an operating system: links by
//! WebSocket, TLS and HTTP proxies, UDP sockets at all addresses of the machine, multicast DNS, and
//! files.
//!
//! Applications depend on a runtime, as `tristero-tokio` or `tristero-smol`, which gives all of this
//! again with its own [`Reactor`]. Another async runtime becomes one by that trait alone: tasks,
//! timers and sockets, in less than a hundred lines. `runtime-smol/src/reactor.rs` is the one to begin
//! from; what its `Cargo.toml` has is all that is needed. `runtime-native/suite` has the tests. What has no async runtime at all implements
//! [`Io`](tristero::Io) itself, or drives a [`Node`](tristero::proto::Node) by hand.

mod addresses;
mod anchored;
mod api;
mod files;
mod ice_probe;
mod interfaces;
mod io;
mod links;
mod mdns;
mod options;
mod proxy;
mod reactor;
mod servers;
mod stream;
mod time;
mod tls;
mod udp;
mod web_socket;

// Tests need some reactor. That of `tristero-smol` is one file, which takes this crate to be another.
#[cfg(test)]
extern crate self as tristero_native;
#[cfg(test)]
#[allow(unreachable_pub, reason = "it is public there")]
#[path = "../../runtime-smol/src/reactor.rs"]
mod smol_reactor;

pub use files::{SendFile, save, send_file};
pub use ice_probe::{IceFinding, IceProbe};
pub use mdns::{MdnsFailure, check_mdns};
pub use options::{Error, Options, join, node};
pub use proxy::Proxies;
/// A socket to read or write many datagrams at, in [`UdpSocket`].
pub use quinn_udp::UdpSockRef;
pub use reactor::{Reactor, Timer, UdpSocket};
pub use tls::{ExtraRoots, InvalidRoot};
#[doc(hidden)]
pub use tristero;
pub use web_socket::WebSockets;
