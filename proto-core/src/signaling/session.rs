//! How far the negotiation with one remote peer is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

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
/// Candidates that came before their offer are of no use once the offer would have expired.
const EARLY_TTL: Duration = OFFER_TTL;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Session {
    pub(super) phase: Phase,
    /// The relay that brought the first signal of the peer.
    pub(super) brought_by: RelayId,
    /// When that was.
    pub(super) since: Time,
    /// Whether the peer was asked for another attempt after one failed. It is asked once.
    pub(super) is_retried: bool,
    /// Candidates that came before the offer they belong to.
    early: VecDeque<(OfferId, CandidateInit)>,
    /// Candidates of the peer that were used for the connection that is being made, by their
    /// digests.
    candidates_used: BTreeSet<[u8; 32]>,
    /// Whether the application was told that something of this peer does not decrypt. It is told
    /// once: anyone can publish under a peer's name.
    has_complained: bool,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// No connection is being made; there are early candidates, or an offer that was refused.
    Idle { refused: Option<OfferId>, forget_at: Time },
    /// The peer made an offer, and may be about to answer one of ours.
    Deferring(Deferring),
    /// We made an offer.
    Offering(Offering),
    /// Our offer was answered.
    Connecting(Connecting),
    /// We are answering an offer.
    Answering(Answering),
}

#[derive(Debug)]
pub(super) struct Deferring {
    /// It is answered then, unless the peer has answered one of ours.
    pub(super) offer: OfferOfPeer,
    pub(super) answer_at: Time,
}

#[derive(Debug)]
pub(super) struct OfferOfPeer {
    /// The relay that brought it.
    pub(super) relay: RelayId,
    pub(super) offer_id: OfferId,
    pub(super) sdp: String,
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

/// What becomes of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UseOfCandidate {
    /// It is used.
    Used,
    /// It came before, over another relay.
    Copy,
    /// No honest peer has so many.
    TooMany,
}

impl Session {
    pub(super) fn new(brought_by: RelayId, now: Time) -> Self {
        Session {
            phase: Phase::idle(None, now),
            brought_by,
            since: now,
            is_retried: false,
            early: VecDeque::new(),
            candidates_used: BTreeSet::new(),
            has_complained: false,
        }
    }

    /// The connection that is being made.
    pub(super) fn conn(&self) -> Option<ConnId> {
        match &self.phase {
            Phase::Idle { .. } | Phase::Deferring(_) => None,
            Phase::Offering(offering) => Some(offering.conn),
            Phase::Connecting(connecting) => Some(connecting.conn),
            Phase::Answering(answering) => Some(answering.conn),
        }
    }

    /// The relays over which descriptions were exchanged; none if they were not.
    pub(super) fn exchanged_over(&self) -> Vec<RelayId> {
        match &self.phase {
            Phase::Idle { .. } | Phase::Deferring(_) | Phase::Offering(_) => Vec::new(),
            Phase::Connecting(connecting) => connecting.relays.clone(),
            Phase::Answering(answering) => vec![answering.relay],
        }
    }

    pub(super) fn poll_timeout(&self) -> Deadline {
        match &self.phase {
            Phase::Idle { forget_at, .. } => Deadline::new(*forget_at, "forget a peer"),
            Phase::Deferring(deferring) => {
                Deadline::new(deferring.answer_at, "answer an offer that was put off")
            }
            Phase::Offering(offering) => Deadline::new(offering.expires, "give an offer up"),
            Phase::Connecting(connecting) => {
                Deadline::new(connecting.expires, "give an answered offer up")
            }
            Phase::Answering(answering) => Deadline::new(answering.expires, "give an answer up"),
        }
    }

    /// Whether a candidate is to be used for the connection that is being made.
    pub(super) fn use_candidate(
        &mut self,
        candidate: &CandidateInit,
        candidates_max: usize,
    ) -> UseOfCandidate {
        let digest: [u8; 32] = Sha256::digest(candidate.emit()).into();
        if self.candidates_used.contains(&digest) {
            return UseOfCandidate::Copy;
        }
        if self.candidates_used.len() >= candidates_max {
            return UseOfCandidate::TooMany;
        }
        self.candidates_used.insert(digest);
        UseOfCandidate::Used
    }

    /// Takes the answer to an offer of ours.
    pub(super) fn connect(&mut self, connecting: Connecting) {
        self.candidates_used.clear();
        self.phase = Phase::Connecting(connecting);
    }

    /// Takes the offer whose answer was put off.
    pub(super) fn take_deferred(&mut self, now: Time) -> Option<OfferOfPeer> {
        match std::mem::replace(&mut self.phase, Phase::idle(None, now)) {
            Phase::Deferring(deferring) => Some(deferring.offer),
            other => {
                self.phase = other;
                None
            }
        }
    }

    /// Begins to answer an offer.
    pub(super) fn answer(&mut self, answering: Answering) {
        self.candidates_used.clear();
        self.phase = Phase::Answering(answering);
    }

    /// Whether the application is to be told that something does not decrypt.
    pub(super) fn may_complain(&mut self) -> bool {
        !std::mem::replace(&mut self.has_complained, true)
    }

    /// Whether a connection is being made, or about to be.
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.phase, Phase::Idle { .. })
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
