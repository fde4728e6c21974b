//! WebRTC for `tristero-proto` on str0m, without a socket, a clock or a thread.

mod candidate;
mod credentials;
mod limits;
mod sdp;
