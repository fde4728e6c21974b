//! What goes wrong on paths for a while: cuts, clogs and partitions.
//!
//! Each lasts for its own time, and no shorter than [`DISTURBANCE_MIN`]: what is over before anyone
//! notices tests nothing. Where several concern one path all of them count, and the end of one ends
//! no other.

use std::collections::BTreeSet;
use std::time::Duration;

use tristero_proto::Time;

use super::conditions::{Conditions, Loss};
use super::topology::HostId;
use super::{Way, both_ways};

/// What is going wrong.
#[derive(Debug, Default)]
pub(super) struct Disturbances {
    going_on: Vec<Disturbance>,
}

#[derive(Debug)]
struct Disturbance {
    kind: Kind,
    ways: Ways,
    until: Time,
}

/// What happens to datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// None arrives.
    Cut,
    /// They take seconds, and some don't arrive.
    Clog,
}

/// Which paths are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ways {
    /// The one from this host to that one.
    One(Way),
    /// The ones between two hosts.
    Between(HostId, HostId),
    /// All between these hosts and the others, those that come later too.
    Border(BTreeSet<HostId>),
}

impl Ways {
    fn concerns(&self, way: Way) -> bool {
        match self {
            Ways::One(of_it) => *of_it == way,
            Ways::Between(a, b) => both_ways(*a, *b).contains(&way),
            Ways::Border(inside) => inside.contains(&way.0) != inside.contains(&way.1),
        }
    }
}

impl Disturbances {
    /// Adds one. If there are too many, the one that would end first ends.
    pub(super) fn add(&mut self, kind: Kind, ways: Ways, lasts: Duration, now: Time) {
        self.going_on.retain(|disturbance| disturbance.until > now);
        if self.going_on.len() >= DISTURBANCES_MAX {
            let first = (0..self.going_on.len()).min_by_key(|index| self.going_on[*index].until);
            self.going_on.remove(first.expect("there are many"));
        }
        let until = now + lasts.max(DISTURBANCE_MIN);
        self.going_on.push(Disturbance { kind, ways, until });
    }

    /// Ends all.
    pub(super) fn end(&mut self) {
        self.going_on.clear();
    }

    /// What a path is like that would be like this; `None` if nothing passes.
    pub(super) fn disturb(&self, way: Way, usual: Conditions, now: Time) -> Option<Conditions> {
        let mut conditions = usual;
        let here = self.going_on.iter().filter(|disturbance| disturbance.until > now);
        for disturbance in here.filter(|disturbance| disturbance.ways.concerns(way)) {
            match disturbance.kind {
                Kind::Cut => return None,
                Kind::Clog => conditions = clogged(usual),
            }
        }
        Some(conditions)
    }
}

/// A path that has become slow and lossy.
fn clogged(usual: Conditions) -> Conditions {
    let loss = match usual.loss {
        Loss::None => Loss::Random { percent: CLOG_LOSS_PERCENT },
        Loss::Random { percent } => Loss::Random { percent: percent.max(CLOG_LOSS_PERCENT) },
        Loss::Bursts { .. } | Loss::All => usual.loss,
    };
    Conditions { latency: usual.latency + CLOG_LATENCY, loss, ..usual }
}

/// The shortest time for which something goes wrong: ICE repeats a check within it, so it is missed.
pub const DISTURBANCE_MIN: Duration = Duration::from_millis(500);

/// More than one retransmission of ICE and of SCTP, and less than what makes a peer give up.
const CLOG_LATENCY: Duration = Duration::from_secs(2);
const CLOG_LOSS_PERCENT: f32 = 10.0;

/// More than any scenario has. Each datagram looks at all of them.
const DISTURBANCES_MAX: usize = 256;
