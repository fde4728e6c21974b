//! Connections that stand and change: another path, more candidates.
//!
//! What both ends have to know of it goes over the connection itself, as JavaScript does it, unless
//! its path is gone: then two of ours tell each other over their relays.

use tracing::{debug, info, trace};

use super::{Node, Part};
use crate::engine::Engine;
use crate::ids::{ConnId, PeerId, RelayId, RoomKey};
use crate::peer::Heard;
use crate::time::Time;
use crate::wire::{CandidateInit, Renegotiation, Signal, SignalBody};

impl<E: Engine> Node<E> {
    /// The path of a connection is gone. JavaScript can't be told of a restart, because it heeds no
    /// relay while it thinks that it is connected; there str0m's checks from the addresses that we
    /// have now have to do.
    pub(super) fn on_stranded(&mut self, conn: ConnId, now: Time) {
        let Some(peer) = self.peers.get(&conn) else { return };
        info!(peer = %peer.id, "the path to a peer is gone");
        if peer.restarts.is_possible() {
            self.engine.restart(conn, now);
            self.touched.insert(Part::Engine);
        }
    }

    /// The engine offers a restart of a connection.
    pub(super) fn on_restart_offered(&mut self, conn: ConnId, sdp: String, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        peer.restarts.on_offer_made(sdp, now);
        self.touched.insert(Part::Peer(conn));
    }

    /// The engine found a candidate for a connection that stands.
    pub(super) fn on_new_candidate(&mut self, conn: ConnId, candidate: CandidateInit, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        self.touched.insert(Part::Peer(conn));
        if peer.restarts.on_local_candidate(&candidate, now) {
            return;
        }
        self.say_signal(conn, &Renegotiation::Candidate { number: 0, candidate });
    }

    /// Tells a peer something over the connection, in the first room that it is in.
    fn say_signal(&mut self, conn: ConnId, said: &Renegotiation) {
        let Some(peer) = self.peers.get(&conn) else { return };
        let id = peer.id.clone();
        let rooms: Vec<RoomKey> = peer.attached().collect();
        let is_told = |key: &&RoomKey| {
            let joined = self.rooms.get_mut(*key);
            joined.is_some_and(|joined| joined.room.say_signal(&id, said))
        };
        if let Some(key) = rooms.iter().find(is_told) {
            self.touched.insert(Part::Room(*key));
        }
    }

    /// A member said something about the connection to it.
    pub(super) fn on_renegotiation(&mut self, conn: ConnId, said: &Renegotiation, now: Time) {
        match said {
            Renegotiation::Candidate { candidate, .. } => {
                self.engine.add_remote_candidate(conn, candidate, now);
                self.touched.insert(Part::Engine);
            }
            Renegotiation::Offer { sdp, .. } => match self.engine.refuse_media(conn, sdp) {
                Ok(sdp) => self.say_signal(conn, &Renegotiation::Answer { number: 0, sdp }),
                Err(error) => debug!(?conn, %error, "ignored an offer"),
            },
            // Nothing is offered so.
            Renegotiation::Answer { .. } => debug!(?conn, "ignored an answer"),
        }
    }

    /// A relay brought something about a connection that stands.
    pub(super) fn on_standing(&mut self, key: RoomKey, from: &PeerId, sealed: &str, now: Time) {
        let Some(joined) = self.rooms.get(&key) else { return };
        let Some(conn) = self.routes.shared(&joined.config.app_id, from) else { return };
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let leads = self.self_id < peer.id;
        trace!(peer = %from, "hears of a restart");
        let Some(heard) = peer.restarts.on_sealed(sealed, leads, now) else {
            // An answer may have to be told again.
            self.touched.insert(Part::Peer(conn));
            return;
        };
        match heard {
            Heard::Offer { number, sdp } => match self.engine.answer_restart(conn, &sdp, now) {
                Ok(answer) => {
                    debug!(peer = %from, number, "the path to a peer is looked for anew");
                    peer.restarts.on_answer_made(number, answer, now);
                }
                Err(error) => debug!(peer = %from, %error, "a restart is not possible"),
            },
            Heard::Answer { sdp, early } => {
                if let Err(error) = self.engine.accept_answer(conn, &sdp, now) {
                    debug!(peer = %from, %error, "a restart failed");
                }
                for candidate in early {
                    self.engine.add_remote_candidate(conn, &candidate, now);
                }
            }
            Heard::Candidate(candidate) => {
                self.engine.add_remote_candidate(conn, &candidate, now);
            }
        }
        self.touched.extend([Part::Engine, Part::Peer(conn)]);
    }

    /// Tells a peer what it has to know of a restart, over each relay that it may hear us on.
    pub(super) fn tell_of_restarts(&mut self, conn: ConnId, now: Time) {
        while let Some(peer) = self.peers.get_mut(&conn) {
            let Some(sealed) = peer.restarts.poll_told() else { return };
            let to = peer.id.clone();
            trace!(peer = %to, "tells of a restart");
            let mut told: Vec<RelayId> = Vec::new();
            let rooms: Vec<RoomKey> = peer.attached().collect();
            for key in rooms {
                let Some(joined) = self.rooms.get(&key) else { continue };
                let relays: Vec<RelayId> = joined.signaling.relays_for_peers().collect();
                for relay in relays {
                    if told.contains(&relay) {
                        continue;
                    }
                    told.push(relay);
                    let body = SignalBody::Standing { sealed: sealed.clone() };
                    let signal = Signal { from: self.self_id.clone(), is_passive: false, body };
                    self.publish(key, relay, Some(&to), &signal, now);
                }
            }
        }
    }
}
