//! Who offers what on one connection that stands, and when: tracks, and ICE restarts with peers that
//! are not ours.
//!
//! Offers go in clear over `@_signal`, by JavaScript's rules. There are no numbers, so at most one
//! of ours is out. If both sides offer at once, that of whoever offered the connection stands, and
//! the other side gives its own up, answers, and offers again. JavaScript waits for the answer to
//! each offer for ever, so each is answered in the end, and it takes an answer that it does not wait
//! for as the end of the connection, so none is said twice.
//!
//! [`Restarts`](super::Restarts) between two of ours have numbers, and go before everything here: the
//! engine has one draft.
//!
//! spec: docs/protocol.md, section 7

mod budget;

use std::time::Duration;

use crate::ids::RoomKey;
use crate::time::{Deadline, Time};

use budget::Budget;

/// An offer that is not answered is given up after this long: JavaScript that does not trickle
/// looks for candidates for up to 15 s before it answers. The next one waits twice as long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// What may have been lost because its room was left is said again after this long without an answer.
const LOST_PAUSE: Duration = Duration::from_secs(2);

/// Nothing is offered for this long after an answer to what had to be offered again: a browser that was
/// held up answers each of the offers, and says not which, so the next answer is to nothing.
const LATE_ANSWER_PAUSE: Duration = Duration::from_secs(1);

/// How often something is offered to one who does not answer, or whose answers make no sense.
const SILENCES_MAX: u32 = 3;

/// How often one restart is offered where each time the other side offers something at the same
/// moment. Tracks are offered until they are agreed on.
const RESTARTS_MAX: u32 = 5;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Negotiator {
    phase: Phase,
    restart: Option<Tries>,
    media: Option<Tries>,
    /// An offer of theirs that has to wait, the last one.
    held: Option<Held>,
    /// Until when nothing is offered.
    rest: Option<Time>,
    budget: Budget,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Idle,
    /// The engine makes our offer.
    Making { round: Round, until: Time },
    /// It is there, and is said in a room.
    Offered { round: Round, until: Time, saying: Saying },
    /// A restart with a number is being made, or is out.
    Numbered { is_made: bool, until: Time },
}

/// An offer of ours, and who has heard it.
#[derive(Debug)]
struct Saying {
    sdp: String,
    hearing: Hearing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hearing {
    /// There was no room that both are in.
    Nowhere,
    /// It was said in this room.
    In(RoomKey),
    /// They left that room, so they may not have heard it, or their answer may be lost: it is said
    /// again at this time.
    Lost(Time),
}

/// An offer of ours.
#[derive(Clone, Copy, Debug)]
struct Round {
    what: What,
    tries: Tries,
}

/// How often it was offered in vain.
#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    collisions: u32,
    silences: u32,
}

#[derive(Debug)]
struct Held {
    sdp: String,
    leads: bool,
}

/// What we offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// ICE restarts.
    Restart,
    /// Tracks begin and end.
    Media,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// An offer of theirs, which waited, is to be looked at.
    Hear(String),
    /// The engine is to make our offer.
    Propose(What),
}

/// What becomes of an offer that the engine made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// It is to be [said](Negotiator::to_say).
    Said,
    /// It is a restart with a number.
    Numbered(String),
    /// Nobody wants it any more.
    Dropped,
}

/// What becomes of an offer of theirs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Their {
    /// It is to be answered.
    Answered(String),
    /// Ours stands, or it has to wait.
    Ignored,
}

/// An offer of ours is given up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lapsed {
    pub(crate) what: What,
    /// Whether it will not be offered again.
    pub(crate) is_final: bool,
}

impl Negotiator {
    /// Something is wanted. A restart that is out already will do.
    pub(crate) fn want(&mut self, what: What) {
        match what {
            What::Restart if self.is_offering(What::Restart) => {}
            What::Restart => _ = self.restart.get_or_insert_default(),
            What::Media => _ = self.media.get_or_insert_default(),
        }
    }

    /// What is to be done now.
    pub(crate) fn next(&mut self, now: Time) -> Option<Next> {
        if self.held_until().is_some_and(|until| until <= now) {
            return self.held.take().map(|held| Next::Hear(held.sdp));
        }
        self.rest.take_if(|until| *until <= now);
        if !matches!(self.phase, Phase::Idle) || self.rest.is_some() {
            return None;
        }
        let restart = self.restart.take().map(|tries| Round { what: What::Restart, tries });
        let media = || self.media.take().map(|tries| Round { what: What::Media, tries });
        let round = restart.or_else(media)?;
        let until = now + ANSWER_TIMEOUT;
        self.phase = Phase::Making { round, until };
        Some(Next::Propose(round.what))
    }

    /// There was nothing to offer.
    pub(crate) fn on_nothing(&mut self) {
        if let Phase::Making { .. } = self.phase {
            self.phase = Phase::Idle;
        }
    }

    /// The engine makes a restart with a number, in place of whatever it was making.
    pub(crate) fn on_numbered(&mut self, now: Time) {
        if !self.is_offering(What::Restart) {
            self.give_way();
        }
        self.phase = Phase::Numbered { is_made: false, until: now + ANSWER_TIMEOUT };
    }

    /// No restart with a number is out.
    pub(crate) fn on_numbered_over(&mut self) {
        if let Phase::Numbered { is_made: true, .. } = self.phase {
            self.phase = Phase::Idle;
        }
    }

    /// There is an offer of ours. Whoever offered the connection `leads`.
    pub(crate) fn on_offer_made(&mut self, sdp: String, leads: bool, now: Time) -> Made {
        match &mut self.phase {
            Phase::Making { round, .. } => {
                // They give up what waits for an answer, and offer it again.
                self.held.take_if(|_| leads);
                let until = now + round.patience();
                let saying = Saying { sdp, hearing: Hearing::Nowhere };
                self.phase = Phase::Offered { round: *round, until, saying };
                Made::Said
            }
            Phase::Numbered { is_made, .. } => {
                *is_made = true;
                Made::Numbered(sdp)
            }
            Phase::Idle | Phase::Offered { .. } => Made::Dropped,
        }
    }

    /// The offer that is to be said now, for the first time or again.
    pub(crate) fn to_say(&self, now: Time) -> Option<&str> {
        let Phase::Offered { saying, .. } = &self.phase else { return None };
        let is_due = match saying.hearing {
            Hearing::Nowhere => true,
            Hearing::In(_) => false,
            Hearing::Lost(until) => until <= now,
        };
        is_due.then_some(&*saying.sdp)
    }

    /// It was said in this room, or could be said nowhere.
    pub(crate) fn on_said(&mut self, room: Option<RoomKey>, now: Time) {
        if let Phase::Offered { round, until, saying } = &mut self.phase {
            saying.hearing = room.map_or(Hearing::Nowhere, Hearing::In);
            *until = now + round.patience();
        }
    }

    /// They are in a room no longer.
    pub(crate) fn on_left(&mut self, room: RoomKey, now: Time) {
        if let Phase::Offered { saying, .. } = &mut self.phase
            && saying.hearing == Hearing::In(room)
        {
            saying.hearing = Hearing::Lost(now + LOST_PAUSE);
        }
    }

    /// There is no room in which they could be answered.
    pub(crate) fn on_unreachable(&mut self) {
        self.held = None;
    }

    /// They offer something. Whoever offered the connection `leads`.
    pub(crate) fn on_offer(&mut self, sdp: String, leads: bool, now: Time) -> Their {
        match self.phase {
            // They give it up when they hear of ours.
            Phase::Numbered { .. } => return Their::Ignored,
            Phase::Offered { .. } if leads => return Their::Ignored,
            Phase::Idle | Phase::Making { .. } | Phase::Offered { .. } => {}
        }
        let held = Held { sdp, leads };
        if !self.may_answer(&held) || self.budget.ready_at(&held.sdp) > now {
            self.held = Some(held);
            return Their::Ignored;
        }
        self.held = None;
        Their::Answered(held.sdp)
    }

    /// Their offer was answered, and ours, if one was out, given up for it. True if there was one.
    pub(crate) fn on_answered(&mut self, offer: &str, now: Time) -> bool {
        self.budget.spend(offer, now);
        self.give_way()
    }

    /// Whether they are asked for an answer.
    pub(crate) fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::Offered { .. })
    }

    /// Their answer was taken. Gives what is agreed on now.
    pub(crate) fn on_accepted(&mut self, answer: &str, now: Time) -> Option<What> {
        let Phase::Offered { round, .. } = self.phase else { return None };
        self.budget.note(answer);
        self.rest = (round.tries.silences > 0).then(|| now + LATE_ANSWER_PAUSE);
        self.phase = Phase::Idle;
        Some(round.what)
    }

    /// Their answer made no sense. Ours is offered once more.
    pub(crate) fn on_nonsense(&mut self) -> Option<Lapsed> {
        let Phase::Offered { mut round, .. } = self.phase else { return None };
        round.tries.silences = round.tries.silences.max(SILENCES_MAX - 2);
        Some(self.lapse(round))
    }

    /// A restart with a number was agreed on, in which they said this.
    pub(crate) fn on_restarted(&mut self, theirs: &str) {
        self.budget.note(theirs);
    }

    /// Whether a description is from before the last restart, for one whose restarts all have
    /// numbers: what was on its way when the path went comes once there is another. Whoever said it
    /// has given it up, and to take it would undo the restart.
    pub(crate) fn is_stale(&self, sdp: &str) -> bool {
        self.budget.is_stale(sdp)
    }

    /// Another exchange took the place of ours, which is to be offered again. True if there was one.
    pub(crate) fn give_way(&mut self) -> bool {
        let phase = std::mem::take(&mut self.phase);
        let (Phase::Making { round, .. } | Phase::Offered { round, .. }) = phase else {
            return false;
        };
        let Round { what, mut tries } = round;
        tries.collisions += 1;
        match what {
            What::Restart if tries.collisions >= RESTARTS_MAX => {}
            What::Restart => self.restart = Some(tries),
            What::Media => self.media = Some(tries),
        }
        true
    }

    /// Does what is due: an offer of ours may be given up.
    pub(crate) fn wake(&mut self, now: Time) -> Option<Lapsed> {
        match self.phase {
            Phase::Making { round, until } if until <= now => Some(self.lapse(round)),
            Phase::Offered { round, until, ref saying } if until <= now && saying.is_heard() => {
                Some(self.lapse(round))
            }
            Phase::Numbered { is_made: false, until } if until <= now => {
                self.phase = Phase::Idle;
                Some(Lapsed { what: What::Restart, is_final: true })
            }
            Phase::Idle | Phase::Making { .. } | Phase::Offered { .. } | Phase::Numbered { .. } => {
                None
            }
        }
    }

    /// When to [`wake`](Self::wake) it, and to ask for the [`next`](Self::next).
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let held = self.held_until().map(|at| Deadline::new(at, "answer an offer"));
        let ours = match &self.phase {
            Phase::Offered { until, saying, .. } => match saying.hearing {
                Hearing::Nowhere => None,
                Hearing::In(_) => Some(Deadline::new(*until, "give up an offer")),
                Hearing::Lost(at) => Some(Deadline::new(at, "say an offer again")),
            },
            Phase::Making { until, .. } | Phase::Numbered { is_made: false, until } => {
                Some(Deadline::new(*until, "give up an offer"))
            }
            Phase::Idle if self.restart.is_some() || self.media.is_some() => {
                self.rest.map(|until| Deadline::new(until, "offer after a late answer"))
            }
            Phase::Idle | Phase::Numbered { is_made: true, .. } => None,
        };
        Deadline::earlier(held, ours)
    }

    fn lapse(&mut self, round: Round) -> Lapsed {
        self.phase = Phase::Idle;
        let Round { what, mut tries } = round;
        tries.silences += 1;
        // JavaScript offers a restart once.
        let is_final = what == What::Restart || tries.silences >= SILENCES_MAX;
        if !is_final {
            self.media = Some(tries);
        }
        Lapsed { what, is_final }
    }

    fn is_offering(&self, sought: What) -> bool {
        match self.phase {
            Phase::Making { round, .. } | Phase::Offered { round, .. } => round.what == sought,
            Phase::Numbered { .. } => sought == What::Restart,
            Phase::Idle => false,
        }
    }

    /// Whether it could be answered if there was time.
    fn may_answer(&self, held: &Held) -> bool {
        match self.phase {
            Phase::Idle => true,
            Phase::Making { .. } | Phase::Offered { .. } => !held.leads,
            Phase::Numbered { .. } => false,
        }
    }

    fn held_until(&self) -> Option<Time> {
        let held = self.held.as_ref().filter(|held| self.may_answer(held))?;
        Some(self.budget.ready_at(&held.sdp))
    }
}

impl Saying {
    fn is_heard(&self) -> bool {
        matches!(self.hearing, Hearing::In(_))
    }
}

impl Round {
    /// How long an answer to it may take.
    fn patience(&self) -> Duration {
        ANSWER_TIMEOUT * 2_u32.pow(self.tries.silences)
    }
}

#[cfg(test)]
mod tests;
