//! Which targets a call of `send` still waits for.

use std::collections::{BTreeMap, BTreeSet};

use super::SendFailure;
use crate::ids::{PeerId, SendId};

/// See the [module](self). Bounded by what the outboxes of the room's peers hold.
#[derive(Debug, Default)]
pub(super) struct SendLedger {
    sends: BTreeMap<SendId, Sending>,
}

#[derive(Debug)]
struct Sending {
    waiting: BTreeSet<PeerId>,
    report: SendReport,
}

/// What became of a call of `send`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendReport {
    /// Members that all of it was handed over for, in the order in which that was so.
    pub delivered: Vec<PeerId>,
    /// Who did not get it, and why.
    pub failed: Vec<(PeerId, SendFailure)>,
}

impl SendLedger {
    pub(super) fn begin(
        &mut self,
        send: SendId,
        waiting: BTreeSet<PeerId>,
        failed: Vec<(PeerId, SendFailure)>,
    ) {
        let report = SendReport { delivered: Vec::new(), failed };
        self.sends.insert(send, Sending { waiting, report });
    }

    /// One target has all of it, or will not get it.
    pub(super) fn settle(&mut self, send: SendId, peer: &PeerId, failure: Option<SendFailure>) {
        let Some(sending) = self.sends.get_mut(&send) else { return };
        if !sending.waiting.remove(peer) {
            return;
        }
        match failure {
            None => sending.report.delivered.push(peer.clone()),
            Some(failure) => sending.report.failed.push((peer.clone(), failure)),
        }
    }

    /// The call is not wanted any more; says who had not all of it.
    pub(super) fn abort(&mut self, send: SendId) -> Vec<PeerId> {
        let Some(sending) = self.sends.get_mut(&send) else { return Vec::new() };
        let aborted: Vec<PeerId> = std::mem::take(&mut sending.waiting).into_iter().collect();
        let failed = aborted.iter().map(|peer| (peer.clone(), SendFailure::Aborted));
        sending.report.failed.extend(failed);
        aborted
    }

    /// A target is gone; says which calls waited for it.
    pub(super) fn forget(&mut self, peer: &PeerId) -> Vec<SendId> {
        let mut waited = Vec::new();
        for (send, sending) in &mut self.sends {
            if sending.waiting.remove(peer) {
                sending.report.failed.push((peer.clone(), SendFailure::Left));
                waited.push(*send);
            }
        }
        waited
    }

    /// What became of a call that waits for nobody any more; the call is forgotten.
    pub(super) fn take_settled(&mut self, send: SendId) -> Option<SendReport> {
        self.sends.get(&send).filter(|sending| sending.waiting.is_empty())?;
        self.sends.remove(&send).map(|sending| sending.report)
    }
}
