//! ICE restarts of one connection between two of ours, as the two tell each other of them.
//!
//! While the path lives they are told over the connection itself, where nobody else can speak. An
//! offer that is not answered soon may have met the end of the path: it is told over relays too, as
//! everything is once the path is known to be gone. What relays carry is sealed with a secret that
//! came over the connection, so nobody who merely knows the room's name and password can move it
//! elsewhere. Relays lose, double and delay, and repeat what they like: an offer is told again until
//! it is answered, ever more seldom and then no more; an answer when the offer comes again, but not
//! more often than that; and what is older than the last is nothing, whichever way it came.
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

/// Candidates that are found so soon after a restart belong to it, and so long its answer is told
/// again.
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
    /// Which way our offers go.
    way: Way,
    told: VecDeque<(Way, Renegotiation)>,
}

/// How something reaches the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over the connection itself, as `@_signal`.
    Connection,
    /// Over the relays of the rooms that both are in.
    Relays,
}

/// What the other side is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Over the connection.
    Said(Renegotiation),
    /// Over relays, where only the other side can read it.
    Sealed(String),
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
    /// The number of our last offer, which was given up for it.
    given_up: u64,
    sdp: String,
    candidates: Vec<CandidateInit>,
    /// When it was told last, each way.
    said: Option<Time>,
    published: Option<Time>,
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
            way: Way::Relays,
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

    /// A restart is wanted, and the way that its offer can go. True if it has to be made; if one is
    /// out already, that will do.
    pub(crate) fn want(&mut self, way: Way, now: Time) -> bool {
        let Phase::Offered { tell_at, tells, .. } = &mut self.phase else {
            self.way = way;
            return true;
        };
        if way == Way::Relays {
            // It may have been on its way when the path went.
            (*tell_at, *tells) = (now, 0);
            self.way = way;
            self.wake(now);
        }
        false
    }

    /// There is an offer of ours.
    pub(crate) fn on_offer_made(&mut self, sdp: String, now: Time) {
        self.number += 1;
        let (candidates, early) = (Vec::new(), Vec::new());
        self.phase = Phase::Offered { sdp, candidates, early, tell_at: now, tells: 0 };
        self.wake(now);
    }

    /// There is our answer to the offer of this number, which came this way. An offer of ours is
    /// given up for it.
    pub(crate) fn on_answer_made(&mut self, number: u64, sdp: String, way: Way, now: Time) {
        self.heard = number;
        self.taken = Some(now);
        self.phase = Phase::Idle;
        let candidates = Vec::new();
        let until = now + SETTLES_IN;
        let given_up = self.number;
        let (said, published) = (None, None);
        let mut answered = Answered { number, given_up, sdp, candidates, said, published, until };
        *answered.told(way) = Some(now);
        self.told.push_back((way, answered.emit()));
        self.answered = Some(answered);
    }

    /// A candidate of ours was found. True if it belongs to a restart. Then it is told both ways,
    /// for nobody knows yet whether there is a path.
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
        let said = Renegotiation::Candidate { number, candidate: candidate.clone() };
        self.told.push_back((Way::Connection, said.clone()));
        self.told.push_back((Way::Relays, said));
        true
    }

    /// Reads what a relay brought; `None` if the other side did not seal it.
    pub(crate) fn open(&self, sealed: &str) -> Option<Renegotiation> {
        self.theirs.as_ref()?;
        let text = self.ours.open(sealed).ok()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        Renegotiation::parse(&value)
    }

    /// Takes what the other side told. Whose id is smaller `leads`, and goes on with its own offer.
    pub(crate) fn hear(
        &mut self,
        told: Renegotiation,
        way: Way,
        leads: bool,
        now: Time,
    ) -> Option<Heard> {
        match told {
            Renegotiation::Offer { number, sdp } => self.on_offer(number, sdp, way, leads, now),
            Renegotiation::Answer { number, given_up, sdp } => {
                self.on_answer(number, given_up, sdp, now)
            }
            Renegotiation::Candidate { number, candidate } => {
                self.on_candidate(number, candidate, now)
            }
        }
    }

    /// The next thing to tell.
    pub(crate) fn poll_told(&mut self) -> Option<Told> {
        let Some(key) = &self.theirs else {
            self.told.clear();
            return None;
        };
        let (way, told) = self.told.pop_front()?;
        Some(match way {
            Way::Connection => Told::Said(told),
            Way::Relays => Told::Sealed(key.seal(&told.emit().to_string(), &mut self.rng)),
        })
    }

    /// Does what is due. True if an offer of ours is given up now.
    pub(crate) fn wake(&mut self, now: Time) -> bool {
        let Phase::Offered { sdp, candidates, tell_at, tells, .. } = &mut self.phase else {
            return false;
        };
        if *tell_at > now {
            return false;
        }
        if *tells > TELLS_MAX {
            self.phase = Phase::Idle;
            return true;
        }
        let is_first = *tells == 0;
        *tell_at = now + TELL_AGAIN * 2_u32.pow(*tells);
        *tells += 1;
        let offer =
            Renegotiation::Offer { number: self.number, sdp: with_candidates(sdp, candidates) };
        if self.way == Way::Connection {
            self.told.push_back((Way::Connection, offer.clone()));
        }
        // What is not answered at once may have met the end of the path.
        if self.way == Way::Relays || !is_first {
            self.told.push_back((Way::Relays, offer));
        }
        false
    }

    /// When to [`wake`](Self::wake) it.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        match &self.phase {
            Phase::Offered { tell_at, .. } => Some(Deadline::new(*tell_at, "tell of a restart")),
            Phase::Idle | Phase::Agreed { .. } => None,
        }
    }

    fn on_offer(
        &mut self,
        number: u64,
        sdp: String,
        way: Way,
        leads: bool,
        now: Time,
    ) -> Option<Heard> {
        let is_new = number > self.heard;
        if leads && matches!(self.phase, Phase::Offered { .. }) {
            // A copy of it may come when ours is agreed on. By then it is given up.
            self.heard = self.heard.max(number);
            return None;
        }
        if !is_new {
            self.tell_answer_again(number, way, now);
            return None;
        }
        // It is told again.
        let is_soon = self.taken.is_some_and(|taken| now.since(taken) < TAKE_PAUSE);
        (!is_soon).then_some(Heard::Offer { number, sdp })
    }

    fn on_answer(&mut self, number: u64, given_up: u64, sdp: String, now: Time) -> Option<Heard> {
        let Phase::Offered { early, candidates, .. } = &mut self.phase else { return None };
        if number != self.number {
            return None;
        }
        // What it offered at the same time may still be on its way, as where a path that was gone
        // comes back.
        self.heard = self.heard.max(given_up);
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
    fn tell_answer_again(&mut self, number: u64, way: Way, now: Time) {
        let Some(answered) = &mut self.answered else { return };
        let is_soon = answered.told(way).is_some_and(|told| now.since(told) < ANSWER_PAUSE);
        if answered.number != number || now >= answered.until || is_soon {
            return;
        }
        *answered.told(way) = Some(now);
        self.told.push_back((way, answered.emit()));
        if let Phase::Offered { .. } = self.phase {
            // Whoever offered that did not heed ours, and would take it for a copy.
            self.number += 1;
        }
    }
}

impl Answered {
    /// When it was told last this way.
    fn told(&mut self, way: Way) -> &mut Option<Time> {
        match way {
            Way::Connection => &mut self.said,
            Way::Relays => &mut self.published,
        }
    }

    fn emit(&self) -> Renegotiation {
        let sdp = with_candidates(&self.sdp, &self.candidates);
        Renegotiation::Answer { number: self.number, given_up: self.given_up, sdp }
    }
}

/// A description with what was found after it. All candidates are those of the first media section.
fn with_candidates(sdp: &str, candidates: &[CandidateInit]) -> String {
    const SECTION: &str = "\nm=";
    let second = sdp.match_indices(SECTION).nth(1).map_or(sdp.len(), |(at, _)| at + 1);
    let (first, rest) = sdp.split_at(second);
    let mut sdp = first.to_owned();
    for candidate in candidates {
        sdp.push_str(&format!("a={}\r\n", candidate.candidate));
    }
    sdp + rest
}

#[cfg(test)]
mod tests;
