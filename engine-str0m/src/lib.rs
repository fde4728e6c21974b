//! WebRTC for [`tristero-proto`] on [str0m], without a socket, a clock or a thread.
//!
//! [`Str0mEngine`] implements [`Engine`]: it makes connections out of session descriptions and
//! datagrams, each with the one data channel that Trystero uses, and with audio and video if somebody
//! adds tracks. Its sockets are somebody else's: it is told their addresses and what arrived there,
//! and says what to send.
//!
//! # What it promises beyond the contract of [`Engine`]
//!
//! - **One set of sockets** for any number of connections. A STUN request finds its connection by
//!   the user name fragment, which is ours to choose, everything else by its addresses; nothing is
//!   searched for. A stranger's datagram is counted ([`Counters`]) and dropped, and a forged one
//!   takes nothing from anyone.
//! - **Nothing a remote sends is trusted**: descriptions and candidates are read into values before
//!   str0m sees them, and what a peer can make str0m remember is bounded.
//! - **An idle connection costs little**: a check every 2.5 s, which also shows that the peer lives.
//!   One that says nothing for 9 s is closed, and one that acknowledges nothing for 20 s.
//! - **Sections of descriptions are its own.** str0m, which packs frames into packets and takes them
//!   out again, hears of finished exchanges only. So what an application adds and removes for hours
//!   neither grows without bound nor breaks what browsers insist on.
//!
//! # Where randomness comes from
//!
//! ICE credentials come from the seed, as do the names that hide addresses and the numbers of media
//! sources. The DTLS certificate,
//! one for the whole engine and self-signed, and all keys come from the operating system, as do the numbers that SCTP begins
//! with and the transactions of STUN and TURN servers. str0m draws what needs no secrecy, such as the names of media sections and STUN
//! transactions, from the generator of the thread, [`fastrand`]; a simulator seeds that.
//!
//! # Example
//!
//! ```
//! use std::time::Instant;
//! use tristero_proto::engine::{ConnOptions, Engine, EngineEvent, EngineInput, EngineOutput};
//! use tristero_proto::{ConnId, Seed, Time};
//! use tristero_str0m::Str0mEngine;
//!
//! let mut engine = Str0mEngine::new(&Seed::from_number(1), Instant::now());
//! let now = Time::ZERO;
//! engine.handle_input(EngineInput::AddressAdded("192.0.2.1:5000".parse()?), now);
//! engine.offer(ConnId::from_number(1), ConnOptions::direct(true), now);
//! while let Some(output) = engine.poll_output() {
//!     match output {
//!         EngineOutput::Transmit(transmit) => println!("send to {}", transmit.path.remote),
//!         EngineOutput::Event(EngineEvent::Description { sdp, .. }) => println!("{sdp}"),
//!         EngineOutput::Event(_) | EngineOutput::Network(_) => {}
//!     }
//! }
//! println!("sleep until {:?}", engine.poll_timeout());
//! # Ok::<(), std::net::AddrParseError>(())
//! ```
//!
//! [`tristero-proto`]: tristero_proto
//! [str0m]: https://docs.rs/str0m
//! [`fastrand`]: https://docs.rs/fastrand
//! [`Engine`]: tristero_proto::engine::Engine

mod candidate;
mod config;
mod connection;
mod counters;
mod credentials;
mod data_channel;
mod datagram;
mod driven;
mod dtls;
mod engine;
mod epoch;
mod gather;
mod limits;
mod mdns;
mod media;
mod negotiation;
mod paths;
mod progress;
mod sctp_init;
mod sdp;
mod shared;
mod silence;
mod traffic;
mod window;

pub use config::Config;
pub use counters::Counters;
pub use engine::Str0mEngine;
/// Descriptions from anywhere, for fuzzing.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use media::trial;
/// The cryptography that a [`Config`] names.
pub use str0m::config::CryptoProvider;
