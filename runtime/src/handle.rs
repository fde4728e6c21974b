//! The handle of a node, for applications with several rooms.

use std::fmt;
use std::sync::{Arc, Weak};

use tristero_proto::{PeerId, Time};

use crate::config::{Config, JoinError};
use crate::room::Room;
use crate::shared::Shared;

/// One local peer: one id, and one connection to each remote peer, for all its rooms.
///
/// Clones are handles of the same node. It is shut down when the last handle, and all that was
/// made from it, is gone.
#[derive(Clone)]
pub struct NodeHandle {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    self_id: PeerId,
}

impl NodeHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let self_id = shared.with(|state| state.node.self_id().clone());
        NodeHandle { inner: Arc::new(Inner { shared, self_id }) }
    }

    /// Joins a room. This is local and done at once: relays are dialled and peers met from now
    /// on, and [`Room::events`] tells of it.
    ///
    /// A room that was joined already with the same configuration is given again.
    pub fn join(&self, config: &Config, room_id: &str) -> Result<Room, JoinError> {
        let key = self.inner.shared.join(config.room(room_id)?)?;
        Ok(Room::new(self.clone(), key))
    }

    /// The node's own id, by which others know it.
    pub fn self_id(&self) -> &PeerId {
        &self.inner.self_id
    }

    /// The node's own time, which [`RelayState::BackingOff`](crate::RelayState::BackingOff) is told
    /// in.
    pub fn now(&self) -> Time {
        self.inner.shared.now()
    }

    /// Dials no relay of any room any more, until [`resume_relays`](Self::resume_relays). Those
    /// that are open stay so.
    pub fn pause_relays(&self) {
        self.inner.shared.call(|state, now| state.node.pause_relays(now));
    }

    /// Dials relays again, those that wait at once.
    pub fn resume_relays(&self) {
        self.inner.shared.call(|state, now| state.node.resume_relays(now));
    }

    /// Leaves all rooms and closes all connections, and resolves when that is done: about 0.1 s.
    /// Dropping the future once it was polled only stops waiting.
    pub async fn shut_down(&self) {
        self.inner.shared.shut_down();
        self.ended().await;
    }

    /// Resolves when the node is shut down, by whomever. Dropping the future only stops waiting.
    pub async fn ended(&self) {
        self.inner.shared.ended().await;
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.inner.shared
    }

    /// For what does not keep the node.
    pub(crate) fn weak(&self) -> Weak<Shared> {
        Arc::downgrade(&self.inner.shared)
    }
}

impl fmt::Debug for NodeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeHandle").field(self.self_id()).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.shut_down();
    }
}
