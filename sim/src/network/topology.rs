//! Who has which address where, and how a datagram finds its way.
//!
//! An address means something in a realm (RFC 2663 section 2.1): on the Internet, or behind one NAT.
//! What is not found in a realm goes outwards through its NAT. Networks at home have the same
//! addresses everywhere, as they do outside: what a host knows of another's network may name
//! somebody else in its own. IPv6 is not translated and passes by every NAT.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tristero_proto::engine::Path;
use tristero_proto::{Seed, Time};

use super::nat::{Extent, Nat, Refusal, Translator};

/// A machine with addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(u32);

/// A NAT of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NatId(u32);

/// Where an address means something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Realm {
    /// Everywhere.
    #[default]
    Public,
    /// Behind this NAT.
    Behind(NatId),
}

/// The two families of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6, which is public for every host.
    V6,
}

/// Who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occupant {
    Host(HostId),
    Nat(NatId),
}

/// A datagram's ends, as they are in a realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) realm: Realm,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
}

/// Why a datagram was lost at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Nobody has the address, or not any more.
    Unroutable,
    /// A NAT did not let it pass.
    Refused(Refusal),
}

/// A NAT in its place.
#[derive(Debug)]
struct Gateway {
    /// What stands for it where a datagram is for nobody behind it.
    host: HostId,
    outside: IpAddr,
    inside_base: Ipv4Addr,
    translator: Translator,
}

/// Addresses of hosts and NATs.
#[derive(Debug, Default)]
pub(super) struct Topology {
    hosts: u32,
    gateways: Vec<Gateway>,
    occupants: BTreeMap<(Realm, IpAddr), Occupant>,
    addresses: BTreeMap<HostId, Vec<(Realm, IpAddr)>>,
    /// How many addresses were ever given; none is given twice.
    given: BTreeMap<(Realm, Family), u32>,
}

impl Topology {
    pub(super) fn add_host(&mut self) -> HostId {
        self.hosts += 1;
        HostId(self.hosts)
    }

    pub(super) fn add_nat(&mut self, nat: Nat, seed: &Seed) -> NatId {
        let id = NatId(u32::try_from(self.gateways.len()).expect("nobody makes so many NATs"));
        let outside = self.give(nat.outer, Family::V4);
        self.occupants.insert((nat.outer, outside), Occupant::Nat(id));
        let (host, inside_base) = (self.add_host(), self.inside_base(&nat));
        let translator = Translator::new(nat, seed.rng(&format!("NAT {}", id.0)));
        self.gateways.push(Gateway { host, outside, inside_base, translator });
        id
    }

    /// Gives a host an address that no other in the realm has or had.
    pub(super) fn add_address(&mut self, host: HostId, realm: Realm, family: Family) -> IpAddr {
        let realm = match family {
            Family::V4 => realm,
            Family::V6 => Realm::Public,
        };
        let address = self.give(realm, family);
        self.occupants.insert((realm, address), Occupant::Host(host));
        self.addresses.entry(host).or_default().push((realm, address));
        address
    }

    pub(super) fn remove_address(&mut self, host: HostId, address: IpAddr) {
        let Some(realm) = self.realm_of(host, address) else { return };
        self.occupants.remove(&(realm, address));
        if let Some(addresses) = self.addresses.get_mut(&host) {
            addresses.retain(|known| *known != (realm, address));
        }
    }

    /// Forgets the mappings of a NAT.
    pub(super) fn forget_mappings(&mut self, nat: NatId) {
        self.gateway_mut(nat).translator.forget();
    }

    /// The same places, with NATs that have mapped nothing yet.
    pub(super) fn afresh(&self) -> Self {
        let gateways = self
            .gateways
            .iter()
            .map(|gateway| Gateway { translator: gateway.translator.afresh(), ..*gateway });
        Topology {
            hosts: self.hosts,
            gateways: gateways.collect(),
            occupants: self.occupants.clone(),
            addresses: self.addresses.clone(),
            given: self.given.clone(),
        }
    }

    /// Who has a public address.
    pub(super) fn public_host(&self, address: IpAddr) -> Option<HostId> {
        match self.occupants.get(&(Realm::Public, address)) {
            Some(Occupant::Host(host)) => Some(*host),
            Some(Occupant::Nat(_)) | None => None,
        }
    }

    /// The address of a NAT outside.
    pub(super) fn outside(&self, nat: NatId) -> IpAddr {
        self.gateway(nat).outside
    }

    /// Takes a datagram outwards, until it is where its destination is.
    pub(super) fn leave(&mut self, host: HostId, path: Path, now: Time) -> Result<Envelope, Lost> {
        let Path { local: mut source, remote: destination } = path;
        let mut realm = self.realm_of(host, source.ip()).ok_or(Lost::Unroutable)?;
        if source.is_ipv4() != destination.is_ipv4() {
            return Err(Lost::Unroutable);
        }
        let mut crossed = Vec::new();
        loop {
            match (self.occupants.get(&(realm, destination.ip())), realm) {
                (Some(Occupant::Nat(nat)), _) if crossed.contains(nat) && !self.hairpins(*nat) => {
                    return Err(Lost::Refused(Refusal::Turned));
                }
                (Some(_), _) => return Ok(Envelope { realm, source, destination }),
                (None, Realm::Public) => return Err(Lost::Unroutable),
                (None, Realm::Behind(nat)) => {
                    let gateway = self.gateway_mut(nat);
                    let port = gateway.translator.outbound(source, destination, now);
                    source = SocketAddr::new(gateway.outside, port.map_err(Lost::Refused)?);
                    realm = gateway.translator.nat().outer;
                    crossed.push(nat);
                }
            }
        }
    }

    /// Takes a datagram inwards, to the host that it is for and with the path that it sees.
    pub(super) fn arrive(&mut self, at: Envelope, now: Time) -> Result<(HostId, Path), Lost> {
        let Envelope { mut realm, source, mut destination } = at;
        loop {
            match self.occupants.get(&(realm, destination.ip())).copied() {
                Some(Occupant::Host(host)) => {
                    return Ok((host, Path { local: destination, remote: source }));
                }
                Some(Occupant::Nat(nat)) => {
                    let translator = &mut self.gateway_mut(nat).translator;
                    let inside = translator.inbound(source, destination.port(), now);
                    destination = inside.map_err(Lost::Refused)?;
                    realm = Realm::Behind(nat);
                }
                None => return Err(Lost::Unroutable),
            }
        }
    }

    /// The host that a datagram would come to now if every NAT let it in: it says which path it
    /// takes. It is the NAT itself if the datagram is for nobody behind it.
    pub(super) fn aims_at(&self, at: Envelope, now: Time) -> Option<HostId> {
        let Envelope { mut realm, mut destination, .. } = at;
        loop {
            match *self.occupants.get(&(realm, destination.ip()))? {
                Occupant::Host(host) => return Some(host),
                Occupant::Nat(nat) => {
                    let gateway = self.gateway(nat);
                    match gateway.translator.inside_of(destination.port(), now) {
                        Some(inside) => (realm, destination) = (Realm::Behind(nat), inside),
                        None => return Some(gateway.host),
                    }
                }
            }
        }
    }

    /// Whether two hosts can connect when each tells the other nothing but the addresses that it has
    /// itself: one has to see an address of the other. It then answers to wherever the first is seen
    /// at, which every NAT that let the first out lets in.
    pub(super) fn can_reach(&self, a: HostId, b: HostId) -> bool {
        [(a, b), (b, a)].into_iter().any(|(from, to)| {
            self.addresses_of(from)
                .any(|own| self.addresses_of(to).any(|(_, address)| self.sees(own, address, to)))
        })
    }

    /// Whether two hosts are in the same local network.
    pub(super) fn are_neighbours(&self, a: HostId, b: HostId) -> bool {
        self.addresses_of(a).any(|(realm, _)| match realm {
            Realm::Public => false,
            Realm::Behind(nat) => {
                self.gateway(nat).translator.nat().extent == Extent::Home
                    && self.addresses_of(b).any(|(other, _)| other == realm)
            }
        })
    }

    /// Whether what is sent from one address to another comes to this host, without being turned
    /// round or let in by a NAT.
    fn sees(&self, (mut realm, own): (Realm, IpAddr), address: IpAddr, host: HostId) -> bool {
        if own.is_ipv4() != address.is_ipv4() {
            return false;
        }
        loop {
            match (self.occupants.get(&(realm, address)), realm) {
                (Some(occupant), _) => return *occupant == Occupant::Host(host),
                (None, Realm::Public) => return false,
                (None, Realm::Behind(nat)) => {
                    let nat = self.gateway(nat).translator.nat();
                    if nat.blocks_udp {
                        return false;
                    }
                    realm = nat.outer;
                }
            }
        }
    }

    pub(super) fn addresses_of(&self, host: HostId) -> impl Iterator<Item = (Realm, IpAddr)> {
        self.addresses.get(&host).into_iter().flatten().copied()
    }

    fn realm_of(&self, host: HostId, address: IpAddr) -> Option<Realm> {
        self.addresses_of(host).find(|(_, own)| *own == address).map(|(realm, _)| realm)
    }

    fn hairpins(&self, nat: NatId) -> bool {
        self.gateway(nat).translator.nat().hairpins
    }

    fn gateway(&self, nat: NatId) -> &Gateway {
        &self.gateways[nat.0 as usize]
    }

    fn gateway_mut(&mut self, nat: NatId) -> &mut Gateway {
        &mut self.gateways[nat.0 as usize]
    }

    fn give(&mut self, realm: Realm, family: Family) -> IpAddr {
        let given = self.given.entry((realm, family)).or_default();
        *given += 1;
        let number = *given;
        match (family, realm) {
            (Family::V6, _) => {
                IpAddr::V6(Ipv6Addr::from_bits(PUBLIC_V6_BASE.to_bits() + u128::from(number)))
            }
            (Family::V4, Realm::Public) => {
                assert!(number <= PUBLIC_ADDRESSES, "the network has no more addresses");
                IpAddr::V4(Ipv4Addr::from_bits(PUBLIC_V4_BASE.to_bits() + number))
            }
            (Family::V4, Realm::Behind(nat)) => {
                assert!(number <= PRIVATE_ADDRESSES, "the NAT has no more addresses");
                let base = self.gateway(nat).inside_base.to_bits();
                // The first is the NAT's own.
                IpAddr::V4(Ipv4Addr::from_bits(base + 1 + number))
            }
        }
    }

    /// What is behind a NAT has other addresses than what is before it, so that no host takes the
    /// one for the other. Elsewhere they may be the same.
    fn inside_base(&self, nat: &Nat) -> Ipv4Addr {
        let before = match nat.outer {
            Realm::Public => None,
            Realm::Behind(outer) => Some(self.gateway(outer).inside_base),
        };
        match nat.extent {
            Extent::Carrier => CARRIER_BASE,
            Extent::Home if before == Some(HOME_BASE) => INNER_HOME_BASE,
            Extent::Home => HOME_BASE,
        }
    }
}

/// The range that is set aside for measuring networks: 198.18.0.0/15 (RFC 2544).
const PUBLIC_V4_BASE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const PUBLIC_ADDRESSES: u32 = (1 << 17) - 2;

/// The same for IPv6: 2001:2::/48 (RFC 5180).
const PUBLIC_V6_BASE: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0);

/// Private networks (RFC 1918), and what providers have between theirs and their customers' NATs:
/// 100.64.0.0/10 (RFC 6598).
const HOME_BASE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 0);
const INNER_HOME_BASE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);
const CARRIER_BASE: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 0);
const PRIVATE_ADDRESSES: u32 = (1 << 16) - 3;
