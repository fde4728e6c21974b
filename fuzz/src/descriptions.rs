//! Descriptions of a connection that stands, with audio and video: what the engine makes of them, and
//! what str0m is told.

/// Puts descriptions to a session, one after another. Whatever is answered names each section, and
/// str0m takes what it is told of the outcome.
pub fn run(bytes: &[u8]) {
    tristero_str0m::trial::run(bytes);
}
