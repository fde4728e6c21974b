//! The network without nodes: what is sent, and what comes of it.

mod disturbances;
mod nats;
mod paths;
mod reach;

use super::*;

/// A network, its time, and somebody who sends.
struct Bench {
    network: Network,
    now: Time,
}

/// A socket of a host.
#[derive(Clone, Copy, Debug)]
struct Socket {
    host: HostId,
    address: SocketAddr,
}

/// What somebody saw: who saw it, from where it seemed to come, and when it came.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    by: HostId,
    from: SocketAddr,
    at: Time,
    tag: u32,
}

impl Socket {
    /// The same host, at another port.
    fn at_port(self, port: u16) -> Socket {
        Socket { address: SocketAddr::new(self.address.ip(), port), ..self }
    }
}

impl Bench {
    fn new(seed: u64) -> Self {
        #[allow(clippy::disallowed_methods, reason = "only differences to it are looked at")]
        let zero = Instant::now();
        Bench { network: Network::new(&Seed::from_number(seed), zero), now: Time::ZERO }
    }

    fn host(&mut self, realm: Realm) -> Socket {
        let host = self.network.add_host();
        self.socket(host, realm, Family::V4)
    }

    fn public(&mut self) -> Socket {
        self.host(Realm::Public)
    }

    fn behind(&mut self, nat: NatId) -> Socket {
        self.host(Realm::Behind(nat))
    }

    fn socket(&mut self, host: HostId, realm: Realm, family: Family) -> Socket {
        let address = socket(self.network.add_address(host, realm, family));
        Socket { host, address }
    }

    fn wait(&mut self, duration: Duration) {
        self.now = self.now + duration;
        self.network.advance(self.now);
    }

    /// Sends a datagram of so many bytes, which begin with a number.
    fn post(&mut self, from: Socket, to: SocketAddr, tag: u32, size: usize) {
        let mut bytes = vec![0; size];
        bytes[..4].copy_from_slice(&tag.to_be_bytes());
        let path = Path { local: from.address, remote: to };
        let transmit = Transmit { path, bytes: bytes.into(), segment_size: None, ecn: None };
        self.network.send(from.host, &transmit, self.now);
    }

    /// Everything that arrives until then.
    fn arrivals(&mut self, until: Time) -> Vec<Seen> {
        let mut seen = Vec::new();
        while let Some(at) = self.network.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.network.handle_timeout(self.now);
            while let Some(Arrival { host, path, bytes, .. }) = self.network.poll_arrival() {
                let tag = u32::from_be_bytes(bytes[..4].try_into().unwrap());
                seen.push(Seen { by: host, from: path.remote, at: self.now, tag });
            }
        }
        self.now = self.now.max(until);
        self.network.advance(self.now);
        seen
    }

    /// Sends a datagram and waits for it.
    fn send(&mut self, from: Socket, to: SocketAddr) -> Option<Seen> {
        self.post(from, to, 1, 100);
        let seen = self.arrivals(self.now + Duration::from_secs(1));
        assert!(seen.len() <= 1, "{seen:?}");
        seen.first().copied()
    }

    /// Sends a datagram, and says from where it seemed to come.
    fn seen_from(&mut self, from: Socket, to: SocketAddr) -> SocketAddr {
        self.send(from, to).expect("it arrives").from
    }

    fn can_send(&mut self, from: Socket, to: SocketAddr) -> bool {
        self.send(from, to).is_some()
    }
}

#[test]
fn a_datagram_arrives_as_it_was_sent() {
    let mut bench = Bench::new(1);
    let (a, b) = (bench.public(), bench.public());
    let seen = bench.send(a, b.address).unwrap();
    let at = Time::ZERO + Conditions::default().latency;
    assert_eq!(seen, Seen { by: b.host, from: a.address, at, tag: 1 });
}

#[test]
fn what_is_sent_from_or_to_an_address_that_nobody_has_is_lost() {
    let mut bench = Bench::new(1);
    let (a, b) = (bench.public(), bench.public());
    bench.post(a, b.address, 1, 100);
    bench.network.remove_address(b.host, b.address.ip());
    assert!(bench.arrivals(Time::from_millis(100)).is_empty(), "not even what was on its way");
    assert!(!bench.can_send(a, b.address) && !bench.can_send(b, a.address));
    let forged = Socket { host: b.host, address: a.address };
    assert!(!bench.can_send(forged, a.address));
    assert_eq!(bench.network.counters().unroutable, 4);
}

#[test]
fn no_address_is_given_twice() {
    let mut bench = Bench::new(1);
    let (a, b) = (bench.public(), bench.public());
    bench.network.remove_address(a.host, a.address.ip());
    let again = bench.socket(a.host, Realm::Public, Family::V4);
    assert!(again.address != a.address && again.address != b.address);
    assert!(bench.can_send(again, b.address));
}

#[test]
fn families_do_not_mix_and_a_host_may_have_both() {
    let mut bench = Bench::new(1);
    let (a, b) = (bench.public(), bench.public());
    let [a6, b6] = [a, b].map(|of| bench.socket(of.host, Realm::Public, Family::V6));
    assert!(a6.address.is_ipv6() && bench.seen_from(a6, b6.address) == a6.address);
    assert!(bench.can_send(a, b.address));
    assert!(!bench.can_send(a, b6.address) && !bench.can_send(a6, b.address));
}
