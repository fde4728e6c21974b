//! skeleton
pub mod engine;
mod ids;
pub mod limits;
mod rng;
mod time;
pub mod crypto;
pub mod wire;
#[cfg(feature = "testing")]
pub mod testing;
pub use ids::*;
pub use rng::{Rng, Seed};
pub use time::{Clock, Deadline, Time};
