//! What this machine has of its own: addresses of IPv6.

use std::net::{IpAddr, Ipv6Addr};

/// The addresses of IPv6 that all the world can reach.
pub(super) fn global_ipv6(locals: &[IpAddr]) -> Vec<Ipv6Addr> {
    let global = |address: &IpAddr| match address {
        // spec: RFC 4291, section 2.4, and the registry of IANA: all that is assigned is in 2000::/3.
        IpAddr::V6(address) => (address.segments()[0] >> 13 == 1).then_some(*address),
        IpAddr::V4(_) => None,
    };
    locals.iter().filter_map(global).collect()
}

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
