//! STUN and TURN servers, and what the network does with theirs.

use std::net::SocketAddr;

use bytes::Bytes;
use tristero_proto::Time;
use tristero_proto::engine::Path;

use super::stun::{self, STUN_PORT};
use super::turn::TurnServer;
use super::{Family, HostId, Network, Realm};

/// What a host runs that is no peer.
#[derive(Debug)]
pub(super) enum Server {
    Stun,
    Turn(Box<TurnServer>),
}

impl Server {
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        match self {
            Server::Stun => None,
            Server::Turn(server) => server.poll_timeout(),
        }
    }
}

impl Network {
    /// Adds a STUN server with a public address, which it gives.
    pub fn add_stun_server(&mut self) -> SocketAddr {
        let host = self.add_host();
        self.servers.insert(host, Server::Stun);
        SocketAddr::new(self.add_address(host, Realm::Public, Family::V4), STUN_PORT)
    }

    /// Adds a TURN server for those who know this name and password, with a public address, which it
    /// gives. It relays over IPv6 too, and does what a STUN server does.
    pub fn add_turn_server(&mut self, username: &str, password: &str) -> SocketAddr {
        let host = self.add_host();
        let [v4, v6] =
            [Family::V4, Family::V6].map(|family| self.add_address(host, Realm::Public, family));
        let server = TurnServer::new(v4, v6, username, password);
        self.servers.insert(host, Server::Turn(Box::new(server)));
        SocketAddr::new(v4, STUN_PORT)
    }

    /// Starts a TURN server anew: it has forgotten all allocations.
    pub fn restart_turn_server(&mut self, server: SocketAddr) {
        let host = self.topology.public_host(server.ip());
        if let Some(Server::Turn(server)) = host.and_then(|host| self.servers.get_mut(&host)) {
            server.restart();
        }
    }

    /// How many sockets of peers have an allocation on a TURN server.
    pub fn turn_allocations(&self, server: SocketAddr) -> usize {
        let host = self.topology.public_host(server.ip());
        match host.and_then(|host| self.servers.get(&host)) {
            Some(Server::Turn(server)) => server.allocations(),
            Some(Server::Stun) | None => 0,
        }
    }

    /// Has a server take a datagram that came to its host.
    pub(super) fn serve(&mut self, host: HostId, path: Path, bytes: &Bytes) {
        match self.servers.get_mut(&host) {
            Some(Server::Stun) if path.local.port() == STUN_PORT => {
                if let Some(answer) = stun::answer(bytes, path.remote) {
                    self.send_one(host, path, None, answer);
                }
            }
            Some(Server::Turn(server)) => {
                server.receive(path, bytes, self.now);
                self.send_outbound(host);
            }
            Some(Server::Stun) | None => {}
        }
    }

    /// Has servers do what is due.
    pub(super) fn wake_servers(&mut self) {
        let now = self.now;
        let is_due = |server: &Server| server.poll_timeout().is_some_and(|due| due <= now);
        let due: Vec<HostId> =
            self.servers.iter().filter(|(_, it)| is_due(it)).map(|(host, _)| *host).collect();
        for host in due {
            if let Some(Server::Turn(server)) = self.servers.get_mut(&host) {
                server.handle_timeout(now);
            }
            self.send_outbound(host);
        }
    }

    fn send_outbound(&mut self, host: HostId) {
        while let Some(Server::Turn(server)) = self.servers.get_mut(&host)
            && let Some((path, bytes)) = server.poll_outbound()
        {
            self.send_one(host, path, None, bytes);
        }
    }
}
