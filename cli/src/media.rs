//! Audio and video between rooms and files, for `record`, `play` and `agent`.

mod claims;
mod notes;
mod pace;
mod playing;
mod recording;

pub(crate) use claims::{Claimed, Claims};
pub(crate) use notes::{Notes, called};
pub(crate) use playing::Program;
pub(crate) use recording::{Recorded, RecordingFiles, Step, record};
