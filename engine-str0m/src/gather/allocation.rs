//! One allocation on a TURN server: addresses there that are ours, and what travels over them.
//!
//! The crate below speaks the protocol, keeps the allocation and its permissions alive, and answers
//! challenges. Here is what it leaves open: what waits for a permission, when a channel is worth
//! while, and what went wrong.
//!
//! spec: RFC 8656

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use stun_proto::agent::Transmit;
use stun_proto::types::TransportType;
use stun_proto::types::attribute::{ErrorCode, XorMappedAddress};
use stun_proto::types::message::{Message, MessageClass, TransactionId};
use tristero_proto::Time;
use tristero_proto::engine::{Path, ServerFailure, StreamId};
use tristero_proto::ice::IceCredentials;
use turn_client_proto::api::{TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet};
use turn_client_proto::prelude::TurnClientApi as _;
use turn_client_proto::tcp::TurnClientTcp;
use turn_client_proto::types::message::ALLOCATE;
use turn_client_proto::types::{AddressFamily, TurnCredentials};
use turn_client_proto::udp::TurnClientUdp;

use super::clock::{instant, time};
use super::eviction::Eviction;
use super::framing::{Framing, Nonsense};
use super::outbound::Outbound;
use crate::datagram::is_stun;
use crate::limits::{
    ALLOCATION_SILENT_MAX, AWAITING_PERMISSION_MAX, PERMISSIONS_MAX, REQUEST_LAST, REQUEST_RTO,
    REQUEST_RTO_MAX, REQUEST_TRIES, ROUNDS_MAX, SERVER_RETRY_PAUSE,
};

turn_client_proto::impl_client!(Client, (Udp, TurnClientUdp), (Tcp, TurnClientTcp));

/// How the server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Datagrams(Path),
    Stream(StreamId),
}

impl Way {
    /// The socket of ours that the server is spoken to over, if it is one.
    pub(crate) fn base(self) -> Option<SocketAddr> {
        match self {
            Way::Datagrams(path) => Some(path.local),
            Way::Stream(_) => None,
        }
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Allocation {
    client: Client,
    way: Way,
    /// Our addresses there, one of each family at most.
    relayed: Vec<SocketAddr>,
    /// Where the server sees our socket.
    mapped: Option<SocketAddr>,
    /// Families that are not decided.
    undecided: usize,
    /// The requests for an allocation, in order.
    asked: Vec<TransactionId>,
    /// The last requests of any kind, the oldest first: what answers none of them is forged.
    requests: VecDeque<TransactionId>,
    /// What came over a stream.
    framing: Framing,
    permissions: BTreeMap<IpAddr, Permission>,
    /// Peers that have a channel, or were to have one.
    channels: BTreeSet<SocketAddr>,
    /// What waits for a permission, the oldest first.
    held: VecDeque<(SocketAddr, Bytes)>,
    due: Option<Time>,
    phase: Phase,
    credentials: Option<IceCredentials>,
    eviction: Stale,
    /// Since when a datagram is out, and nothing has come from the server.
    unanswered_since: Option<Time>,
    news: VecDeque<News>,
}

/// What a server says to a request for an allocation.
#[derive(Debug)]
enum Verdict {
    Given { mapped: SocketAddr },
    Refused { code: u16, reason: String },
}

/// What is known of an allocation that this socket had before, and that is in the way.
#[derive(Debug)]
enum Stale {
    /// There is none.
    None,
    /// It is being ended.
    Leaving(Box<Eviction>),
    /// It was ended, or could not be.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It is being made, or stands since then.
    Alive {
        since: Option<Time>,
    },
    /// It is being given back.
    Leaving,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Permission {
    Asked,
    Granted,
    Refused { at: Time },
}

/// What happened to an allocation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// An address there is ours.
    Relayed(SocketAddr),
    /// The server sees our socket there.
    Mapped(SocketAddr),
    /// A peer sent this to it.
    Data { relayed: SocketAddr, peer: SocketAddr, bytes: Vec<u8> },
    /// All addresses are decided.
    Settled,
    /// It is gone, and why.
    Over(ServerFailure),
    /// It is gone, and another one may be asked for at once.
    Gone,
}

impl Allocation {
    pub(crate) fn new(
        way: Way,
        credentials: Option<&IceCredentials>,
        now: Time,
        out: &mut Outbound<'_>,
    ) -> Self {
        let mut allocation = Allocation {
            client: client(way, credentials),
            way,
            relayed: Vec::new(),
            mapped: None,
            undecided: FAMILIES,
            asked: Vec::new(),
            requests: VecDeque::new(),
            framing: Framing::default(),
            permissions: BTreeMap::new(),
            channels: BTreeSet::new(),
            held: VecDeque::new(),
            due: None,
            phase: Phase::Alive { since: None },
            credentials: credentials.cloned(),
            eviction: Stale::None,
            unanswered_since: None,
            news: VecDeque::new(),
        };
        allocation.pump(now, out);
        allocation
    }

    pub(crate) fn way(&self) -> Way {
        self.way
    }

    /// All addresses there that are or were ours.
    pub(crate) fn relayed(&self) -> &[SocketAddr] {
        &self.relayed
    }

    /// The address at which the server sees our socket (RFC 8445, section 5.1.1.2).
    pub(crate) fn mapped(&self) -> Option<SocketAddr> {
        self.mapped.filter(|_| !self.relayed.is_empty())
    }

    /// The addresses there that peers may be told of.
    pub(crate) fn usable(&self) -> &[SocketAddr] {
        if self.is_alive() { &self.relayed } else { &[] }
    }

    /// Whether it is being given back.
    pub(crate) fn is_leaving(&self) -> bool {
        self.phase == Phase::Leaving
    }

    /// Whether no address is to be expected any more.
    pub(crate) fn is_settled(&self) -> bool {
        match self.phase {
            Phase::Alive { .. } => self.undecided == 0,
            Phase::Leaving => false,
            Phase::Over => true,
        }
    }

    /// Whether much was sent to it and nothing came back, as where the server has forgotten it: for
    /// what is relayed there is no answer that says so.
    pub(crate) fn is_silent(&self, now: Time) -> bool {
        self.unanswered_since.is_some_and(|since| now.since(since) >= ALLOCATION_SILENT_MAX)
    }

    pub(crate) fn due(&self) -> Option<Time> {
        self.due
    }

    pub(crate) fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Takes a datagram of the server; false if it is not for this allocation.
    pub(crate) fn on_datagram(&mut self, bytes: &[u8], now: Time, out: &mut Outbound<'_>) -> bool {
        let is_ours = self.on_message(bytes, now, out);
        self.pump(now, out);
        is_ours
    }

    /// Takes bytes of the server's stream.
    pub(crate) fn on_stream_bytes(&mut self, bytes: &[u8], now: Time, out: &mut Outbound<'_>) {
        self.framing.push(bytes);
        while self.phase != Phase::Over {
            match self.framing.next() {
                Ok(Some(message)) => {
                    self.on_message(&message, now, out);
                    self.pump(now, out);
                }
                Ok(None) => return,
                Err(Nonsense) => self.end(ServerFailure::Nonsense),
            }
        }
    }

    fn on_message(&mut self, bytes: &[u8], now: Time, out: &mut Outbound<'_>) -> bool {
        if self.phase == Phase::Over {
            return false;
        }
        self.unanswered_since = None;
        if let Stale::Leaving(eviction) = &mut self.eviction {
            if eviction.on_message(bytes, now, out) {
                self.begin_again();
            }
            return true;
        }
        match self.read_verdict(bytes) {
            Some(Verdict::Refused { code, .. })
                if code == ErrorCode::ALLOCATION_MISMATCH && self.evict(now, out) =>
            {
                return true;
            }
            Some(Verdict::Refused { code, reason }) => {
                self.end(ServerFailure::Refused { code, reason });
                return true;
            }
            // That of a stream is of no use to datagrams.
            Some(Verdict::Given { mapped }) if matches!(self.way, Way::Datagrams(_)) => {
                self.mapped = Some(mapped);
            }
            Some(Verdict::Given { .. }) | None => {}
        }
        if self.is_forgotten(bytes, now) {
            self.end_quietly();
            return true;
        }
        let (transport, from, to) = match self.way {
            Way::Datagrams(Path { local, remote }) => (TransportType::Udp, remote, local),
            Way::Stream(_) => (TransportType::Tcp, NOWHERE, NOWHERE),
        };
        match self.client.recv(Transmit::new(bytes, transport, from, to), instant(now)) {
            TurnRecvRet::Handled | TurnRecvRet::PeerIcmp { .. } => true,
            TurnRecvRet::PeerData(data) => {
                self.on_data(data.peer, data.data());
                true
            }
            TurnRecvRet::Ignored(_) => false,
        }
    }

    /// Sends a datagram of ours over the server, now or when it may.
    pub(crate) fn send(&mut self, to: SocketAddr, bytes: Bytes, now: Time, out: &mut Outbound<'_>) {
        if !self.is_alive() {
            return;
        }
        match self.permissions.get(&to.ip()) {
            Some(Permission::Granted) => {
                // A channel has less overhead than an indication, and is not worth a round trip
                // for a path that is only tried.
                if !is_stun(&bytes)
                    && self.channels.len() < PERMISSIONS_MAX
                    && self.channels.insert(to)
                {
                    let bound = self.client.bind_channel(TransportType::Udp, to, instant(now));
                    tracing::trace!(peer = %to, ?bound, "asked for a channel");
                }
                self.pass_on(to, &bytes, now, out);
            }
            Some(Permission::Asked) => self.hold(to, bytes),
            Some(Permission::Refused { at }) if now.since(*at) < SERVER_RETRY_PAUSE => {}
            None if self.permissions.len() >= PERMISSIONS_MAX => {
                tracing::debug!(peer = %to, "too many peers on one TURN server");
            }
            Some(Permission::Refused { .. }) | None => {
                let asked =
                    self.client.create_permission(TransportType::Udp, to.ip(), instant(now));
                if asked.is_ok() {
                    self.permissions.insert(to.ip(), Permission::Asked);
                    self.hold(to, bytes);
                }
            }
        }
        self.pump(now, out);
    }

    /// Does what is due.
    pub(crate) fn wake(&mut self, now: Time, out: &mut Outbound<'_>) {
        if self.due.is_some_and(|due| due <= now) {
            self.pump(now, out);
        }
    }

    /// Gives it back. It is over when the server says so, or does not answer.
    pub(crate) fn give_back(&mut self, now: Time, out: &mut Outbound<'_>) {
        if !self.is_alive() {
            return;
        }
        if !self.relayed.is_empty() && self.client.delete(instant(now)).is_ok() {
            self.phase = Phase::Leaving;
            self.held.clear();
            self.pump(now, out);
        } else {
            self.end_quietly();
        }
    }

    /// The way to the server is gone.
    pub(crate) fn on_cut(&mut self, why: &str) {
        self.end(ServerFailure::Unreachable(why.to_owned()));
    }

    fn is_alive(&self) -> bool {
        matches!(self.phase, Phase::Alive { .. })
    }

    fn pass_on(&mut self, to: SocketAddr, bytes: &[u8], now: Time, out: &mut Outbound<'_>) {
        self.unanswered_since.get_or_insert(now);
        match self.client.send_to(TransportType::Udp, to, bytes, instant(now)) {
            Ok(Some(built)) => emit(self.way, &built.build().data, out),
            Ok(None) => {}
            Err(error) => tracing::trace!(peer = %to, %error, "a relayed datagram is lost"),
        }
    }

    fn hold(&mut self, to: SocketAddr, bytes: Bytes) {
        if self.held.len() >= AWAITING_PERMISSION_MAX {
            self.held.pop_front();
        }
        self.held.push_back((to, bytes));
    }

    /// What a server says to a request for an allocation. The crate below tells only that it failed,
    /// of wrong credentials not even that, and not where the server sees us.
    fn read_verdict(&self, bytes: &[u8]) -> Option<Verdict> {
        if self.undecided == 0 || !is_stun(bytes) {
            return None;
        }
        let message = Message::from_bytes(bytes).ok()?;
        let asked = self.asked.iter().position(|asked| *asked == message.transaction_id())?;
        if message.has_class(MessageClass::Success) {
            let mapped = message.attribute::<XorMappedAddress>().ok()?;
            return Some(Verdict::Given { mapped: mapped.addr(message.transaction_id()) });
        }
        let error = message.attribute::<ErrorCode>().ok()?;
        let is_challenge = match error.code() {
            // The first request goes without credentials, and every server asks for them.
            ErrorCode::UNAUTHORIZED => asked == 0,
            ErrorCode::STALE_NONCE => true,
            _ => false,
        };
        let (code, reason) = (error.code(), error.reason().to_owned());
        (!is_challenge).then_some(Verdict::Refused { code, reason })
    }

    /// Whether a server says that it knows no allocation where one stood for a while: it was started
    /// anew. One that says so at once is of no help.
    fn is_forgotten(&self, bytes: &[u8], now: Time) -> bool {
        let Phase::Alive { since: Some(since) } = self.phase else { return false };
        if now.since(since) < SERVER_RETRY_PAUSE || !is_stun(bytes) {
            return false;
        }
        let Ok(message) = Message::from_bytes(bytes) else { return false };
        message.has_class(MessageClass::Error)
            && self.requests.contains(&message.transaction_id())
            && message
                .attribute::<ErrorCode>()
                .is_ok_and(|error| error.code() == ErrorCode::ALLOCATION_MISMATCH)
    }

    fn on_data(&mut self, peer: SocketAddr, bytes: &[u8]) {
        let relayed = self.relayed.iter().find(|address| address.is_ipv4() == peer.is_ipv4());
        if let Some(relayed) = relayed.copied() {
            self.news.push_back(News::Data { relayed, peer, bytes: bytes.to_vec() });
        }
    }

    /// Notes a request that goes to the server.
    fn note_request(&mut self, bytes: &[u8]) {
        let Ok(message) = Message::from_bytes(bytes) else { return };
        let id = message.transaction_id();
        if !message.has_class(MessageClass::Request) || self.requests.contains(&id) {
            return;
        }
        if self.requests.len() >= REQUESTS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(id);
        if message.has_method(ALLOCATE) && self.undecided > 0 && self.asked.len() < ASKED_MAX {
            self.asked.push(id);
        }
    }

    /// Begins to end what is in the way of an allocation; false if that was tried before, or can't be.
    fn evict(&mut self, now: Time, out: &mut Outbound<'_>) -> bool {
        // A stream is a socket of its own, which had nothing before.
        let (Way::Datagrams(path), Stale::None, Some(credentials)) =
            (self.way, &self.eviction, &self.credentials)
        else {
            return false;
        };
        self.eviction = Stale::Leaving(Box::new(Eviction::new(path, credentials, now, out)));
        true
    }

    /// Asks for an allocation once more.
    fn begin_again(&mut self) {
        self.eviction = Stale::Gone;
        self.client = client(self.way, self.credentials.as_ref());
        self.asked.clear();
    }

    /// Lets the crate below do what it can do now.
    fn pump(&mut self, now: Time, out: &mut Outbound<'_>) {
        if self.phase == Phase::Over {
            return;
        }
        if let Stale::Leaving(eviction) = &mut self.eviction {
            if !eviction.wake(now, out) {
                self.due = eviction.due();
                return;
            }
            self.begin_again();
        }
        self.due = None;
        for _ in 0..ROUNDS_MAX {
            while let Some(transmit) = self.client.poll_transmit(instant(now)) {
                self.note_request(transmit.data.as_ref());
                emit(self.way, transmit.data.as_ref(), out);
            }
            while let Some(event) = self.client.poll_event() {
                self.on_event(&event, now, out);
            }
            match self.client.poll(instant(now)) {
                TurnPollRet::WaitUntil(at) if time(at) <= now => {}
                TurnPollRet::WaitUntil(at) => {
                    self.due = Some(time(at));
                    return;
                }
                TurnPollRet::Closed => {
                    while let Some(event) = self.client.poll_event() {
                        self.on_event(&event, now, out);
                    }
                    return self.on_closed();
                }
                // We ask for no allocations of TCP.
                TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => {}
            }
        }
        self.due = Some(now + Duration::from_millis(1));
    }

    fn on_event(&mut self, event: &TurnEvent, now: Time, out: &mut Outbound<'_>) {
        match *event {
            TurnEvent::AllocationCreated(_, relayed) => {
                self.relayed.push(relayed);
                self.phase = Phase::Alive { since: Some(now) };
                self.news.push_back(News::Relayed(relayed));
                let is_first = self.relayed.len() == 1;
                self.news.extend(self.mapped.filter(|_| is_first).map(News::Mapped));
                self.decide(1);
            }
            TurnEvent::AllocationCreateFailed(_) => self.decide(1),
            TurnEvent::PermissionCreated(_, ip) => {
                self.permissions.insert(ip, Permission::Granted);
                let (free, held): (VecDeque<_>, _) =
                    self.held.drain(..).partition(|(to, _)| to.ip() == ip);
                self.held = held;
                for (to, bytes) in free {
                    self.pass_on(to, &bytes, now, out);
                }
            }
            TurnEvent::PermissionCreateFailed(_, ip) => {
                tracing::debug!(%ip, "a TURN server does not let a peer through");
                // The request may just have been lost.
                self.permissions.insert(ip, Permission::Refused { at: now });
                self.held.retain(|(to, _)| to.ip() != ip);
            }
            TurnEvent::ChannelCreated(..)
            | TurnEvent::ChannelCreateFailed(..)
            | TurnEvent::TcpConnected(_)
            | TurnEvent::TcpConnectFailed(_) => {}
        }
    }

    fn decide(&mut self, families: usize) {
        if self.undecided == 0 {
            return;
        }
        self.undecided = self.undecided.saturating_sub(families);
        if self.undecided > 0 {
            return;
        }
        if self.relayed.is_empty() {
            let failure = self.failure();
            self.end(failure);
        } else {
            self.news.push_back(News::Settled);
        }
    }

    fn on_closed(&mut self) {
        if self.phase == Phase::Leaving {
            return self.end_quietly();
        }
        let failure = self.failure();
        self.end(failure);
    }

    fn failure(&self) -> ServerFailure {
        match self.way {
            Way::Datagrams(_) => ServerFailure::Silent,
            Way::Stream(_) => ServerFailure::Unreachable("it does not answer".to_owned()),
        }
    }

    fn end(&mut self, failure: ServerFailure) {
        self.end_with(News::Over(failure));
    }

    fn end_quietly(&mut self) {
        self.end_with(News::Gone);
    }

    fn end_with(&mut self, news: News) {
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            self.due = None;
            self.held.clear();
            self.news.push_back(news);
        }
    }
}

/// A client that asks for an allocation in both families.
fn client(way: Way, credentials: Option<&IceCredentials>) -> Client {
    let (username, credential) =
        credentials.map_or(("", ""), |known| (&known.username, &known.credential));
    let mut config = TurnConfig::new(TurnCredentials::new(username, credential));
    config.add_address_family(AddressFamily::IPV6);
    config.set_request_retransmits(REQUEST_RTO, REQUEST_RTO_MAX, REQUEST_TRIES, REQUEST_LAST);
    match way {
        Way::Datagrams(Path { local, remote }) => {
            Client::Udp(TurnClientUdp::allocate(local, remote, config))
        }
        Way::Stream(_) => Client::Tcp(TurnClientTcp::allocate(NOWHERE, NOWHERE, config)),
    }
}

fn emit(way: Way, bytes: &[u8], out: &mut Outbound<'_>) {
    match way {
        Way::Datagrams(path) => out.datagram(path, bytes),
        Way::Stream(stream) => out.stream(stream, bytes),
    }
}

/// More than there are under way at once: they are sent 50 ms apart, and answered in less than that
/// or given up.
const REQUESTS_MAX: usize = 64;

/// The crate below asks a few times if it is told that its nonce is stale.
const ASKED_MAX: usize = 16;

/// An allocation is asked for in IPv4 and in IPv6.
const FAMILIES: usize = 2;

/// What a stream leads from and to is the runtime's affair, and nobody else is told.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
