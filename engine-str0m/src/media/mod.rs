//! Audio and video of a connection that stands.
//!
//! [`Session`](session::Session) says what both sides agreed on, and is all that descriptions are made
//! of; [`Flow`](flow::Flow) is what passes. str0m packs frames into packets, and hears of nothing but
//! finished exchanges: see [`emit`].

pub(crate) mod carriage;
pub(crate) mod emit;
pub(crate) mod extensions;
pub(crate) mod flow;
pub(crate) mod formats;
pub(crate) mod frame;
pub(crate) mod gate;
pub(crate) mod packets;
pub(crate) mod parse;
pub(crate) mod section;
pub(crate) mod session;
pub(crate) mod slots;
pub(crate) mod timeline;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(feature = "fuzzing"), allow(unreachable_pub))]
pub mod trial;
