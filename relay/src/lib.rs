//! The self-hosted relay of Trystero's `ws-relay` strategy.
//!
//! Peers that share no public signaling service meet here: each subscribes to topics over a
//! WebSocket, and what one publishes on a topic reaches all who subscribed to it, itself
//! included. The relay neither reads nor keeps what it forwards; signaling is encrypted
//! between the peers.
//!
//! What it promises:
//!
//! - A publisher never waits for a subscriber. Each connection has a bounded outbox; a client
//!   that does not read is cut when it overflows, and the others notice nothing.
//! - All subscribers of a topic get its messages in one order, and get the payload byte for
//!   byte as it was sent.
//! - Whatever a client sends, memory stays within [`Limits`] and nothing panics. A message that
//!   makes no sense is ignored and counted; only a breach of the WebSocket protocol, an
//!   oversized message or silence ends a connection.
//!
//! `GET /health` answers on the same port, with [`Stats`] as JSON, and `GET /metrics` with the same
//! numbers for Prometheus (text format 0.0.4; each is named `tristero_relay_…`).
//!
//! Left to others: accounts, rate limits per address and certificate renewal (a reverse proxy
//! does those well), and the protocol that peers speak through it (`tristero-proto`).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tristero_relay::{Config, Relay};
//!
//! let relay = Relay::bind(Config::new("127.0.0.1:0".parse()?)).await?;
//! println!("listening on {}", relay.url());
//! let handle = relay.spawn();
//!
//! // A signal handler would do this.
//! handle.shutdown();
//! handle.stopped().await;
//! # Ok(())
//! # }
//! ```

mod clock;
mod config;
mod connection;
mod end;
mod handle;
mod http;
mod hub;
mod limits;
mod metrics;
mod outbox;
mod queue;
mod reader;
mod relay;
mod shared;
mod stats;
mod stream;
mod tls;
pub mod wire;
mod writer;

pub use config::Config;
pub use handle::Handle;
pub use limits::Limits;
pub use relay::{BindError, Relay};
pub use stats::{Counters, Stats};
pub use tls::{Tls, TlsError};
