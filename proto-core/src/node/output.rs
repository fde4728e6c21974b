//! What a node wants done outside.

use crate::engine::{NetworkRequest, Transmit};
use crate::event::Event;
use crate::ids::LinkId;
use crate::signaling::{LinkFrame, LinkTarget};

/// Something to do, or to know.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Open a link, and answer with `LinkOpened` or `LinkClosed`.
    OpenLink {
        /// The link's name from now on.
        link: LinkId,
        /// What to dial.
        target: LinkTarget,
    },
    /// Send a message over a link, in order. If that takes too long, close it and say so.
    SendLink {
        /// The link.
        link: LinkId,
        /// The message.
        frame: LinkFrame,
    },
    /// Close a link, after what was sent over it. Nothing more is expected of it.
    CloseLink {
        /// The link.
        link: LinkId,
    },
    /// Send datagrams. They may be lost.
    Transmit(Transmit),
    /// Do this for the engine, and answer with
    /// [`EngineInput::Network`](crate::engine::EngineInput::Network).
    Network(NetworkRequest),
    /// Tell the application.
    Event(Event),
}
