//! Bytes to values and back, without any state.
//!
//! Each file has a pair of `parse` and `emit`. What does not parse is an error with a reason;
//! nothing here decides what to do about it.

mod bundle;
mod candidate;
mod chunk;
mod frame;
mod media;
mod payload;
mod renegotiation;
mod signal;
mod transmission;

pub use bundle::BundledChunks;
pub(crate) use bundle::{Bundle, detached};
pub use candidate::CandidateInit;
pub use chunk::{ActionName, Chunk, ChunkError, InvalidActionName, Tag};
pub use frame::{Capabilities, ConnectionSecret, Frame, FrameError, Hello};
pub use media::MediaSaid;
pub use payload::{Payload, PayloadError};
pub use renegotiation::Renegotiation;
pub use signal::{OfferId, Signal, SignalBody, SignalError};
pub use transmission::Transmission;
