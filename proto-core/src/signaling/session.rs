//! How far the negotiation with one remote peer is.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::ids::{ConnId, RelayId};
use crate::limits;
use crate::time::{Deadline, Time};
use crate::wire::{CandidateInit, OfferId};

/// An offer that nobody answered is given up after this long, as Trystero does.
pub(super) const OFFER_TTL: Duration = Duration::from_millis(57_333);
/// An exchange of descriptions that leads to no connection is given up after this long, as
/// Trystero does.
pub(super) const ATTEMPT_TTL: Duration = Duration::from_millis(23_333);
/// One offer is sent over one relay again after this long at the earliest.
const OFFER_REPEAT_AFTER: Duration = Duration::from_micros(4_799_700);
/// Offers that are remembered because a newer one took their place: copies may still come over
/// slower relays.
const SUPERSEDED_MAX: usize = 8;
/// Candidates that came before their offer are of no use once the offer would have expired.
const EARLY_TTL: Duration = OFFER_TTL;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Session {
    pub(super) phase: Phase,
    /// Whether the peer was asked for another attempt after one failed. It is asked once.
    pub(super) is_retried: bool,
    /// Candidates that came before the offer they belong to.
    early: VecDeque<(OfferId, CandidateInit)>,
    /// Offers that a newer one took the place of, the last few.
    superseded: VecDeque<OfferId>,
    /// Candidates of the peer that were used for the connection that is being made.
    candidates_used: usize,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// No connection is being made; there are early candidates, or an offer that was refused.
    Idle { refused: Option<OfferId>, forget_at: Time },
    /// We made an offer.
    Offering(Offering),
    /// Our offer was answered.
    Connecting(Connecting),
    /// We are answering an offer.
    Answering(Answering),
}

#[derive(Debug)]
pub(super) struct Offering {
    pub(super) conn: ConnId,
    pub(super) offer_id: OfferId,
    /// Our description, once the engine has it.
    pub(super) sdp: Option<String>,
    /// The relays that the peer was heard on, and when the offer went there last.
    pub(super) relays: BTreeMap<RelayId, Option<Time>>,
    /// What the engine trickled so far, for relays that join later.
    pub(super) candidates: Vec<CandidateInit>,
    pub(super) expires: Time,
}

#[derive(Debug)]
pub(super) struct Connecting {
    pub(super) conn: ConnId,
    pub(super) offer_id: OfferId,
    /// Where our candidates go.
    pub(super) relays: Vec<RelayId>,
    pub(super) expires: Time,
}

#[derive(Debug)]
pub(super) struct Answering {
    pub(super) conn: ConnId,
    pub(super) offer_id: OfferId,
    /// The relay that brought the offer.
    pub(super) relay: RelayId,
    pub(super) expires: Time,
}

impl Session {
    pub(super) fn new(now: Time) -> Self {
        Session {
            phase: Phase::idle(None, now),
            is_retried: false,
            early: VecDeque::new(),
            superseded: VecDeque::new(),
            candidates_used: 0,
        }
    }

    /// The connection that is being made.
    pub(super) fn conn(&self) -> Option<ConnId> {
        match &self.phase {
            Phase::Idle { .. } => None,
            Phase::Offering(offering) => Some(offering.conn),
            Phase::Connecting(connecting) => Some(connecting.conn),
            Phase::Answering(answering) => Some(answering.conn),
        }
    }

    /// The relays over which descriptions were exchanged; none if they were not.
    pub(super) fn exchanged_over(&self) -> Vec<RelayId> {
        match &self.phase {
            Phase::Idle { .. } | Phase::Offering(_) => Vec::new(),
            Phase::Connecting(connecting) => connecting.relays.clone(),
            Phase::Answering(answering) => vec![answering.relay],
        }
    }

    pub(super) fn poll_timeout(&self) -> Deadline {
        match &self.phase {
            Phase::Idle { forget_at, .. } => Deadline::new(*forget_at, "forget a peer"),
            Phase::Offering(offering) => Deadline::new(offering.expires, "give an offer up"),
            Phase::Connecting(connecting) => {
                Deadline::new(connecting.expires, "give an answered offer up")
            }
            Phase::Answering(answering) => Deadline::new(answering.expires, "give an answer up"),
        }
    }

    /// Whether a candidate may still be used for the connection that is being made.
    pub(super) fn use_candidate(&mut self, candidates_max: usize) -> bool {
        self.candidates_used += 1;
        self.candidates_used <= candidates_max
    }

    /// Whether an offer takes the place of the one that is being answered: one that was not heard
    /// of before does, because the peer must have begun anew.
    pub(super) fn supersedes(&self, offer_id: &OfferId) -> bool {
        let Phase::Answering(answering) = &self.phase else { return false };
        answering.offer_id != *offer_id && !self.superseded.contains(offer_id)
    }

    /// Begins to answer an offer.
    pub(super) fn answer(&mut self, answering: Answering) {
        self.candidates_used = 0;
        if let Phase::Answering(old) =
            std::mem::replace(&mut self.phase, Phase::Answering(answering))
        {
            if self.superseded.len() >= SUPERSEDED_MAX {
                self.superseded.pop_front();
            }
            self.superseded.push_back(old.offer_id);
        }
    }

    /// Whether a connection is being made.
    pub(super) fn is_busy(&self) -> bool {
        self.conn().is_some()
    }

    /// Keeps a candidate until the offer it belongs to is here.
    pub(super) fn hold(&mut self, offer_id: OfferId, candidate: CandidateInit) {
        if self.early.len() >= limits::HELD_CANDIDATES_MAX {
            self.early.pop_front();
        }
        self.early.push_back((offer_id, candidate));
    }

    /// Takes the candidates that were kept for an offer, and forgets all others.
    pub(super) fn take_held(&mut self, offer_id: &OfferId) -> Vec<CandidateInit> {
        let held = std::mem::take(&mut self.early);
        held.into_iter().filter(|(id, _)| id == offer_id).map(|(_, candidate)| candidate).collect()
    }
}

impl Phase {
    pub(super) fn idle(refused: Option<OfferId>, now: Time) -> Self {
        Phase::Idle { refused, forget_at: now + EARLY_TTL }
    }
}

impl Offering {
    pub(super) fn new(conn: ConnId, offer_id: OfferId, now: Time) -> Self {
        Offering {
            conn,
            offer_id,
            sdp: None,
            relays: BTreeMap::new(),
            candidates: Vec::new(),
            expires: now + OFFER_TTL,
        }
    }

    /// Notes that the peer was heard on a relay; true if the offer should go there now.
    pub(super) fn wants(&mut self, relay: RelayId, now: Time) -> bool {
        let sent = self.relays.entry(relay).or_default();
        let is_due = sent.is_none_or(|at| now.since(at) >= OFFER_REPEAT_AFTER);
        if self.sdp.is_none() || !is_due {
            return false;
        }
        *sent = Some(now);
        true
    }

    /// Takes the description, and says where it should go.
    pub(super) fn describe(&mut self, sdp: String, now: Time) -> Vec<RelayId> {
        self.sdp = Some(sdp);
        self.relays.values_mut().for_each(|sent| *sent = Some(now));
        self.relays.keys().copied().collect()
    }
}
