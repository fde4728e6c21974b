//! What all connections of an engine share.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use str0m::crypto::Sha1HmacProvider;
use tristero_proto::engine::{EngineEvent, EngineOutput};
use tristero_proto::{ConnId, Rng};

use crate::candidate::RemoteCandidate;
use crate::counters::Counters;
use crate::driven::Said;
use crate::epoch::Epoch;
use crate::gather::Gatherer;
use crate::mdns::{AskedNames, LocalName, OwnNames};
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
    /// Names of peers that are asked for.
    pub(crate) asked_names: AskedNames,
    /// What our addresses are called where they are not to be seen.
    pub(crate) own_names: OwnNames,
    /// Where the numbers come from that tell sources of media apart.
    pub(crate) media_rng: Rng,
    pub(crate) counters: Counters,
    pub(crate) outputs: VecDeque<EngineOutput>,
    /// What the connection at work said and did not heed yet; empty between two calls.
    pub(crate) said: VecDeque<Said>,
}

impl Shared {
    /// Asks for the address behind a name that the peer of a connection told.
    pub(crate) fn ask_name(&mut self, conn: ConnId, named: RemoteCandidate<(LocalName, u16)>) {
        if !self.asked_names.ask(conn, named, &mut self.outputs) {
            self.counters.surplus_candidates += 1;
        }
    }

    /// A candidate of ours, given as its attribute, without the addresses of this machine.
    pub(crate) fn hide(&mut self, candidate: &str) -> String {
        self.own_names.hide(candidate, &mut self.outputs)
    }

    /// A description of ours without the addresses of this machine.
    pub(crate) fn hide_in(&mut self, sdp: &str) -> String {
        let lines = sdp.lines().map(|line| match line.strip_prefix("a=candidate:") {
            Some(_) => format!("a={}\r\n", self.hide(&line["a=".len()..])),
            None => format!("{line}\r\n"),
        });
        lines.collect()
    }

    pub(crate) fn event(&mut self, event: EngineEvent) {
        self.outputs.push_back(EngineOutput::Event(event));
    }
}
