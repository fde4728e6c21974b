//! Meeting over trackers: what is offered to anyone, and who claims it.
//!
//! spec: docs/protocol.md, section 9, "BitTorrent"

use tracing::debug;

use super::super::session::{ATTEMPT_TTL, Connecting, Phase};
use super::{Signaling, SignalingOutput};
use crate::ids::{ConnId, Counter, PeerId, RelayId};
use crate::join_failure::JoinFailure;
use crate::time::Time;
use crate::wire::OfferId;

impl Signaling {
    /// The engine has the description of an offer for anyone.
    pub(crate) fn on_description_for_anyone(&mut self, conn: ConnId, sdp: &str, now: Time) {
        let (key, rng) = (&self.names.key, &mut self.rng);
        self.pool.describe(conn, || key.seal(sdp, rng));
        self.trade_if_ready(now);
    }

    /// The engine could not make an offer for anyone.
    pub(crate) fn on_offer_for_anyone_failed(&mut self, conn: ConnId, now: Time) {
        self.pool.on_closed(conn);
        self.trade_if_ready(now);
    }

    pub(super) fn trades_offers(&self, relay: RelayId) -> bool {
        self.relays.get(&relay).is_some_and(|side| side.trades_offers)
    }

    /// Announces the room over a tracker, as soon as there are offers.
    pub(super) fn trade(&mut self, relay: RelayId, conns: &mut Counter, now: Time) {
        if self.is_dormant() {
            let (offers, is_dormant) = (Vec::new(), true);
            self.outputs.push_back(SignalingOutput::Trade { relay, offers, is_dormant });
            return;
        }
        if let Some(side) = self.relays.get_mut(&relay) {
            side.awaits_offers = true;
        }
        let announces = self.relays.values().filter(|side| side.awaits_offers).count();
        for _ in 0..self.pool.missing(announces, now) {
            let conn = ConnId(conns.next());
            self.pool.add(OfferId::generate_bulk(&mut self.rng), conn, now);
            self.outputs.push_back(SignalingOutput::OfferAnyone { conn });
        }
        self.trade_if_ready(now);
    }

    fn trade_if_ready(&mut self, now: Time) {
        if !self.pool.is_ready() {
            return;
        }
        for (relay, side) in &mut self.relays {
            if std::mem::take(&mut side.awaits_offers) {
                let (relay, offers) = (*relay, self.pool.announce(now));
                let trade = SignalingOutput::Trade { relay, offers, is_dormant: false };
                self.outputs.push_back(trade);
            }
        }
    }

    /// Someone answered an offer for anyone. If both sides answered each other, the smaller id's
    /// offer stands.
    pub(super) fn on_claim(
        &mut self,
        relay: RelayId,
        peer: &PeerId,
        offer_id: &OfferId,
        sealed: &str,
        now: Time,
    ) {
        let is_leading = self.self_id < *peer;
        match self.sessions.get(peer).map(|session| &session.phase) {
            Some(Phase::Connecting(_)) => return,
            Some(Phase::Answering(_)) if !is_leading => return,
            Some(
                Phase::Answering(_) | Phase::Offering(_) | Phase::Deferring(_) | Phase::Idle { .. },
            )
            | None => {}
        }
        let opened = self.names.key.open(sealed);
        let session = self.session(relay, peer, now);
        let Ok(sdp) = opened else {
            return self.complain(peer, JoinFailure::AnswerPassword);
        };
        let ours = session.conn();
        let Some(conn) = self.pool.claim(offer_id) else { return };
        debug!(%peer, ?conn, "a peer claims an offer");
        let (offer_id, relays) = (offer_id.clone(), vec![relay]);
        let expires = now + ATTEMPT_TTL;
        self.session(relay, peer, now).connect(Connecting { conn, offer_id, relays, expires });
        if let Some(conn) = ours {
            self.outputs.push_back(SignalingOutput::Close { conn });
        }
        self.outputs.push_back(SignalingOutput::AcceptAnswer { conn, peer: peer.clone(), sdp });
    }

    /// Whether two relays speak for one and the same signaling of a peer. JavaScript has one for
    /// each strategy, and each makes a connection of its own.
    pub(super) fn are_of_one_kind(&self, one: RelayId, other: RelayId) -> bool {
        let strategy = |relay| self.relays.get(&relay).map(|side| &side.strategy);
        strategy(one) == strategy(other)
    }

    pub(super) fn withdraw_offers(&mut self) {
        let withdrawn = self.pool.clear().into_iter();
        self.outputs.extend(withdrawn.map(|conn| SignalingOutput::Close { conn }));
    }

    pub(super) fn expire_offers(&mut self, now: Time) {
        let expired = self.pool.expire(now).into_iter();
        self.outputs.extend(expired.map(|conn| SignalingOutput::Close { conn }));
    }
}
