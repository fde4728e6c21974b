//! Messages that came for actions which nobody registered yet.

use std::collections::VecDeque;

use super::Message;
use crate::ids::PeerId;
use crate::limits::Limits;
use crate::wire::ActionName;

/// A bounded queue; the oldest is dropped.
#[derive(Debug, Default)]
pub(super) struct Unclaimed {
    messages: VecDeque<(PeerId, Message)>,
    bytes: usize,
    dropped: u64,
}

impl Unclaimed {
    pub(super) fn push(&mut self, peer: PeerId, message: Message, limits: &Limits) {
        self.bytes += size(&message);
        self.messages.push_back((peer, message));
        while self.messages.len() > limits.unclaimed_messages || self.bytes > limits.unclaimed_bytes
        {
            let Some((_, dropped)) = self.messages.pop_front() else { break };
            self.bytes -= size(&dropped);
            self.dropped += 1;
        }
    }

    /// Takes the messages of an action, in the order in which they came.
    pub(super) fn take(&mut self, action: &ActionName) -> VecDeque<(PeerId, Message)> {
        self.split_off(|_, message| message.action == *action)
    }

    /// Drops the messages of a peer that is gone.
    pub(super) fn forget(&mut self, peer: &PeerId) {
        let forgotten = self.split_off(|from, _| from == peer);
        self.dropped += forgotten.len() as u64;
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn split_off(
        &mut self,
        is_taken: impl Fn(&PeerId, &Message) -> bool,
    ) -> VecDeque<(PeerId, Message)> {
        let (taken, kept): (VecDeque<_>, _) = std::mem::take(&mut self.messages)
            .into_iter()
            .partition(|(peer, message)| is_taken(peer, message));
        self.messages = kept;
        self.bytes = self.messages.iter().map(|(_, message)| size(message)).sum();
        taken
    }
}

fn size(message: &Message) -> usize {
    message.size + size_of::<Message>()
}
