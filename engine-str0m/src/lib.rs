//! WebRTC for `tristero-proto` on str0m, without a socket, a clock or a thread.

mod candidate;
mod counters;
mod credentials;
mod datagram;
mod epoch;
mod limits;
mod negotiation;
mod paths;
mod sdp;
mod silence;
mod traffic;

pub use counters::Counters;
