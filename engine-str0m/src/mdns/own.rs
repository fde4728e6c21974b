//! What our addresses are called where they are not to be seen.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use tristero_proto::Rng;
use tristero_proto::engine::{EngineOutput, NetworkRequest};

use super::LocalName;

/// A name for each address of ours that a peer was told of by one. It is known for as long as there
/// is a socket at the address, and never used again after that.
#[derive(Debug)]
pub(crate) struct OwnNames {
    rng: Rng,
    names: BTreeMap<IpAddr, LocalName>,
}

impl OwnNames {
    pub(crate) fn new(rng: Rng) -> Self {
        OwnNames { rng, names: BTreeMap::new() }
    }

    /// Writes a candidate of ours, given as its attribute, without the addresses of this machine: a
    /// name is in the place of a host's address, and of what an address on a server belongs to
    /// nothing is said. The foundation is made anew, for the one it has is a number that follows from
    /// those addresses.
    pub(crate) fn hide(&mut self, candidate: &str, outputs: &mut VecDeque<EngineOutput>) -> String {
        let mut fields: Vec<String> = candidate.split(' ').map(str::to_owned).collect();
        let [foundation, _, _, _, place, _, _, kind, ..] = &mut fields[..] else {
            unreachable!("str0m writes whole candidates: {candidate}")
        };
        let address: IpAddr = place.parse().expect("str0m writes addresses");
        let unspecified = match address {
            IpAddr::V4(_) => "0.0.0.0",
            IpAddr::V6(_) => "::",
        };
        if kind == "host" {
            *place = self.publish(address, outputs).to_string();
            *foundation = format!("candidate:h{}", &place[..8]);
        } else {
            *foundation = format!("candidate:{}{:x}", &kind[..1], fold(address));
        }
        for at in 8..fields.len() {
            // spec: draft-ietf-mmusic-mdns-ice-candidates, section 3.1.2
            match fields[at - 1].as_str() {
                "raddr" => unspecified.clone_into(&mut fields[at]),
                "rport" => "9".clone_into(&mut fields[at]),
                _ => {}
            }
        }
        fields.join(" ")
    }

    /// A socket is gone. If it was the last at its address, the name goes with it.
    pub(crate) fn on_address_removed(
        &mut self,
        address: IpAddr,
        left: &[SocketAddr],
        outputs: &mut VecDeque<EngineOutput>,
    ) {
        if left.iter().any(|left| left.ip() == address) {
            return;
        }
        if let Some(name) = self.names.remove(&address) {
            let request = NetworkRequest::WithdrawLocal { name: name.to_string() };
            outputs.push_back(EngineOutput::Network(request));
        }
    }

    /// The name of an address, which is known from now on.
    fn publish(&mut self, address: IpAddr, outputs: &mut VecDeque<EngineOutput>) -> &LocalName {
        self.names.entry(address).or_insert_with(|| {
            let name = LocalName::random(self.rng.bytes());
            let request = NetworkRequest::PublishLocal { name: name.to_string(), address };
            outputs.push_back(EngineOutput::Network(request));
            name
        })
    }
}

/// A number for an address that is told anyway.
fn fold(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => {
            let [high, low] =
                [64, 0].map(|shift| address.to_bits() >> shift & u128::from(u64::MAX));
            u64::try_from(high ^ low).expect("it was cut to 64 bits")
        }
    }
}

#[cfg(test)]
mod tests {
    use tristero_proto::Seed;

    use super::*;

    fn own_names() -> OwnNames {
        OwnNames::new(Seed::from_number(1).rng("names"))
    }

    #[test]
    fn an_address_has_one_name_and_its_candidates_say_nothing_else() {
        let (mut own, mut outputs) = (own_names(), VecDeque::new());
        let host = "candidate:9393 1 udp 2130706175 10.0.0.7 4000 typ host ufrag EsAw";
        let hidden = own.hide(host, &mut outputs);
        let Some(EngineOutput::Network(NetworkRequest::PublishLocal { name, address })) =
            outputs.pop_front()
        else {
            panic!("{outputs:?}")
        };
        assert_eq!(address, IpAddr::from([10, 0, 0, 7]));
        let foundation = &name[..8];
        let expected =
            format!("candidate:h{foundation} 1 udp 2130706175 {name} 4000 typ host ufrag EsAw");
        assert_eq!(hidden, expected);
        assert_eq!(own.hide(host, &mut outputs), hidden);
        assert!(outputs.is_empty(), "it is known already: {outputs:?}");
    }

    #[test]
    fn what_a_server_sees_is_told_without_what_it_belongs_to() {
        let (mut own, mut outputs) = (own_names(), VecDeque::new());
        let cases = [
            (
                "candidate:77 1 udp 9 203.0.113.7 4000 typ srflx raddr 10.0.0.7 rport 4000 ufrag e",
                "candidate:scb007107 1 udp 9 203.0.113.7 4000 typ srflx raddr 0.0.0.0 rport 9 ufrag e",
            ),
            (
                "candidate:77 1 udp 9 2001:db8::7 4000 typ relay raddr fd00::7 rport 4000",
                "candidate:r20010db800000007 1 udp 9 2001:db8::7 4000 typ relay raddr :: rport 9",
            ),
        ];
        for (shown, hidden) in cases {
            assert_eq!(own.hide(shown, &mut outputs), hidden);
        }
        assert!(outputs.is_empty(), "{outputs:?}");
    }

    #[test]
    fn a_name_goes_with_the_last_socket_of_its_address() {
        let (mut own, mut outputs) = (own_names(), VecDeque::new());
        let host = "candidate:1 1 udp 1 10.0.0.7 4000 typ host";
        let address = IpAddr::from([10, 0, 0, 7]);
        let first = own.hide(host, &mut outputs);
        outputs.clear();
        own.on_address_removed(address, &[SocketAddr::new(address, 4_001)], &mut outputs);
        assert!(outputs.is_empty(), "{outputs:?}");
        own.on_address_removed(address, &[], &mut outputs);
        own.on_address_removed(address, &[], &mut outputs);
        let withdrawn = outputs.drain(..).map(|output| match output {
            EngineOutput::Network(NetworkRequest::WithdrawLocal { name }) => name,
            other => panic!("{other:?}"),
        });
        let withdrawn: Vec<String> = withdrawn.collect();
        assert!(matches!(&withdrawn[..], [name] if first.contains(name)), "{withdrawn:?}");
        assert_ne!(own.hide(host, &mut outputs), first);
    }
}
