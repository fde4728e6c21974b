//! What tests of engines, nodes and strategies need: a cheap engine, the suite that every engine
//! runs, and the terms of a session.
//!
//! Behind the feature `testing`. Not for production.

pub mod conformance;
mod memory_engine;

use std::time::Duration;

pub use memory_engine::MemoryEngine;

use crate::ids::PeerId;
use crate::rng::Seed;
use crate::signaling::{RelayUrl, SessionTerms};
use crate::time::{Clock, Time};

/// The terms of a session with one relay, for a peer called `self`. The wall clock shows
/// 1,700,000,000 s at [`Time::ZERO`].
pub fn session_terms(url: RelayUrl) -> SessionTerms {
    let seed = Seed::from_number(1);
    SessionTerms {
        url,
        self_id: PeerId::new("self").expect("this is an id"),
        shared: seed.fork("strategy"),
        rng: seed.rng("session"),
        clock: Clock { now: Time::ZERO, unix: Duration::from_secs(1_700_000_000) },
    }
}
