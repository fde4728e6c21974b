//! When a passive room is silent, and when it takes part.
//!
//! A passive peer says nothing until an active one is heard. It falls silent again when nobody is
//! left.
//!
//! spec: docs/protocol.md, section 2, "Passive peers"

use std::time::Duration;

use crate::time::{Deadline, Time};

/// A passive room that woke is left this long to meet someone before it falls asleep again.
const GRACE: Duration = Duration::from_millis(7_533);

/// See the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passivity {
    /// The room is not passive.
    Active,
    /// Nobody was heard.
    Dormant,
    /// Someone was heard.
    Awake {
        /// When to see whether someone was met, unless that was done.
        check_at: Option<Time>,
    },
}

impl Passivity {
    pub(super) fn new(is_passive: bool) -> Self {
        if is_passive { Passivity::Dormant } else { Passivity::Active }
    }

    pub(super) fn is_passive(self) -> bool {
        self != Passivity::Active
    }

    /// An active peer was heard; true if that woke the room.
    pub(super) fn wake(&mut self, now: Time) -> bool {
        let was_dormant = *self == Passivity::Dormant;
        if was_dormant {
            *self = Passivity::Awake { check_at: Some(now + GRACE) };
        }
        was_dormant
    }

    /// Whether it is time to see if someone was met; it is so once.
    pub(super) fn take_check(&mut self, now: Time) -> bool {
        match self {
            Passivity::Awake { check_at } if check_at.is_some_and(|at| at <= now) => {
                *check_at = None;
                true
            }
            Passivity::Awake { .. } | Passivity::Active | Passivity::Dormant => false,
        }
    }

    /// Nobody is left; true if that put the room to sleep.
    pub(super) fn rest(&mut self) -> bool {
        let was_awake = matches!(self, Passivity::Awake { .. });
        if was_awake {
            *self = Passivity::Dormant;
        }
        was_awake
    }

    pub(super) fn poll_timeout(self) -> Option<Deadline> {
        match self {
            Passivity::Awake { check_at } => {
                check_at.map(|at| Deadline::new(at, "see whether a passive room met anyone"))
            }
            Passivity::Active | Passivity::Dormant => None,
        }
    }
}
