//! The network that datagrams cross: hosts with addresses, and what happens between them.
//!
//! Each pair of hosts has a path in each direction, which delays, loses, doubles and reorders as its
//! [`Conditions`] say. A path is made when it is first used, so a network of many hosts costs what
//! is used of it. Whatever can't arrive is lost in silence, as on the Internet.

mod conditions;
mod path;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use bytes::Bytes;
use tristero_proto::engine::{Datagram, Ecn, Path, Transmit};
use tristero_proto::{Rng, Seed, Time};

pub use conditions::{Conditions, Loss};
use path::{Packet, PathState};

/// A machine with addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(u32);

/// The direction from one host to another.
type Way = (HostId, HostId);

/// The network. Set its conditions at any time; what is on its way already is not affected.
#[derive(Debug)]
pub struct Network {
    /// What stands for [`Time::ZERO`] where time is counted in `Instant`.
    zero: Instant,
    rng: Rng,
    hosts: u32,
    addresses: u32,
    owners: BTreeMap<IpAddr, HostId>,
    usual: Conditions,
    unusual: BTreeMap<Way, Conditions>,
    paths: BTreeMap<Way, PathState>,
    due: BTreeSet<(Time, Way)>,
    arrivals: VecDeque<Arrival>,
    counters: Counters,
}

/// What became of datagrams so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Datagrams that hosts sent.
    pub sent: u64,
    /// Datagrams that arrived; one that was doubled arrives twice.
    pub arrived: u64,
    /// Datagrams that nobody has the address of.
    pub unroutable: u64,
    /// Datagrams that were larger than a path carries.
    pub too_large: u64,
}

/// A datagram at its destination.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) host: HostId,
    pub(crate) path: Path,
    pub(crate) ecn: Option<Ecn>,
    pub(crate) bytes: Bytes,
}

impl Arrival {
    pub(crate) fn datagram(&self) -> Datagram<'_> {
        Datagram { path: self.path, ecn: self.ecn, bytes: &self.bytes }
    }
}

impl Network {
    pub(crate) fn new(seed: &Seed, zero: Instant) -> Self {
        Network {
            zero,
            rng: seed.rng("network"),
            hosts: 0,
            addresses: 0,
            owners: BTreeMap::new(),
            usual: Conditions::default(),
            unusual: BTreeMap::new(),
            paths: BTreeMap::new(),
            due: BTreeSet::new(),
            arrivals: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Adds a host that has no address yet.
    pub fn add_host(&mut self) -> HostId {
        self.hosts += 1;
        HostId(self.hosts)
    }

    /// Gives a host a public address that no other has or had.
    pub fn add_address(&mut self, host: HostId) -> IpAddr {
        self.addresses += 1;
        assert!(self.addresses <= PUBLIC_ADDRESSES, "the network has no more addresses");
        let address = IpAddr::V4(Ipv4Addr::from_bits(PUBLIC_BASE.to_bits() + self.addresses));
        self.owners.insert(address, host);
        address
    }

    /// Takes an address from its host. What is sent there is lost from now on.
    pub fn remove_address(&mut self, address: IpAddr) {
        self.owners.remove(&address);
    }

    /// Sets the conditions of every path that has none of its own.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.usual = conditions;
        let mut ways: Vec<Way> = self.paths.keys().copied().collect();
        ways.retain(|way| !self.unusual.contains_key(way));
        for way in ways {
            self.apply(way, conditions);
        }
    }

    /// Sets the conditions of what `from` sends to `to`.
    pub fn set_way(&mut self, from: HostId, to: HostId, conditions: Conditions) {
        self.unusual.insert((from, to), conditions);
        self.apply((from, to), conditions);
    }

    /// Sets the conditions between two hosts, in both directions.
    pub fn set_between(&mut self, a: HostId, b: HostId, conditions: Conditions) {
        self.set_way(a, b, conditions);
        self.set_way(b, a, conditions);
    }

    /// Gives a pair of hosts the conditions that all have.
    pub fn reset_between(&mut self, a: HostId, b: HostId) {
        for way in [(a, b), (b, a)] {
            self.unusual.remove(&way);
            self.apply(way, self.usual);
        }
    }

    /// What became of datagrams so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    pub(crate) fn send(&mut self, transmit: &Transmit, now: Time) {
        let size = transmit.segment_size.unwrap_or(transmit.bytes.len()).max(1);
        let mut rest = transmit.bytes.clone();
        while !rest.is_empty() {
            let bytes = rest.split_to(size.min(rest.len()));
            self.send_one(transmit.path, bytes, transmit.ecn, now);
        }
    }

    fn send_one(&mut self, path: Path, bytes: Bytes, ecn: Option<Ecn>, now: Time) {
        self.counters.sent += 1;
        let ends = [path.local, path.remote].map(|address| self.owners.get(&address.ip()).copied());
        let [Some(from), Some(to)] = ends else {
            self.counters.unroutable += 1;
            return;
        };
        let way = (from, to);
        let conditions = self.conditions(way);
        if bytes.len() > conditions.mtu {
            self.counters.too_large += 1;
            return;
        }
        let packet = Packet { source: path.local, destination: path.remote, ecn, bytes };
        let rng = &mut self.rng;
        let state = self
            .paths
            .entry(way)
            .or_insert_with(|| PathState::new(conditions, rng.below(u64::MAX)));
        let was_due = state.due(self.zero);
        state.send(packet, self.zero + now.since_epoch());
        self.reschedule(way, was_due);
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        while let Some((_, way)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_first();
            let Some(state) = self.paths.get_mut(&way) else { continue };
            for packet in state.arrive(self.zero + now.since_epoch()) {
                let Packet { source, destination, ecn, bytes } = packet;
                // The address may have changed hands on the way.
                let Some(host) = self.owners.get(&destination.ip()).copied() else {
                    self.counters.unroutable += 1;
                    continue;
                };
                self.counters.arrived += 1;
                let path = Path { local: destination, remote: source };
                self.arrivals.push_back(Arrival { host, path, ecn, bytes });
            }
            self.reschedule(way, None);
        }
    }

    pub(crate) fn poll_arrival(&mut self) -> Option<Arrival> {
        self.arrivals.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    fn conditions(&self, way: Way) -> Conditions {
        self.unusual.get(&way).copied().unwrap_or(self.usual)
    }

    fn apply(&mut self, way: Way, conditions: Conditions) {
        let seed = self.rng.below(u64::MAX);
        if let Some(state) = self.paths.get_mut(&way) {
            state.set_conditions(conditions, seed);
        }
    }

    fn reschedule(&mut self, way: Way, was_due: Option<Time>) {
        if let Some(at) = was_due {
            self.due.remove(&(at, way));
        }
        if let Some(at) = self.paths.get(&way).and_then(|state| state.due(self.zero)) {
            self.due.insert((at, way));
        }
    }
}

/// A socket of a host: all have the same port.
pub(crate) fn socket(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, PORT)
}

/// The range that is set aside for measuring networks (RFC 2544): 198.18.0.0/15.
const PUBLIC_BASE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const PUBLIC_ADDRESSES: u32 = (1 << 17) - 2;

const PORT: u16 = 5_000;
