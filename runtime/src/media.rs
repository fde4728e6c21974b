//! Audio and video: what is sent, and what comes.
//!
//! What belongs to the application stands by itself, [`LocalTrack`] and [`LocalStream`], and goes to
//! as many rooms as it is added to. What comes belongs to the room that it came in:
//! [`RemoteTrack`], [`RemoteStream`]. Frames are neither encoded nor decoded.

mod adding;
mod local_stream;
mod local_track;
mod relaying;
mod remote_track;
mod room;
mod streams;

pub use adding::{AddBuilder, AddError, Added, Adding, ReplaceBuilder};
pub use local_stream::LocalStream;
pub use local_track::LocalTrack;
pub(crate) use local_track::Wants;
pub use relaying::Relaying;
pub use remote_track::{RemoteStream, RemoteTrack};
pub use streams::{PeerStream, PeerStreams, PeerTrack, PeerTracks};
