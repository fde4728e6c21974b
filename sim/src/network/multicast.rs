//! Multicast, which does not leave a network, and what peers publish by it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{HostId, Network, Realm};

/// Names that hosts publish by multicast DNS. Nobody asks in vain for long, and no question is lost:
/// whoever hears of a name in time knows it at once.
#[derive(Debug, Default)]
pub(crate) struct LocalNames(BTreeMap<String, (HostId, IpAddr)>);

impl LocalNames {
    pub(crate) fn publish(&mut self, host: HostId, name: String, address: IpAddr) {
        self.0.insert(name, (host, address));
    }

    pub(crate) fn withdraw(&mut self, host: HostId, name: &str) {
        if self.0.get(name).is_some_and(|(publisher, _)| *publisher == host) {
            self.0.remove(name);
        }
    }

    /// What a name stands for, to a host that asks.
    pub(crate) fn resolve(&self, name: &str, host: HostId, network: &Network) -> Option<IpAddr> {
        let (publisher, address) = self.0.get(name)?;
        network.share_a_network(*publisher, host).then_some(*address)
    }
}

impl Network {
    /// Whether hosts are behind one NAT, or are one. The public addresses are of as many networks.
    fn share_a_network(&self, a: HostId, b: HostId) -> bool {
        let inside = |host| {
            let realms = self.topology.addresses_of(host).map(|(realm, _)| realm);
            realms.filter(|realm| *realm != Realm::Public)
        };
        a == b || inside(a).any(|realm| inside(b).any(|other| other == realm))
    }
}
