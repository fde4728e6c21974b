//! What all connections of an engine share.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use str0m::crypto::Sha1HmacProvider;
use tristero_proto::engine::{EngineEvent, EngineOutput};

use crate::counters::Counters;
use crate::driven::Said;
use crate::epoch::Epoch;
use crate::gather::Gatherer;
use crate::paths::Paths;

/// What all connections of an engine share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) epoch: Epoch,
    pub(crate) silence_max: Duration,
    /// The key check of STUN messages.
    pub(crate) hmac: &'static dyn Sha1HmacProvider,
    /// Our sockets' addresses. Each is a candidate of every connection that may show them.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) paths: Paths,
    pub(crate) gatherer: Gatherer,
    pub(crate) counters: Counters,
    pub(crate) outputs: VecDeque<EngineOutput>,
    /// What the connection at work said and did not heed yet; empty between two calls.
    pub(crate) said: VecDeque<Said>,
}

impl Shared {
    pub(crate) fn event(&mut self, event: EngineEvent) {
        self.outputs.push_back(EngineOutput::Event(event));
    }
}
