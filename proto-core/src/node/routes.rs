//! Who owns each connection.
//!
//! A connection has one owner from its first offer to its end: the pool that offers it to anyone,
//! the negotiation that makes it, then the peer that it leads to.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::ids::{ConnId, PeerId, RoomKey};
use crate::limits;

/// Whose a connection is.
#[derive(Debug)]
pub(super) enum Owner {
    /// It is an offer of this room for anyone.
    Pooled { room: RoomKey },
    /// It is being made, for this room and with this peer.
    Negotiating { room: RoomKey, peer: PeerId },
    /// It is the connection to a peer.
    Shared,
    /// It is a second one to a peer that has one: two rooms were negotiating at once. The smaller
    /// id decides which one stays; this is the larger id's until then.
    Spare(Spare),
}

/// A second connection to a peer.
#[derive(Debug)]
pub(super) struct Spare {
    /// The room that it was made for.
    pub(super) room: RoomKey,
    pub(super) app_id: String,
    pub(super) peer: PeerId,
    /// What came over it.
    pub(super) held: VecDeque<Bytes>,
}

/// The owners of all connections, and the connections of all peers.
#[derive(Debug, Default)]
pub(super) struct Routes {
    owners: BTreeMap<ConnId, Owner>,
    /// One connection per app and peer.
    shared: BTreeMap<String, BTreeMap<PeerId, ConnId>>,
}

impl Routes {
    /// How many connections are for anyone.
    pub(super) fn pooled(&self) -> usize {
        self.owners.values().filter(|owner| matches!(owner, Owner::Pooled { .. })).count()
    }

    /// How many connections are with somebody.
    pub(super) fn owned(&self) -> usize {
        self.owners.len() - self.pooled()
    }

    pub(super) fn pool(&mut self, conn: ConnId, room: RoomKey) {
        let old = self.owners.insert(conn, Owner::Pooled { room });
        assert!(old.is_none(), "connection ids are handed out once");
    }

    /// Someone claimed an offer for anyone, if it is one.
    pub(super) fn claim(&mut self, conn: ConnId, peer: &PeerId) {
        if let Some(owner) = self.owners.get_mut(&conn)
            && let Owner::Pooled { room } = *owner
        {
            *owner = Owner::Negotiating { room, peer: peer.clone() };
        }
    }

    pub(super) fn negotiate(&mut self, conn: ConnId, room: RoomKey, peer: PeerId) {
        let old = self.owners.insert(conn, Owner::Negotiating { room, peer });
        assert!(old.is_none(), "connection ids are handed out once");
    }

    pub(super) fn share(&mut self, conn: ConnId, app_id: &str, peer: &PeerId) {
        self.owners.insert(conn, Owner::Shared);
        self.shared.entry(app_id.to_owned()).or_default().insert(peer.clone(), conn);
    }

    pub(super) fn spare(&mut self, conn: ConnId, spare: Spare) {
        self.owners.insert(conn, Owner::Spare(spare));
    }

    /// Keeps a message of a spare connection; the oldest is dropped.
    pub(super) fn hold(&mut self, conn: ConnId, message: Bytes) {
        if let Some(Owner::Spare(Spare { held, .. })) = self.owners.get_mut(&conn) {
            held.push_back(message);
            let bytes = |held: &VecDeque<Bytes>| held.iter().map(Bytes::len).sum::<usize>();
            while held.len() > limits::EARLY_FRAMES_MAX
                || bytes(held) > limits::EARLY_FRAME_BYTES_MAX
            {
                held.pop_front();
            }
        }
    }

    pub(super) fn remove(&mut self, conn: ConnId) -> Option<Owner> {
        self.owners.remove(&conn)
    }

    pub(super) fn unshare(&mut self, app_id: &str, peer: &PeerId) {
        if let Some(peers) = self.shared.get_mut(app_id) {
            peers.remove(peer);
            if peers.is_empty() {
                self.shared.remove(app_id);
            }
        }
    }

    /// The spare connection to a peer.
    pub(super) fn spare_of(&self, app_id: &str, peer: &PeerId) -> Option<ConnId> {
        self.owners.iter().find_map(|(conn, owner)| match owner {
            Owner::Spare(spare) if spare.peer == *peer && spare.app_id == app_id => Some(*conn),
            Owner::Pooled { .. } | Owner::Spare(_) | Owner::Negotiating { .. } | Owner::Shared => {
                None
            }
        })
    }

    pub(super) fn owner(&self, conn: ConnId) -> Option<&Owner> {
        self.owners.get(&conn)
    }

    /// The connection to a peer.
    pub(super) fn shared(&self, app_id: &str, peer: &PeerId) -> Option<ConnId> {
        self.shared.get(app_id)?.get(peer).copied()
    }
}
