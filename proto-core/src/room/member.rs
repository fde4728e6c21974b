//! One peer as one room sees it.

use serde_json::Value;

use super::action::internal;
use super::admission::Admission;
use super::reassembly::{Progressed, Reassembly};
use crate::limits;
use crate::time::{Deadline, Time};
use crate::wire::{ActionName, Chunk};

/// A peer that is attached to the room.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) phase: Phase,
    reassembly: Reassembly,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// Not visible yet.
    Pending(Admission),
    /// A member.
    Active,
}

impl Member {
    pub(super) fn pending(admission: Admission) -> Self {
        Member { phase: Phase::Pending(admission), reassembly: Reassembly::default() }
    }

    pub(super) fn activate(&mut self) {
        self.phase = Phase::Active;
    }

    /// Whether a chunk of this action may come now; others are dropped.
    pub(super) fn takes(&self, action: &ActionName) -> bool {
        match self.phase {
            Phase::Active => true,
            Phase::Pending(_) => matches!(
                action.as_str(),
                internal::LEAVE | internal::HANDSHAKE_DATA | internal::HANDSHAKE_READY
            ),
        }
    }

    pub(super) fn receive(&mut self, chunk: Chunk, now: Time) -> Progressed {
        let bytes_max = match self.phase {
            Phase::Pending(_) => limits::PENDING_PARTIAL_BYTES_MAX,
            Phase::Active => limits::PARTIAL_BYTES_MAX,
        };
        self.reassembly.push(chunk, bytes_max, now)
    }

    /// The metadata of a transmission that has begun.
    pub(super) fn metadata(&self, action: &ActionName, nonce: u16) -> Option<&Value> {
        self.reassembly.metadata(action, nonce)
    }

    /// Drops transmissions that got nothing for too long, and says how many.
    pub(super) fn expire_partials(&mut self, now: Time) -> u64 {
        self.reassembly.expire(now)
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active)
    }

    /// Whether its admission took too long.
    pub(super) fn is_overdue(&self, now: Time) -> bool {
        match &self.phase {
            Phase::Pending(admission) => admission.deadline() <= now,
            Phase::Active => false,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let admission = match &self.phase {
            Phase::Pending(admission) => {
                Some(Deadline::new(admission.deadline(), "give an admission up"))
            }
            Phase::Active => None,
        };
        Deadline::earlier(admission, self.reassembly.poll_timeout())
    }
}
