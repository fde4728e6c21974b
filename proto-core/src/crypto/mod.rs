//! What a room is called on relays, and what hides its signals there.
//!
//! Topics keep a room's name from relays, the envelope keeps addresses from them, the password
//! proof keeps strangers out of a room that shares a connection with another one. None of it
//! protects the data: that is the work of DTLS.

mod envelope;
mod password;
mod topic;

pub use envelope::{OpenError, SignalKey};
pub use password::{Password, bound_password_proof, password_proof};
pub(crate) use topic::token_text;
pub use topic::{RoomToken, Topic};
