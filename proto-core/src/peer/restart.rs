//! ICE restarts of one connection, as they are told over relays: its own path is gone.
//!
//! What is told is sealed with a secret that came over the connection, so nobody who merely knows
//! the room's name and password can move it elsewhere. Relays lose, double and delay: an offer is
//! told again until it is answered, an answer whenever the offer comes again, and what is older
//! than the last is nothing.
//!
//! spec: docs/protocol.md, section 12

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use serde_json::Value;

use crate::crypto::SignalKey;
use crate::limits::LOCAL_CANDIDATES_MAX;
use crate::rng::Rng;
use crate::time::{Deadline, Time};
use crate::wire::{CandidateInit, ConnectionSecret, Renegotiation};

/// An offer that is not answered is told again after this long: the relay may have been about to
/// open.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// Candidates that are found so soon after a restart are told over relays. Later there is a path,
/// or the connection is over.
const SETTLES_IN: Duration = Duration::from_secs(10);

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Restarts {
    secret: ConnectionSecret,
    /// Opens what the other side seals.
    ours: SignalKey,
    /// Seals what it opens, if it can.
    theirs: Option<SignalKey>,
    rng: Rng,
    /// The number of our last offer.
    number: u64,
    /// The number of the last that was taken of theirs.
    heard: u64,
    phase: Phase,
    told: VecDeque<Renegotiation>,
}

#[derive(Debug)]
enum Phase {
    Idle,
    /// Ours is not answered yet.
    Offered {
        sdp: String,
        candidates: Vec<CandidateInit>,
        /// What came of theirs before the answer.
        early: Vec<CandidateInit>,
        tell_at: Time,
    },
    /// Both sides know of it.
    Agreed {
        number: u64,
        /// Ours, if the offer was theirs.
        answer: Option<String>,
        candidates: Vec<CandidateInit>,
        until: Time,
    },
}

/// What is to be done because of what was heard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Offer { number: u64, sdp: String },
    Answer { sdp: String, early: Vec<CandidateInit> },
    Candidate(CandidateInit),
}

impl Restarts {
    pub(crate) fn new(mut rng: Rng) -> Self {
        let secret = ConnectionSecret(rng.bytes());
        Restarts {
            secret,
            ours: SignalKey::of_connection(&secret),
            theirs: None,
            rng,
            number: 0,
            heard: 0,
            phase: Phase::Idle,
            told: VecDeque::new(),
        }
    }

    /// What the other side has to be told.
    pub(crate) fn secret(&self) -> ConnectionSecret {
        self.secret
    }

    /// What the other side told.
    pub(crate) fn on_secret(&mut self, secret: &ConnectionSecret) {
        self.theirs = Some(SignalKey::of_connection(secret));
    }

    /// Whether the other side can be told.
    pub(crate) fn is_possible(&self) -> bool {
        self.theirs.is_some()
    }

    /// There is an offer of ours.
    pub(crate) fn on_offer_made(&mut self, sdp: String, now: Time) {
        self.number += 1;
        let (candidates, early) = (Vec::new(), Vec::new());
        self.phase = Phase::Offered { sdp, candidates, early, tell_at: now };
        self.wake(now);
    }

    /// There is our answer to the offer of this number.
    pub(crate) fn on_answer_made(&mut self, sdp: String, now: Time) {
        let (number, candidates) = (self.heard, Vec::new());
        let until = now + SETTLES_IN;
        self.phase = Phase::Agreed { number, answer: Some(sdp), candidates, until };
        self.tell_answer();
    }

    /// A candidate of ours was found. True if it is told over relays.
    pub(crate) fn on_local_candidate(&mut self, candidate: &CandidateInit, now: Time) -> bool {
        let (number, candidates) = match &mut self.phase {
            Phase::Offered { candidates, .. } => (self.number, candidates),
            Phase::Agreed { number, candidates, until, .. } if now < *until => {
                (*number, candidates)
            }
            Phase::Idle | Phase::Agreed { .. } => return false,
        };
        if candidates.len() < LOCAL_CANDIDATES_MAX {
            candidates.push(candidate.clone());
            let candidate = candidate.clone();
            self.told.push_back(Renegotiation::Candidate { number, candidate });
        }
        true
    }

    /// Takes what a relay brought. Whose id is smaller `leads`, and goes on with its own offer.
    pub(crate) fn on_sealed(&mut self, sealed: &str, leads: bool, now: Time) -> Option<Heard> {
        let text = self.ours.open(sealed).ok()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        match Renegotiation::parse(&value)? {
            Renegotiation::Offer { number, sdp } => self.on_offer(number, sdp, leads),
            Renegotiation::Answer { number, sdp } => self.on_answer(number, sdp, now),
            Renegotiation::Candidate { number, candidate } => self.on_candidate(number, candidate),
        }
    }

    /// An offer was taken.
    pub(crate) fn on_taken(&mut self, number: u64) {
        self.heard = number;
    }

    /// The next thing to tell over relays.
    pub(crate) fn poll_told(&mut self) -> Option<String> {
        let told = self.told.pop_front()?;
        let text = told.emit().to_string();
        self.theirs.as_ref().map(|key| key.seal(&text, &mut self.rng))
    }

    /// Does what is due.
    pub(crate) fn wake(&mut self, now: Time) {
        let Phase::Offered { sdp, candidates, tell_at, .. } = &mut self.phase else { return };
        if *tell_at > now {
            return;
        }
        *tell_at = now + TELL_AGAIN;
        let number = self.number;
        self.told.push_back(Renegotiation::Offer { number, sdp: sdp.clone() });
        let candidates = candidates.iter().cloned();
        self.told
            .extend(candidates.map(|candidate| Renegotiation::Candidate { number, candidate }));
    }

    /// When to [`wake`](Self::wake) it.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        match &self.phase {
            Phase::Offered { tell_at, .. } => Some(Deadline::new(*tell_at, "tell of a restart")),
            Phase::Idle | Phase::Agreed { .. } => None,
        }
    }

    fn on_offer(&mut self, number: u64, sdp: String, leads: bool) -> Option<Heard> {
        if leads && matches!(self.phase, Phase::Offered { .. }) {
            return None;
        }
        if number > self.heard {
            return Some(Heard::Offer { number, sdp });
        }
        let is_last = |answered: u64| answered == number;
        if let Phase::Agreed { number: answered, answer: Some(_), .. } = self.phase
            && is_last(answered)
        {
            self.tell_answer();
        }
        None
    }

    fn on_answer(&mut self, number: u64, sdp: String, now: Time) -> Option<Heard> {
        let Phase::Offered { early, candidates, .. } = &mut self.phase else { return None };
        if number != self.number {
            return None;
        }
        let (early, candidates) = (mem::take(early), mem::take(candidates));
        let until = now + SETTLES_IN;
        self.phase = Phase::Agreed { number, answer: None, candidates, until };
        Some(Heard::Answer { sdp, early })
    }

    fn on_candidate(&mut self, number: u64, candidate: CandidateInit) -> Option<Heard> {
        match &mut self.phase {
            Phase::Offered { early, .. } if number == self.number => {
                if early.len() < LOCAL_CANDIDATES_MAX {
                    early.push(candidate);
                }
                None
            }
            Phase::Agreed { number: agreed, .. } if number == *agreed => {
                Some(Heard::Candidate(candidate))
            }
            Phase::Idle | Phase::Offered { .. } | Phase::Agreed { .. } => None,
        }
    }

    fn tell_answer(&mut self) {
        let Phase::Agreed { number, answer: Some(sdp), candidates, .. } = &self.phase else {
            return;
        };
        let number = *number;
        self.told.push_back(Renegotiation::Answer { number, sdp: sdp.clone() });
        let candidates = candidates.iter().cloned();
        self.told
            .extend(candidates.map(|candidate| Renegotiation::Candidate { number, candidate }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn pair() -> [Restarts; 2] {
        let mut pair = [1, 2].map(|seed| Restarts::new(Seed::from_number(seed).rng("restarts")));
        let secrets = [pair[0].secret(), pair[1].secret()];
        pair[0].on_secret(&secrets[1]);
        pair[1].on_secret(&secrets[0]);
        pair
    }

    fn told(restarts: &mut Restarts) -> Vec<String> {
        std::iter::from_fn(|| restarts.poll_told()).collect()
    }

    fn candidate(number: u16) -> CandidateInit {
        let candidate = format!("candidate:1 1 udp 1 192.0.2.1 {number} typ host");
        CandidateInit { candidate, ..CandidateInit::default() }
    }

    const T0: Time = Time::ZERO;

    #[test]
    fn an_offer_is_told_until_it_is_answered_and_taken_once() {
        let [mut a, mut b] = pair();
        a.on_offer_made("offer".into(), T0);
        let first = told(&mut a);
        assert_eq!(first.len(), 1);
        assert!(a.on_local_candidate(&candidate(1), T0));
        told(&mut a);
        let at = T0 + TELL_AGAIN;
        assert_eq!(a.poll_timeout().map(|due| due.at), Some(at));
        a.wake(at);
        let again = told(&mut a);
        assert_eq!(again.len(), 2, "with the candidate");

        let offer = Heard::Offer { number: 1, sdp: "offer".into() };
        assert_eq!(b.on_sealed(&first[0], false, at), Some(offer));
        b.on_taken(1);
        b.on_answer_made("answer".into(), at);
        assert!(b.on_local_candidate(&candidate(2), at));
        let answer = told(&mut b);
        assert_eq!(b.on_sealed(&again[0], false, at), None, "it is told again what was answered");
        assert_eq!(told(&mut b).len(), 2);
        assert_eq!(b.on_sealed(&again[1], false, at), Some(Heard::Candidate(candidate(1))));

        // The relay turns the answer and the candidate round.
        assert_eq!(a.on_sealed(&answer[1], true, at), None);
        let taken = Heard::Answer { sdp: "answer".into(), early: vec![candidate(2)] };
        assert_eq!(a.on_sealed(&answer[0], true, at), Some(taken));
        assert_eq!(a.on_sealed(&answer[0], true, at), None);
        assert_eq!(a.poll_timeout(), None);
        assert!(a.on_local_candidate(&candidate(3), at));
        assert!(!a.on_local_candidate(&candidate(4), at + SETTLES_IN), "there is a path by now");
    }

    #[test]
    fn of_two_offers_at_once_the_leaders_stands() {
        let [mut a, mut b] = pair();
        a.on_offer_made("a".into(), T0);
        b.on_offer_made("b".into(), T0);
        let (of_a, of_b) = (told(&mut a), told(&mut b));
        assert_eq!(a.on_sealed(&of_b[0], true, T0), None);
        let offer = Heard::Offer { number: 1, sdp: "a".into() };
        assert_eq!(b.on_sealed(&of_a[0], false, T0), Some(offer));
        b.on_taken(1);
        b.on_answer_made("answer".into(), T0);
        let answer = told(&mut b);
        assert!(matches!(a.on_sealed(&answer[0], true, T0), Some(Heard::Answer { .. })));
    }

    #[test]
    fn what_is_old_or_sealed_by_somebody_else_is_nothing() {
        let [mut a, mut b] = pair();
        let [mut stranger, _] = pair();
        a.on_offer_made("first".into(), T0);
        let first = told(&mut a);
        a.on_offer_made("second".into(), T0);
        let second = told(&mut a);
        assert!(b.on_sealed(&second[0], false, T0).is_some());
        b.on_taken(2);
        assert_eq!(b.on_sealed(&first[0], false, T0), None, "a relay replays it");
        assert_eq!(a.on_sealed(&second[0], false, T0), None, "a relay says it back");
        for forged in ["", "1,2$AA==", &first[0][1..]] {
            assert_eq!(b.on_sealed(forged, false, T0), None);
        }
        stranger.on_secret(&stranger.secret());
        stranger.on_offer_made("offer".into(), T0);
        let forged = told(&mut stranger);
        assert_eq!(b.on_sealed(&forged[0], false, T0), None);
    }

    #[test]
    fn without_a_secret_nothing_is_told() {
        let mut alone = Restarts::new(Seed::from_number(1).rng("restarts"));
        assert!(!alone.is_possible());
        alone.on_offer_made("offer".into(), T0);
        assert!(told(&mut alone).is_empty());
    }
}
