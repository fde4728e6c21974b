//! The addresses that peers may reach us at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses of the interfaces.
#[derive(Debug)]
pub(crate) struct LocalAddresses {
    /// Those of interfaces that are up. Loopback is among them if it is asked for, or if there is
    /// nothing else.
    pub(crate) usable: Vec<IpAddr>,
    /// Whether others have an address that can't be used yet.
    pub(crate) has_others: bool,
}

pub(crate) fn local_addresses(with_loopback: bool) -> std::io::Result<LocalAddresses> {
    let mut interfaces = if_addrs::get_if_addrs()?;
    interfaces.retain(|interface| !interface.is_link_local());
    let has_others = interfaces.iter().any(|interface| !interface.is_oper_up());
    let up = interfaces.iter().filter(|interface| interface.is_oper_up());
    let all: Vec<IpAddr> = up.map(if_addrs::Interface::ip).collect();
    Ok(LocalAddresses { usable: select(&all, with_loopback), has_others })
}

fn select(all: &[IpAddr], with_loopback: bool) -> Vec<IpAddr> {
    let (mut loopback, mut others): (Vec<IpAddr>, Vec<IpAddr>) =
        all.iter().copied().partition(IpAddr::is_loopback);
    if loopback.is_empty() {
        loopback = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    }
    if with_loopback || others.is_empty() {
        others.extend(loopback);
    }
    others.sort_unstable();
    others.dedup();
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_used_when_asked_for_or_when_there_is_nothing_else() {
        let lan: IpAddr = [192, 168, 1, 2].into();
        let loopback: IpAddr = Ipv4Addr::LOCALHOST.into();
        assert_eq!(select(&[loopback, lan], false), [lan]);
        assert_eq!(select(&[loopback, lan], true), [loopback, lan]);
        assert_eq!(select(&[loopback], false), [loopback]);
        assert_eq!(select(&[], false), [loopback, Ipv6Addr::LOCALHOST.into()]);
    }
}
