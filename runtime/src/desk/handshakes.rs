//! Peers that are to be admitted or refused by the application.

use std::collections::VecDeque;

use serde_json::Value;
use tristero_proto::wire::Payload;
use tristero_proto::{HandshakeId, PeerId};

use crate::handshake::HandshakeMessage;
use crate::inbox::{Bounds, Inbox, Wakes};
use crate::waiting::{Readers, Waiters};

/// Peers that wait until the application asks for the first one. The oldest is dropped, and times
/// out.
const UNMET_MAX: usize = 1_024;

/// What one peer says may wait so far until it is read. The oldest is dropped.
const SAID: Bounds = Bounds { items: 256, bytes: 4 * 1024 * 1024 };

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    readers: Readers<Met>,
    unmet: VecDeque<Met>,
    talks: Waiters<HandshakeId, HandshakeMessage>,
}

/// A peer that waits to be admitted.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) peer: PeerId,
    pub(crate) handshake: HandshakeId,
    pub(crate) is_initiator: bool,
    pub(crate) said: Inbox<HandshakeMessage>,
}

impl Handshakes {
    /// Adds a reader, which gets those who wait already; the first one gets all, as long as it is
    /// there.
    pub(crate) fn read(&mut self, bounds: Bounds) -> Inbox<Met> {
        self.readers.add_with(bounds, self.unmet.drain(..))
    }

    pub(crate) fn on_met(
        &mut self,
        peer: PeerId,
        handshake: HandshakeId,
        is_initiator: bool,
        wakes: &mut Wakes,
    ) {
        let said = self.talks.add(handshake, SAID);
        let met = Met { peer, handshake, is_initiator, said };
        if !self.readers.is_empty() {
            // A reader that lets too many wait lets them time out.
            let _ = self.readers.offer_first(met, 0, wakes);
            return;
        }
        self.unmet.push_back(met);
        if self.unmet.len() > UNMET_MAX {
            self.unmet.pop_front();
        }
    }

    pub(crate) fn on_said(
        &mut self,
        handshake: HandshakeId,
        payload: Payload,
        metadata: Option<Value>,
        size: usize,
        wakes: &mut Wakes,
    ) {
        self.talks.tell(&handshake, HandshakeMessage { payload, metadata }, size, wakes);
    }

    pub(crate) fn on_over(&mut self, handshake: HandshakeId, wakes: &mut Wakes) {
        self.unmet.retain(|met| met.handshake != handshake);
        self.talks.end_one(&handshake, wakes);
    }

    pub(crate) fn end(self, wakes: &mut Wakes) {
        let Handshakes { readers, unmet: _, talks } = self;
        readers.end(wakes);
        talks.end(wakes);
    }
}
