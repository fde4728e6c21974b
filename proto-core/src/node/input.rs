//! What goes into a node from outside.

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
    /// Something for the engine: a datagram, or a change of our addresses.
    Engine(EngineInput<'a>),
}
