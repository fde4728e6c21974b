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
//! [`join`] is the short way to one room, and [`node`] to several, both inside a tokio runtime with
//! time and I/O enabled. Everything else is the API of [`tristero`](tristero_native::tristero), given
//! again here; its documentation is the guide to it. `tristero-smol` is the same on smol.
//!
//! # Of this crate
//!
//! [`Options`] has what a node is made with: limits, root certificates, proxies, dialers for media
//! that are no WebSockets. [`send_file`] and [`save`] are for files; `tokio-util` makes a reader of
//! `futures-io`, which [`TransferAction::send_from`] takes, of one of tokio's.
//!
//! `wss:` relays need a certificate that the operating system, Mozilla or [`Options::extra_roots`]
//! stand for. WebSockets go through the HTTP proxies that the environment names, as those of curl do:
//! see [`Proxies`].
//!
//! A service of one's own is a [`signaling::Strategy`]. If it is spoken to by something that is not
//! a WebSocket, a [`Dialer`] in [`Options::dialers`] supplies the links. The examples `own_strategy`
//! and `over_redis` are one of each.
//!
//! Where a runtime ends before its nodes were shut down, peers are told by datagrams that may be lost.
//! [`NodeHandle::shut_down`] waits until all goodbyes are sent.

mod reactor;

pub use reactor::{Tokio, TokioTimer, TokioUdp};

tristero_native::runtime_api! {
    /// # Panics
    ///
    /// Panics outside of a tokio runtime with time and I/O enabled.
    Tokio
}
