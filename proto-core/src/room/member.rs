//! One peer as one room sees it.

use super::action::internal;
use super::admission::Admission;
use super::reassembly::{Mode, Progressed, Reassembly, ReassemblyLimits};
use crate::ids::HandshakeId;
use crate::limits::{self, Limits};
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
    /// A member. The other side may have forgotten that and ask again, so the answers stay.
    Active(Admission),
}

impl Member {
    pub(super) fn pending(admission: Admission) -> Self {
        Member { phase: Phase::Pending(admission), reassembly: Reassembly::default() }
    }

    /// Makes it a member.
    pub(super) fn activate(self) -> Self {
        let (Phase::Pending(admission) | Phase::Active(admission)) = self.phase;
        Member { phase: Phase::Active(admission), ..self }
    }

    pub(super) fn admission(&mut self) -> &mut Admission {
        let (Phase::Pending(admission) | Phase::Active(admission)) = &mut self.phase;
        admission
    }

    /// The run of the application's handshake that is under way.
    pub(super) fn handshake(&self) -> Option<HandshakeId> {
        match &self.phase {
            Phase::Pending(admission) => admission.is_shaking(),
            Phase::Active(_) => None,
        }
    }

    /// Whether a chunk of this action may come now; others are dropped.
    pub(super) fn takes(&self, action: &ActionName) -> bool {
        match self.phase {
            Phase::Active(_) => true,
            Phase::Pending(_) => matches!(
                action.as_str(),
                internal::LEAVE | internal::HANDSHAKE_DATA | internal::HANDSHAKE_READY
            ),
        }
    }

    pub(super) fn receive(
        &mut self,
        chunk: Chunk,
        mode: Mode<'_>,
        limits: &Limits,
        now: Time,
    ) -> Progressed {
        let bytes = match self.phase {
            Phase::Pending(_) => limits::PENDING_PARTIAL_BYTES_MAX,
            Phase::Active(_) => limits.partial_bytes_per_peer,
        };
        let transmissions = limits.partial_transmissions;
        self.reassembly.push(chunk, mode, ReassemblyLimits { bytes, transmissions }, now)
    }

    pub(super) fn reassembly(&mut self) -> &mut Reassembly {
        &mut self.reassembly
    }

    /// What its unfinished transmissions take in memory.
    pub(super) fn partial_bytes(&self) -> usize {
        self.reassembly.bytes()
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active(_))
    }

    /// Whether its admission took too long.
    pub(super) fn is_overdue(&self, now: Time) -> bool {
        match &self.phase {
            Phase::Pending(admission) => admission.deadline() <= now,
            Phase::Active(_) => false,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let admission = match &self.phase {
            Phase::Pending(admission) => {
                Some(Deadline::new(admission.deadline(), "give an admission up"))
            }
            Phase::Active(_) => None,
        };
        Deadline::earlier(admission, self.reassembly.poll_timeout())
    }
}
