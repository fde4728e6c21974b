//! One channel: whether it is joined, when to join it again, and what waits for that.

use std::collections::VecDeque;
use std::time::Duration;

use super::message::{Broadcast, Ref};
use crate::crypto::Topic;
use crate::time::{Deadline, Time};

/// A join that is not answered by then has failed.
const JOIN_ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A channel that was refused or lost is joined again after this; each failure in a row doubles it.
const REJOIN_FIRST: Duration = Duration::from_secs(1);
/// A channel that is lost sooner than this after it was joined counts as refused: the service may
/// let everybody in and out again.
const BRIEF: Duration = Duration::from_secs(15);
/// How often that doubles: up to 64 s.
const REJOIN_DOUBLINGS: u32 = 6;
/// Broadcasts that wait for one join: an offer, its candidates and some more. The oldest is
/// dropped; peers try again.
const WAITING_MAX: usize = 32;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Channel {
    /// The room that it is for.
    pub(super) root: Topic,
    /// Why it is joined.
    pub(super) purpose: Purpose,
    state: State,
    failures: u32,
    waiting: VecDeque<Broadcast>,
}

/// Why a channel is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A room listens there.
    Listening,
    /// Something is said to a peer there; when that was last, by a count.
    Speaking { used: u64 },
}

#[derive(Debug)]
enum State {
    Joining { join: Ref, give_up: Time },
    Joined { join: Ref, brief_until: Time },
    Waiting { until: Time },
}

impl Channel {
    /// A channel that is to be joined at once.
    pub(super) fn new(root: &Topic, purpose: Purpose, now: Time) -> Self {
        let (root, state) = (root.clone(), State::Waiting { until: now });
        Channel { root, purpose, state, failures: 0, waiting: VecDeque::new() }
    }

    /// A join was sent.
    pub(super) fn on_join_sent(&mut self, join: Ref, now: Time) {
        self.state = State::Joining { join, give_up: now + JOIN_ANSWER_WITHIN };
    }

    /// A join was answered. Gives what waited if it was the current one.
    pub(super) fn on_joined(&mut self, to: Ref, now: Time) -> Option<VecDeque<Broadcast>> {
        match self.state {
            State::Joining { join, .. } if join == to => {
                self.state = State::Joined { join, brief_until: now + BRIEF };
                Some(std::mem::take(&mut self.waiting))
            }
            State::Joining { .. } | State::Joined { .. } | State::Waiting { .. } => None,
        }
    }

    /// What was joined with this request is lost, or was refused. False if it is another one.
    pub(super) fn on_lost(&mut self, lost: Ref, now: Time) -> bool {
        let is_current = self.join_ref() == Some(lost);
        if is_current {
            self.wait(now);
        }
        is_current
    }

    /// Whether it is to be joined now. A join without an answer has failed by then.
    pub(super) fn handle_timeout(&mut self, now: Time) -> bool {
        match self.state {
            State::Joining { give_up, .. } if give_up <= now => {
                self.wait(now);
                false
            }
            State::Waiting { until } => until <= now,
            State::Joining { .. } | State::Joined { .. } => false,
        }
    }

    /// Keeps a broadcast until the channel is joined.
    pub(super) fn keep(&mut self, broadcast: Broadcast) {
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(broadcast);
    }

    /// The request that it stands by, if broadcasts can be sent.
    pub(super) fn joined(&self) -> Option<Ref> {
        match self.state {
            State::Joined { join, .. } => Some(join),
            State::Joining { .. } | State::Waiting { .. } => None,
        }
    }

    /// The request by which the service knows it.
    pub(super) fn join_ref(&self) -> Option<Ref> {
        match self.state {
            State::Joining { join, .. } | State::Joined { join, .. } => Some(join),
            State::Waiting { .. } => None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        match self.state {
            State::Joining { give_up, .. } => Some(Deadline::new(give_up, "hear of a join")),
            State::Joined { .. } => None,
            State::Waiting { until } => Some(Deadline::new(until, "join a channel again")),
        }
    }

    fn wait(&mut self, now: Time) {
        if matches!(self.state, State::Joined { brief_until, .. } if brief_until <= now) {
            self.failures = 0;
        }
        let pause = REJOIN_FIRST * 2u32.pow(self.failures.min(REJOIN_DOUBLINGS));
        self.failures = self.failures.saturating_add(1);
        self.state = State::Waiting { until: now + pause };
    }
}
