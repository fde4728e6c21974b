//! One room's signaling: announcing, and a session per remote peer.
//!
//! It never touches an engine or a relay. It is told what they said, and says what they should
//! do; the node carries both.
//!
//! spec: docs/protocol.md, section 2

mod negotiation;
mod trading;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, trace};

use super::Announcer;
use super::offer_pool::OfferPool;
use super::passivity::Passivity;
use super::session::{Phase, Session};
use crate::crypto::{Password, RoomToken, SignalKey, Topic};
use crate::engine::ConnOptions;
use crate::ice::IceConfig;
use crate::ids::{ConnId, Counter, PeerId, RelayId};
use crate::join_failure::JoinFailure;
use crate::limits::{self, Limits};
use crate::rng::Rng;
use crate::signaling::Strategy;
use crate::time::{Deadline, DueSet, Time};
use crate::wire::{CandidateInit, OfferId, Signal, SignalBody};

/// All that a room's name and password give.
#[derive(Clone, Debug)]
pub(crate) struct RoomNames {
    pub(crate) app_id: String,
    pub(crate) room_id: String,
    pub(crate) password: Password,
    pub(crate) token: RoomToken,
    pub(crate) root_topic: Topic,
    pub(crate) self_topic: Topic,
    pub(crate) key: SignalKey,
}

impl RoomNames {
    pub(crate) fn new(app_id: &str, room_id: &str, password: &Password, self_id: &PeerId) -> Self {
        RoomNames {
            app_id: app_id.to_owned(),
            room_id: room_id.to_owned(),
            password: password.clone(),
            token: RoomToken::of_room(app_id, room_id),
            root_topic: Topic::root(app_id, room_id),
            self_topic: Topic::of_peer(app_id, room_id, self_id),
            key: SignalKey::derive(password.as_str(), app_id, room_id),
        }
    }
}

/// What signaling wants done.
#[derive(Debug)]
pub(crate) enum SignalingOutput {
    /// Say this over a relay, to a peer or to everyone.
    Publish {
        relay: RelayId,
        to: Option<PeerId>,
        signal: Signal,
    },
    /// Announce the room over a relay with these offers for anyone.
    Trade {
        relay: RelayId,
        offers: Vec<(OfferId, String)>,
        is_dormant: bool,
    },
    Offer {
        conn: ConnId,
        peer: PeerId,
    },
    /// Make an offer for anyone.
    OfferAnyone {
        conn: ConnId,
    },
    Answer {
        conn: ConnId,
        peer: PeerId,
        sdp: String,
    },
    AcceptAnswer {
        conn: ConnId,
        peer: PeerId,
        sdp: String,
    },
    AddCandidate {
        conn: ConnId,
        candidate: CandidateInit,
    },
    Close {
        conn: ConnId,
    },
    /// Subscribe the room's own topic on this relay too.
    SubscribeSelf {
        relay: RelayId,
    },
    /// A passive room takes part now.
    Woke,
    /// A passive room is silent again.
    FellAsleep,
    /// A peer could not join. It is asked for another attempt over these relays.
    Failed {
        peer: PeerId,
        /// The connection that did not come about, if it was for that.
        conn: Option<ConnId>,
        failure: JoinFailure,
        ask_over: Vec<RelayId>,
    },
}

/// What a room knows of one relay.
#[derive(Debug)]
struct RelaySide {
    /// The name of its strategy.
    strategy: String,
    /// Whether it passes offers round in place of signals.
    trades_offers: bool,
    /// Whether an announce is due there as soon as the offers for it are made.
    awaits_offers: bool,
    announcer: Announcer,
    root_stands: bool,
    self_stands: bool,
    /// Whether a passive room subscribed its own topic here.
    wants_self: bool,
}

/// What a room's signaling is told at its beginning.
#[derive(Debug)]
pub(crate) struct SignalingTerms {
    pub(crate) self_id: PeerId,
    pub(crate) names: RoomNames,
    pub(crate) options: ConnOptions,
    pub(crate) is_passive: bool,
    pub(crate) limits: Limits,
    pub(crate) rng: Rng,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Signaling {
    self_id: PeerId,
    names: RoomNames,
    options: ConnOptions,
    limits: Limits,
    passivity: Passivity,
    /// Whether anyone is connected to the room.
    has_company: bool,
    relays: BTreeMap<RelayId, RelaySide>,
    pool: OfferPool,
    sessions: BTreeMap<PeerId, Session>,
    /// Offers that were answered, or could be, so that copies of them are known as such.
    heard_offers: BTreeSet<(PeerId, OfferId)>,
    /// The same, the oldest first.
    heard_order: VecDeque<(PeerId, OfferId)>,
    due: DueSet<PeerId>,
    rng: Rng,
    outputs: VecDeque<SignalingOutput>,
    dropped: u64,
}

impl Signaling {
    pub(crate) fn new(terms: SignalingTerms) -> Self {
        let SignalingTerms { self_id, names, options, is_passive, limits, rng } = terms;
        Signaling {
            self_id,
            names,
            options,
            limits,
            passivity: Passivity::new(is_passive),
            has_company: false,
            relays: BTreeMap::new(),
            pool: OfferPool::default(),
            sessions: BTreeMap::new(),
            heard_offers: BTreeSet::new(),
            heard_order: VecDeque::new(),
            due: DueSet::new(),
            rng,
            outputs: VecDeque::new(),
            dropped: 0,
        }
    }

    pub(crate) fn add_relay(&mut self, relay: RelayId, strategy: &dyn Strategy) {
        let side = RelaySide {
            strategy: strategy.name().to_owned(),
            trades_offers: strategy.trades_offers(),
            awaits_offers: false,
            announcer: Announcer::default(),
            root_stands: false,
            self_stands: false,
            wants_self: false,
        };
        self.relays.insert(relay, side);
    }

    /// A subscription stands. Once both of the room's topics do, it announces itself; a passive
    /// one needs the first alone, and to be awake.
    pub(crate) fn on_subscribed(&mut self, relay: RelayId, topic: &Topic, now: Time) {
        let (is_passive, is_dormant) = (self.passivity.is_passive(), self.is_dormant());
        let Some(side) = self.relays.get_mut(&relay) else { return };
        side.root_stands |= *topic == self.names.root_topic;
        side.self_stands |= *topic == self.names.self_topic;
        let may_announce = side.root_stands && (side.self_stands || is_passive);
        if !may_announce || side.announcer.next().is_some() {
            return;
        }
        if !is_dormant {
            side.announcer.begin(now);
        } else if side.trades_offers {
            // A tracker passes offers to those alone that it has heard of.
            side.announcer.beat(now);
        }
    }

    pub(crate) fn on_relay_down(&mut self, relay: RelayId) {
        if let Some(side) = self.relays.get_mut(&relay) {
            side.root_stands = false;
            side.self_stands = false;
            side.awaits_offers = false;
            side.announcer.stop();
        }
    }

    /// A relay wants announces so often.
    pub(crate) fn announce_every(&mut self, relay: RelayId, interval: Duration) {
        if let Some(side) = self.relays.get_mut(&relay) {
            side.announcer.announce_every(interval);
        }
    }

    /// A relay wants no announces before then.
    pub(crate) fn hold_announces(&mut self, relay: RelayId, until: Time) {
        if let Some(side) = self.relays.get_mut(&relay) {
            side.announcer.hold_until(until);
        }
    }

    /// A peer is gone without having said so: it may be looking for us, so it is asked for. Others
    /// are not woken by that. A passive room waits to be woken.
    pub(crate) fn on_peer_lost(&mut self, peer: &PeerId, now: Time) {
        if !self.passivity.is_passive() {
            let standing = self.relays.iter().filter(|(_, side)| side.root_stands);
            let relays = standing.map(|(relay, _)| *relay).collect();
            self.nudge(peer, relays, now);
        }
    }

    /// Reads a message of one of the room's topics; `None` if it is not for us to act on.
    pub(crate) fn parse(&mut self, topic: &Topic, body: &str) -> Option<Signal> {
        if *topic != self.names.root_topic && *topic != self.names.self_topic {
            return None;
        }
        match Signal::parse(body) {
            Ok(signal) if signal.from == self.self_id => None,
            Ok(signal) => Some(signal),
            Err(error) => {
                self.dropped += 1;
                debug!(%error, "dropped a signal");
                None
            }
        }
    }

    /// Whether a signal is to be acted on. A passive room heeds active peers alone; it is woken by
    /// their announces and offers.
    pub(crate) fn wake(&mut self, relay: RelayId, signal: &Signal, now: Time) -> bool {
        if !self.passivity.is_passive() {
            return true;
        }
        if signal.is_passive {
            return false;
        }
        match signal.body {
            SignalBody::Announce | SignalBody::Offer { .. } => self.on_wake_up(relay, now),
            SignalBody::Answer { .. }
            | SignalBody::Candidate { .. }
            | SignalBody::Standing { .. } => {}
        }
        !self.is_dormant()
    }

    /// Whether a connected peer sends what one does that is looking for a connection. Root
    /// announces are made by connected peers too, and so are offers for anyone; those are rare. A
    /// copy of an offer that was heard before only took another relay, or is replayed.
    pub(crate) fn seems_to_have_lost_us(
        &self,
        relay: RelayId,
        topic: &Topic,
        signal: &Signal,
    ) -> bool {
        match &signal.body {
            SignalBody::Announce => *topic == self.names.self_topic,
            SignalBody::Offer { offer_id, .. } => {
                !self.heard_offers.contains(&(signal.from.clone(), offer_id.clone()))
            }
            // Nobody answers an offer for anyone who is connected.
            SignalBody::Answer { .. } => self.trades_offers(relay),
            SignalBody::Candidate { .. } | SignalBody::Standing { .. } => false,
        }
    }

    /// Someone came to the room, or went.
    pub(crate) fn on_company(&mut self, has_company: bool, now: Time) {
        self.has_company = has_company;
        self.rest_if_alone(now);
    }

    /// Acts on the signal of a peer that we are not connected to.
    pub(crate) fn on_signal(
        &mut self,
        relay: RelayId,
        signal: Signal,
        conns: &mut Counter,
        now: Time,
    ) {
        let peer = signal.from;
        trace!(%peer, body = ?std::mem::discriminant(&signal.body), "signal");
        // Whoever does not lead answers an announce, and waits.
        let is_waiting = signal.body == SignalBody::Announce && peer < self.self_id;
        let is_new = !is_waiting && !self.sessions.contains_key(&peer);
        if is_new && !self.has_room_for(relay) {
            self.dropped += 1;
            debug!(%peer, "dropped a signal: too many negotiations under way");
            return;
        }
        match signal.body {
            SignalBody::Announce => self.on_announce(relay, &peer, conns, now),
            SignalBody::Offer { offer_id, sealed } => {
                self.on_offer(relay, &peer, offer_id, &sealed, conns, now);
            }
            SignalBody::Answer { offer_id, sealed } => {
                self.on_answer(relay, &peer, offer_id.as_ref(), &sealed, now);
            }
            SignalBody::Candidate { offer_id, sealed } => {
                self.on_candidate(relay, &peer, offer_id, &sealed, now);
            }
            // Without a connection it means nothing.
            SignalBody::Standing { .. } => self.dropped += 1,
        }
        self.note_deadline(&peer);
    }

    /// The engine has the description of a connection that is being made with this peer.
    pub(crate) fn on_description(&mut self, peer: &PeerId, sdp: String, now: Time) {
        let Some(session) = self.sessions.get_mut(peer) else { return };
        match &mut session.phase {
            Phase::Offering(offering) => {
                let relays = offering.describe(sdp, now);
                for relay in relays {
                    self.send_offer(relay, peer);
                }
            }
            Phase::Answering(answering) => {
                let (relay, offer_id) = (answering.relay, answering.offer_id.clone());
                let sealed = self.names.key.seal(&sdp, &mut self.rng);
                let body = SignalBody::Answer { offer_id: Some(offer_id), sealed };
                self.publish(relay, peer, body);
            }
            Phase::Idle { .. } | Phase::Deferring(_) | Phase::Connecting(_) => {}
        }
    }

    /// The engine found a candidate after the description.
    pub(crate) fn on_local_candidate(&mut self, peer: &PeerId, candidate: &CandidateInit) {
        let Some(session) = self.sessions.get_mut(peer) else { return };
        let (offer_id, relays) = match &mut session.phase {
            Phase::Idle { .. } | Phase::Deferring(_) => return,
            Phase::Offering(offering) => {
                if offering.candidates.len() < limits::LOCAL_CANDIDATES_MAX {
                    offering.candidates.push(candidate.clone());
                }
                // Without a description nothing has been sent yet, so this goes along with it.
                let is_sent = offering.sdp.is_some();
                let relays = offering.relays.keys().copied().filter(|_| is_sent).collect();
                (offering.offer_id.clone(), relays)
            }
            Phase::Connecting(connecting) => {
                (connecting.offer_id.clone(), connecting.relays.clone())
            }
            Phase::Answering(answering) => (answering.offer_id.clone(), vec![answering.relay]),
        };
        for relay in relays {
            self.send_candidate(relay, peer, &offer_id, candidate);
        }
    }

    /// The peer is connected, by this negotiation or another; its session ends.
    pub(crate) fn on_connected(&mut self, peer: &PeerId, conn: ConnId) {
        let Some(session) = self.sessions.remove(peer) else { return };
        self.due.set(peer.clone(), None);
        if let Some(other) = session.conn().filter(|other| *other != conn) {
            self.outputs.push_back(SignalingOutput::Close { conn: other });
        }
    }

    /// A connection that was being made has failed.
    pub(crate) fn on_attempt_failed(&mut self, peer: &PeerId, conn: ConnId, now: Time) {
        let Some(session) = self.sessions.get_mut(peer) else { return };
        if session.conn() != Some(conn) {
            return;
        }
        self.give_up(peer, now);
    }

    /// The engine refused a description. The attempt is over, and the offer not taken again.
    pub(crate) fn on_description_refused(&mut self, peer: &PeerId, why: String, now: Time) {
        if let Some(session) = self.sessions.get_mut(peer) {
            let refused = match &session.phase {
                Phase::Answering(answering) => Some(answering.offer_id.clone()),
                Phase::Idle { .. }
                | Phase::Deferring(_)
                | Phase::Offering(_)
                | Phase::Connecting(_) => None,
            };
            session.phase = Phase::idle(refused, now);
            self.note_deadline(peer);
        }
        self.rest_if_alone(now);
        self.fail(peer, None, JoinFailure::Description(why), Vec::new());
    }

    /// Asks a peer over these relays to make another attempt.
    pub(crate) fn nudge(&mut self, peer: &PeerId, relays: Vec<RelayId>, now: Time) {
        for relay in relays {
            match self.relays.get_mut(&relay) {
                Some(side) if side.trades_offers => side.announcer.hurry(now),
                Some(_) => self.publish(relay, peer, SignalBody::Announce),
                None => {}
            }
        }
    }

    /// Ends all negotiations.
    pub(crate) fn close(&mut self) {
        for session in std::mem::take(&mut self.sessions).into_values() {
            if let Some(conn) = session.conn() {
                self.outputs.push_back(SignalingOutput::Close { conn });
            }
        }
        self.withdraw_offers();
    }

    /// Does what is due; `conns` gives ids for the connections that are begun.
    pub(crate) fn handle_timeout(&mut self, conns: &mut Counter, now: Time) {
        let due = self.relays.iter_mut().filter_map(|(relay, side)| {
            side.announcer.take_due(now).then_some((*relay, side.trades_offers))
        });
        for (relay, trades_offers) in due.collect::<Vec<_>>() {
            if trades_offers {
                self.trade(relay, conns, now);
            } else {
                self.announce(relay);
            }
        }
        self.expire_offers(now);
        while let Some(peer) = self.due.pop_due(now) {
            self.expire(&peer, conns, now);
        }
        if self.passivity.take_check(now) {
            self.rest_if_alone(now);
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<SignalingOutput> {
        self.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let announce = self.relays.values().filter_map(|side| side.announcer.next()).min();
        let announce = announce.map(|at| Deadline::new(at, "announce"));
        let own = Deadline::earlier(announce, self.passivity.poll_timeout());
        let own = Deadline::earlier(own, self.pool.poll_timeout());
        Deadline::earlier(own, self.due.next())
    }

    pub(crate) fn names(&self) -> &RoomNames {
        &self.names
    }

    pub(crate) fn options(&self) -> ConnOptions {
        self.options.clone()
    }

    /// How connections are made that begin from now on.
    pub(crate) fn set_ice(&mut self, ice: Arc<IceConfig>) {
        self.options.ice = ice;
    }

    /// Whether the room is passive and nobody was heard.
    pub(crate) fn is_dormant(&self) -> bool {
        self.passivity == Passivity::Dormant
    }

    pub(crate) fn relays(&self) -> impl Iterator<Item = RelayId> {
        self.relays.keys().copied()
    }

    /// The relays that carry signals to one peer, and on which we would hear its answer.
    pub(crate) fn relays_for_peers(&self) -> impl Iterator<Item = RelayId> {
        let standing = self.relays.iter().filter(|(_, side)| side.self_stands);
        standing.filter(|(_, side)| !side.trades_offers).map(|(relay, _)| *relay)
    }

    /// Signals that were dropped because they were malformed or too many.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn on_wake_up(&mut self, relay: RelayId, now: Time) {
        if let Some(side) = self.relays.get_mut(&relay)
            && !std::mem::replace(&mut side.wants_self, true)
        {
            self.outputs.push_back(SignalingOutput::SubscribeSelf { relay });
        }
        if self.passivity.wake(now) {
            debug!("a passive room wakes");
            self.outputs.push_back(SignalingOutput::Woke);
            let standing = self.relays.values_mut().filter(|side| side.root_stands);
            standing.for_each(|side| side.announcer.begin(now));
        }
    }

    /// A passive room falls asleep when nobody is there and nobody is coming.
    fn rest_if_alone(&mut self, now: Time) {
        let is_busy = self.has_company || self.sessions.values().any(Session::is_busy);
        if !is_busy && self.passivity.rest() {
            debug!("a passive room falls asleep");
            for side in self.relays.values_mut() {
                side.announcer.stop();
                if side.trades_offers && side.root_stands {
                    side.announcer.beat(now);
                }
            }
            self.withdraw_offers();
            self.outputs.push_back(SignalingOutput::FellAsleep);
        }
    }

    fn announce(&mut self, relay: RelayId) {
        let (from, is_passive) = (self.self_id.clone(), self.passivity.is_passive());
        let signal = Signal { from, is_passive, body: SignalBody::Announce };
        self.outputs.push_back(SignalingOutput::Publish { relay, to: None, signal });
    }

    /// Says something to one peer.
    fn publish(&mut self, relay: RelayId, peer: &PeerId, body: SignalBody) {
        // A nudge does not say so, as in JavaScript.
        let is_passive = self.passivity.is_passive() && !matches!(body, SignalBody::Announce);
        let signal = Signal { from: self.self_id.clone(), is_passive, body };
        let to = Some(peer.clone());
        self.outputs.push_back(SignalingOutput::Publish { relay, to, signal });
    }

    fn fail(
        &mut self,
        peer: &PeerId,
        conn: Option<ConnId>,
        failure: JoinFailure,
        ask_over: Vec<RelayId>,
    ) {
        debug!(%peer, %failure, "a peer could not join");
        let peer = peer.clone();
        self.outputs.push_back(SignalingOutput::Failed { peer, conn, failure, ask_over });
    }

    /// The session with a peer, which begins with what this relay brought if there is none.
    fn session(&mut self, relay: RelayId, peer: &PeerId, now: Time) -> &mut Session {
        self.sessions.entry(peer.clone()).or_insert_with(|| Session::new(relay, now))
    }

    fn note_deadline(&mut self, peer: &PeerId) {
        let deadline = self.sessions.get(peer).map(Session::poll_timeout);
        self.due.set(peer.clone(), deadline);
    }
}

#[cfg(test)]
mod tests;
