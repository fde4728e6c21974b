//! ICE restarts of one connection, as they are told over relays: its own path is gone.
//!
//! What is told is sealed with a secret that came over the connection, so nobody who merely knows
//! the room's name and password can move it elsewhere. Relays lose, double and delay, and repeat
//! what they like: an offer is told again until it is answered, ever more seldom and then no more;
//! an answer when the offer comes again, but not more often than that; and what is older than the
//! last is nothing.
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

/// An offer that is not answered is told again after this long, for the relay may have been about
/// to open, and each time after twice as long.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// How often an offer is told again. Then there is a path, or the connection is over.
const TELLS_MAX: u32 = 4;

/// An answer is not told again within this time.
const ANSWER_PAUSE: Duration = Duration::from_secs(1);

/// Of the other side's restarts one is taken within this time. Each has us look for paths at the
/// addresses that it names, so there are not to be many.
const TAKE_PAUSE: Duration = Duration::from_secs(3);

/// Candidates that are found so soon after a restart are told over relays, and so long its answer
/// is told again.
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
    /// The number of the last of theirs that is nothing new any more.
    heard: u64,
    /// When the last of theirs was taken.
    taken: Option<Time>,
    /// Our last answer.
    answered: Option<Answered>,
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
        tells: u32,
    },
    /// Ours was answered.
    Agreed {
        candidates: usize,
        until: Time,
    },
}

/// Our answer to an offer of theirs.
#[derive(Debug)]
struct Answered {
    number: u64,
    sdp: String,
    candidates: Vec<CandidateInit>,
    told: Time,
    until: Time,
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
            taken: None,
            answered: None,
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
        self.phase = Phase::Offered { sdp, candidates, early, tell_at: now, tells: 0 };
        self.wake(now);
    }

    /// There is our answer to the offer of this number. An offer of ours is given up for it.
    pub(crate) fn on_answer_made(&mut self, number: u64, sdp: String, now: Time) {
        self.heard = number;
        self.taken = Some(now);
        self.phase = Phase::Idle;
        self.told.push_back(Renegotiation::Answer { number, sdp: sdp.clone() });
        let (told, until) = (now, now + SETTLES_IN);
        self.answered = Some(Answered { number, sdp, candidates: Vec::new(), told, until });
    }

    /// A candidate of ours was found. True if it is told over relays.
    pub(crate) fn on_local_candidate(&mut self, candidate: &CandidateInit, now: Time) -> bool {
        let number = match (&mut self.phase, &mut self.answered) {
            (Phase::Offered { candidates, .. }, _) if candidates.len() < LOCAL_CANDIDATES_MAX => {
                candidates.push(candidate.clone());
                self.number
            }
            (Phase::Agreed { candidates, until }, _)
                if now < *until && *candidates < LOCAL_CANDIDATES_MAX =>
            {
                *candidates += 1;
                self.number
            }
            (Phase::Idle, Some(Answered { number, candidates, until, .. }))
                if now < *until && candidates.len() < LOCAL_CANDIDATES_MAX =>
            {
                candidates.push(candidate.clone());
                *number
            }
            (Phase::Idle | Phase::Offered { .. } | Phase::Agreed { .. }, _) => return false,
        };
        let candidate = candidate.clone();
        self.told.push_back(Renegotiation::Candidate { number, candidate });
        true
    }

    /// Takes what a relay brought. Whose id is smaller `leads`, and goes on with its own offer.
    pub(crate) fn on_sealed(&mut self, sealed: &str, leads: bool, now: Time) -> Option<Heard> {
        self.theirs.as_ref()?;
        let text = self.ours.open(sealed).ok()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        match Renegotiation::parse(&value)? {
            Renegotiation::Offer { number, sdp } => self.on_offer(number, sdp, leads, now),
            Renegotiation::Answer { number, sdp } => self.on_answer(number, sdp, now),
            Renegotiation::Candidate { number, candidate } => {
                self.on_candidate(number, candidate, now)
            }
        }
    }

    /// The next thing to tell over relays.
    pub(crate) fn poll_told(&mut self) -> Option<String> {
        let Some(key) = &self.theirs else {
            self.told.clear();
            return None;
        };
        let told = self.told.pop_front()?;
        Some(key.seal(&told.emit().to_string(), &mut self.rng))
    }

    /// Does what is due.
    pub(crate) fn wake(&mut self, now: Time) {
        let Phase::Offered { sdp, candidates, tell_at, tells, .. } = &mut self.phase else {
            return;
        };
        if *tell_at > now {
            return;
        }
        if *tells > TELLS_MAX {
            self.phase = Phase::Idle;
            return;
        }
        *tell_at = now + TELL_AGAIN * 2_u32.pow(*tells);
        *tells += 1;
        let sdp = with_candidates(sdp, candidates);
        self.told.push_back(Renegotiation::Offer { number: self.number, sdp });
    }

    /// When to [`wake`](Self::wake) it.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        match &self.phase {
            Phase::Offered { tell_at, .. } => Some(Deadline::new(*tell_at, "tell of a restart")),
            Phase::Idle | Phase::Agreed { .. } => None,
        }
    }

    fn on_offer(&mut self, number: u64, sdp: String, leads: bool, now: Time) -> Option<Heard> {
        let is_new = number > self.heard;
        if leads && matches!(self.phase, Phase::Offered { .. }) {
            // A copy of it may come when ours is agreed on. By then it is given up.
            self.heard = self.heard.max(number);
            return None;
        }
        if !is_new {
            self.tell_answer_again(number, now);
            return None;
        }
        // It is told again.
        let is_soon = self.taken.is_some_and(|taken| now.since(taken) < TAKE_PAUSE);
        (!is_soon).then_some(Heard::Offer { number, sdp })
    }

    fn on_answer(&mut self, number: u64, sdp: String, now: Time) -> Option<Heard> {
        let Phase::Offered { early, candidates, .. } = &mut self.phase else { return None };
        if number != self.number {
            return None;
        }
        let (early, candidates) = (mem::take(early), candidates.len());
        self.phase = Phase::Agreed { candidates, until: now + SETTLES_IN };
        Some(Heard::Answer { sdp, early })
    }

    fn on_candidate(&mut self, number: u64, candidate: CandidateInit, now: Time) -> Option<Heard> {
        match (&mut self.phase, &self.answered) {
            (Phase::Offered { early, .. }, _) if number == self.number => {
                if early.len() < LOCAL_CANDIDATES_MAX {
                    early.push(candidate);
                }
                None
            }
            (Phase::Agreed { until, .. }, _) if number == self.number && now < *until => {
                Some(Heard::Candidate(candidate))
            }
            (Phase::Idle, Some(answered)) if number == answered.number && now < answered.until => {
                Some(Heard::Candidate(candidate))
            }
            (Phase::Idle | Phase::Offered { .. } | Phase::Agreed { .. }, _) => None,
        }
    }

    /// An offer came again that was answered: the answer may be lost.
    fn tell_answer_again(&mut self, number: u64, now: Time) {
        let Some(answered) = &mut self.answered else { return };
        let is_due = now < answered.until && now.since(answered.told) >= ANSWER_PAUSE;
        if answered.number != number || !is_due {
            return;
        }
        answered.told = now;
        let sdp = with_candidates(&answered.sdp, &answered.candidates);
        self.told.push_back(Renegotiation::Answer { number, sdp });
        if let Phase::Offered { .. } = self.phase {
            // Whoever offered that did not heed ours, and would take it for a copy.
            self.number += 1;
        }
    }
}

/// A description with what was found after it. Its one media section is the last.
fn with_candidates(sdp: &str, candidates: &[CandidateInit]) -> String {
    let mut sdp = sdp.to_owned();
    for candidate in candidates {
        sdp.push_str(&format!("a={}\r\n", candidate.candidate));
    }
    sdp
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
        assert_eq!(again.len(), 1);

        let offer = Heard::Offer { number: 1, sdp: "offer".into() };
        assert_eq!(b.on_sealed(&first[0], false, at), Some(offer));
        b.on_answer_made(1, "answer".into(), at);
        assert!(b.on_local_candidate(&candidate(2), at));
        let answer = told(&mut b);
        for (later, answers) in [(0, 0), (1_000, 1), (1_500, 0), (9_000, 1), (20_000, 0)] {
            let later = at + Duration::from_millis(later);
            assert_eq!(b.on_sealed(&again[0], false, later), None);
            assert_eq!(told(&mut b).len(), answers, "{later:?}");
        }

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
        b.on_answer_made(1, "answer".into(), T0);
        let answer = told(&mut b);
        assert!(matches!(a.on_sealed(&answer[0], true, T0), Some(Heard::Answer { .. })));
        let later = T0 + TAKE_PAUSE;
        assert_eq!(a.on_sealed(&of_b[0], true, later), None, "b has given it up");
        assert!(told(&mut a).is_empty());
    }

    #[test]
    fn who_moves_before_its_answer_arrived_is_heard_in_the_end() {
        let [mut a, mut b] = pair();
        a.on_offer_made("a".into(), T0);
        let of_a = told(&mut a);
        assert!(b.on_sealed(&of_a[0], false, T0).is_some());
        b.on_answer_made(1, "lost".into(), T0);
        told(&mut b);
        b.on_offer_made("b".into(), T0);
        let of_b = told(&mut b);
        assert_eq!(a.on_sealed(&of_b[0], true, T0), None, "it goes on with its own");
        let at = T0 + TELL_AGAIN;
        a.wake(at);
        assert_eq!(b.on_sealed(&told(&mut a)[0], false, at), None);
        let answer = told(&mut b);
        assert!(matches!(a.on_sealed(&answer[0], true, at), Some(Heard::Answer { .. })));
        b.wake(at);
        let offer = Heard::Offer { number: 2, sdp: "b".into() };
        assert_eq!(a.on_sealed(&told(&mut b)[0], true, at), Some(offer));
    }

    #[test]
    fn an_offer_that_nobody_answers_is_told_a_few_times() {
        let [mut a, _] = pair();
        a.on_offer_made("offer".into(), T0);
        let mut tells = told(&mut a).len();
        while let Some(due) = a.poll_timeout() {
            a.wake(due.at);
            tells += told(&mut a).len();
        }
        assert_eq!(tells, 5);
    }

    #[test]
    fn restarts_are_taken_one_by_one() {
        let [mut a, mut b] = pair();
        let mut taken = 0;
        for step in 0..60 {
            let now = T0 + Duration::from_millis(step * 100);
            a.on_offer_made("offer".into(), now);
            for sealed in told(&mut a) {
                if let Some(Heard::Offer { number, .. }) = b.on_sealed(&sealed, false, now) {
                    b.on_answer_made(number, "answer".into(), now);
                    taken += 1;
                }
            }
        }
        assert_eq!(taken, 2);
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
        b.on_answer_made(2, "answer".into(), T0);
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
        for _ in 0..10 {
            alone.on_offer_made("offer".into(), T0);
        }
        assert!(told(&mut alone).is_empty() && alone.told.is_empty());
    }
}
