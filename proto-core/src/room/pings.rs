//! Pings of ours that wait for their pong.
//!
//! Pongs carry nothing, so they match pings in the order in which those went out.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::ids::{PeerId, PingId};
use crate::time::Time;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Pings {
    waiting: BTreeMap<PeerId, VecDeque<Ping>>,
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// The application.
    Application(PingId),
    /// The node, which wants to know whether the peer still hears us.
    Node,
}

#[derive(Debug)]
struct Ping {
    asker: Asker,
    since: Time,
}

impl Pings {
    /// Notes a ping that goes out. False, and it is not noted, if too many wait already.
    pub(super) fn begin(
        &mut self,
        peer: &PeerId,
        asker: Asker,
        pings_max: usize,
        now: Time,
    ) -> bool {
        let waiting = self.waiting.entry(peer.clone()).or_default();
        let has_room = waiting.len() < pings_max;
        if has_room {
            waiting.push_back(Ping { asker, since: now });
        }
        has_room
    }

    /// Takes the ping that a pong answers, with the time that it took.
    pub(super) fn answer(&mut self, peer: &PeerId, now: Time) -> Option<(Asker, Duration)> {
        let ping = self.waiting.get_mut(peer)?.pop_front()?;
        Some((ping.asker, now.since(ping.since)))
    }

    /// A peer is gone; takes out the pings of the application that it did not answer.
    pub(super) fn forget(&mut self, peer: &PeerId) -> Vec<PingId> {
        let waiting = self.waiting.remove(peer).unwrap_or_default();
        let id = |ping: Ping| match ping.asker {
            Asker::Application(id) => Some(id),
            Asker::Node => None,
        };
        waiting.into_iter().filter_map(id).collect()
    }
}
