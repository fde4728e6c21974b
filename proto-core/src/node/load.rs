//! How much a node holds, by number: for those who watch over many, and for tests of its bounds.

use crate::node::Node;

/// What a node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Rooms that it is in.
    pub rooms: usize,
    /// Members of all those rooms; a peer counts in each room that it is in.
    pub members: usize,
    /// Relays that its rooms use.
    pub relays: usize,
    /// Links to them that stand or are being opened.
    pub links: usize,
    /// Connections that are being made with somebody, or in use.
    pub connections: usize,
    /// Connections that are offered to anyone, where relays pass such offers round.
    pub offered: usize,
    /// Connections that lead to a peer.
    pub peers: usize,
    /// Moments at which it wants to be woken, one for each part that has any.
    pub deadlines: usize,
    /// Transmissions that wait to be handed over, for all peers.
    pub queued: usize,
}

impl<E> Node<E> {
    /// What it holds now.
    pub fn load(&self) -> Load {
        Load {
            rooms: self.rooms.len(),
            members: self.rooms.values().map(|joined| joined.room.peers().count()).sum(),
            relays: self.relays.len(),
            links: self.links.len(),
            connections: self.routes.owned(),
            offered: self.routes.pooled(),
            peers: self.peers.len(),
            deadlines: self.due.len(),
            queued: self.peers.values().map(|peer| peer.outbox.queued()).sum(),
        }
    }
}
