//! Every bound of what is read and written, and what happens there.
//!
//! A file may come from anyone. No length that stands in one is believed: memory is taken for the
//! bytes that are there, and for no more than these.

use std::time::Duration;

/// A frame, as of a node: larger ones are an error, read or written.
pub use tristero_proto::limits::FRAME_BYTES_MAX;

/// Tracks of one file, or of one recording. More are an error.
pub const TRACKS_MAX: usize = 16;

/// Headers of a file: an EBML header, the description of all tracks of a WebM file, the comments of
/// Ogg Opus. Longer ones are an error; comments may hold the picture of an album.
pub const HEADER_BYTES_MAX: usize = 1 << 20;

/// Positions that a WebM file gets for seeking. Beyond, the rest of the file has none; at one in
/// five seconds that is after 45 hours.
pub const CUES_MAX: usize = 32_768;

/// A cluster of a WebM file. The times in it are 16 bits of milliseconds, and players go to the
/// beginning of one.
pub const CLUSTER_TIME_MAX: Duration = Duration::from_secs(5);

/// A gap in audio that is filled with silence. What is missing beyond it is left out, so that a
/// wrong time can't fill a disk.
pub const GAP_MAX: Duration = Duration::from_secs(3_600);

/// All gaps of one file that a writer of sound fills. A [`Sink`](crate::Sink) knows when frames arrive
/// and goes by that instead: what it writes of sound is at most [`AHEAD_MAX`] longer than the time that
/// passed.
pub const GAPS_MAX: Duration = Duration::from_secs(6 * 3_600);

/// How much longer sound in a file may become than the time that passed, by gaps that are filled: what
/// the first frame was late on its way.
pub const AHEAD_MAX: Duration = Duration::from_secs(10);

/// The files that one track becomes, one for each change of its codec. What comes beyond is an
/// error.
pub const PARTS_MAX: usize = 64;
