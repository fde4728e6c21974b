//! How a NAT behaves, in the words of RFC 4787.
//!
//! A [`Nat`] describes one; the network makes a translator of it. The names that people use for the
//! common kinds (RFC 3489 section 5) are constructors. What is not modelled: several outside
//! addresses, parity of ports, fragments and ICMP.

mod translator;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub(super) use translator::{Refusal, Translator};

use super::topology::{NatId, Realm};

/// How a NAT behaves, and where it is.
///
/// ```
/// use tristero_sim::{Nat, PeerOptions, World};
///
/// let mut world = World::new(1);
/// let carrier = world.network().add_nat(Nat::carrier_grade());
/// let home = world.network().add_nat(Nat::port_restricted().behind(carrier));
/// let a = world.add_peer(PeerOptions::default().behind(home));
/// let b = world.add_peer(PeerOptions::default());
/// assert!(world.can_reach(a, b));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nat {
    /// For which destinations a socket inside keeps the same port outside: RFC 4787 section 4.1.
    pub mapping: Dependence,
    /// Who outside may send to that port: RFC 4787 section 5.
    pub filtering: Dependence,
    /// Which port outside is taken: RFC 4787 section 4.2.
    pub ports: Ports,
    /// How long a mapping lives that is not used: RFC 4787 section 4.3.
    pub mapping_timeout: Duration,
    /// Whether what comes in counts as use. What goes out always does (RFC 4787, REQ-6).
    pub inbound_refreshes: bool,
    /// Whether hosts inside reach each other by their addresses outside: RFC 4787 section 6.
    pub hairpins: bool,
    /// Whether nothing passes in either direction, as where a firewall lets no UDP through.
    pub blocks_udp: bool,
    /// What is behind it.
    pub extent: Extent,
    /// Where its outside address is.
    pub outer: Realm,
}

/// What a NAT tells apart when it looks at an address outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependence {
    /// Nothing: all are one.
    EndpointIndependent,
    /// Hosts.
    AddressDependent,
    /// Sockets.
    AddressAndPortDependent,
}

/// Which port a NAT takes outside. Two mappings never have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// The one that the socket has inside, or the next that is free.
    Preserved,
    /// Any.
    Random,
}

/// What is behind a NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// A local network, whose hosts are near each other.
    Home,
    /// The customers of a provider: RFC 6598.
    Carrier,
}

/// A socket outside, as far as a NAT tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Remote {
    Any,
    Host(IpAddr),
    Socket(SocketAddr),
}

impl Dependence {
    fn of(self, remote: SocketAddr) -> Remote {
        match self {
            Dependence::EndpointIndependent => Remote::Any,
            Dependence::AddressDependent => Remote::Host(remote.ip()),
            Dependence::AddressAndPortDependent => Remote::Socket(remote),
        }
    }
}

impl Nat {
    /// Whoever knows the port outside may send to it.
    pub const fn full_cone() -> Self {
        Nat::cone(Dependence::EndpointIndependent)
    }

    /// Hosts that were sent something may send.
    pub const fn address_restricted() -> Self {
        Nat::cone(Dependence::AddressDependent)
    }

    /// Sockets that were sent something may send. Most homes have one.
    pub const fn port_restricted() -> Self {
        Nat::cone(Dependence::AddressAndPortDependent)
    }

    /// Each socket outside sees another port, so nobody can tell others where to send.
    pub const fn symmetric() -> Self {
        let mapping = Dependence::AddressAndPortDependent;
        Nat { mapping, ports: Ports::Random, ..Nat::port_restricted() }
    }

    /// One that a provider shares among customers, as RFC 6888 asks for it (REQ-1, REQ-7).
    pub const fn carrier_grade() -> Self {
        Nat { ports: Ports::Random, extent: Extent::Carrier, hairpins: true, ..Nat::full_cone() }
    }

    /// A network that no UDP leaves or enters.
    pub const fn udp_blocked() -> Self {
        Nat { blocks_udp: true, ..Nat::port_restricted() }
    }

    /// The same, behind another one.
    #[must_use]
    pub const fn behind(self, outer: NatId) -> Self {
        Nat { outer: Realm::Behind(outer), ..self }
    }

    /// The same, with ports outside that nobody can foretell.
    #[must_use]
    pub const fn with_random_ports(self) -> Self {
        Nat { ports: Ports::Random, ..self }
    }

    /// The same, with mappings that live so long without use.
    #[must_use]
    pub const fn with_mapping_timeout(self, mapping_timeout: Duration) -> Self {
        Nat { mapping_timeout, ..self }
    }

    /// The same, with mappings that only what goes out keeps alive.
    #[must_use]
    pub const fn without_inbound_refresh(self) -> Self {
        Nat { inbound_refreshes: false, ..self }
    }

    /// The same, with hosts inside that reach each other by their addresses outside.
    #[must_use]
    pub const fn with_hairpinning(self) -> Self {
        Nat { hairpins: true, ..self }
    }

    const fn cone(filtering: Dependence) -> Self {
        Nat {
            mapping: Dependence::EndpointIndependent,
            filtering,
            ports: Ports::Preserved,
            mapping_timeout: MAPPING_TIMEOUT,
            inbound_refreshes: true,
            hairpins: false,
            blocks_udp: false,
            extent: Extent::Home,
            outer: Realm::Public,
        }
    }
}

/// The least that RFC 4787 allows (REQ-5). Many live shorter: 30 s is common.
const MAPPING_TIMEOUT: Duration = Duration::from_secs(120);
