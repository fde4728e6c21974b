//! The network that datagrams cross: hosts with addresses, NATs, and what happens between them.
//!
//! Each pair of hosts has a path in each direction, which delays, loses, doubles and reorders as its
//! [`Conditions`] say. A path is made when it is first used, so a network of many hosts costs what
//! is used of it. A NAT translates what leaves when it is sent and what enters when it arrives, so
//! that it can be opened by what is sent meanwhile. Whatever can't arrive is lost in silence, as on
//! the Internet.

mod conditions;
mod disturbances;
mod multicast;
mod nat;
mod path;
mod reach;
mod servers;
mod stun;
#[cfg(test)]
mod tests;
mod topology;
mod turn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tristero_proto::engine::{Datagram, Ecn, Path, Transmit};
use tristero_proto::{Rng, Seed, Time};

pub use conditions::{Conditions, Loss};
pub use disturbances::DISTURBANCE_MIN;
use disturbances::{Disturbances, Kind, Ways};
pub(crate) use multicast::LocalNames;
pub use nat::{Dependence, Extent, Nat, Ports};
use path::{Packet, PathState};
use servers::Server;
pub use topology::{Family, HostId, NatId, Realm};
use topology::{Lost, Topology};

/// The direction from one host to another.
type Way = (HostId, HostId);

/// The network. Set its conditions at any time; what is on its way already is not affected.
#[derive(Debug)]
pub struct Network {
    /// What stands for [`Time::ZERO`] where time is counted in `Instant`.
    zero: Instant,
    now: Time,
    seed: Seed,
    rng: Rng,
    topology: Topology,
    servers: BTreeMap<HostId, Server>,
    usual: Conditions,
    local: Conditions,
    unusual: BTreeMap<Way, Conditions>,
    disturbances: Disturbances,
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
    /// Datagrams that a NAT did not let pass.
    pub refused: u64,
    /// Datagrams that were sent over a path that is cut.
    pub cut: u64,
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
        let seed = seed.fork("network");
        Network {
            zero,
            now: Time::ZERO,
            rng: seed.rng("paths"),
            seed,
            topology: Topology::default(),
            servers: BTreeMap::new(),
            usual: Conditions::default(),
            local: Conditions::latency(LOCAL_LATENCY),
            unusual: BTreeMap::new(),
            disturbances: Disturbances::default(),
            paths: BTreeMap::new(),
            due: BTreeSet::new(),
            arrivals: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Adds a host that has no address yet.
    pub fn add_host(&mut self) -> HostId {
        self.topology.add_host()
    }

    /// Adds a NAT, which hosts and other NATs may be behind.
    pub fn add_nat(&mut self, nat: Nat) -> NatId {
        self.topology.add_nat(nat, &self.seed)
    }

    /// Gives a host an address that no other there has or had. IPv6 is public everywhere.
    pub fn add_address(&mut self, host: HostId, realm: Realm, family: Family) -> IpAddr {
        self.topology.add_address(host, realm, family)
    }

    /// Takes an address from its host. What is sent there is lost from now on.
    pub fn remove_address(&mut self, host: HostId, address: IpAddr) {
        self.topology.remove_address(host, address);
    }

    /// The address of a NAT outside.
    pub fn outside_address(&self, nat: NatId) -> IpAddr {
        self.topology.outside(nat)
    }

    /// Has a NAT forget its mappings, as when it starts anew: hosts behind it are seen at other
    /// ports from now on, and heard by nobody there until they send.
    pub fn forget_mappings(&mut self, nat: NatId) {
        self.topology.forget_mappings(nat);
    }

    /// Sets the conditions of every path that has none of its own.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.usual = conditions;
    }

    /// Sets the conditions between hosts that are behind the same NAT.
    pub fn set_local_conditions(&mut self, conditions: Conditions) {
        self.local = conditions;
    }

    /// Sets the conditions from one host to another.
    pub fn set_way(&mut self, from: HostId, to: HostId, conditions: Conditions) {
        self.unusual.insert((from, to), conditions);
    }

    /// Sets the conditions between two hosts, in both directions.
    pub fn set_between(&mut self, a: HostId, b: HostId, conditions: Conditions) {
        for way in both_ways(a, b) {
            self.unusual.insert(way, conditions);
        }
    }

    /// Gives a pair of hosts the conditions that all have.
    pub fn reset_between(&mut self, a: HostId, b: HostId) {
        for way in both_ways(a, b) {
            self.unusual.remove(&way);
        }
    }

    /// Lets nothing pass between two hosts for so long, and for [`DISTURBANCE_MIN`] at least. This
    /// and what else goes wrong may overlap; each ends for itself.
    pub fn cut(&mut self, a: HostId, b: HostId, lasts: Duration) {
        self.disturbances.add(Kind::Cut, Ways::Between(a, b), lasts, self.now);
    }

    /// Lets nothing pass from one host to another, while the other is heard.
    pub fn cut_way(&mut self, from: HostId, to: HostId, lasts: Duration) {
        self.disturbances.add(Kind::Cut, Ways::One((from, to)), lasts, self.now);
    }

    /// Lets what passes between two hosts take seconds, and loses some of it.
    pub fn clog(&mut self, a: HostId, b: HostId, lasts: Duration) {
        self.disturbances.add(Kind::Clog, Ways::Between(a, b), lasts, self.now);
    }

    /// Lets nothing pass between these hosts and all others.
    pub fn partition(&mut self, hosts: &[HostId], lasts: Duration) {
        let border = Ways::Border(hosts.iter().copied().collect());
        self.disturbances.add(Kind::Cut, border, lasts, self.now);
    }

    /// Ends cuts, clogs and partitions, whatever time they had left.
    pub fn heal(&mut self) {
        self.disturbances.end();
    }

    /// Whether two hosts can connect without servers: they tell each other the addresses that they
    /// have, and answer to where they are seen at. What is going wrong does not count.
    pub fn can_reach(&self, a: HostId, b: HostId) -> bool {
        self.topology.can_reach(a, b)
    }

    /// Whether two hosts can connect with these servers of each: they tell each other, too, where
    /// servers see them, and the addresses that TURN servers give them, which are taken for STUN
    /// servers as well. What is going wrong does not count.
    pub fn can_reach_with(
        &self,
        (a, servers_of_a): (HostId, &[SocketAddr]),
        (b, servers_of_b): (HostId, &[SocketAddr]),
    ) -> bool {
        self.can_reach(a, b)
            || reach::can_connect(
                &self.topology,
                &self.servers,
                [(a, servers_of_a), (b, servers_of_b)],
            )
    }

    /// What became of datagrams so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Tells it what time it is, before something is done to it.
    pub(crate) fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    pub(crate) fn send(&mut self, host: HostId, transmit: &Transmit, now: Time) {
        self.advance(now);
        let size = transmit.segment_size.unwrap_or(transmit.bytes.len()).max(1);
        let mut rest = transmit.bytes.clone();
        while !rest.is_empty() {
            let bytes = rest.split_to(size.min(rest.len()));
            self.send_one(host, transmit.path, transmit.ecn, bytes);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
        while let Some((_, way)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_first();
            let Some(state) = self.paths.get_mut(&way) else { continue };
            for packet in state.arrive(self.zero + now.since_epoch()) {
                self.arrive(packet);
            }
            self.reschedule(way, None);
        }
        self.wake_servers();
    }

    pub(crate) fn poll_arrival(&mut self) -> Option<Arrival> {
        self.arrivals.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        let of_paths = self.due.first().map(|(at, _)| *at);
        let of_servers = self.servers.values().filter_map(Server::poll_timeout);
        of_servers.chain(of_paths).min()
    }

    fn send_one(&mut self, host: HostId, path: Path, ecn: Option<Ecn>, bytes: Bytes) {
        self.counters.sent += 1;
        let envelope = match self.topology.leave(host, path, self.now) {
            Ok(envelope) => envelope,
            Err(lost) => return self.lose(lost),
        };
        let Some(to) = self.topology.aims_at(envelope, self.now) else {
            return self.lose(Lost::Unroutable);
        };
        let way = (host, to);
        let Some(conditions) = self.disturbances.disturb(way, self.undisturbed(way), self.now)
        else {
            self.counters.cut += 1;
            return;
        };
        if bytes.len() > conditions.mtu {
            self.counters.too_large += 1;
            return;
        }
        self.pass(way, conditions, Packet { envelope, ecn, bytes });
    }

    fn pass(&mut self, way: Way, conditions: Conditions, packet: Packet) {
        let rng = &mut self.rng;
        let mut draw = || rng.below(u64::MAX);
        let state = self.paths.entry(way).or_insert_with(|| PathState::new(conditions, draw()));
        let was_due = state.due(self.zero);
        if state.conditions() != conditions {
            state.set_conditions(conditions, draw());
        }
        state.send(packet, self.zero + self.now.since_epoch());
        self.reschedule(way, was_due);
    }

    fn arrive(&mut self, packet: Packet) {
        let Packet { envelope, ecn, bytes } = packet;
        // The address may have changed hands on the way, and a NAT its mind.
        let (host, path) = match self.topology.arrive(envelope, self.now) {
            Ok(arrived) => arrived,
            Err(lost) => return self.lose(lost),
        };
        self.counters.arrived += 1;
        if self.servers.contains_key(&host) {
            self.serve(host, path, &bytes);
        } else {
            self.arrivals.push_back(Arrival { host, path, ecn, bytes });
        }
    }

    fn lose(&mut self, lost: Lost) {
        match lost {
            Lost::Unroutable => self.counters.unroutable += 1,
            Lost::Refused(refusal) => {
                tracing::trace!(?refusal, "a NAT let a datagram not pass");
                self.counters.refused += 1;
            }
        }
    }

    /// What a path is like when nothing goes wrong.
    fn undisturbed(&self, way: Way) -> Conditions {
        if let Some(conditions) = self.unusual.get(&way) {
            *conditions
        } else if self.topology.are_neighbours(way.0, way.1) {
            self.local
        } else {
            self.usual
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

fn both_ways(a: HostId, b: HostId) -> [Way; 2] {
    [(a, b), (b, a)]
}

/// A socket of a host: all have the same port.
pub(crate) fn socket(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, PORT)
}

const PORT: u16 = 5_000;

/// What a datagram takes in a network at home, over the air.
const LOCAL_LATENCY: Duration = Duration::from_millis(2);
