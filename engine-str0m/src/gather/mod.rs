//! What servers do for connections: say where they see us (STUN), and relay (TURN).
//!
//! A server is asked once, however many connections it helps: by each socket of ours that leads
//! there, whatever the credentials (RFC 8656 has one allocation per socket), or over one stream that the runtime opens. What is found goes to every connection that was begun with that server;
//! a server without connections is forgotten after a while, and an allocation there given back.
//!
//! Over an allocation, a datagram of ours goes out wrapped for the server and one of a peer comes
//! back wrapped: to a connection the address on the server is one more local address.

mod allocation;
mod clock;
mod eviction;
mod framing;
mod outbound;
mod query;
mod server;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use tristero_proto::engine::{
    Datagram, EngineOutput, NetworkEvent, NetworkRequest, Obstacle, Path, ServerFailure, StreamId,
};
use tristero_proto::ice::{IceConfig, IceCredentials, IceServer, IceServerKind, IceUrl};
use tristero_proto::{ConnId, Deadline, Time, limits};

use crate::limits::SERVERS_MAX;
use allocation::{News, Way};
use outbound::Outbound;
use server::Server;

/// An address that a server gave us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gathered {
    /// The server sees our socket there.
    Reflexive { mapped: SocketAddr, base: SocketAddr },
    /// What arrives there is relayed to us.
    Relayed { relayed: SocketAddr, base: SocketAddr },
}

impl Gathered {
    /// An address on a server that is spoken to in this way. Behind a stream there is no socket to
    /// name.
    fn relayed(relayed: SocketAddr, way: Way) -> Self {
        Gathered::Relayed { relayed, base: way.base().unwrap_or(relayed) }
    }

    /// The socket that it belongs to.
    fn base(self) -> SocketAddr {
        match self {
            Gathered::Reflexive { base, .. } | Gathered::Relayed { base, .. } => base,
        }
    }
}

/// What connections have to know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A server gave an address.
    Address(IceUrl, Gathered),
    /// An address is of no use any more.
    Lost(IceUrl, Gathered),
    /// Nothing more is to be expected of a server for now.
    Settled(IceUrl),
    /// A server is of no help.
    Failed(IceUrl, ServerFailure),
    /// A peer sent this to an address on a server.
    Datagram { path: Path, bytes: Vec<u8> },
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Gatherer {
    servers: BTreeMap<IceUrl, Server>,
    /// Which servers datagrams on a path may come from.
    paths: BTreeMap<Path, Vec<IceUrl>>,
    streams: BTreeMap<StreamId, IceUrl>,
    /// Whose our addresses on servers are.
    relayed: BTreeMap<SocketAddr, IceUrl>,
    next_stream: u64,
    found: VecDeque<Found>,
}

impl Gatherer {
    /// Begins to ask the servers of a connection, as far as that is not done.
    pub(crate) fn attach(
        &mut self,
        conn: ConnId,
        ice: &IceConfig,
        locals: &[SocketAddr],
        now: Time,
        outputs: &mut VecDeque<EngineOutput>,
    ) {
        let mut out = Outbound(outputs);
        for IceServer { url, credentials } in ice.servers.iter().take(limits::ICE_SERVERS_MAX) {
            if !self.servers.contains_key(url) {
                if self.servers.len() >= SERVERS_MAX {
                    tracing::debug!(%url, "too many ICE servers");
                    continue;
                }
                self.servers.insert(url.clone(), Server::default());
            }
            let server = self.servers.get_mut(url).expect("it is there now");
            server.users.insert(conn);
            server.idle_since = None;
            if server.take_credentials(credentials.as_ref(), now) {
                self.ask(url, locals, now, &mut out);
            } else {
                server.refresh(now, &mut out);
                self.collect(url, now, &mut out);
            }
        }
    }

    /// A server takes these credentials from now on. One that refused is asked again at once, if it
    /// is of use to anyone.
    pub(crate) fn renew(
        &mut self,
        url: &IceUrl,
        credentials: &IceCredentials,
        locals: &[SocketAddr],
        now: Time,
        outputs: &mut VecDeque<EngineOutput>,
    ) {
        let Some(server) = self.servers.get_mut(url) else { return };
        if server.renew(credentials) {
            self.ask(url, locals, now, &mut Outbound(outputs));
        }
    }

    /// A connection needs its servers no longer.
    pub(crate) fn release(&mut self, conn: ConnId, now: Time) {
        for server in self.servers.values_mut() {
            server.release(conn, now);
        }
    }

    /// A connection stands. It keeps the way to its peer open by itself, but may need a relay.
    pub(crate) fn on_open(&mut self, conn: ConnId, now: Time) {
        for (known, server) in &mut self.servers {
            if known.kind == IceServerKind::Stun {
                server.release(conn, now);
            }
        }
    }

    /// The connections that a server helps.
    pub(crate) fn users(&self, server: &IceUrl) -> Vec<ConnId> {
        self.servers
            .get(server)
            .map_or_else(Vec::new, |server| server.users.iter().copied().collect())
    }

    /// What the servers of a connection gave so far.
    pub(crate) fn gathered(&self, ice: &IceConfig) -> Vec<Gathered> {
        self.of(ice).flat_map(Server::gathered).collect()
    }

    /// Whether nothing more is to be expected of the servers of a connection.
    pub(crate) fn is_settled(&self, ice: &IceConfig) -> bool {
        self.of(ice).all(Server::is_settled)
    }

    /// Whether one of these servers relays for us.
    pub(crate) fn has_relay(&self, ice: &IceConfig) -> bool {
        self.of(ice).any(Server::relays)
    }

    /// The servers of a connection.
    fn of(&self, ice: &IceConfig) -> impl Iterator<Item = &Server> {
        ice.servers.iter().filter_map(|server| self.servers.get(&server.url))
    }

    /// Why a connection with these servers found no path, as far as they tell.
    pub(crate) fn obstacle(&self, ice: &IceConfig, has_remote_relay: bool) -> Obstacle {
        let known = || {
            ice.servers.iter().filter_map(|known| Some((&known.url, self.servers.get(&known.url)?)))
        };
        let is_silent = |server: &Server| server.failure() == Some(&ServerFailure::Silent);
        let relays = self.has_relay(ice);
        let mut by_datagram = known().filter(|(known, _)| is_by_datagram(known)).peekable();
        let is_asked = by_datagram.peek().is_some();
        if is_asked && !relays && by_datagram.all(|(_, server)| is_silent(server)) {
            return Obstacle::UdpBlocked;
        }
        if relays || has_remote_relay {
            return Obstacle::NoAnswer;
        }
        let refusal = known().find_map(|(_, server)| match server.failure() {
            Some(ServerFailure::Refused { code, .. }) => Some(*code),
            _ => None,
        });
        match refusal {
            Some(code) if ice.has_turn() => Obstacle::TurnRefused { code },
            _ if ice.has_turn() => Obstacle::TurnUnreachable,
            _ => Obstacle::NoRoute,
        }
    }

    /// Whether an address is one on a server.
    pub(crate) fn is_relayed(&self, address: SocketAddr) -> bool {
        self.relayed.contains_key(&address)
    }

    /// Sends a datagram from an address on a server.
    pub(crate) fn relay(
        &mut self,
        path: Path,
        bytes: Bytes,
        now: Time,
        outputs: &mut VecDeque<EngineOutput>,
    ) {
        let Some(known) = self.relayed.get(&path.local).cloned() else { return };
        let Some(server) = self.servers.get_mut(&known) else { return };
        let mut out = Outbound(outputs);
        if let Some(allocation) = server.allocation_of(path.local) {
            allocation.send(path.remote, bytes, now, &mut out);
        }
        self.collect(&known, now, &mut out);
    }

    /// Takes a datagram; false if no server sent it.
    pub(crate) fn on_datagram(
        &mut self,
        datagram: Datagram<'_>,
        now: Time,
        outputs: &mut VecDeque<EngineOutput>,
    ) -> bool {
        let Some(known) = self.paths.get(&datagram.path).cloned() else { return false };
        let mut out = Outbound(outputs);
        known.iter().any(|known| {
            let Some(server) = self.servers.get_mut(known) else { return false };
            let (is_theirs, found) = server.on_datagram(known, datagram, now, &mut out);
            self.found.extend(found);
            self.collect(known, now, &mut out);
            is_theirs
        })
    }

    pub(crate) fn on_network(
        &mut self,
        event: &NetworkEvent,
        locals: &[SocketAddr],
        now: Time,
        outputs: &mut VecDeque<EngineOutput>,
    ) {
        let mut out = Outbound(outputs);
        match event {
            NetworkEvent::Resolved { name, addresses } => {
                let waiting: Vec<IceUrl> = self
                    .servers
                    .iter()
                    .filter(|(known, server)| known.host == *name && server.is_resolving())
                    .map(|(known, _)| known.clone())
                    .collect();
                for known in waiting {
                    self.on_addresses(&known, addresses, locals, now, &mut out);
                }
            }
            NetworkEvent::StreamOpened { stream } => {
                let Some(known) = self.streams.get(stream).cloned() else { return };
                if let Some(server) = self.servers.get_mut(&known) {
                    server.allocate(Way::Stream(*stream), now, &mut out);
                    self.collect(&known, now, &mut out);
                }
            }
            NetworkEvent::StreamBytes { stream, bytes } => {
                let Some(known) = self.streams.get(stream).cloned() else { return };
                if let Some(server) = self.servers.get_mut(&known) {
                    server.on_stream_bytes(*stream, bytes, now, &mut out);
                    self.collect(&known, now, &mut out);
                }
            }
            NetworkEvent::StreamClosed { stream, why } => {
                let Some(known) = self.streams.remove(stream) else { return };
                if let Some(server) = self.servers.get_mut(&known) {
                    let found = server.on_stream_closed(&known, why, now);
                    self.found.extend(found);
                    self.collect(&known, now, &mut out);
                }
            }
            _ => {}
        }
    }

    /// A socket is there. Servers are asked over it for whoever is waiting.
    pub(crate) fn on_address_added(
        &mut self,
        local: SocketAddr,
        now: Time,
        outputs: &mut VecDeque<EngineOutput>,
    ) {
        let known: Vec<IceUrl> = self.servers.keys().cloned().collect();
        for known in known {
            let server = self.servers.get_mut(&known).expect("it is known");
            let addresses = server.addresses.clone();
            self.ask_over(&known, &addresses, &[local], now, &mut Outbound(outputs));
        }
    }

    /// A socket is gone, and with it what servers said of it.
    pub(crate) fn on_address_removed(&mut self, local: SocketAddr, now: Time) {
        for (known, server) in &mut self.servers {
            let found = server.on_address_removed(known, local, now);
            self.found.extend(found);
        }
        self.paths.retain(|path, _| path.local != local);
        self.forget_lost();
    }

    pub(crate) fn handle_timeout(&mut self, now: Time, outputs: &mut VecDeque<EngineOutput>) {
        let due: Vec<IceUrl> = self
            .servers
            .iter()
            .filter(|(_, server)| server.due().is_some_and(|due| due <= now))
            .map(|(known, _)| known.clone())
            .collect();
        for known in due {
            let mut out = Outbound(outputs);
            let server = self.servers.get_mut(&known).expect("it is known");
            if server.is_idle(now) {
                server.give_back(now, &mut out);
            }
            let found = server.wake(&known, now, &mut out);
            self.found.extend(found);
            self.collect(&known, now, &mut out);
        }
    }

    /// Gives everything back. Streams need no goodbye: an allocation goes with its own.
    pub(crate) fn shut_down(&mut self, now: Time, outputs: &mut VecDeque<EngineOutput>) {
        for server in self.servers.values_mut() {
            server.give_back(now, &mut Outbound(outputs));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let due = self.servers.values().filter_map(Server::due).min()?;
        Some(Deadline::new(due, "an ICE server"))
    }

    /// The next thing that connections have to know.
    pub(crate) fn poll_found(&mut self) -> Option<Found> {
        self.found.pop_front()
    }

    fn ask(&mut self, known: &IceUrl, locals: &[SocketAddr], now: Time, out: &mut Outbound<'_>) {
        let Some(server) = self.servers.get_mut(known) else { return };
        match known.kind {
            IceServerKind::TurnTcp | IceServerKind::TurnTls => {
                let stream = StreamId(self.next_stream);
                self.next_stream += 1;
                self.streams.insert(stream, known.clone());
                server.open_stream(known, stream, out);
            }
            IceServerKind::Stun | IceServerKind::TurnUdp => match known.host.parse::<IpAddr>() {
                Ok(address) => self.on_addresses(known, &[address], locals, now, out),
                Err(_) => {
                    // Others may wait for the same name, and hear the same answer.
                    server.resolve();
                    out.request(NetworkRequest::Resolve { name: known.host.clone() });
                }
            },
        }
    }

    fn on_addresses(
        &mut self,
        known: &IceUrl,
        addresses: &[IpAddr],
        locals: &[SocketAddr],
        now: Time,
        out: &mut Outbound<'_>,
    ) {
        let Some(server) = self.servers.get_mut(known) else { return };
        // One of each family: a socket asks a server once.
        let first = |is_v4: bool| addresses.iter().find(|address| address.is_ipv4() == is_v4);
        let chosen: Vec<SocketAddr> = [first(true), first(false)]
            .into_iter()
            .flatten()
            .map(|address| SocketAddr::new(*address, known.port))
            .collect();
        let found = server.on_resolved(known, chosen.clone(), now);
        self.found.extend(found);
        self.ask_over(known, &chosen, locals, now, out);
        let Some(server) = self.servers.get_mut(known) else { return };
        let found = server.on_asked(known, now);
        self.found.extend(found);
    }

    /// Asks over each of these sockets that leads there.
    fn ask_over(
        &mut self,
        known: &IceUrl,
        addresses: &[SocketAddr],
        locals: &[SocketAddr],
        now: Time,
        out: &mut Outbound<'_>,
    ) {
        let Some(server) = self.servers.get_mut(known) else { return };
        for remote in addresses {
            for local in locals.iter().filter(|local| leads_to(**local, *remote)) {
                let path = Path { local: *local, remote: *remote };
                if server.ask(known, path, now, out) {
                    let asked = self.paths.entry(path).or_default();
                    if !asked.contains(known) {
                        asked.push(known.clone());
                    }
                }
            }
        }
        self.collect(known, now, out);
    }

    /// Takes in what happened to the allocations of a server.
    fn collect(&mut self, known: &IceUrl, now: Time, out: &mut Outbound<'_>) {
        while let Some(server) = self.servers.get_mut(known)
            && let Some((way, news)) = server.poll_news()
        {
            match news {
                News::Relayed(relayed) => {
                    self.relayed.insert(relayed, known.clone());
                    let address = Gathered::relayed(relayed, way);
                    self.found.push_back(Found::Address(known.clone(), address));
                }
                News::Mapped(mapped) => {
                    let address = way.base().map(|base| Gathered::Reflexive { mapped, base });
                    self.found
                        .extend(address.map(|address| Found::Address(known.clone(), address)));
                }
                News::Data { relayed, peer, bytes } => {
                    let path = Path { local: relayed, remote: peer };
                    self.found.push_back(Found::Datagram { path, bytes });
                }
                News::Settled => self.found.push_back(Found::Settled(known.clone())),
                News::Over(failure) => {
                    let found = server.on_allocation_over(known, way, failure, now);
                    self.found.extend(found);
                    self.close_stream(way, out);
                }
                News::Gone => {
                    let found = server.on_allocation_gone(known, way, now, out);
                    let is_wanted = !server.users.is_empty();
                    self.found.extend(found);
                    if self.close_stream(way, out) && is_wanted {
                        self.ask(known, &[], now, out);
                    }
                }
            }
        }
        self.forget_lost();
        self.forget_if_idle(known, now, out);
    }

    /// Forgets addresses on servers that are lost.
    fn forget_lost(&mut self) {
        for found in &self.found {
            if let Found::Lost(_, Gathered::Relayed { relayed, .. }) = found {
                self.relayed.remove(relayed);
            }
        }
    }

    /// Closes the stream of an allocation that is over, if it has one.
    fn close_stream(&mut self, way: Way, out: &mut Outbound<'_>) -> bool {
        let Way::Stream(stream) = way else { return false };
        if self.streams.remove(&stream).is_some() {
            out.request(NetworkRequest::CloseStream { stream });
        }
        true
    }

    /// Forgets a server that helps nobody, once what it gave is given back.
    fn forget_if_idle(&mut self, known: &IceUrl, now: Time, out: &mut Outbound<'_>) {
        if self.servers.get(known).is_some_and(|server| server.is_forgettable(now)) {
            self.forget(known, out);
        }
    }

    fn forget(&mut self, known: &IceUrl, out: &mut Outbound<'_>) {
        self.servers.remove(known);
        self.relayed.retain(|_, server| server != known);
        self.streams.retain(|stream, server| {
            let is_theirs = server == known;
            if is_theirs {
                out.request(NetworkRequest::CloseStream { stream: *stream });
            }
            !is_theirs
        });
        self.paths.retain(|_, servers| {
            servers.retain(|server| server != known);
            !servers.is_empty()
        });
    }
}

/// Whether a server is asked by datagrams.
fn is_by_datagram(server: &IceUrl) -> bool {
    matches!(server.kind, IceServerKind::Stun | IceServerKind::TurnUdp)
}

/// Whether a socket can send there: it has the same family, and what is bound to loopback does not
/// leave the machine.
fn leads_to(local: SocketAddr, remote: SocketAddr) -> bool {
    local.is_ipv4() == remote.is_ipv4() && (!local.ip().is_loopback() || remote.ip().is_loopback())
}
