//! The state of a NAT: its mappings, and who may use them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tristero_proto::{Rng, Time};

use super::{Nat, Ports, Remote};

/// A NAT at work. It knows ports; addresses are the topology's.
#[derive(Debug)]
pub(in crate::network) struct Translator {
    nat: Nat,
    rng: Rng,
    by_inside: BTreeMap<(SocketAddr, Remote), u16>,
    by_port: BTreeMap<u16, Mapping>,
}

/// Why a NAT let something not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) enum Refusal {
    /// No UDP passes.
    Blocked,
    /// It has as many mappings as it can have.
    Full,
    /// The port belongs to nobody inside.
    Unmapped,
    /// The port belongs to somebody who has sent nothing there.
    Uninvited,
    /// It does not turn round what comes from inside.
    Turned,
}

/// A port outside that stands for a socket inside.
#[derive(Debug)]
struct Mapping {
    inside: SocketAddr,
    used_at: Time,
    /// Who was sent something, and when that counted last.
    invited: BTreeMap<Remote, Time>,
}

impl Translator {
    pub(in crate::network) fn new(nat: Nat, rng: Rng) -> Self {
        Translator { nat, rng, by_inside: BTreeMap::new(), by_port: BTreeMap::new() }
    }

    /// The same NAT before it has mapped anything.
    pub(in crate::network) fn afresh(&self) -> Self {
        Translator::new(self.nat, self.rng.clone())
    }

    pub(in crate::network) fn nat(&self) -> &Nat {
        &self.nat
    }

    /// The port outside from which something is sent on.
    pub(in crate::network) fn outbound(
        &mut self,
        inside: SocketAddr,
        remote: SocketAddr,
        now: Time,
    ) -> Result<u16, Refusal> {
        if self.nat.blocks_udp {
            return Err(Refusal::Blocked);
        }
        let key = (inside, self.nat.mapping.of(remote));
        let known = self.by_inside.get(&key).copied().filter(|port| self.is_alive(*port, now));
        let port = known.map_or_else(|| self.map(key, now), Ok)?;
        let mapping = self.by_port.get_mut(&port).expect("both maps have the same mappings");
        mapping.used_at = now;
        mapping.invite(self.nat.filtering.of(remote), now);
        Ok(port)
    }

    /// The socket inside that something from outside is for, if it may pass.
    pub(in crate::network) fn inbound(
        &mut self,
        remote: SocketAddr,
        port: u16,
        now: Time,
    ) -> Result<SocketAddr, Refusal> {
        if self.nat.blocks_udp {
            return Err(Refusal::Blocked);
        }
        if !self.is_alive(port, now) {
            return Err(Refusal::Unmapped);
        }
        let mapping = self.by_port.get_mut(&port).ok_or(Refusal::Unmapped)?;
        let invited = mapping.invited.get_mut(&self.nat.filtering.of(remote));
        let Some(invited_at) = invited.filter(|at| now.since(**at) < self.nat.mapping_timeout)
        else {
            return Err(Refusal::Uninvited);
        };
        if self.nat.inbound_refreshes {
            *invited_at = now;
            mapping.used_at = now;
        }
        Ok(mapping.inside)
    }

    /// The socket inside that a port stands for, whoever may use it.
    pub(in crate::network) fn inside_of(&self, port: u16, now: Time) -> Option<SocketAddr> {
        self.by_port.get(&port).filter(|_| self.is_alive(port, now)).map(|mapping| mapping.inside)
    }

    /// Forgets all mappings, as when it starts anew.
    pub(in crate::network) fn forget(&mut self) {
        self.by_inside.clear();
        self.by_port.clear();
    }

    fn is_alive(&self, port: u16, now: Time) -> bool {
        let used_at = self.by_port.get(&port).map(|mapping| mapping.used_at);
        used_at.is_some_and(|at| now.since(at) < self.nat.mapping_timeout)
    }

    fn map(&mut self, key: (SocketAddr, Remote), now: Time) -> Result<u16, Refusal> {
        let timeout = self.nat.mapping_timeout;
        self.by_port.retain(|_, mapping| now.since(mapping.used_at) < timeout);
        let by_port = &self.by_port;
        self.by_inside.retain(|_, port| by_port.contains_key(port));
        if self.by_port.len() >= MAPPINGS_MAX {
            return Err(Refusal::Full);
        }
        let (inside, _) = key;
        let wished = match self.nat.ports {
            Ports::Preserved => inside.port().max(PORT_MIN),
            Ports::Random => {
                let offset = self.rng.below(u64::from(u16::MAX - PORT_MIN) + 1);
                PORT_MIN + u16::try_from(offset).expect("it is below the number of ports")
            }
        };
        let ports = (wished..=u16::MAX).chain(PORT_MIN..wished);
        let mut free = ports.filter(|port| !self.by_port.contains_key(port));
        let port = free.next().expect("there are more ports than mappings");
        self.by_inside.insert(key, port);
        self.by_port.insert(port, Mapping { inside, used_at: now, invited: BTreeMap::new() });
        Ok(port)
    }
}

impl Mapping {
    fn invite(&mut self, remote: Remote, now: Time) {
        self.invited.insert(remote, now);
        if self.invited.len() > INVITED_MAX {
            let oldest = self.invited.iter().min_by_key(|(_, at)| **at).map(|(remote, _)| *remote);
            oldest.map(|oldest| self.invited.remove(&oldest));
        }
    }
}

/// As many as a small router keeps. What would need one more is dropped.
const MAPPINGS_MAX: usize = 4_096;

/// So many may send to one port. The one that was sent nothing for the longest time is forgotten.
const INVITED_MAX: usize = 1_024;

/// Ports below are not for clients: RFC 4787 section 4.2.3.
const PORT_MIN: u16 = 1_024;

#[cfg(test)]
mod tests {
    use tristero_proto::Seed;

    use super::*;

    fn socket(number: usize) -> SocketAddr {
        let [.., high, low] = u32::try_from(number).unwrap().to_be_bytes();
        ([10, 0, high, low], 5_000).into()
    }

    #[test]
    fn a_nat_that_is_full_maps_again_when_mappings_end() {
        let nat = Nat::full_cone();
        let mut translator = Translator::new(nat, Seed::from_number(1).rng("NAT"));
        let remote = socket(0);
        for number in 1..=MAPPINGS_MAX {
            translator.outbound(socket(number), remote, Time::ZERO).unwrap();
        }
        let one_more = socket(MAPPINGS_MAX + 1);
        assert_eq!(translator.outbound(one_more, remote, Time::ZERO), Err(Refusal::Full));
        translator.outbound(socket(1), remote, Time::ZERO).unwrap();
        let later = Time::ZERO + nat.mapping_timeout;
        translator.outbound(one_more, remote, later).unwrap();
        assert_eq!((translator.by_inside.len(), translator.by_port.len()), (1, 1));
    }

    #[test]
    fn a_mapping_forgets_who_was_sent_nothing_for_the_longest_time() {
        let mut translator =
            Translator::new(Nat::port_restricted(), Seed::from_number(1).rng("NAT"));
        let inside = socket(0);
        let mut port = 0;
        for number in 1..=INVITED_MAX + 1 {
            let now = Time::from_millis(number.try_into().unwrap());
            port = translator.outbound(inside, socket(number), now).unwrap();
        }
        let now = Time::from_millis(2_000);
        assert_eq!(translator.inbound(socket(1), port, now), Err(Refusal::Uninvited));
        assert_eq!(translator.inbound(socket(2), port, now), Ok(inside));
        assert_eq!(translator.by_port[&port].invited.len(), INVITED_MAX);
    }
}
