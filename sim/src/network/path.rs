//! One direction between two hosts: a link emulator and what is on its way.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use str0m_netem::{Input, Netem, Output, WithLen};
use tristero_proto::Time;
use tristero_proto::engine::Ecn;

use super::conditions::Conditions;
use super::topology::Envelope;

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) envelope: Envelope,
    pub(super) ecn: Option<Ecn>,
    pub(super) bytes: Bytes,
}

impl WithLen for Packet {
    fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// A path in use.
pub(super) struct PathState {
    link: Netem<Packet>,
    conditions: Conditions,
    /// What was sent before the conditions changed, oldest first: it arrives as it would have.
    earlier: VecDeque<Netem<Packet>>,
}

impl std::fmt::Debug for PathState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PathState({:?})", self.conditions)
    }
}

impl PathState {
    pub(super) fn new(conditions: Conditions, seed: u64) -> Self {
        let link = Netem::new(conditions.netem(seed));
        PathState { link, conditions, earlier: VecDeque::new() }
    }

    pub(super) fn conditions(&self) -> Conditions {
        self.conditions
    }

    /// Begins anew. The emulator could be told of other conditions instead, but it numbers what it
    /// holds by them, and then what is on its way waits for what is sent later.
    pub(super) fn set_conditions(&mut self, conditions: Conditions, seed: u64) {
        let new = PathState::new(conditions, seed);
        let old = std::mem::replace(self, new);
        self.earlier = old.earlier;
        self.earlier.push_back(old.link);
        self.earlier.retain(|link| !link.is_empty());
        if self.earlier.len() > EARLIER_MAX {
            self.earlier.pop_front();
        }
    }

    pub(super) fn send(&mut self, packet: Packet, at: Instant) {
        self.link.handle_input(Input::Packet(at, packet));
    }

    /// What has arrived by now.
    pub(super) fn arrive(&mut self, at: Instant) -> Vec<Packet> {
        let mut arrived = Vec::new();
        for link in self.earlier.iter_mut().chain([&mut self.link]) {
            link.handle_input(Input::Timeout(at));
            while let Some(output) = link.poll_output() {
                match output {
                    Output::Packet(packet) => arrived.push(packet),
                    Output::Timeout(_) => break,
                }
            }
        }
        self.earlier.retain(|link| !link.is_empty());
        arrived
    }

    /// When something arrives next.
    pub(super) fn due(&self, zero: Instant) -> Option<Time> {
        let busy = self.earlier.iter().chain([&self.link]).filter(|link| !link.is_empty());
        let next = busy.map(Netem::poll_timeout).min()?;
        Some(Time::from_epoch(next.saturating_duration_since(zero)))
    }
}

/// Conditions seldom change faster than a path empties. If they do, what was sent first is lost.
const EARLIER_MAX: usize = 8;
