//! What a runtime has to do: everything that touches the world, and nothing of the protocol.
//!
//! For an async runtime on an operating system, `tristero-native` has an [`Io`] that is complete, over
//! a smaller trait of tasks, timers and sockets. What follows is for whoever wants none of it: another
//! medium, a kernel of one's own, a simulator.

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
///
/// # One of your own
///
/// A runtime makes an [`Engine`](tristero_proto::engine::Engine), its `Io` and a seed of the system's
/// randomness, gives them to [`drive`](crate::drive), and spawns the driver. In the order in which it
/// gets somewhere:
///
/// 1. **A clock.** [`clock`](Io::clock) and the deadlines of [`poll_event`](Io::poll_event) count from
///    one epoch. It never goes backwards.
/// 2. **Links.** [`open_link`](Io::open_link) has a [`LinkTarget`]: a WebSocket with its URL, or what
///    only the application knows how to dial. Frames of one link keep their order, both ways. Two nodes
///    that see a relay already hear of each other.
/// 3. **Datagrams.** One socket for each address of the machine, on a port of the system's choice. Each
///    is told of once by [`AddressAdded`](IoEvent::AddressAdded), loopback only where it is wanted;
///    [`transmit`](Io::transmit) leaves from the socket at `path.local` and is cut into segments where
///    there are several, by the operating system if it can. Now they connect.
/// 4. **Requests.** Names that are resolved, streams to TURN servers. What a runtime can't do it answers:
///    no address, a stream that is closed with the reason.
/// 5. **Changes.** Addresses that come and go, so that machines may move.
///
/// What has to hold: a link that was opened ends with one [`LinkClosed`](IoEvent::LinkClosed), whatever
/// happens to it, unless the node closed it, after which nothing of it is told. Everything that waits
/// has a bound: a link that falls behind is closed, a datagram for which there is no room is lost. No
/// source starves another. `poll_event` returns [`Poll::Pending`] only when all that could happen,
/// the deadline too, will wake the task.
///
/// The tests that every runtime has to pass are in `runtime-native/suite`; `tests/suite.rs` of
/// `tristero-smol` shows how they are run.
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
    /// Datagrams arrived.
    Datagrams {
        /// One, or several of the same size one after another, of which the last may be shorter.
        datagrams: Datagram<'a>,
        /// The size of each in bytes, if there are several.
        segment_size: Option<usize>,
    },
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
