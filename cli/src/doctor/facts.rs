//! What was found out: plain values, of which the report, the JSON and the verdict are made.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use tristero_tokio::{IceServerKind, IceUrl, ServerFailure};

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) relays: Vec<RelayFact>,
    pub(super) stun: Vec<StunFact>,
    pub(super) turn: Vec<TurnFact>,
    /// Servers that no room would ask, as there are too many before them.
    pub(super) surplus: Vec<IceUrl>,
    pub(super) nat: Nat,
    /// The addresses of this machine that all the world can reach, as far as they are of IPv6.
    pub(super) ipv6: Vec<Ipv6Addr>,
    /// Whether a name that is published by multicast DNS is found; else why not.
    pub(super) mdns: Result<(), String>,
    pub(super) joins: Vec<JoinFact>,
}

#[derive(Clone, Debug)]
pub(super) struct RelayFact {
    pub(super) strategy: String,
    pub(super) url: String,
    /// How long it took to answer, or why it does not.
    pub(super) answer: Result<Duration, String>,
}

#[derive(Clone, Debug)]
pub(super) struct StunFact {
    pub(super) url: IceUrl,
    /// What it says of each local address that leads to it, or why it could not be asked.
    pub(super) sightings: Result<Vec<Sighting>, ServerFailure>,
}

/// What a STUN server says of a local address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) local: SocketAddr,
    pub(super) server: SocketAddr,
    pub(super) seen: Result<Seen, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) mapped: SocketAddr,
    pub(super) took: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct TurnFact {
    pub(super) url: IceUrl,
    pub(super) allocation: Result<Allocation, ServerFailure>,
}

/// An address on a TURN server that was ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allocation {
    pub(super) relayed: SocketAddr,
    /// From the beginning: with the name resolved, and TLS where there is.
    pub(super) took: Duration,
}

/// How the NAT between this machine and the world behaves; an error is why that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nat {
    pub(super) mapping: Result<Mapping, String>,
    pub(super) filtering: Result<Filtering, String>,
}

/// On what the address depends at which others see a socket (RFC 4787, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mapping {
    /// It is the socket's own.
    NoNat,
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
    /// On the remote address, and it is not known whether on the port too.
    Dependent,
}

/// Whose datagrams come in, once a socket has sent (RFC 4787, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filtering {
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
}

#[derive(Clone, Debug)]
pub(super) struct JoinFact {
    pub(super) way: Way,
    pub(super) outcome: JoinOutcome,
}

/// Over what two peers are to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Their own addresses.
    Host,
    /// Those that STUN servers tell too.
    Reflexive,
    /// A TURN server alone.
    Relayed(IceUrl),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JoinOutcome {
    Met(Met),
    Failed(String),
    /// The one server that was allowed is of no help to one of the two.
    NoServer(ServerFailure),
    /// There was nothing to be tried, and why.
    Skipped(String),
}

/// Two peers met, and data passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Met {
    pub(super) took: Duration,
    /// There and back, of a message.
    pub(super) ping: Duration,
    /// The kinds of the two addresses in use.
    pub(super) kinds: (&'static str, &'static str),
}

impl Facts {
    /// Whether any server was reached by a datagram and answered by one.
    pub(super) fn has_udp(&self) -> bool {
        let by_turn = |turn: &TurnFact| turn.is_udp() && turn.allocation.is_ok();
        self.is_seen() || self.turn.iter().any(by_turn)
    }

    /// Whether a STUN server told an address.
    pub(super) fn is_seen(&self) -> bool {
        self.stun.iter().any(StunFact::answers)
    }

    /// The TURN servers that relay, and over which data passed if that was tried.
    pub(super) fn working_turn(&self) -> impl Iterator<Item = &TurnFact> {
        self.turn.iter().filter(|turn| {
            turn.allocation.is_ok() && !self.join_over(&turn.url).is_some_and(JoinOutcome::is_bad)
        })
    }

    /// What came of a join over a TURN server alone.
    pub(super) fn join_over(&self, url: &IceUrl) -> Option<&JoinOutcome> {
        let over = |join: &&JoinFact| matches!(&join.way, Way::Relayed(server) if server == url);
        self.joins.iter().find(over).map(|join| &join.outcome)
    }
}

impl JoinOutcome {
    /// Why they did not meet, if they should have.
    pub(super) fn failure(&self) -> Option<String> {
        match self {
            JoinOutcome::Failed(why) => Some(why.clone()),
            JoinOutcome::NoServer(failure) => Some(failure.to_string()),
            JoinOutcome::Met(_) | JoinOutcome::Skipped(_) => None,
        }
    }

    pub(super) fn is_bad(&self) -> bool {
        self.failure().is_some()
    }
}

impl StunFact {
    pub(super) fn answers(&self) -> bool {
        let is_seen = |sighting: &Sighting| sighting.seen.is_ok();
        self.sightings.as_ref().is_ok_and(|sightings| sightings.iter().any(is_seen))
    }

    pub(super) fn is_unresolved(&self) -> bool {
        matches!(self.sightings, Err(ServerFailure::Unresolved))
    }
}

impl TurnFact {
    pub(super) fn is_udp(&self) -> bool {
        self.url.kind == IceServerKind::TurnUdp
    }

    pub(super) fn is_unresolved(&self) -> bool {
        matches!(self.allocation, Err(ServerFailure::Unresolved))
    }
}

impl Mapping {
    /// Whether peers see another address than STUN servers do, which is what `symmetric` means.
    pub(super) fn is_symmetric(self) -> bool {
        match self {
            Mapping::NoNat | Mapping::EndpointIndependent => false,
            Mapping::AddressDependent | Mapping::AddressAndPortDependent | Mapping::Dependent => {
                true
            }
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Mapping::NoNat => "no NAT",
            Mapping::EndpointIndependent => "endpoint-independent",
            Mapping::AddressDependent => "address-dependent",
            Mapping::AddressAndPortDependent => "address-and-port-dependent",
            Mapping::Dependent => "address-dependent, or address-and-port-dependent",
        }
    }
}

impl Filtering {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Filtering::EndpointIndependent => "endpoint-independent",
            Filtering::AddressDependent => "address-dependent",
            Filtering::AddressAndPortDependent => "address-and-port-dependent",
        }
    }
}
