//! What follows from where servers see a socket, and from what comes in.
//!
//! spec: RFC 4787, sections 4.1 and 5; RFC 5780, section 4

use std::net::SocketAddr;

use crate::doctor::facts::{Filtering, Mapping};

/// By where a server sees a socket from its first address and port, from its other address, and from
/// its other address and port.
pub(super) fn mapping(
    local: SocketAddr,
    first: SocketAddr,
    other_address: Option<SocketAddr>,
    other_both: Option<SocketAddr>,
) -> Result<Mapping, String> {
    if first == local {
        return Ok(Mapping::NoNat);
    }
    let silence = || "the STUN server's second address does not answer".to_owned();
    let other_address = other_address.ok_or_else(silence)?;
    if other_address == first {
        return Ok(Mapping::EndpointIndependent);
    }
    match other_both.ok_or_else(silence)? {
        seen if seen == other_address => Ok(Mapping::AddressDependent),
        _ => Ok(Mapping::AddressAndPortDependent),
    }
}

/// By whether an answer comes from the server's other address and port, and from its other port.
pub(super) fn filtering(from_elsewhere: bool, from_other_port: bool) -> Filtering {
    match (from_elsewhere, from_other_port) {
        (true, _) => Filtering::EndpointIndependent,
        (false, true) => Filtering::AddressDependent,
        (false, false) => Filtering::AddressAndPortDependent,
    }
}

/// By what servers see one socket as.
pub(super) fn compare(
    local: SocketAddr,
    seen: &[(SocketAddr, SocketAddr)],
) -> Result<Mapping, String> {
    let Some(((first_server, first), others)) = seen.split_first() else {
        return Err("no STUN server answered over IPv4".to_owned());
    };
    if *first == local {
        return Ok(Mapping::NoNat);
    }
    let differs = |(server, mapped): &&(SocketAddr, SocketAddr)| {
        mapped != first && server.ip() == first_server.ip()
    };
    if others.iter().any(|(_, mapped)| mapped != first) {
        return match others.iter().find(differs) {
            Some(_) => Ok(Mapping::AddressAndPortDependent),
            None => Ok(Mapping::Dependent),
        };
    }
    match others.iter().any(|(server, _)| server.ip() != first_server.ip()) {
        true => Ok(Mapping::EndpointIndependent),
        false => Err("it takes STUN servers at two addresses, or one that has two".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    const LOCAL: &str = "10.0.0.2:5000";

    #[test]
    fn a_server_with_two_addresses_tells_the_mapping() {
        let local = at(LOCAL);
        let seen = |first, address: Option<_>, both: Option<_>| {
            mapping(local, at(first), address.map(at), both.map(at))
        };
        let (one, two, three) = ("198.51.100.1:1", "198.51.100.1:2", "198.51.100.1:3");
        assert_eq!(seen(LOCAL, None, None), Ok(Mapping::NoNat));
        assert_eq!(seen(one, Some(one), None), Ok(Mapping::EndpointIndependent));
        assert_eq!(seen(one, Some(two), Some(two)), Ok(Mapping::AddressDependent));
        assert_eq!(seen(one, Some(two), Some(three)), Ok(Mapping::AddressAndPortDependent));
        assert!(seen(one, None, Some(one)).is_err() && seen(one, Some(two), None).is_err());
    }

    #[test]
    fn what_comes_in_tells_the_filtering() {
        assert_eq!(filtering(true, true), Filtering::EndpointIndependent);
        assert_eq!(filtering(false, true), Filtering::AddressDependent);
        assert_eq!(filtering(false, false), Filtering::AddressAndPortDependent);
    }

    #[test]
    fn two_servers_tell_whether_the_mapping_depends_on_them() {
        let told = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(server, seen)| (at(server), at(seen))).collect();
            compare(at(LOCAL), &pairs)
        };
        let (one, two) = ("198.51.100.1:1", "198.51.100.1:2");
        let (here, port, there) = ("192.0.2.1:3478", "192.0.2.1:80", "192.0.2.9:3478");
        assert_eq!(told(&[(here, LOCAL)]), Ok(Mapping::NoNat));
        assert_eq!(told(&[(here, one), (there, one)]), Ok(Mapping::EndpointIndependent));
        assert_eq!(told(&[(here, one), (there, two)]), Ok(Mapping::Dependent));
        assert_eq!(told(&[(here, one), (port, two)]), Ok(Mapping::AddressAndPortDependent));
        for unclear in [&[][..], &[(here, one)], &[(here, one), (port, one)]] {
            assert!(told(unclear).is_err(), "{unclear:?}");
        }
    }
}
