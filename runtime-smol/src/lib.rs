//! Trystero rooms for Rust on smol: peers find each other with no server of their own, connect
//! directly by WebRTC, and share rooms, with browsers too.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tristero_smol::{Action, Config, RoomEvent, join};
//!
//! smol::block_on(async {
//!     let room = join(&Config::new("my-app").relay("wss://relay.example"), "lobby")?;
//!     let (chat, mut events): (Action<String>, _) = (room.action("chat")?, room.events());
//!     while let Some(event) = events.recv().await {
//!         if let RoomEvent::PeerJoined { peer } = event {
//!             chat.send("hello, you").to(&peer).await.ok(); // it may have left
//!         }
//!     }
//!     Ok(())
//! })
//! # }
//! ```
//!
//! The API is that of `tristero`, whose documentation has the guide to it; `tristero-tokio` is the
//! same on tokio, and both may be in one process. Nodes are driven on the global executor of
//! `smol`, which has one thread unless the variable `SMOL_THREADS` says more: what blocks in a task of
//! `smol::spawn` stops every node, and [`blocking`] in one waits for ever. The main thread, threads of
//! your own and `smol::block_on` are free to. Handles may be used on any executor.

mod reactor;

pub use reactor::{Smol, SmolTimer, SmolUdp};

tristero_native::runtime_api!(Smol);
