//! The connections of a node: which ones are kept, probed, cut and lost.

use std::collections::VecDeque;
use std::time::Duration;

use tracing::{debug, info};

use super::routes::{Owner, Spare};
use super::{Node, Part};
use crate::conduct::Offence;
use crate::engine::{CloseReason, Engine};
use crate::ids::{ConnId, PeerId, RoomKey};
use crate::limits;
use crate::peer::{Peer, Restarts, SignalOfPeer};
use crate::room::LeaveReason;
use crate::time::Time;
use crate::wire::Hello;

/// A peer that was cut is not connected to for this long. It may come under another id; that costs
/// it a connection each time.
const SHUNNED_FOR: Duration = Duration::from_secs(60);

impl<E: Engine> Node<E> {
    /// A negotiation led to a connection.
    pub(super) fn on_open(&mut self, conn: ConnId, now: Time) {
        let Some((key, peer)) = self.negotiation(conn) else { return };
        let Some(joined) = self.rooms.get_mut(&key) else { return };
        joined.signaling.on_connected(&peer, conn);
        self.touched.insert(Part::Signaling(key));
        let app_id = joined.config.app_id.clone();
        if self.routes.shared(&app_id, &peer).is_some() {
            return self.on_second_connection(conn, key, peer, now);
        }
        self.adopt(conn, key, &peer, app_id, now);
    }

    /// Two rooms negotiated with one peer at once. The smaller id keeps what opened first for it;
    /// the larger one waits to see which of the two that was.
    fn on_second_connection(&mut self, conn: ConnId, key: RoomKey, peer: PeerId, now: Time) {
        debug!(%peer, "a second connection to a peer");
        if self.self_id < peer {
            self.routes.remove(conn);
            self.engine.close(conn, now);
            self.touched.insert(Part::Engine);
        } else {
            let joined = self.rooms.get(&key);
            let app_id = joined.map_or_else(String::new, |joined| joined.config.app_id.clone());
            self.routes.spare(conn, Spare { room: key, app_id, peer, held: VecDeque::new() });
        }
    }

    fn adopt(&mut self, conn: ConnId, key: RoomKey, id: &PeerId, app_id: String, now: Time) {
        if self.peers.len() >= self.limits.peers {
            debug!(peer = %id, "closed a connection: too many peers");
            self.routes.remove(conn);
            self.engine.close(conn, now);
            self.touched.insert(Part::Engine);
            return;
        }
        info!(peer = %id, ?conn, "connected to a peer");
        self.routes.share(conn, &app_id, id);
        let restarts = Restarts::new(self.seed.rng(&format!("restarts {}", conn.0)));
        let (limits, idle_ttl) = (&self.limits, self.idle_ttl);
        let names = self.seed.rng(&format!("media names {}", conn.0));
        let mut peer = Peer::new(id.clone(), app_id, limits, idle_ttl, restarts, names, now);
        for (other, joined) in &mut self.rooms {
            if joined.config.app_id == peer.app_id {
                if !joined.signaling.is_dormant() {
                    peer.say_presence(&joined.room.names().token, true);
                }
                // Other rooms may have been about to connect to the same peer. The smaller id
                // chose this connection by that; the larger one sees what becomes of the others.
                if self.self_id < *id || *other == key {
                    joined.signaling.on_connected(id, conn);
                    self.touched.insert(Part::Signaling(*other));
                }
            }
        }
        self.peers.insert(conn, peer);
        self.touched.insert(Part::Peer(conn));
        self.attach(key, conn, now);
    }

    pub(super) fn on_hello(&mut self, conn: ConnId, hello: Hello) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        peer.on_hello(hello);
        if peer.proves_too() {
            for key in peer.attached() {
                if let Some(joined) = self.rooms.get_mut(&key) {
                    joined.room.on_hello(&peer.id);
                }
            }
        }
    }

    pub(super) fn on_offence(&mut self, conn: ConnId, offence: Offence, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        if peer.on_offence(offence, now) {
            info!(peer = %peer.id, %offence, "cut a peer");
            self.engine.close(conn, now);
            self.touched.insert(Part::Engine);
        }
    }

    pub(super) fn on_closed(&mut self, conn: ConnId, reason: CloseReason, now: Time) {
        self.due.set(Part::Peer(conn), None);
        match self.routes.remove(conn) {
            Some(Owner::Pooled { room }) => {
                self.with_signaling(room, |joined| {
                    joined.signaling.on_offer_for_anyone_failed(conn, now);
                });
            }
            Some(Owner::Negotiating { room, peer }) => {
                self.with_signaling(room, |joined| {
                    joined.signaling.on_attempt_failed(&peer, conn, now);
                });
            }
            Some(Owner::Shared) => self.lose_peer(conn, reason, now),
            Some(Owner::Spare(_)) | None => {}
        }
    }

    fn lose_peer(&mut self, conn: ConnId, reason: CloseReason, now: Time) {
        let Some(mut peer) = self.peers.remove(&conn) else { return };
        info!(peer = %peer.id, %reason, "lost the connection to a peer");
        self.routes.unshare(&peer.app_id, &peer.id);
        self.on_media_lost(&mut peer);
        let reason = peer.verdict().map_or(LeaveReason::Lost(reason), LeaveReason::Cut);
        let is_cut = peer.verdict().is_some();
        if is_cut {
            self.shun(peer.app_id.clone(), peer.id.clone(), now);
        }
        for key in peer.attached() {
            if let Some(joined) = self.rooms.get_mut(&key) {
                joined.room.on_lost(&peer.id, reason);
                if !is_cut {
                    joined.signaling.on_peer_lost(&peer.id, now);
                }
                self.touched.extend([Part::Room(key), Part::Signaling(key)]);
            }
            self.carry_room(key, now);
        }
        let spare = self.routes.spare_of(&peer.app_id, &peer.id);
        if let Some(conn) = spare
            && let Some(Owner::Spare(Spare { room, peer: id, held, .. })) = self.routes.remove(conn)
        {
            self.adopt(conn, room, &id, peer.app_id, now);
            for message in held {
                self.on_frame(conn, &message, now);
            }
        } else if !is_cut {
            self.heed(peer.take_signals(), now);
        }
    }

    /// Acts on what relays brought of a peer while it was asked in vain whether it hears us.
    fn heed(&mut self, signals: Vec<SignalOfPeer>, now: Time) {
        for SignalOfPeer { room, relay, signal } in signals {
            let Some(joined) = self.rooms.get_mut(&room) else { continue };
            self.touched.insert(Part::Signaling(room));
            // A passive room may have fallen silent without this peer.
            if joined.signaling.wake(relay, &signal, now) {
                joined.signaling.on_signal(relay, signal, &mut self.next_conn, now);
            }
        }
    }

    /// Does not connect to a peer for a while that was cut.
    fn shun(&mut self, app_id: String, peer: PeerId, now: Time) {
        if self.shunned.len() >= limits::SHUNNED_MAX {
            self.shunned.pop_front();
        }
        self.shunned.push_back((now + SHUNNED_FOR, app_id, peer));
    }

    pub(super) fn is_shunned(&mut self, app_id: &str, peer: &PeerId, now: Time) -> bool {
        while self.shunned.front().is_some_and(|(until, ..)| *until <= now) {
            self.shunned.pop_front();
        }
        self.shunned.iter().any(|(_, app, id)| app == app_id && id == peer)
    }

    /// Asks a connected peer that looks for a connection, in this room, whether it still hears us.
    /// One that JavaScript has given up looks open and discards everything.
    pub(super) fn probe(&mut self, conn: ConnId, room: RoomKey, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn).filter(|peer| !peer.is_probed()) else { return };
        let rooms: Vec<RoomKey> = peer.attached().collect();
        let id = peer.id.clone();
        let asked = rooms
            .iter()
            .find(|key| self.rooms.get_mut(key).is_some_and(|joined| joined.room.probe(&id, now)));
        // In a room with a handshake nothing is said until the applications speak.
        let is_shaking = rooms.iter().any(|key| self.has_handshake(*key));
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        if let Some(key) = asked {
            peer.on_probed(*key, now);
            self.touched.insert(Part::Room(*key));
        } else if let (true, Some(key)) = (peer.is_silent() && !is_shaking, rooms.first()) {
            // Its admission is under way, and was answered by nothing yet: it is as good as a
            // question. Without this one that JavaScript has given up would be tried for ever,
            // because each offer of it begins its admission anew. One of ours closes what it gives
            // up.
            peer.on_probed(*key, now);
        } else if rooms.is_empty() {
            debug!(peer = %id, "replaces a connection that no room uses");
            // What it looks for a connection with is kept until this one is gone.
            peer.on_probed(room, now);
            self.engine.close(conn, now);
            self.touched.insert(Part::Engine);
        }
        // Otherwise its admission has a time limit of its own.
        self.touched.insert(Part::Peer(conn));
    }
}
