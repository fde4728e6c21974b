//! What goes into a node from outside.

use std::time::Duration;

use crate::engine::EngineInput;
use crate::ids::LinkId;
use crate::signaling::LinkFrame;

/// Something that happened outside.
#[derive(Debug)]
pub enum Input<'a> {
    /// A link that was to be opened stands.
    LinkOpened(LinkId),
    /// A message came over a link.
    LinkFrame(LinkId, LinkFrame),
    /// A link could not be opened, or is gone. Not needed after the node closed it itself.
    LinkClosed(
        LinkId,
        /// Why, in words.
        &'a str,
    ),
    /// The calendar shows this time since 1970, which is not what the node would think: somebody set
    /// it, or this machine slept and its monotonic clock with it. Services refuse what seems old.
    WallClock(Duration),
    /// Something for the engine: a datagram, or a change of our addresses.
    Engine(EngineInput<'a>),
}
