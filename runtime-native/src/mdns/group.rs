//! The group of multicast DNS, as one interface sees it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Instant;

use if_addrs::IfAddr;
use socket2::{Domain, Protocol, Socket, Type};

use crate::addresses::local_addresses;
use crate::reactor::Reactor;

/// An interface by which others can be asked: its addresses of one family, and their netmasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    name: String,
    index: u32,
    networks: Vec<(IpAddr, IpAddr)>,
}

/// A socket that hears and reaches whoever is on the network of one interface.
#[derive(Debug)]
pub(super) struct Group<R: Reactor> {
    pub(super) interface: Interface,
    pub(super) socket: R::Udp,
    /// Where to send what is for all.
    pub(super) address: SocketAddr,
    /// When all were told last of a name of ours.
    pub(super) told: BTreeMap<String, Instant>,
}

/// The interfaces at whose addresses a node has its sockets.
pub(super) fn interfaces(with_loopback: bool) -> io::Result<Vec<Interface>> {
    let used = local_addresses(with_loopback)?;
    let all = if_addrs::get_if_addrs()?.into_iter();
    Ok(group(all.filter(|interface| used.usable.contains(&interface.ip()))))
}

/// Puts the addresses of an interface together that are of one family.
pub(super) fn group(addresses: impl Iterator<Item = if_addrs::Interface>) -> Vec<Interface> {
    let mut interfaces: Vec<Interface> = Vec::new();
    for address in addresses {
        let network = match &address.addr {
            IfAddr::V4(v4) => (v4.ip.into(), v4.netmask.into()),
            IfAddr::V6(v6) => (v6.ip.into(), v6.netmask.into()),
        };
        let is_v4 = address.ip().is_ipv4();
        let known = interfaces
            .iter_mut()
            .find(|known| known.name == address.name && known.is_v4() == is_v4);
        match known {
            Some(known) => known.networks.push(network),
            None => interfaces.push(Interface {
                name: address.name,
                index: address.index.unwrap_or(0),
                networks: vec![network],
            }),
        }
    }
    interfaces
}

impl Interface {
    pub(super) fn is_loopback(&self) -> bool {
        self.networks.iter().all(|(address, _)| address.is_loopback())
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.networks.iter().map(|(address, _)| *address)
    }

    /// Whether a datagram from there came from the network that the interface is on.
    ///
    /// spec: RFC 6762, section 11
    pub(super) fn is_on_link(&self, source: IpAddr) -> bool {
        let is_within = |(address, mask): &(IpAddr, IpAddr)| match (source, address, mask) {
            (IpAddr::V4(source), IpAddr::V4(address), IpAddr::V4(mask)) => {
                source & mask == *address & mask
            }
            (IpAddr::V6(source), IpAddr::V6(address), IpAddr::V6(mask)) => {
                source & mask == *address & mask || source.is_unicast_link_local()
            }
            _ => false,
        };
        self.networks.iter().any(is_within)
    }

    fn is_v4(&self) -> bool {
        self.networks.iter().any(|(address, _)| address.is_ipv4())
    }
}

impl<R: Reactor> Group<R> {
    /// Joins the group on an interface.
    pub(super) fn join(interface: &Interface, port: u16) -> io::Result<Self> {
        let (socket, address) = match interface.networks.first() {
            Some((IpAddr::V4(address), _)) => join_v4(*address, port)?,
            Some((IpAddr::V6(_), _)) => join_v6(interface.index, port)?,
            None => return Err(io::ErrorKind::AddrNotAvailable.into()),
        };
        let socket = R::udp(socket.into())?;
        Ok(Group { interface: interface.clone(), socket, address, told: BTreeMap::new() })
    }
}

fn join_v4(interface: Ipv4Addr, port: u16) -> io::Result<(Socket, SocketAddr)> {
    let group = SocketAddr::from((GROUP_V4, port));
    let socket = shared_socket(Domain::IPV4)?;
    #[cfg(target_os = "linux")]
    socket.set_multicast_all_v4(false)?;
    socket.set_multicast_ttl_v4(HOPS)?;
    socket.set_multicast_loop_v4(true)?;
    bind(&socket, group)?;
    socket.join_multicast_v4(&GROUP_V4, &interface)?;
    socket.set_multicast_if_v4(&interface)?;
    Ok((socket, group))
}

fn join_v6(interface: u32, port: u16) -> io::Result<(Socket, SocketAddr)> {
    let group = SocketAddr::from(SocketAddrV6::new(GROUP_V6, port, 0, interface));
    let socket = shared_socket(Domain::IPV6)?;
    socket.set_only_v6(true)?;
    #[cfg(target_os = "linux")]
    socket.set_multicast_all_v6(false)?;
    socket.set_multicast_hops_v6(HOPS)?;
    socket.set_multicast_loop_v6(true)?;
    bind(&socket, group)?;
    socket.join_multicast_v6(&GROUP_V6, interface)?;
    socket.set_multicast_if_v6(interface)?;
    Ok((socket, group))
}

/// A socket on a port that others have too: the system's resolver, browsers, other nodes.
fn shared_socket(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    Ok(socket)
}

/// Binds to the group itself where that can be done: what is sent to the machine alone is then left
/// to whom it is for, and nobody beyond the network can ask at all.
fn bind(socket: &Socket, group: SocketAddr) -> io::Result<()> {
    #[cfg(unix)]
    let address = group;
    #[cfg(not(unix))]
    let address = match group {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, group.port())),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, group.port())),
    };
    socket.bind(&address.into())
}

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// RFC 6762, section 11, so that old software takes our messages. Such groups are not forwarded.
const HOPS: u32 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_networks_of_an_interface_are_on_its_link() {
        let interface = |address: &str, mask: &str| Interface {
            name: "eth0".to_owned(),
            index: 2,
            networks: vec![(address.parse().unwrap(), mask.parse().unwrap())],
        };
        let v4 = interface("192.168.1.7", "255.255.255.0");
        let v6 = interface("fd00::7", "ffff:ffff:ffff:ffff::");
        let cases = [
            (&v4, "192.168.1.9", true),
            (&v4, "192.168.2.9", false),
            (&v4, "fd00::9", false),
            (&v6, "fd00::9", true),
            (&v6, "fe80::9", true),
            (&v6, "2001:db8::9", false),
            (&v6, "192.168.1.9", false),
        ];
        for (interface, source, is_on_link) in cases {
            assert_eq!(interface.is_on_link(source.parse().unwrap()), is_on_link, "{source}");
        }
    }
}
