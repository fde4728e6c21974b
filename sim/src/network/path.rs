//! One direction between two hosts: a link emulator and what is on its way.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use str0m_netem::{Input, Netem, Output, WithLen};
use tristero_proto::Time;
use tristero_proto::engine::Ecn;

use super::conditions::Conditions;

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
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
    netem: Netem<Packet>,
    conditions: Conditions,
}

impl std::fmt::Debug for PathState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PathState({:?})", self.conditions)
    }
}

impl PathState {
    pub(super) fn new(conditions: Conditions, seed: u64) -> Self {
        PathState { netem: Netem::new(conditions.netem(seed)), conditions }
    }

    pub(super) fn set_conditions(&mut self, conditions: Conditions, seed: u64) {
        if self.conditions != conditions {
            self.conditions = conditions;
            self.netem.set_config(conditions.netem(seed));
        }
    }

    pub(super) fn send(&mut self, packet: Packet, at: Instant) {
        self.netem.handle_input(Input::Packet(at, packet));
    }

    /// What has arrived by now.
    pub(super) fn arrive(&mut self, at: Instant) -> Vec<Packet> {
        self.netem.handle_input(Input::Timeout(at));
        let mut arrived = Vec::new();
        while let Some(output) = self.netem.poll_output() {
            match output {
                Output::Packet(packet) => arrived.push(packet),
                Output::Timeout(_) => break,
            }
        }
        arrived
    }

    /// When something arrives next.
    pub(super) fn due(&self, zero: Instant) -> Option<Time> {
        let is_empty = self.netem.is_empty();
        let since = || self.netem.poll_timeout().saturating_duration_since(zero);
        (!is_empty).then(|| Time::from_epoch(since()))
    }
}
