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
    failed: Vec<(PeerId, SendFailure)>,
}

impl SendLedger {
    pub(super) fn begin(
        &mut self,
        send: SendId,
        waiting: BTreeSet<PeerId>,
        failed: Vec<(PeerId, SendFailure)>,
    ) {
        self.sends.insert(send, Sending { waiting, failed });
    }

    /// One target has all of it, or will not get it.
    pub(super) fn settle(&mut self, send: SendId, peer: &PeerId, failure: Option<SendFailure>) {
        let Some(sending) = self.sends.get_mut(&send) else { return };
        if sending.waiting.remove(peer) {
            sending.failed.extend(failure.map(|failure| (peer.clone(), failure)));
        }
    }

    /// A target is gone; says which calls waited for it.
    pub(super) fn forget(&mut self, peer: &PeerId) -> Vec<SendId> {
        let mut waited = Vec::new();
        for (send, sending) in &mut self.sends {
            if sending.waiting.remove(peer) {
                sending.failed.push((peer.clone(), SendFailure::Left));
                waited.push(*send);
            }
        }
        waited
    }

    /// The failures of a call that waits for nobody any more; the call is forgotten.
    pub(super) fn take_settled(&mut self, send: SendId) -> Option<Vec<(PeerId, SendFailure)>> {
        self.sends.get(&send).filter(|sending| sending.waiting.is_empty())?;
        self.sends.remove(&send).map(|sending| sending.failed)
    }
}
