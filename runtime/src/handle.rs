//! The handle of a node, for applications with several rooms.

use std::fmt;
use std::sync::Arc;

use tristero_proto::PeerId;

use crate::config::{Config, JoinError};
use crate::room::Room;
use crate::shared::Backend;

/// One local peer: one id, and one connection to each remote peer, for all its rooms.
///
/// Clones are handles of the same node. It is shut down when the last handle, room and action is
/// gone.
#[derive(Clone)]
pub struct NodeHandle {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Arc<dyn Backend>,
    self_id: PeerId,
}

impl NodeHandle {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Self {
        let self_id = backend.self_id();
        NodeHandle { inner: Arc::new(Inner { backend, self_id }) }
    }

    /// Joins a room. This is local and done at once: relays are dialled and peers met from now
    /// on, and [`Room::events`] tells of it.
    ///
    /// A room that was joined already with the same configuration is given again.
    pub fn join(&self, config: &Config, room_id: &str) -> Result<Room, JoinError> {
        let key = self.inner.backend.join(config.room(room_id)?)?;
        Ok(Room::new(self.clone(), key))
    }

    /// The node's own id, by which others know it.
    pub fn self_id(&self) -> &PeerId {
        &self.inner.self_id
    }

    /// Leaves all rooms and closes all connections, and resolves when that is done: about 0.1 s.
    pub async fn shut_down(&self) {
        self.inner.backend.shut_down();
        self.ended().await;
    }

    /// Resolves when the node is shut down, by whomever.
    pub async fn ended(&self) {
        // The sender is dropped at the end; nothing is ever sent.
        let _ = self.inner.backend.ended().await;
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.inner.backend
    }
}

impl fmt::Debug for NodeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeHandle").field(self.self_id()).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.backend.shut_down();
    }
}
