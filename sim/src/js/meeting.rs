//! How Trystero meets peers: announces, nudges, offers, answers and candidates.
//!
//! Offers come from a pool and hold their candidates. At trackers some are out for anyone, and each
//! answer to one of them is taken, whatever else is under way with its sender: two connections to
//! one peer may come of it, of which the one that opens first is kept.
//!
//! spec: docs/protocol.md, sections 2, 9 ("BitTorrent") and 11

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::debug;
use tristero_proto::crypto::{OpenError, Topic};
use tristero_proto::engine::{ConnOptions, DescriptionKind, Engine};
use tristero_proto::ice::IceConfig;
use tristero_proto::signaling::{BulkOffers, Publication, SessionInput};
use tristero_proto::wire::{CandidateInit, OfferId, Signal, SignalBody};
use tristero_proto::{ConnId, JoinFailure, PeerId, RoomKey, Time};

use super::JsPeer;

/// A connection to a peer that is not open.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) room: RoomKey,
    pub(super) peer: PeerId,
    offer_id: OfferId,
    stage: Stage,
    pub(super) until: Time,
}

#[derive(Debug)]
enum Stage {
    /// We made an offer. It went to these relays, by number, at these times.
    Offering { sdp: Option<String>, sent: BTreeMap<usize, Option<Time>> },
    /// Our offer was answered.
    Answered,
    /// We answer what came over this relay.
    Answering { relay: usize },
}

/// An offer for anyone that nobody has answered.
#[derive(Debug)]
pub(super) struct Bulk {
    pub(super) room: RoomKey,
    offer_id: OfferId,
    sdp: Option<String>,
    pub(super) until: Time,
}

/// A candidate that came before its offer.
#[derive(Debug)]
pub(super) struct Early {
    peer: PeerId,
    offer_id: OfferId,
    candidate: CandidateInit,
}

impl JsPeer {
    /// A relay brought a message.
    pub(super) fn on_heard(&mut self, relay: usize, topic: &Topic, body: &str, now: Time) {
        let Ok(signal) = Signal::parse(body) else { return };
        let room = self.rooms.iter().find(|(_, room)| room.listens_to(topic));
        let Some(key) = room.map(|(key, _)| *key).filter(|_| signal.from != self.self_id) else {
            return;
        };
        let from = signal.from;
        let connection = self.connection_in(key, &from);
        let body = std::mem::discriminant(&signal.body);
        debug!(at = ?now, me = %self.self_id, %from, ?body, ?connection, "signal");
        if let Some(conn) = connection {
            // Signals of a connected peer are ignored, but that an announce attaches it.
            if matches!(signal.body, SignalBody::Announce | SignalBody::Standing { .. }) {
                self.attach(key, conn, now);
            }
            return;
        }
        match signal.body {
            // It knows nothing of what two of ours say about a connection, and takes the signal for
            // an announce.
            SignalBody::Announce | SignalBody::Standing { .. } => {
                self.on_announce(relay, key, &from, now);
            }
            SignalBody::Offer { offer_id, sealed } => {
                self.on_offer(relay, key, from, (offer_id, &sealed), now);
            }
            SignalBody::Answer { offer_id, sealed } => {
                self.on_answer(key, &from, (offer_id, &sealed), now);
            }
            SignalBody::Candidate { offer_id, sealed } => {
                self.on_candidate(key, from, offer_id, &sealed, now);
            }
        }
    }

    /// Announces a room, at a tracker with offers for anyone.
    pub(super) fn announce(&mut self, relay: usize, root: &Topic, now: Time) {
        let room = self.rooms.iter().find(|(_, room)| room.root == *root);
        let Some(key) = room.map(|(key, _)| *key) else { return };
        if !self.relays[relay].config.strategy.trades_offers() {
            return self.publish(relay, key, None, SignalBody::Announce, now);
        }
        for _ in self.bulk.values().filter(|bulk| bulk.room == key).count()..OFFERS {
            let (conn, offer_id) = (self.next_conn(), OfferId::generate_bulk(&mut self.rng));
            let until = now + BULK_OFFER_TTL;
            self.bulk.insert(conn, Bulk { room: key, offer_id, sdp: None, until });
            let options = self.conn_options(key, false);
            self.engine.offer(conn, options, now);
        }
        self.carry_engine(now);
        self.late_announces.insert((key, relay));
        self.announce_when_described(key, now);
    }

    /// Makes the announces of a room that wait for its offers, once all of these are there.
    fn announce_when_described(&mut self, key: RoomKey, now: Time) {
        if self.bulk.values().any(|bulk| bulk.room == key && bulk.sdp.is_none()) {
            return;
        }
        let waiting = self.late_announces.iter().filter(|(room, _)| *room == key).copied();
        let waiting: Vec<(RoomKey, usize)> = waiting.collect();
        for (key, relay) in waiting {
            self.late_announces.remove(&(key, relay));
            self.announce_with_offers(relay, key, now);
        }
    }

    fn announce_with_offers(&mut self, relay: usize, key: RoomKey, now: Time) {
        let Some(room) = self.rooms.get(&key) else { return };
        let of_room = self.bulk.values().filter(|bulk| bulk.room == key);
        let offers: Vec<(OfferId, String)> = of_room
            .filter_map(|bulk| {
                let sdp = bulk.sdp.as_ref()?;
                Some((bulk.offer_id.clone(), room.signal_key.seal(sdp, &mut self.rng)))
            })
            .collect();
        let offers = BulkOffers { root: &room.root, offers: &offers, is_dormant: false };
        self.relays[relay].tell(SessionInput::Offer(offers), now);
    }

    /// The engine has a description.
    pub(super) fn on_description(
        &mut self,
        conn: ConnId,
        kind: DescriptionKind,
        text: String,
        now: Time,
    ) {
        if let Some(bulk) = self.bulk.get_mut(&conn) {
            bulk.sdp = Some(text);
            let key = bulk.room;
            return self.announce_when_described(key, now);
        }
        let Some(attempt) = self.attempts.get_mut(&conn) else { return };
        match (&mut attempt.stage, kind) {
            (Stage::Offering { sdp, .. }, DescriptionKind::Offer) => {
                *sdp = Some(text);
                self.send_offer(conn, now);
            }
            (Stage::Answering { relay }, DescriptionKind::Answer) => {
                let (relay, key, peer) = (*relay, attempt.room, attempt.peer.clone());
                let offer_id = Some(attempt.offer_id.clone());
                let Some(sealed) = self.seal(key, &text) else { return };
                let body = SignalBody::Answer { offer_id, sealed };
                self.publish(relay, key, Some(&peer), body, now);
            }
            (Stage::Offering { .. } | Stage::Answered | Stage::Answering { .. }, _) => {}
        }
    }

    /// The engine found a candidate: only those of an answer come after it.
    pub(super) fn on_own_candidate(&mut self, conn: ConnId, candidate: &CandidateInit, now: Time) {
        let Some(attempt) = self.attempts.get(&conn) else { return };
        let Stage::Answering { relay } = attempt.stage else { return };
        let (key, peer) = (attempt.room, attempt.peer.clone());
        let offer_id = Some(attempt.offer_id.clone());
        let Some(sealed) = self.seal(key, &candidate.emit()) else { return };
        self.publish(relay, key, Some(&peer), SignalBody::Candidate { offer_id, sealed }, now);
    }

    /// Gives up what took too long.
    pub(super) fn expire_attempts(&mut self, now: Time) {
        let is_over = |attempt: &Attempt| attempt.until <= now;
        let over = self.attempts.iter().filter(|(_, attempt)| is_over(attempt));
        let over: Vec<ConnId> = over.map(|(conn, _)| *conn).collect();
        for conn in over {
            self.engine.close(conn, now);
            self.on_attempt_over(conn);
        }
        let old = self.bulk.iter().filter(|(_, bulk)| bulk.until <= now);
        let old: Vec<ConnId> = old.map(|(conn, _)| *conn).collect();
        for conn in old {
            self.bulk.remove(&conn);
            self.engine.close(conn, now);
        }
    }

    /// A connection that was being made did not come about.
    pub(super) fn on_attempt_over(&mut self, conn: ConnId) {
        let Some(attempt) = self.attempts.remove(&conn) else { return };
        match attempt.stage {
            Stage::Offering { .. } => {}
            Stage::Answered | Stage::Answering { .. } => {
                let failure =
                    JoinFailure::NotConnected { peer: attempt.peer.to_string(), obstacle: None };
                self.fail_join(attempt.room, attempt.peer, failure);
            }
        }
    }

    fn on_announce(&mut self, relay: usize, key: RoomKey, from: &PeerId, now: Time) {
        let with = self.attempts.iter_mut().filter(|(_, it)| it.room == key && it.peer == *from);
        let mut offering = None;
        for (conn, attempt) in with {
            match &mut attempt.stage {
                Stage::Answered | Stage::Answering { .. } => return,
                Stage::Offering { sent, .. } => {
                    sent.entry(relay).or_insert(None);
                    offering = Some(*conn);
                }
            }
        }
        if self.self_id > *from {
            return self.publish(relay, key, Some(from), SignalBody::Announce, now);
        }
        if let Some(conn) = offering {
            return self.send_offer(conn, now);
        }
        let (conn, offer_id) = (self.next_conn(), OfferId::generate(&mut self.rng));
        let stage = Stage::Offering { sdp: None, sent: BTreeMap::from([(relay, None)]) };
        let (peer, until) = (from.clone(), now + OFFER_TTL);
        self.attempts.insert(conn, Attempt { room: key, peer, offer_id, stage, until });
        let options = self.conn_options(key, false);
        self.engine.offer(conn, options, now);
    }

    fn conn_options(&self, key: RoomKey, trickle: bool) -> ConnOptions {
        let room = self.rooms.get(&key);
        let ice = room.map_or_else(|| Arc::new(IceConfig::none()), |room| Arc::clone(&room.ice));
        ConnOptions::new(trickle, ice)
    }

    /// Sends an offer over each relay that it was not sent over of late.
    fn send_offer(&mut self, conn: ConnId, now: Time) {
        let Some(attempt) = self.attempts.get_mut(&conn) else { return };
        let Stage::Offering { sdp: Some(sdp), sent } = &mut attempt.stage else { return };
        let is_due = |at: &Option<Time>| at.is_none_or(|at| now.since(at) >= OFFER_AGAIN_AFTER);
        let due: Vec<usize> =
            sent.iter().filter(|(_, at)| is_due(at)).map(|(relay, _)| *relay).collect();
        due.iter().for_each(|relay| _ = sent.insert(*relay, Some(now)));
        let (key, peer, sdp) = (attempt.room, attempt.peer.clone(), sdp.clone());
        let offer_id = attempt.offer_id.clone();
        for relay in due {
            let Some(sealed) = self.seal(key, &sdp) else { return };
            let body = SignalBody::Offer { offer_id: offer_id.clone(), sealed };
            self.publish(relay, key, Some(&peer), body, now);
        }
    }

    fn on_offer(
        &mut self,
        relay: usize,
        key: RoomKey,
        peer: PeerId,
        (offer_id, sealed): (OfferId, &str),
        now: Time,
    ) {
        let with = self.attempts.iter().filter(|(_, it)| it.room == key && it.peer == peer);
        let mut offering = None;
        for (conn, attempt) in with {
            match attempt.stage {
                Stage::Answered | Stage::Answering { .. } => return,
                Stage::Offering { .. } => offering = Some(*conn),
            }
        }
        let trades = self.relays[relay].config.strategy.trades_offers();
        let is_out = trades && self.bulk.values().any(|bulk| bulk.room == key);
        if self.self_id < peer && (offering.is_some() || is_out) {
            return;
        }
        let Some(sdp) = self.open(key, &peer, sealed, JoinFailure::OfferPassword) else { return };
        if let Some(conn) = offering {
            self.attempts.remove(&conn);
            self.engine.close(conn, now);
        }
        let conn = self.next_conn();
        let options = self.conn_options(key, !trades);
        if self.engine.answer(conn, &sdp, options, now).is_err() {
            return;
        }
        let (early, others) = std::mem::take(&mut self.early)
            .into_iter()
            .partition::<Vec<_>, _>(|early| early.peer == peer && early.offer_id == offer_id);
        self.early = others.into();
        for Early { candidate, .. } in early {
            self.engine.add_remote_candidate(conn, &candidate, now);
        }
        let (stage, until) = (Stage::Answering { relay }, now + ATTEMPT_TTL);
        self.attempts.insert(conn, Attempt { room: key, peer, offer_id, stage, until });
    }

    fn on_answer(
        &mut self,
        key: RoomKey,
        peer: &PeerId,
        (offer_id, sealed): (Option<OfferId>, &str),
        now: Time,
    ) {
        let is_named = |named: &OfferId| offer_id.as_ref().is_none_or(|id| id == named);
        let offered = self.attempts.iter().find(|(_, it)| {
            let is_open = matches!(it.stage, Stage::Offering { .. });
            is_open && it.room == key && it.peer == *peer && is_named(&it.offer_id)
        });
        let for_anyone = self.bulk.iter().find(|(_, bulk)| {
            bulk.room == key && offer_id.as_ref().is_some_and(|id| *id == bulk.offer_id)
        });
        let Some(conn) = offered.map(|(conn, _)| *conn).or(for_anyone.map(|(conn, _)| *conn))
        else {
            return;
        };
        let Some(sdp) = self.open(key, peer, sealed, JoinFailure::AnswerPassword) else { return };
        let of_bulk = self.bulk.remove(&conn).map(|bulk| bulk.offer_id);
        let of_attempt = self.attempts.remove(&conn).map(|attempt| attempt.offer_id);
        let Some(offer_id) = of_bulk.or(of_attempt) else { return };
        if self.engine.accept_answer(conn, &sdp, now).is_err() {
            return self.engine.close(conn, now);
        }
        let (peer, stage, until) = (peer.clone(), Stage::Answered, now + ATTEMPT_TTL);
        self.attempts.insert(conn, Attempt { room: key, peer, offer_id, stage, until });
    }

    fn on_candidate(
        &mut self,
        key: RoomKey,
        peer: PeerId,
        offer_id: Option<OfferId>,
        sealed: &str,
        now: Time,
    ) {
        let Some(room) = self.rooms.get(&key) else { return };
        let Ok(json) = room.signal_key.open(sealed) else { return };
        let Some(candidate) = CandidateInit::parse(&json) else { return };
        let with = || self.attempts.iter().filter(|(_, it)| it.room == key && it.peer == peer);
        let named = with().find(|(_, it)| Some(&it.offer_id) == offer_id.as_ref());
        let answering = || with().find(|(_, it)| matches!(it.stage, Stage::Answering { .. }));
        if let Some(conn) = named.or_else(answering).map(|(conn, _)| *conn) {
            self.engine.add_remote_candidate(conn, &candidate, now);
        } else if let Some(offer_id) = offer_id {
            if self.early.len() >= EARLY_MAX {
                self.early.pop_front();
            }
            self.early.push_back(Early { peer, offer_id, candidate });
        }
    }

    fn publish(
        &mut self,
        relay: usize,
        key: RoomKey,
        to: Option<&PeerId>,
        body: SignalBody,
        now: Time,
    ) {
        let Some(room) = self.rooms.get(&key) else { return };
        let root = &room.root;
        let topic = to.map_or_else(|| root.clone(), |peer| room.topic_of(peer));
        let signal = Signal { from: self.self_id.clone(), is_passive: false, body };
        let publication = Publication { topic: &topic, root, to, signal: &signal };
        self.relays[relay].tell(SessionInput::Publish(publication), now);
    }

    fn seal(&mut self, key: RoomKey, text: &str) -> Option<String> {
        let room = self.rooms.get(&key)?;
        Some(room.signal_key.seal(text, &mut self.rng))
    }

    /// Opens a description, or reports that it was sealed with another password.
    fn open(
        &mut self,
        key: RoomKey,
        peer: &PeerId,
        sealed: &str,
        failure: JoinFailure,
    ) -> Option<String> {
        match self.rooms.get(&key)?.signal_key.open(sealed) {
            Ok(sdp) => Some(sdp),
            Err(OpenError::WrongKey) => {
                self.fail_join(key, peer.clone(), failure);
                None
            }
            Err(OpenError::Malformed) => None,
        }
    }
}

/// An offer that nobody answers is given up after this long.
const OFFER_TTL: Duration = Duration::from_millis(57_333);

/// A connection that does not come about is given up after this long.
const ATTEMPT_TTL: Duration = Duration::from_millis(23_333);

/// An offer goes over one relay once in this time, whatever is heard there.
const OFFER_AGAIN_AFTER: Duration = Duration::from_nanos(4_799_700_000);

/// An announce at a tracker has so many offers.
const OFFERS: usize = 3;

/// An offer for anyone is kept for this long.
const BULK_OFFER_TTL: Duration = Duration::from_secs(120);

/// Trystero holds candidates without a bound. No run comes near this one.
const EARLY_MAX: usize = 1_000;
