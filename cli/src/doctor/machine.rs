//! What this machine has of its own: addresses of IPv6, and multicast.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// The addresses of IPv6 that all the world can reach.
pub(super) fn global_ipv6(locals: &[IpAddr]) -> Vec<Ipv6Addr> {
    let global = |address: &IpAddr| match address {
        // spec: RFC 4291, section 2.4, and the registry of IANA: all that is assigned is in 2000::/3.
        IpAddr::V6(address) => (address.segments()[0] >> 13 == 1).then_some(*address),
        IpAddr::V4(_) => None,
    };
    locals.iter().filter_map(global).collect()
}

/// Whether names that end in `.local`, which browsers have for candidates, can be asked for: the
/// group of mDNS can be joined, on its port.
///
/// spec: RFC 6762, section 3
pub(super) fn join_mdns() -> Result<(), String> {
    let join = || -> io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // A resolver of the system has the port, too.
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, MDNS_PORT)).into())?;
        socket.join_multicast_v4(&MDNS_GROUP, &Ipv4Addr::UNSPECIFIED)
    };
    join().map_err(|error| format!("{MDNS_GROUP}:{MDNS_PORT} can't be joined: {error}"))
}

const MDNS_GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const MDNS_PORT: u16 = 5353;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_world_are_global() {
        let locals = ["10.0.0.1", "fd00::2", "fe80::1", "::1", "2001:db8::7"];
        let locals = locals.map(|address| address.parse().unwrap());
        let expected: Ipv6Addr = "2001:db8::7".parse().unwrap();
        assert_eq!(global_ipv6(&locals), [expected]);
    }
}
