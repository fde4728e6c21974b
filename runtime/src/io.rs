//! What a runtime has to do: everything that touches the world, and nothing of the protocol.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tristero_proto::engine::{Datagram, NetworkEvent, NetworkRequest, Transmit};
use tristero_proto::signaling::{LinkFrame, LinkTarget};
use tristero_proto::{LinkId, Time};

/// Reads a monotonic clock, from any thread.
pub type ReadClock = Arc<dyn Fn() -> Time + Send + Sync>;

/// Sockets, links and time.
///
/// The [`Driver`](crate::Driver) calls this from one task. None of the calls blocks. What can't be
/// done is reported later by [`poll_event`](Io::poll_event), or is lost, as datagrams may be.
pub trait Io {
    /// The clock that the node runs by.
    fn clock(&self) -> ReadClock;

    /// What the calendar shows: the time since 1970, where there is one to be read. The driver tells
    /// the node if that drifts away from [`clock`](Io::clock), as it does where a machine sleeps.
    fn unix(&self) -> Option<Duration> {
        None
    }

    /// Begins to open a link. [`IoEvent::LinkOpened`] or [`IoEvent::LinkClosed`] follows.
    fn open_link(&mut self, link: LinkId, target: LinkTarget);

    /// Sends a message over a link, after those before it. A link that can't keep up is closed,
    /// with [`IoEvent::LinkClosed`].
    fn send_link(&mut self, link: LinkId, frame: LinkFrame);

    /// Closes a link once what was sent over it is on its way. No event of it follows.
    fn close_link(&mut self, link: LinkId);

    /// Sends datagrams, or loses them.
    fn transmit(&mut self, transmit: &Transmit);

    /// Resolves a name, or opens, feeds or closes a stream to a TURN server.
    /// [`IoEvent::Network`] says what came of it.
    fn request(&mut self, request: NetworkRequest);

    /// Waits for something to happen, or for the deadline.
    fn poll_event(&mut self, deadline: Option<Time>, cx: &mut Context<'_>) -> Poll<IoEvent<'_>>;

    /// Waits until closed links have sent what they had to, for a short while at most.
    fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// What happened outside.
#[derive(Debug)]
pub enum IoEvent<'a> {
    /// A datagram arrived.
    Datagram(Datagram<'a>),
    /// A socket is bound to this address.
    AddressAdded(SocketAddr),
    /// That socket is gone.
    AddressRemoved(SocketAddr),
    /// A link stands.
    LinkOpened(LinkId),
    /// A message came over a link.
    LinkFrame(LinkId, LinkFrame),
    /// A link could not be opened, or is gone.
    LinkClosed(
        LinkId,
        /// Why, in words.
        String,
    ),
    /// What came of a [`request`](Io::request).
    Network(NetworkEvent),
    /// The deadline has passed.
    Deadline,
}
