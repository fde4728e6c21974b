//! Which targets a call of `send` still waits for.

use std::collections::BTreeMap;

use super::SendFailure;
use crate::ids::{PeerId, SendId};
use crate::peer_ids::PeerIds;

/// How many targets a list may have room for that is kept for later.
const SPARE_MAX: usize = 64;

/// See the [module](self). Bounded by what the outboxes of the room's peers hold.
#[derive(Debug, Default)]
pub(super) struct SendLedger {
    sends: BTreeMap<SendId, Sending>,
    /// What held the targets of a call that is over, to be used again.
    spare: Vec<(PeerId, bool)>,
}

#[derive(Debug)]
struct Sending {
    /// The targets in order, and whether each is waited for.
    targets: Vec<(PeerId, bool)>,
    /// How many are.
    waiting: usize,
    report: SendReport,
}

impl Sending {
    /// A target is waited for no longer; false if it was not.
    fn settle(&mut self, peer: &PeerId) -> bool {
        let Ok(at) = self.targets.binary_search_by(|(target, _)| target.cmp(peer)) else {
            return false;
        };
        let waits = std::mem::take(&mut self.targets[at].1);
        self.waiting -= usize::from(waits);
        waits
    }
}

/// What became of a call of `send`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendReport {
    /// Members that all of it was handed over for, in the order in which that was so.
    pub delivered: PeerIds,
    /// Who did not get it, and why.
    pub failed: Vec<(PeerId, SendFailure)>,
}

impl SendLedger {
    /// Waits for these targets. One that is named twice is one.
    pub(super) fn begin(
        &mut self,
        send: SendId,
        peers: impl Iterator<Item = PeerId>,
        failed: Vec<(PeerId, SendFailure)>,
    ) {
        let mut targets = std::mem::take(&mut self.spare);
        targets.extend(peers.map(|peer| (peer, true)));
        targets.sort_unstable();
        targets.dedup();
        let waiting = targets.len();
        let report = SendReport { delivered: PeerIds::new(), failed };
        self.sends.insert(send, Sending { targets, waiting, report });
    }

    /// The targets of a call, those that are not waited for any more too.
    pub(super) fn targets(
        &self,
        send: SendId,
    ) -> impl ExactSizeIterator<Item = &PeerId> + DoubleEndedIterator {
        let targets = self.sends.get(&send).map(|sending| &sending.targets[..]);
        targets.unwrap_or_default().iter().map(|(peer, _)| peer)
    }

    /// One target has all of it, or will not get it.
    pub(super) fn settle(&mut self, send: SendId, peer: &PeerId, failure: Option<SendFailure>) {
        let Some(sending) = self.sends.get_mut(&send) else { return };
        if !sending.settle(peer) {
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
        sending.waiting = 0;
        let targets = std::mem::take(&mut sending.targets).into_iter();
        let aborted: Vec<PeerId> =
            targets.filter_map(|(peer, waits)| waits.then_some(peer)).collect();
        let failed = aborted.iter().map(|peer| (peer.clone(), SendFailure::Aborted));
        sending.report.failed.extend(failed);
        aborted
    }

    /// A target is gone; says which calls waited for it.
    pub(super) fn forget(&mut self, peer: &PeerId) -> Vec<SendId> {
        let mut waited = Vec::new();
        for (send, sending) in &mut self.sends {
            if sending.settle(peer) {
                sending.report.failed.push((peer.clone(), SendFailure::Left));
                waited.push(*send);
            }
        }
        waited
    }

    /// What became of a call that waits for nobody any more; the call is forgotten.
    pub(super) fn take_settled(&mut self, send: SendId) -> Option<SendReport> {
        self.sends.get(&send).filter(|sending| sending.waiting == 0)?;
        let Sending { mut targets, report, .. } = self.sends.remove(&send)?;
        targets.clear();
        if targets.capacity() <= SPARE_MAX {
            self.spare = targets;
        }
        Some(report)
    }
}
