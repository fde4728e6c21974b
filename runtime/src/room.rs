//! A room: who is in it, and what happens there.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use tristero_proto::engine::ConnectionInfo;
use tristero_proto::signaling::RelayStatus;
use tristero_proto::wire::ActionName;
use tristero_proto::{JoinFailure, LeaveReason, PeerId, RoomKey};

use crate::action::{Action, ActionError};
use crate::handle::NodeHandle;
use crate::inbox::Inbox;

/// A room that this node is in.
///
/// Clones are handles of the same room. It is left by [`leave`](Room::leave), or when the last
/// handle and [`Action`] of it is gone.
#[derive(Clone)]
pub struct Room {
    inner: Arc<Inner>,
}

struct Inner {
    node: NodeHandle,
    key: RoomKey,
}

/// Something that happened in a room, other than a message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RoomEvent {
    /// A peer joined: it is connected, and messages can be exchanged.
    PeerJoined {
        /// The peer.
        peer: PeerId,
    },
    /// A peer is in the room no longer.
    PeerLeft {
        /// The peer.
        peer: PeerId,
        /// Why.
        reason: LeaveReason,
    },
    /// A peer was met and could not join. It may yet.
    JoinFailed {
        /// The peer.
        peer: PeerId,
        /// Why.
        failure: JoinFailure,
    },
    /// The state of a relay of this room changed.
    Relay(RelayStatus),
}

/// What happens in a room; made by [`Room::events`]. Also a [`Stream`].
///
/// It ends when the room was left.
#[derive(Debug)]
pub struct RoomEvents(Inbox<RoomEvent>);

impl Room {
    pub(crate) fn new(node: NodeHandle, key: RoomKey) -> Self {
        Room { inner: Arc::new(Inner { node, key }) }
    }

    /// What happens in the room from now on. It begins with the relays as they are, and with a
    /// [`PeerJoined`](RoomEvent::PeerJoined) for each peer that is in the room already, so that
    /// nobody is missed. The first one begins with the failures to join that came before it, too.
    ///
    /// Messages come by other streams, one for each action. Between two streams there is no order:
    /// who selects over both may read that a peer left before its last message.
    pub fn events(&self) -> RoomEvents {
        RoomEvents(self.inner.node.backend().events(self.inner.key))
    }

    /// Sends and receives under this name, of 1 to 32 bytes. Messages that came before are
    /// received first. Of several actions with one name, each receives all that comes from then.
    pub fn action(&self, name: &str) -> Result<Action, ActionError> {
        let name = ActionName::new(name)?;
        let inbox = self.inner.node.backend().messages(self.inner.key, &name)?;
        Ok(Action::new(self.clone(), name, inbox))
    }

    /// The peers that are in the room now, without us, in the order of their ids.
    pub fn peers(&self) -> Vec<PeerId> {
        self.inner.node.backend().peers(self.inner.key)
    }

    /// How the room's relays are doing now.
    pub fn relays(&self) -> Vec<RelayStatus> {
        self.inner.node.backend().relays(self.inner.key)
    }

    /// What is known of the connection to a peer of the room.
    pub fn connection_info(&self, peer: &PeerId) -> Option<ConnectionInfo> {
        self.inner.node.backend().connection_info(self.inner.key, peer)
    }

    /// Our own id, by which the others know us.
    pub fn self_id(&self) -> &PeerId {
        self.inner.node.self_id()
    }

    /// The node that this is a room of.
    pub fn node(&self) -> &NodeHandle {
        &self.inner.node
    }

    /// Leaves the room for all its handles. The others see it at once; this resolves when the
    /// goodbyes were handed to the network.
    pub async fn leave(self) {
        let backend = self.inner.node.backend();
        backend.leave(self.inner.key);
        // An error means that the driver has ended, and with it the room.
        let _ = backend.flushed().await;
    }

    pub(crate) fn key(&self) -> RoomKey {
        self.inner.key
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("self_id", self.self_id()).field("key", &self.key()).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.node.backend().release(self.key);
    }
}

impl RoomEvents {
    /// The next event; `None` once the room was left.
    pub async fn recv(&mut self) -> Option<RoomEvent> {
        std::future::poll_fn(|cx| self.0.poll_next(cx)).await
    }
}

impl Stream for RoomEvents {
    type Item = RoomEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<RoomEvent>> {
        self.0.poll_next(cx)
    }
}
