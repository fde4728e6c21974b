//! Connections that stand and change: another path, more candidates.
//!
//! What both ends have to know of it goes over the connection itself, as JavaScript does it, unless
//! its path is gone: then two of ours tell each other over their relays.

use tracing::{debug, info, trace};

use super::{Node, Part};
use crate::engine::{Engine, Proposal};
use crate::ids::{ConnId, PeerId, RelayId, RoomKey};
use crate::peer::{Heard, Lapsed, Made, Next, Their, Told, Way, What};
use crate::room::RestartError;
use crate::time::Time;
use crate::wire::{CandidateInit, Renegotiation, Signal, SignalBody};

impl<E: Engine> Node<E> {
    /// Restarts ICE of the connection to a member, as `RTCPeerConnection.restartIce()` does: both
    /// sides look for paths anew, between all addresses that they have by now. Until there is one
    /// the path in use goes on. Nothing is told of it when it is done, and nothing happens if the
    /// other side does not answer.
    pub fn restart_ice(
        &mut self,
        room: RoomKey,
        peer: &PeerId,
        now: Time,
    ) -> Result<(), RestartError> {
        let joined = self.rooms.get(&room).ok_or(RestartError::RoomGone)?;
        let conn = self.routes.shared(&joined.config.app_id, peer);
        let conn = conn.filter(|_| joined.room.is_member(peer)).ok_or(RestartError::NotInRoom)?;
        let Some(connected) = self.peers.get_mut(&conn) else {
            return Err(RestartError::NotInRoom);
        };
        if !self.engine.connection_info(conn).is_some_and(|info| info.restarts_ice) {
            return Err(RestartError::NotPossible);
        }
        debug!(%peer, "restarts ICE");
        connected.negotiator.want(What::Restart);
        self.touched.insert(Part::Peer(conn));
        self.settle(now);
        Ok(())
    }

    /// Does what is next of what two ends agree on.
    pub(super) fn negotiate(&mut self, conn: ConnId, now: Time) {
        self.say_offer(conn, now);
        if !self.is_reachable(conn) {
            if let Some(peer) = self.peers.get_mut(&conn) {
                peer.negotiator.on_unreachable();
            }
            return;
        }
        while let Some(peer) = self.peers.get_mut(&conn) {
            match peer.negotiator.next(now) {
                Some(Next::Hear(sdp)) => self.on_plain_offer(conn, sdp, now),
                Some(Next::Propose(What::Restart)) if peer.restarts.is_possible() => {
                    if peer.restarts.want(Way::Connection, now) {
                        self.propose_restart(conn, now);
                    } else {
                        peer.negotiator.on_nothing();
                    }
                }
                Some(Next::Propose(What::Restart)) => {
                    self.engine.propose(conn, &Proposal::Restart, now);
                    self.touched.insert(Part::Engine);
                }
                Some(Next::Propose(What::Media)) => self.propose_tracks(conn, now),
                None => return,
            }
        }
    }

    /// Makes an offer that has a number. Whatever else was being offered is given up for it.
    fn propose_restart(&mut self, conn: ConnId, now: Time) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.negotiator.on_numbered(now);
            self.on_media_rolled_back(conn);
            self.engine.propose(conn, &Proposal::Restart, now);
            self.touched.insert(Part::Engine);
        }
    }

    /// The path of a connection is gone. JavaScript can't be told of a restart, because it heeds no
    /// relay while it thinks that it is connected; there str0m's checks from the addresses that we
    /// have now have to do.
    pub(super) fn on_stranded(&mut self, conn: ConnId, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        info!(peer = %peer.id, "the path to a peer is gone");
        if !peer.restarts.is_possible() {
            return;
        }
        if peer.restarts.want(Way::Relays, now) {
            self.propose_restart(conn, now);
        }
        self.touched.extend([Part::Engine, Part::Peer(conn)]);
    }

    /// The engine offers what was proposed.
    pub(super) fn on_proposed(&mut self, conn: ConnId, sdp: String, now: Time) {
        let leads = self.has_offered(conn);
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        match peer.negotiator.on_offer_made(sdp, leads, now) {
            Made::Numbered(sdp) => peer.restarts.on_offer_made(sdp, now),
            Made::Said => self.say_offer(conn, now),
            Made::Dropped => {}
        }
        self.touched.insert(Part::Peer(conn));
    }

    /// Says an offer of ours, if there is one that was not heard.
    fn say_offer(&mut self, conn: ConnId, now: Time) {
        let Some(peer) = self.peers.get(&conn) else { return };
        let Some(sdp) = peer.negotiator.to_say(now) else { return };
        let offer = Renegotiation::Offer { number: 0, sdp: sdp.to_owned() };
        let room = self.say_signal(conn, &offer);
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.negotiator.on_said(room, now);
        }
    }

    /// Whether there is a room in which a peer can be told something over the connection.
    fn is_reachable(&self, conn: ConnId) -> bool {
        let Some(peer) = self.peers.get(&conn) else { return false };
        let is_member =
            |key: &RoomKey| self.rooms.get(key).is_some_and(|r| r.room.is_member(&peer.id));
        peer.attached().any(|key| is_member(&key))
    }

    /// Does what is due of a connection's restarts.
    pub(super) fn wake_restarts(&mut self, conn: ConnId, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let lapsed = peer.negotiator.wake(now);
        let is_unanswered = peer.restarts.wake(now);
        if is_unanswered {
            peer.negotiator.on_numbered_over();
        }
        if is_unanswered || lapsed.is_some() {
            debug!(peer = %peer.id, ?lapsed, "nobody answers an offer");
            self.engine.roll_back(conn, now);
            self.touched.insert(Part::Engine);
        }
        if let Some(lapsed) = lapsed {
            self.on_lapsed(conn, &lapsed);
        }
    }

    /// An offer of ours was given up.
    fn on_lapsed(&mut self, conn: ConnId, lapsed: &Lapsed) {
        match lapsed {
            Lapsed { what: What::Media, is_final: true } => self.on_media_unanswered(conn),
            Lapsed { what: What::Media, is_final: false } => self.on_media_rolled_back(conn),
            Lapsed { what: What::Restart, .. } => {}
        }
    }

    /// Whether the first offer of a connection was ours.
    fn has_offered(&self, conn: ConnId) -> bool {
        self.engine.connection_info(conn).is_some_and(|info| info.is_offerer)
    }

    /// The engine found a candidate for a connection that stands.
    pub(super) fn on_new_candidate(&mut self, conn: ConnId, candidate: CandidateInit, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        self.touched.insert(Part::Peer(conn));
        if peer.restarts.on_local_candidate(&candidate, now) {
            return;
        }
        let _ = self.say_signal(conn, &Renegotiation::Candidate { number: 0, candidate });
    }

    /// Tells a peer something over the connection, in the first room that it is in, which is given.
    fn say_signal(&mut self, conn: ConnId, said: &Renegotiation) -> Option<RoomKey> {
        let peer = self.peers.get(&conn)?;
        let id = peer.id.clone();
        let rooms: Vec<RoomKey> = peer.attached().collect();
        let is_told = |key: &RoomKey| {
            let joined = self.rooms.get_mut(key);
            joined.is_some_and(|joined| joined.room.say_signal(&id, said))
        };
        let told = rooms.into_iter().find(is_told)?;
        self.touched.insert(Part::Room(told));
        Some(told)
    }

    /// A member said something about the connection to it.
    pub(super) fn on_renegotiation(&mut self, conn: ConnId, said: Renegotiation, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        if peer.restarts.is_possible() && said.number() > 0 {
            self.on_restart_told(conn, said, Way::Connection, now);
            return;
        }
        match said {
            Renegotiation::Candidate { candidate, .. } => {
                self.engine.add_remote_candidate(conn, &candidate, now);
            }
            Renegotiation::Offer { sdp, .. } => self.on_plain_offer(conn, sdp, now),
            Renegotiation::Answer { sdp, .. } => self.on_plain_answer(conn, &sdp, now),
        }
        self.touched.extend([Part::Engine, Part::Peer(conn)]);
    }

    /// A peer answers by JavaScript's rules.
    fn on_plain_answer(&mut self, conn: ConnId, sdp: &str, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn).filter(|peer| peer.negotiator.is_asking())
        else {
            return;
        };
        if peer.restarts.is_possible() && peer.negotiator.is_stale(sdp) {
            return debug!(?conn, "ignored an answer from before a restart");
        }
        match self.engine.accept_answer(conn, sdp, now) {
            Ok(()) => {
                if peer.negotiator.on_accepted(sdp, now) == Some(What::Media) {
                    self.on_media_answered(conn);
                }
            }
            Err(error) => {
                debug!(?conn, %error, "an answer makes no sense");
                let lapsed = peer.negotiator.on_nonsense();
                self.engine.roll_back(conn, now);
                if let Some(lapsed) = lapsed {
                    self.on_lapsed(conn, &lapsed);
                }
            }
        }
    }

    /// A peer offers something by JavaScript's rules.
    fn on_plain_offer(&mut self, conn: ConnId, sdp: String, now: Time) {
        let leads = self.has_offered(conn);
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        if peer.restarts.is_possible() && peer.negotiator.is_stale(&sdp) {
            return debug!(?conn, "ignored an offer from before a restart");
        }
        let Their::Answered(offer) = peer.negotiator.on_offer(sdp, leads, now) else { return };
        match self.engine.renegotiate(conn, &offer, now) {
            Ok(sdp) => {
                if peer.negotiator.on_answered(&offer, now) {
                    self.on_media_rolled_back(conn);
                }
                let answer = Renegotiation::Answer { number: 0, given_up: 0, sdp };
                let _ = self.say_signal(conn, &answer);
            }
            Err(error) => debug!(?conn, %error, "ignored an offer"),
        }
        self.touched.extend([Part::Engine, Part::Peer(conn)]);
    }

    /// A relay brought something about a connection that stands.
    pub(super) fn on_standing(&mut self, key: RoomKey, from: &PeerId, sealed: &str, now: Time) {
        let Some(joined) = self.rooms.get(&key) else { return };
        let Some(conn) = self.routes.shared(&joined.config.app_id, from) else { return };
        let told = self.peers.get(&conn).and_then(|peer| peer.restarts.open(sealed));
        if let Some(told) = told {
            self.on_restart_told(conn, told, Way::Relays, now);
        }
    }

    /// A peer of ours tells of a restart.
    fn on_restart_told(&mut self, conn: ConnId, told: Renegotiation, way: Way, now: Time) {
        // An answer may have to be told again.
        self.touched.extend([Part::Engine, Part::Peer(conn)]);
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let leads = self.self_id < peer.id;
        trace!(peer = %peer.id, ?way, "hears of a restart");
        let Some(heard) = peer.restarts.hear(told, way, leads, now) else { return };
        match heard {
            Heard::Offer { number, sdp } => match self.engine.renegotiate(conn, &sdp, now) {
                Ok(answer) => {
                    debug!(peer = %peer.id, number, "the path to a peer is looked for anew");
                    peer.restarts.on_answer_made(number, answer, way, now);
                    peer.negotiator.give_way();
                    peer.negotiator.on_restarted(&sdp);
                    self.on_media_rolled_back(conn);
                }
                Err(error) => debug!(peer = %peer.id, %error, "a restart is not possible"),
            },
            Heard::Answer { sdp, early } => {
                peer.negotiator.on_numbered_over();
                match self.engine.accept_answer(conn, &sdp, now) {
                    Ok(()) => peer.negotiator.on_restarted(&sdp),
                    Err(error) => debug!(peer = %peer.id, %error, "a restart failed"),
                }
                for candidate in early {
                    self.engine.add_remote_candidate(conn, &candidate, now);
                }
            }
            Heard::Candidate(candidate) => {
                self.engine.add_remote_candidate(conn, &candidate, now);
            }
        }
    }

    /// Tells a peer what it has to know of a restart.
    pub(super) fn tell_of_restarts(&mut self, conn: ConnId, now: Time) {
        while let Some(told) = self.peers.get_mut(&conn).and_then(|peer| peer.restarts.poll_told())
        {
            match told {
                Told::Said(said) => _ = self.say_signal(conn, &said),
                Told::Sealed(sealed) => self.publish_sealed(conn, &sealed, now),
            }
        }
    }

    /// Tells a peer something over each relay that it may hear us on.
    fn publish_sealed(&mut self, conn: ConnId, sealed: &str, now: Time) {
        let Some(peer) = self.peers.get(&conn) else { return };
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
                let body = SignalBody::Standing { sealed: sealed.to_owned() };
                let signal = Signal { from: self.self_id.clone(), is_passive: false, body };
                self.publish(key, relay, Some(&to), &signal, now);
            }
        }
    }
}
