//! Audio and video between rooms and files, for `record`, `play` and `agent`.

mod notes;
mod pace;
mod playing;
mod recording;

pub(crate) use notes::{Notes, called};
pub(crate) use playing::Program;
pub(crate) use recording::{Recorded, RecordingFiles, record};
