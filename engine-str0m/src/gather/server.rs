//! One STUN or TURN server: what it was asked, and what it gave.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use stun_proto::types::message::Message;
use tristero_proto::engine::{
    Datagram, NetworkRequest, Path, ServerFailure, StreamId, StreamTarget,
};
use tristero_proto::ice::{IceCredentials, IceServerKind, IceUrl};
use tristero_proto::{ConnId, Time};

use super::allocation::{Allocation, News, Way};
use super::outbound::Outbound;
use super::query::{Progress, Query};
use super::{Found, Gathered};
use crate::limits::{SERVER_IDLE_MAX, SERVER_RETRY_PAUSE};

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Server {
    /// The connections that it helps.
    pub(crate) users: BTreeSet<ConnId>,
    /// Since when it helps none.
    pub(crate) idle_since: Option<Time>,
    /// Where it is.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Those that it was asked with last.
    credentials: Option<IceCredentials>,
    state: State,
    queries: Vec<Query>,
    allocations: Vec<Allocation>,
    /// Why it was of no help last.
    failure: Option<ServerFailure>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    New,
    /// Its name is being resolved.
    Resolving,
    /// A stream to it is being opened.
    Opening,
    /// It was asked.
    Asked,
    /// It was of no help.
    Failed { at: Time },
}

impl Server {
    /// Takes credentials that somebody has for it. True if it has to be asked, with these, from the
    /// beginning; what it gave to others serves everyone.
    pub(crate) fn take_credentials(
        &mut self,
        credentials: Option<&IceCredentials>,
        now: Time,
    ) -> bool {
        let is_new = self.credentials.as_ref() != credentials;
        let is_asked = match self.state {
            State::New => true,
            State::Failed { at } => is_new || now.since(at) >= SERVER_RETRY_PAUSE,
            State::Resolving | State::Opening | State::Asked => false,
        };
        if is_asked {
            self.credentials = credentials.cloned();
        }
        is_asked
    }

    /// Takes credentials in the place of those that it has. True if it has to be asked with them.
    pub(crate) fn renew(&mut self, credentials: &IceCredentials) -> bool {
        let is_new = self.credentials.replace(credentials.clone()).as_ref() != Some(credentials);
        is_new && !self.users.is_empty() && matches!(self.state, State::Failed { .. })
    }

    /// Why it is of no help, if that is so.
    pub(crate) fn failure(&self) -> Option<&ServerFailure> {
        self.failure.as_ref().filter(|_| matches!(self.state, State::Failed { .. }))
    }

    /// Whether it relays for us.
    pub(crate) fn relays(&self) -> bool {
        self.allocations.iter().any(|allocation| !allocation.usable().is_empty())
    }

    pub(crate) fn is_resolving(&self) -> bool {
        self.state == State::Resolving
    }

    /// Whether nothing more is to be expected of it for now.
    pub(crate) fn is_settled(&self) -> bool {
        match self.state {
            State::Resolving | State::Opening => false,
            State::New | State::Failed { .. } => true,
            // One allocation is enough.
            State::Asked => {
                self.queries.iter().all(Query::is_settled)
                    && (self.relays() || self.allocations.iter().all(Allocation::is_settled))
            }
        }
    }

    pub(crate) fn gathered(&self) -> Vec<Gathered> {
        let reflexive = self.queries.iter().filter_map(|query| {
            let base = query.path().local;
            query.mapped().map(|mapped| Gathered::Reflexive { mapped, base })
        });
        let beside = self.allocations.iter().filter_map(|allocation| {
            let (mapped, base) = (allocation.mapped()?, allocation.way().base()?);
            Some(Gathered::Reflexive { mapped, base })
        });
        let relayed = self.allocations.iter().flat_map(|allocation| {
            let way = allocation.way();
            allocation.usable().iter().map(move |relayed| Gathered::relayed(*relayed, way))
        });
        reflexive.chain(beside).chain(relayed).collect()
    }

    pub(crate) fn allocation_of(&mut self, relayed: SocketAddr) -> Option<&mut Allocation> {
        self.allocations.iter_mut().find(|allocation| allocation.relayed().contains(&relayed))
    }

    pub(crate) fn release(&mut self, conn: ConnId, now: Time) {
        if self.users.remove(&conn) && self.users.is_empty() {
            self.idle_since = Some(now);
            for query in &mut self.queries {
                query.keep_alive(false);
            }
        }
    }

    /// Whether it has helped nobody for so long that it can be given back what it gave.
    pub(crate) fn is_idle(&self, now: Time) -> bool {
        self.idle_since.is_some_and(|since| now >= since + SERVER_IDLE_MAX)
    }

    /// Whether nothing is left of what it gave to those who are gone.
    pub(crate) fn is_forgettable(&self, now: Time) -> bool {
        self.is_idle(now) && self.allocations.is_empty()
    }

    pub(crate) fn due(&self) -> Option<Time> {
        // What is being given back has deadlines of its own.
        let is_waiting = self.allocations.iter().any(Allocation::is_leaving);
        let idle = self.idle_since.filter(|_| !is_waiting).map(|since| since + SERVER_IDLE_MAX);
        let queries = self.queries.iter().filter_map(Query::due);
        queries.chain(self.allocations.iter().filter_map(Allocation::due)).chain(idle).min()
    }

    /// Makes sure that what is known of it is true.
    pub(crate) fn refresh(&mut self, now: Time, out: &mut Outbound<'_>) {
        for query in &mut self.queries {
            query.keep_alive(true);
            query.refresh(now, out);
        }
        for allocation in self.allocations.iter_mut().filter(|one| one.is_silent(now)) {
            allocation.give_back(now, out);
        }
    }

    pub(crate) fn resolve(&mut self) {
        self.state = State::Resolving;
    }

    pub(crate) fn open_stream(&mut self, url: &IceUrl, stream: StreamId, out: &mut Outbound<'_>) {
        self.state = State::Opening;
        let is_secure = url.kind == IceServerKind::TurnTls;
        let target = StreamTarget { host: url.host.clone(), port: url.port, is_secure };
        out.request(NetworkRequest::OpenStream { stream, target });
    }

    /// Its addresses are known, or that it has none.
    pub(crate) fn on_resolved(
        &mut self,
        known: &IceUrl,
        addresses: Vec<SocketAddr>,
        now: Time,
    ) -> Option<Found> {
        self.addresses = addresses;
        if self.addresses.is_empty() {
            return Some(self.fail(known, ServerFailure::Unresolved, now));
        }
        self.state = State::Asked;
        self.queries.clear();
        self.allocations.clear();
        None
    }

    /// It was asked over all sockets that lead there. If there are none, that is the end of it.
    pub(crate) fn on_asked(&mut self, known: &IceUrl, now: Time) -> Option<Found> {
        let is_asked = !self.queries.is_empty() || !self.allocations.is_empty();
        if is_asked || self.state != State::Asked {
            return None;
        }
        let failure = ServerFailure::Unreachable("no local address leads there".to_owned());
        Some(self.fail(known, failure, now))
    }

    /// Asks it over a path; false if that is done, or not to be done.
    pub(crate) fn ask(
        &mut self,
        known: &IceUrl,
        path: Path,
        now: Time,
        out: &mut Outbound<'_>,
    ) -> bool {
        match known.kind {
            IceServerKind::Stun => {
                if self.queries.iter().any(|query| query.path() == path) {
                    return false;
                }
                let mut query = Query::new(path, now, out);
                query.keep_alive(!self.users.is_empty());
                self.queries.push(query);
            }
            IceServerKind::TurnUdp => {
                let way = Way::Datagrams(path);
                if self.allocations.iter().any(|one| one.way() == way) {
                    return false;
                }
                self.allocate(way, now, out);
            }
            IceServerKind::TurnTcp | IceServerKind::TurnTls => return false,
        }
        self.state = State::Asked;
        true
    }

    pub(crate) fn allocate(&mut self, way: Way, now: Time, out: &mut Outbound<'_>) {
        self.state = State::Asked;
        self.allocations.push(Allocation::new(way, self.credentials.as_ref(), now, out));
    }

    /// Takes a datagram that came on a path to it; false if it was not meant for this server.
    pub(crate) fn on_datagram(
        &mut self,
        known: &IceUrl,
        datagram: Datagram<'_>,
        now: Time,
        out: &mut Outbound<'_>,
    ) -> (bool, Option<Found>) {
        let Datagram { path, bytes, .. } = datagram;
        let way = Way::Datagrams(path);
        if let Some(allocation) = self.allocations.iter_mut().find(|one| one.way() == way) {
            return (allocation.on_datagram(bytes, now, out), None);
        }
        let Some(index) = self.queries.iter().position(|query| query.path() == path) else {
            return (false, None);
        };
        let Ok(message) = Message::from_bytes(bytes) else { return (false, None) };
        match self.queries[index].on_message(&message, now) {
            Some(progress) => (true, self.on_progress(known, index, progress, now)),
            None => (false, None),
        }
    }

    pub(crate) fn on_stream_bytes(
        &mut self,
        stream: StreamId,
        bytes: &[u8],
        now: Time,
        out: &mut Outbound<'_>,
    ) {
        let way = Way::Stream(stream);
        if let Some(allocation) = self.allocations.iter_mut().find(|one| one.way() == way) {
            allocation.on_stream_bytes(bytes, now, out);
        }
    }

    pub(crate) fn on_stream_closed(
        &mut self,
        known: &IceUrl,
        why: &str,
        now: Time,
    ) -> Option<Found> {
        if self.state == State::Opening {
            return Some(self.fail(known, ServerFailure::Unreachable(why.to_owned()), now));
        }
        for allocation in &mut self.allocations {
            allocation.on_cut(why);
        }
        None
    }

    /// A socket is gone.
    pub(crate) fn on_address_removed(
        &mut self,
        known: &IceUrl,
        local: SocketAddr,
        now: Time,
    ) -> Vec<Found> {
        let lost = self.gathered().into_iter().filter(|gathered| gathered.base() == local);
        let found = lost.map(|gathered| Found::Lost(known.clone(), gathered)).collect();
        self.queries.retain(|query| query.path().local != local);
        self.allocations.retain(|allocation| allocation.way().base() != Some(local));
        if self.state == State::Asked && self.queries.is_empty() && self.allocations.is_empty() {
            // It is asked anew over the next socket, or for the next connection.
            self.state = State::Failed { at: now };
        }
        found
    }

    pub(crate) fn wake(&mut self, known: &IceUrl, now: Time, out: &mut Outbound<'_>) -> Vec<Found> {
        let mut found = Vec::new();
        for index in 0..self.queries.len() {
            let progress = self.queries[index].wake(now, out);
            found.extend(self.on_progress(known, index, progress, now));
        }
        for allocation in &mut self.allocations {
            allocation.wake(now, out);
        }
        found
    }

    /// Gives back what it gave.
    pub(crate) fn give_back(&mut self, now: Time, out: &mut Outbound<'_>) {
        for allocation in &mut self.allocations {
            allocation.give_back(now, out);
        }
    }

    pub(crate) fn poll_news(&mut self) -> Option<(Way, News)> {
        self.allocations.iter_mut().find_map(|one| one.poll_news().map(|news| (one.way(), news)))
    }

    pub(crate) fn on_allocation_over(
        &mut self,
        known: &IceUrl,
        way: Way,
        failure: ServerFailure,
        now: Time,
    ) -> Vec<Found> {
        let mut found = self.take_allocation(known, way);
        if self.allocations.is_empty() {
            found.push(self.fail(known, failure, now));
        }
        found
    }

    /// An allocation is no more, which is nobody's fault. Who needs one gets another.
    pub(crate) fn on_allocation_gone(
        &mut self,
        known: &IceUrl,
        way: Way,
        now: Time,
        out: &mut Outbound<'_>,
    ) -> Vec<Found> {
        let found = self.take_allocation(known, way);
        if let (Way::Datagrams(path), false) = (way, self.users.is_empty()) {
            self.ask(known, path, now, out);
        } else if self.allocations.is_empty() {
            // It is asked anew for the next connection.
            self.state = State::New;
        }
        found
    }

    /// Takes an allocation out, and says what is lost with it.
    fn take_allocation(&mut self, known: &IceUrl, way: Way) -> Vec<Found> {
        let Some(index) = self.allocations.iter().position(|one| one.way() == way) else {
            return Vec::new();
        };
        let over = self.allocations.remove(index);
        let lost = over.relayed().iter().map(|relayed| Gathered::relayed(*relayed, way));
        lost.map(|gathered| Found::Lost(known.clone(), gathered)).collect()
    }

    fn on_progress(
        &mut self,
        known: &IceUrl,
        index: usize,
        progress: Progress,
        now: Time,
    ) -> Option<Found> {
        let base = self.queries[index].path().local;
        match progress {
            Progress::Nothing if self.is_settled() => Some(Found::Settled(known.clone())),
            Progress::Nothing => None,
            Progress::Mapped(mapped) => {
                let gathered = Gathered::Reflexive { mapped, base };
                Some(Found::Address(known.clone(), gathered))
            }
            Progress::Failed(failure) => {
                if !self.is_settled() {
                    return None;
                }
                let is_vain = self.queries.iter().all(|query| query.mapped().is_none());
                Some(match is_vain {
                    true => self.fail(known, failure, now),
                    false => Found::Settled(known.clone()),
                })
            }
        }
    }

    fn fail(&mut self, known: &IceUrl, failure: ServerFailure, now: Time) -> Found {
        self.state = State::Failed { at: now };
        self.failure = Some(failure.clone());
        Found::Failed(known.clone(), failure)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    #[test]
    fn a_server_that_gave_an_allocation_up_while_it_helped_nobody_is_asked_by_the_next() {
        let url: IceUrl = "turn:192.0.2.9".parse().unwrap();
        let path =
            Path { local: ([192, 0, 2, 1], 5000).into(), remote: ([192, 0, 2, 9], 3478).into() };
        let (now, mut outputs) = (Time::ZERO, VecDeque::new());
        let mut out = Outbound(&mut outputs);
        let mut server = Server::default();
        assert!(server.take_credentials(None, now));
        assert!(server.ask(&url, path, now, &mut out));
        assert!(!server.take_credentials(None, now), "it was asked");
        server.on_allocation_gone(&url, Way::Datagrams(path), now, &mut out);
        assert!(server.take_credentials(None, now));
    }

    #[test]
    fn a_server_that_refused_is_asked_with_other_credentials_if_it_is_of_use() {
        let url: IceUrl = "turn:192.0.2.9".parse().unwrap();
        let credentials = |credential: &str| IceCredentials {
            username: "me".to_owned(),
            credential: credential.to_owned(),
        };
        let mut server = Server::default();
        server.fail(&url, ServerFailure::Refused { code: 401, reason: String::new() }, Time::ZERO);
        assert!(!server.renew(&credentials("first")), "nobody needs it");
        server.users.insert(ConnId::from_number(1));
        assert!(!server.renew(&credentials("first")), "it knows them");
        assert!(server.renew(&credentials("second")));
    }
}
