//! What the signals of one remote peer lead to: offers, answers, candidates, and their end.

use std::collections::BTreeMap;

use tracing::debug;

use super::super::session::{
    ATTEMPT_TTL, Answering, Connecting, Deferring, OfferOfPeer, Offering, Phase, Session,
    UseOfCandidate,
};
use super::{Signaling, SignalingOutput};
use crate::ids::{ConnId, Counter, PeerId, RelayId};
use crate::join_failure::JoinFailure;
use crate::limits;
use crate::time::Time;
use crate::wire::{CandidateInit, OfferId, SignalBody};

impl Signaling {
    /// Whether one more session may begin with what this relay brought. The relay that brought most
    /// of them loses its oldest for that, unless it is this one: a relay that makes peers up can't
    /// keep those out that others bring.
    pub(super) fn has_room_for(&mut self, relay: RelayId) -> bool {
        if self.sessions.len() < self.limits.sessions_per_room {
            return true;
        }
        let mut brought = BTreeMap::new();
        for session in self.sessions.values() {
            *brought.entry(session.brought_by).or_insert(0usize) += 1;
        }
        let of_this = brought.get(&relay).copied().unwrap_or(0);
        let most = brought.into_iter().max_by_key(|(_, count)| *count);
        let Some((loser, _)) = most.filter(|(_, count)| *count > of_this) else { return false };
        let of_loser = self.sessions.iter().filter(|(_, session)| session.brought_by == loser);
        let oldest = of_loser.min_by_key(|(_, session)| session.since);
        let Some(oldest) = oldest.map(|(peer, _)| peer.clone()) else { return false };
        self.drop_session(&oldest);
        true
    }

    fn drop_session(&mut self, peer: &PeerId) {
        self.due.set(peer.clone(), None);
        self.dropped += 1;
        debug!(%peer, "gave a negotiation up: there are too many");
        let conn = self.sessions.remove(peer).and_then(|session| session.conn());
        self.outputs.extend(conn.map(|conn| SignalingOutput::Close { conn }));
    }

    pub(super) fn on_announce(
        &mut self,
        relay: RelayId,
        peer: &PeerId,
        conns: &mut Counter,
        now: Time,
    ) {
        let is_leading = self.self_id < *peer;
        match self.sessions.get_mut(peer).map(|session| &mut session.phase) {
            Some(Phase::Connecting(_) | Phase::Answering(_)) => {}
            Some(Phase::Offering(offering)) => {
                if offering.wants(relay, now) {
                    self.send_offer(relay, peer);
                }
            }
            None | Some(Phase::Idle { .. } | Phase::Deferring(_)) if is_leading => {
                self.begin_offer(relay, peer, conns, now);
            }
            None | Some(Phase::Idle { .. } | Phase::Deferring(_)) => {
                self.publish(relay, peer, SignalBody::Announce);
            }
        }
    }

    pub(super) fn begin_offer(
        &mut self,
        relay: RelayId,
        peer: &PeerId,
        conns: &mut Counter,
        now: Time,
    ) {
        let conn = ConnId(conns.next());
        let mut offering = Offering::new(conn, OfferId::generate(&mut self.rng), now);
        offering.wants(relay, now);
        self.session(relay, peer, now).phase = Phase::Offering(offering);
        self.outputs.push_back(SignalingOutput::Offer { conn, peer: peer.clone() });
    }

    pub(super) fn on_offer(
        &mut self,
        relay: RelayId,
        peer: &PeerId,
        offer_id: OfferId,
        sealed: &str,
        conns: &mut Counter,
        now: Time,
    ) {
        let is_leading = self.self_id < *peer;
        // A peer that offers anew while it is being answered has begun anew, unless it is a copy of
        // an older offer that took longer, or is replayed.
        let is_new = !self.heard_offers.contains(&(peer.clone(), offer_id.clone()));
        let trades_offers = self.trades_offers(relay);
        // On a tracker one offer goes to one of us and the next to another, and none says that the
        // peer has begun anew.
        let is_anew = |answering: &Answering| {
            is_new && !trades_offers && self.are_of_one_kind(answering.relay, relay)
        };
        match self.sessions.get(peer).map(|session| &session.phase) {
            Some(Phase::Connecting(_)) => return,
            Some(Phase::Answering(answering)) if !is_anew(answering) => return,
            Some(Phase::Offering(_)) if is_leading => return,
            Some(Phase::Idle { refused: Some(refused), .. }) if *refused == offer_id => return,
            Some(
                Phase::Offering(_) | Phase::Answering(_) | Phase::Deferring(_) | Phase::Idle { .. },
            )
            | None => {}
        }
        let opened = self.names.key.open(sealed);
        let session = self.session(relay, peer, now);
        let Ok(sdp) = opened else {
            // Anyone can publish under this name, so what is under way goes on.
            if !session.is_busy() {
                session.phase = Phase::idle(Some(offer_id), now);
            }
            return self.complain(peer, JoinFailure::OfferPassword);
        };
        self.note_offer(peer, &offer_id);
        let offer = OfferOfPeer { relay, offer_id, sdp };
        if is_leading && trades_offers {
            self.defer_or_answer(peer, offer, conns, now);
        } else {
            self.answer(peer, offer, conns, now);
        }
    }

    /// Takes a tracker's offer of a peer that may be about to answer one of ours, which is to
    /// stand. JavaScript drops it, and a newcomer then waits for the next announce.
    fn defer_or_answer(
        &mut self,
        peer: &PeerId,
        offer: OfferOfPeer,
        conns: &mut Counter,
        now: Time,
    ) {
        let answers_until = self.pool.is_out_until(now);
        let session = self.session(offer.relay, peer, now);
        let answer_at = match &session.phase {
            Phase::Deferring(deferring) => Some(deferring.answer_at),
            Phase::Idle { .. }
            | Phase::Offering(_)
            | Phase::Connecting(_)
            | Phase::Answering(_) => answers_until,
        };
        match answer_at {
            Some(answer_at) => session.phase = Phase::Deferring(Deferring { offer, answer_at }),
            None => self.answer(peer, offer, conns, now),
        }
    }

    fn answer(&mut self, peer: &PeerId, offer: OfferOfPeer, conns: &mut Counter, now: Time) {
        let OfferOfPeer { relay, offer_id, sdp } = offer;
        let session = self.session(relay, peer, now);
        let ours = session.conn();
        let held = session.take_held(&offer_id);
        let conn = ConnId(conns.next());
        let expires = now + ATTEMPT_TTL;
        session.answer(Answering { conn, offer_id, relay, expires });
        if let Some(conn) = ours {
            self.outputs.push_back(SignalingOutput::Close { conn });
        }
        self.outputs.push_back(SignalingOutput::Answer { conn, peer: peer.clone(), sdp });
        for candidate in held {
            self.add_candidate(peer, conn, candidate);
        }
    }

    pub(super) fn on_answer(
        &mut self,
        relay: RelayId,
        peer: &PeerId,
        offer_id: Option<&OfferId>,
        sealed: &str,
        now: Time,
    ) {
        if let Some(offer_id) = offer_id.filter(|id| self.pool.has(id)) {
            return self.on_claim(relay, peer, offer_id, sealed, now);
        }
        let Some(session) = self.sessions.get_mut(peer) else { return };
        let Phase::Offering(offering) = &session.phase else { return };
        if offering.sdp.is_none() || offer_id.is_some_and(|id| *id != offering.offer_id) {
            return;
        }
        let Ok(sdp) = self.names.key.open(sealed) else {
            return self.complain(peer, JoinFailure::AnswerPassword);
        };
        let conn = offering.conn;
        let relays = offering.relays.keys().copied().collect();
        let offer_id = offering.offer_id.clone();
        let expires = now + ATTEMPT_TTL;
        session.phase = Phase::Connecting(Connecting { conn, offer_id, relays, expires });
        self.outputs.push_back(SignalingOutput::AcceptAnswer { conn, peer: peer.clone(), sdp });
    }

    pub(super) fn on_candidate(
        &mut self,
        relay: RelayId,
        peer: &PeerId,
        offer_id: Option<OfferId>,
        sealed: &str,
        now: Time,
    ) {
        let opened = self.names.key.open(sealed).ok();
        let Some(candidate) = opened.and_then(|json| CandidateInit::parse(&json)) else {
            self.dropped += 1;
            debug!(%peer, "dropped a candidate");
            return;
        };
        if candidate.is_end() {
            return;
        }
        let session = self.session(relay, peer, now);
        let matches = |ours: &OfferId| offer_id.as_ref().is_none_or(|id| id == ours);
        let conn = match &session.phase {
            Phase::Offering(offering) if matches(&offering.offer_id) => Some(offering.conn),
            Phase::Connecting(connecting) if matches(&connecting.offer_id) => Some(connecting.conn),
            Phase::Answering(answering) if matches(&answering.offer_id) => Some(answering.conn),
            Phase::Idle { .. }
            | Phase::Deferring(_)
            | Phase::Offering(_)
            | Phase::Connecting(_)
            | Phase::Answering(_) => None,
        };
        match (conn, offer_id) {
            (Some(conn), _) => self.add_candidate(peer, conn, candidate),
            (None, Some(offer_id)) => session.hold(offer_id, candidate),
            (None, None) => self.dropped += 1,
        }
    }

    fn add_candidate(&mut self, peer: &PeerId, conn: ConnId, candidate: CandidateInit) {
        let candidates_max = self.limits.candidates_per_session;
        let Some(session) = self.sessions.get_mut(peer) else { return };
        match session.use_candidate(&candidate, candidates_max) {
            UseOfCandidate::Used => {
                self.outputs.push_back(SignalingOutput::AddCandidate { conn, candidate });
            }
            UseOfCandidate::Copy => {}
            UseOfCandidate::TooMany => {
                self.dropped += 1;
                debug!(%peer, "dropped a candidate: there were too many");
            }
        }
    }

    fn note_offer(&mut self, peer: &PeerId, offer_id: &OfferId) {
        let heard = (peer.clone(), offer_id.clone());
        if self.heard_offers.insert(heard.clone()) {
            self.heard_order.push_back(heard);
        }
        while self.heard_order.len() > limits::HEARD_OFFERS_MAX {
            let Some(oldest) = self.heard_order.pop_front() else { return };
            self.heard_offers.remove(&oldest);
        }
    }

    /// Tells the application that something of a peer does not decrypt, unless it knows.
    pub(super) fn complain(&mut self, peer: &PeerId, failure: JoinFailure) {
        if self.sessions.get_mut(peer).is_some_and(Session::may_complain) {
            self.fail(peer, None, failure, Vec::new());
        } else {
            self.dropped += 1;
        }
    }

    /// The time of what is under way with a peer is over.
    pub(super) fn expire(&mut self, peer: &PeerId, conns: &mut Counter, now: Time) {
        let Some(session) = self.sessions.get_mut(peer) else { return };
        if let Some(offer) = session.take_deferred(now) {
            self.answer(peer, offer, conns, now);
            return self.note_deadline(peer);
        }
        match session.conn() {
            None => {
                self.sessions.remove(peer);
            }
            Some(conn) => {
                // First, so that it can be asked why it is not open.
                self.give_up(peer, now);
                self.outputs.push_back(SignalingOutput::Close { conn });
            }
        }
    }

    /// Ends an attempt. If descriptions were exchanged the application hears of it, and the peer
    /// is asked once for another attempt: it may not announce itself again for a minute.
    pub(super) fn give_up(&mut self, peer: &PeerId, now: Time) {
        let Some(session) = self.sessions.get_mut(peer) else { return };
        let (relays, conn) = (session.exchanged_over(), session.conn());
        let is_retried = std::mem::replace(&mut session.is_retried, !relays.is_empty());
        session.phase = Phase::idle(None, now);
        self.note_deadline(peer);
        self.rest_if_alone(now);
        if relays.is_empty() {
            return;
        }
        let ask_over = if is_retried { Vec::new() } else { relays };
        let failure = JoinFailure::NotConnected { peer: peer.to_string(), obstacle: None };
        self.fail(peer, conn, failure, ask_over);
    }

    /// Sends our offer over one relay, and the candidates that were trickled so far.
    pub(super) fn send_offer(&mut self, relay: RelayId, peer: &PeerId) {
        let Some(session) = self.sessions.get(peer) else { return };
        let Phase::Offering(offering) = &session.phase else { return };
        let Some(sdp) = &offering.sdp else { return };
        let sealed = self.names.key.seal(sdp, &mut self.rng);
        let offer_id = offering.offer_id.clone();
        let candidates = offering.candidates.clone();
        self.publish(relay, peer, SignalBody::Offer { offer_id: offer_id.clone(), sealed });
        for candidate in candidates {
            self.send_candidate(relay, peer, &offer_id, &candidate);
        }
    }

    pub(super) fn send_candidate(
        &mut self,
        relay: RelayId,
        peer: &PeerId,
        offer_id: &OfferId,
        candidate: &CandidateInit,
    ) {
        let sealed = self.names.key.seal(&candidate.emit(), &mut self.rng);
        let offer_id = Some(offer_id.clone());
        self.publish(relay, peer, SignalBody::Candidate { offer_id, sealed });
    }
}
