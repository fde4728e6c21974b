//! ICE restarts of one connection to a peer that is not one of ours: offers in clear over
//! `@_signal`, by JavaScript's rules.
//!
//! There are no numbers, so at most one offer is out. If both sides offer at once, that of whoever
//! offered the connection stands, and the other side gives its own up; JavaScript then sees to its
//! own again, and so do we. JavaScript takes no offer over a path that is gone, nor over relays.
//!
//! spec: docs/protocol.md, section 7

use std::time::Duration;

use crate::time::{Deadline, Time};

/// An offer that is not answered is given up after this long: JavaScript that does not trickle
/// looks for candidates for up to 15 s before it answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// How often one restart is offered. Each time but the first the other side has offered something
/// at the same moment.
const OFFERS_MAX: u32 = 5;

/// Of the other side's offers one is answered within this time: each may have us look for paths at
/// the addresses that it names. No application changes what it sends more often for long.
const ANSWER_PAUSE: Duration = Duration::from_secs(1);

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Renewal {
    phase: Phase,
    /// When an offer of theirs was answered last.
    answered: Option<Time>,
    /// The last that came too soon after another.
    held: Option<String>,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Idle,
    /// The engine makes our offer.
    Wanted { offers: u32 },
    /// It is said.
    Offered { offers: u32, until: Time },
}

/// What becomes of an offer of theirs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Their {
    /// It is to be answered.
    Answered(String),
    /// Ours stands, or it has to wait.
    Ignored,
}

impl Renewal {
    /// A restart is wanted. True if it has to be offered; if one is out already, that will do.
    pub(crate) fn want(&mut self) -> bool {
        let is_out = matches!(self.phase, Phase::Offered { .. });
        if !is_out {
            self.phase = Phase::Wanted { offers: 0 };
        }
        !is_out
    }

    /// There is an offer of ours. True if it is to be said. Whoever offered the connection `leads`.
    pub(crate) fn on_offer_made(&mut self, leads: bool, now: Time) -> bool {
        let Phase::Wanted { offers } = self.phase else { return false };
        // They give up what waits for an answer, and offer it again.
        self.held.take_if(|_| leads);
        self.phase = Phase::Offered { offers: offers + 1, until: now + ANSWER_TIMEOUT };
        true
    }

    /// They offer something. Whoever offered the connection `leads`.
    pub(crate) fn on_offer(&mut self, sdp: String, leads: bool, now: Time) -> Their {
        if leads && matches!(self.phase, Phase::Offered { .. }) {
            return Their::Ignored;
        }
        if self.answered.is_some_and(|answered| now.since(answered) < ANSWER_PAUSE) {
            self.held = Some(sdp);
            return Their::Ignored;
        }
        self.held = None;
        Their::Answered(sdp)
    }

    /// Their offer was answered. True if ours was given up for it, and has to be offered again.
    pub(crate) fn on_answered(&mut self, now: Time) -> bool {
        self.answered = Some(now);
        let Phase::Offered { offers, .. } = self.phase else { return false };
        let is_wanted = offers < OFFERS_MAX;
        self.phase = if is_wanted { Phase::Wanted { offers } } else { Phase::Idle };
        is_wanted
    }

    /// They answer. True if they were asked.
    pub(crate) fn on_answer(&mut self) -> bool {
        let is_asked = matches!(self.phase, Phase::Offered { .. });
        if is_asked {
            self.phase = Phase::Idle;
        }
        is_asked
    }

    /// Does what is due: gives an offer that waited, and whether ours is given up.
    pub(crate) fn wake(&mut self, now: Time) -> (Option<String>, bool) {
        let is_over = matches!(self.phase, Phase::Offered { until, .. } if until <= now);
        if is_over {
            self.phase = Phase::Idle;
        }
        let is_due = self.held_until().is_some_and(|until| until <= now);
        (self.held.take_if(|_| is_due), is_over)
    }

    /// When to [`wake`](Self::wake) it.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let held = self.held_until().map(|at| Deadline::new(at, "answer an offer"));
        let offered = match self.phase {
            Phase::Offered { until, .. } => Some(Deadline::new(until, "give up an offer")),
            Phase::Idle | Phase::Wanted { .. } => None,
        };
        Deadline::earlier(held, offered)
    }

    fn held_until(&self) -> Option<Time> {
        self.held.as_ref().and(self.answered).map(|answered| answered + ANSWER_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Time = Time::ZERO;

    fn offered() -> Renewal {
        let mut renewal = Renewal::default();
        assert!(renewal.want() && renewal.on_offer_made(false, T0));
        renewal
    }

    #[test]
    fn one_offer_is_out_at_most_and_its_answer_is_taken_once() {
        let mut renewal = offered();
        assert!(!renewal.want());
        assert!(renewal.on_answer());
        assert!(!renewal.on_answer(), "nobody asked");
        assert!(renewal.want());
    }

    #[test]
    fn what_nobody_answers_is_given_up() {
        let mut renewal = offered();
        let due = renewal.poll_timeout().unwrap();
        assert_eq!(renewal.wake(due.at), (None, true));
        assert_eq!(renewal.poll_timeout(), None);
        assert!(renewal.want());
    }

    #[test]
    fn whoever_offered_the_connection_goes_on_with_its_offer() {
        let mut renewal = offered();
        assert_eq!(renewal.on_offer("theirs".into(), true, T0), Their::Ignored);
        assert!(renewal.on_answer());
    }

    #[test]
    fn who_answered_the_connection_answers_and_offers_again_but_not_for_ever() {
        let mut renewal = offered();
        let mut now = T0;
        let mut offers = 1;
        loop {
            now = now + ANSWER_PAUSE;
            assert_eq!(
                renewal.on_offer("theirs".into(), false, now),
                Their::Answered("theirs".into())
            );
            if !renewal.on_answered(now) {
                break;
            }
            assert!(renewal.on_offer_made(false, now));
            offers += 1;
        }
        assert_eq!(offers, OFFERS_MAX);
        assert!(renewal.want());
    }

    #[test]
    fn an_offer_that_waits_is_forgotten_where_the_other_side_gives_it_up() {
        for leads in [false, true] {
            let mut renewal = Renewal::default();
            assert_eq!(renewal.on_offer("a".into(), leads, T0), Their::Answered("a".into()));
            assert!(!renewal.on_answered(T0));
            assert_eq!(renewal.on_offer("b".into(), leads, T0), Their::Ignored);
            assert!(renewal.want() && renewal.on_offer_made(leads, T0));
            let (held, _) = renewal.wake(T0 + ANSWER_PAUSE);
            assert_eq!(held, (!leads).then(|| "b".to_owned()));
        }
    }

    #[test]
    fn a_flood_of_offers_is_answered_slowly_and_the_last_in_the_end() {
        let mut renewal = Renewal::default();
        let mut answered = Vec::new();
        for step in 0..4_500 {
            let now = T0 + Duration::from_millis(step);
            let due = renewal.poll_timeout().is_some_and(|due| due.at <= now);
            let held = due.then(|| renewal.wake(now).0).flatten();
            for sdp in held.into_iter().chain([step.to_string()]) {
                if let Their::Answered(sdp) = renewal.on_offer(sdp, false, now) {
                    renewal.on_answered(now);
                    answered.push(sdp);
                }
            }
        }
        assert_eq!(answered, ["0", "999", "1999", "2999", "3999"]);
        let due = renewal.poll_timeout().unwrap();
        assert_eq!(renewal.wake(due.at), (Some("4499".into()), false));
    }
}
