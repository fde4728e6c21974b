//! Whether two hosts can connect with the help of servers: ICE as a game in which no time passes.
//!
//! It is played over the same places with NATs that have mapped nothing yet. Each side asks its
//! servers, tells the other what it found, and checks every pair; who hears from where nobody was
//! known knows one address more. They can connect when a check is answered.
//!
//! An answer counts where it comes from an address that is known, as it does for str0m: RFC 8445 has
//! it come from where the check went to (section 7.2.5.2.1). That matters only between two NATs that
//! map anew for each destination and filter little.
//!
//! spec: RFC 8445, sections 5.1.1 and 7

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use tristero_proto::Time;
use tristero_proto::engine::Path;

use super::servers::Server;
use super::socket;
use super::topology::{HostId, Topology};

/// Whether two hosts can connect, each with these servers.
pub(super) fn can_connect(
    topology: &Topology,
    servers: &BTreeMap<HostId, Server>,
    peers: [(HostId, &[SocketAddr]); 2],
) -> bool {
    if peers.iter().all(|(_, known)| known.is_empty()) {
        return topology.can_reach(peers[0].0, peers[1].0);
    }
    let mut game = Game { topology: topology.afresh(), next_port: RELAYED_PORT_MIN };
    let [mut a, mut b] = peers.map(|(host, known)| game.gather(host, known, servers));
    std::mem::swap(&mut a.known, &mut b.known);
    (0..ROUNDS).any(|_| game.check_all(&mut a, &mut b) || game.check_all(&mut b, &mut a))
}

struct Game {
    topology: Topology,
    next_port: u16,
}

/// One of the two peers.
struct Side {
    sockets: Vec<Socket>,
    /// Where the other may be. While it gathers: where it may be itself.
    known: BTreeSet<SocketAddr>,
}

/// Something that a peer sends from: a socket of its host, or an address on a TURN server.
struct Socket {
    host: HostId,
    address: SocketAddr,
    /// Who may send to it, if not all may: RFC 8656, section 9.
    permitted: Option<BTreeSet<IpAddr>>,
}

impl Game {
    /// What a peer finds out with its servers.
    fn gather(
        &mut self,
        host: HostId,
        known: &[SocketAddr],
        servers: &BTreeMap<HostId, Server>,
    ) -> Side {
        let own = self.topology.addresses_of(host).map(|(_, address)| socket(address));
        let own: Vec<SocketAddr> = own.collect();
        let mut side = Side { sockets: Vec::new(), known: own.iter().copied().collect() };
        for address in own {
            side.sockets.push(Socket { host, address, permitted: None });
            for server in known {
                let path = Path { local: address, remote: *server };
                let Some((at, Path { remote: mapped, .. })) = self.send(host, path) else {
                    continue;
                };
                let Some(kind) = servers.get(&at) else { continue };
                side.known.insert(mapped);
                if let Server::Turn(_) = kind {
                    self.allocate(at, &mut side);
                }
            }
        }
        side
    }

    fn allocate(&mut self, server: HostId, side: &mut Side) {
        let addresses: Vec<IpAddr> =
            self.topology.addresses_of(server).map(|(_, address)| address).collect();
        for address in addresses {
            let address = SocketAddr::new(address, self.next_port);
            self.next_port += 1;
            side.known.insert(address);
            let permitted = Some(BTreeSet::new());
            side.sockets.push(Socket { host: server, address, permitted });
        }
    }

    /// Has one side check every pair. True if the other answers a check.
    fn check_all(&mut self, from: &mut Side, to: &mut Side) -> bool {
        let Side { sockets, known } = from;
        sockets
            .iter_mut()
            .any(|socket| known.iter().any(|remote| self.check(socket, (*remote, known), to)))
    }

    fn check(
        &mut self,
        from: &mut Socket,
        (remote, known): (SocketAddr, &BTreeSet<SocketAddr>),
        to: &mut Side,
    ) -> bool {
        if let Some(permitted) = &mut from.permitted {
            permitted.insert(remote.ip());
        }
        let there = Path { local: from.address, remote };
        let Some((host, at)) = self.send(from.host, there) else { return false };
        if !to.sockets.iter().any(|socket| socket.hears(host, at)) {
            return false;
        }
        to.known.insert(at.remote);
        let answer = self.send(host, at);
        answer.is_some_and(|(host, at)| from.hears(host, at) && known.contains(&at.remote))
    }

    /// Who hears a datagram, and the path that is seen there.
    fn send(&mut self, host: HostId, path: Path) -> Option<(HostId, Path)> {
        let envelope = self.topology.leave(host, path, Time::ZERO).ok()?;
        self.topology.arrive(envelope, Time::ZERO).ok()
    }
}

impl Socket {
    /// Whether it hears what comes to a host on a path.
    fn hears(&self, host: HostId, Path { local, remote }: Path) -> bool {
        let is_permitted =
            self.permitted.as_ref().is_none_or(|permitted| permitted.contains(&remote.ip()));
        self.host == host && self.address == local && is_permitted
    }
}

/// A check opens what an answer comes through, and what is learned by it is checked next. Where that
/// leads nowhere there is a new address in each round, for ever.
const ROUNDS: usize = 6;

const RELAYED_PORT_MIN: u16 = 49_152;
