//! The engine: many connections over one set of sockets.
//!
//! It finds out whose a datagram is, wakes connections when they are due, and forgets those that
//! ended. What a connection does is its own affair.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use str0m::RtcConfig;
use str0m::ice::StunMessage;
use tristero_proto::engine::{
    ConnOptions, ConnectionInfo, Datagram, DescriptionError, Engine, EngineEvent, EngineInput,
    EngineOutput, IncomingTrack, Lane, MediaInfo, MediaOutcome, NetworkEvent, Obstacle, Proposal,
    SendOutcome,
};
use tristero_proto::media::{MediaFrame, RtpPacket};
use tristero_proto::wire::CandidateInit;
use tristero_proto::{ConnId, Deadline, Rng, Seed, Time, TrackId};

use crate::candidate::host_candidate;
use crate::config::{Config, with_media};
use crate::connection::{Connection, Start};
use crate::counters::Counters;
use crate::credentials::{Credentials, conn_of};
use crate::datagram::{handshake_sender, is_dtls, is_media, is_stun};
use crate::epoch::Epoch;
use crate::gather::{Found, Gatherer};
use crate::limits::{DATAGRAM_BYTES_MAX, LOCAL_ADDRESSES_MAX};
use crate::mdns::{AskedNames, OwnNames};
use crate::paths::{Paths, Standing};
use crate::shared::Shared;

/// WebRTC on str0m. See the [crate](crate) for what it promises.
#[derive(Debug)]
pub struct Str0mEngine {
    rtc_config: RtcConfig,
    rng: Rng,
    /// Boxed: they are kilobytes, and a tree keeps room for more than it has.
    conns: BTreeMap<ConnId, Box<Connection>>,
    /// When each connection wants to be woken, soonest first.
    due: BTreeSet<(Time, ConnId)>,
    shared: Shared,
}

impl Str0mEngine {
    /// An engine with the default configuration.
    ///
    /// `zero` is what str0m is told for [`Time::ZERO`]. It may be any moment, because only
    /// differences matter; a runtime takes the one that its own [`Time`] counts from.
    pub fn new(seed: &Seed, zero: Instant) -> Self {
        Self::with_config(&Config::default(), seed, zero)
    }

    /// An engine with this configuration.
    pub fn with_config(config: &Config, seed: &Seed, zero: Instant) -> Self {
        Str0mEngine {
            rtc_config: config.rtc_config(),
            rng: seed.rng("str0m engine: ICE credentials"),
            conns: BTreeMap::new(),
            due: BTreeSet::new(),
            shared: Shared {
                epoch: Epoch::new(zero),
                silence_max: config.silence_max,
                hmac: config.crypto.sha1_hmac_provider,
                addresses: Vec::new(),
                paths: Paths::default(),
                gatherer: Gatherer::default(),
                asked_names: AskedNames::default(),
                own_names: OwnNames::new(seed.rng("str0m engine: names of addresses")),
                media_rng: seed.rng("str0m engine: media"),
                counters: Counters::default(),
                outputs: VecDeque::new(),
                said: VecDeque::new(),
            },
        }
    }

    /// What was dropped so far.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    fn start(&mut self, id: ConnId, options: ConnOptions, now: Time) -> Start {
        assert!(!self.conns.contains_key(&id), "{id:?} was used before");
        let ConnOptions { trickle, ice, media } = options;
        let Shared { gatherer, addresses, outputs, .. } = &mut self.shared;
        gatherer.attach(id, &ice, addresses, now, outputs);
        let credentials = Credentials::generate(id, &mut self.rng);
        let config = with_media(self.rtc_config.clone(), &media);
        Start { id, config, credentials, trickle, ice, media }
    }

    fn insert(&mut self, id: ConnId, connection: Connection, now: Time) {
        self.conns.insert(id, Box::new(connection));
        self.settle(id, None, now);
    }

    /// Does something to a connection, and then what its new state asks for.
    fn drive<R>(
        &mut self,
        id: ConnId,
        now: Time,
        act: impl FnOnce(&mut Connection, &mut Shared) -> R,
    ) -> Option<R> {
        let connection = self.conns.get_mut(&id)?;
        let was_due = connection.due();
        let result = act(connection, &mut self.shared);
        self.settle(id, was_due, now);
        Some(result)
    }

    /// Forgets a connection that ended, or notes when it is due next.
    fn settle(&mut self, id: ConnId, was_due: Option<Deadline>, now: Time) {
        let Some(connection) = self.conns.get(&id) else { return };
        let (due, ended) = (connection.due(), connection.ended());
        let (was_at, at) = (was_due.map(|due| due.at), due.map(|due| due.at));
        if let Some(was_at) = was_at.filter(|_| was_at != at || ended.is_some()) {
            self.due.remove(&(was_at, id));
        }
        if let Some(reason) = ended {
            self.conns.remove(&id);
            self.shared.paths.forget(id);
            self.shared.gatherer.release(id, now);
            self.shared.asked_names.release(id);
            self.shared.event(EngineEvent::Closed { conn: id, reason });
        } else if let Some(at) = at.filter(|_| was_at != at) {
            self.due.insert((at, id));
        }
    }

    /// Each connection in turn, by id.
    fn drive_all(&mut self, now: Time, act: impl FnMut(&mut Connection, &mut Shared)) {
        let ids: Vec<ConnId> = self.conns.keys().copied().collect();
        self.drive_each(ids, now, act);
    }

    fn drive_each(
        &mut self,
        ids: Vec<ConnId>,
        now: Time,
        mut act: impl FnMut(&mut Connection, &mut Shared),
    ) {
        for id in ids {
            self.drive(id, now, &mut act);
        }
    }

    /// Carries what servers said to the connections that it concerns.
    fn heed_servers(&mut self, now: Time) {
        while let Some(found) = self.shared.gatherer.poll_found() {
            let server = match found {
                Found::Datagram { path, bytes } => {
                    self.on_peer_datagram(Datagram { path, ecn: None, bytes: &bytes }, now);
                    continue;
                }
                Found::Address(server, gathered) => {
                    let users = self.shared.gatherer.users(&server);
                    self.drive_each(users, now, |conn, shared| {
                        conn.on_gathered(gathered, now, shared);
                    });
                    server
                }
                Found::Lost(server, gathered) => {
                    // Those that stand are no users of a STUN server any more, and use its address.
                    self.drive_all(now, |conn, shared| conn.on_lost(gathered, now, shared));
                    server
                }
                Found::Settled(server) => server,
                Found::Failed(server, failure) => {
                    let url = server.clone();
                    self.shared.event(EngineEvent::ServerFailed { url, failure });
                    server
                }
            };
            let users = self.shared.gatherer.users(&server);
            self.drive_each(users, now, |conn, shared| conn.describe_if_complete(now, shared));
        }
    }

    fn on_datagram(&mut self, datagram: Datagram<'_>, now: Time) {
        let Shared { gatherer, outputs, .. } = &mut self.shared;
        if !gatherer.on_datagram(datagram, now, outputs) {
            self.on_peer_datagram(datagram, now);
        }
    }

    /// Takes a datagram that no server made, over whatever it came.
    fn on_peer_datagram(&mut self, datagram: Datagram<'_>, now: Time) {
        let is_known = datagram.bytes.len() <= DATAGRAM_BYTES_MAX
            && if is_stun(datagram.bytes) {
                self.on_stun(datagram, now)
            } else if is_media(datagram.bytes) {
                self.on_media(datagram, now)
            } else {
                is_dtls(datagram.bytes) && self.on_dtls(datagram, now)
            };
        if !is_known {
            tracing::trace!(path = ?datagram.path, "a datagram belongs to no connection");
            self.shared.counters.stranger_datagrams += 1;
        }
    }

    /// A request names its connection, a response comes where a request went; false if it is a
    /// stranger's.
    fn on_stun(&mut self, datagram: Datagram<'_>, now: Time) -> bool {
        let Ok(message) = StunMessage::parse(datagram.bytes) else { return false };
        let mut candidates = self.shared.paths.conns_on(datagram.path, Standing::Tried);
        if message.is_binding_request() {
            let named = message.split_username().and_then(|(ufrag, _)| conn_of(ufrag));
            candidates = Default::default();
            candidates[0] = named;
        }
        let mut is_known = false;
        for id in candidates.into_iter().flatten() {
            let Some(connection) = self.conns.get(&id) else { continue };
            is_known = true;
            if connection.is_authentic(&message, &self.shared) {
                self.drive(id, now, |conn, shared| conn.on_stun(datagram, &message, now, shared));
                return true;
            }
        }
        if is_known {
            tracing::debug!(path = ?datagram.path, "a STUN message has the wrong key");
            self.shared.counters.forged_datagrams += 1;
        }
        is_known
    }

    /// DTLS names nobody, so each connection on the path is offered it: whose it is not can't
    /// decrypt it. Handshakes are not encrypted, but have a direction.
    fn on_dtls(&mut self, datagram: Datagram<'_>, now: Time) -> bool {
        let conns = self.shared.paths.conns_on(datagram.path, Standing::Heard);
        let is_shared = conns[1].is_some();
        for id in conns.into_iter().flatten() {
            self.drive(id, now, |conn, shared| {
                if !is_shared || conn.can_hear(handshake_sender(datagram.bytes)) {
                    conn.on_dtls(datagram, now, shared);
                }
            });
        }
        conns[0].is_some()
    }

    /// Media names nobody either. Whose it is not does not know its source, or can't decrypt it.
    fn on_media(&mut self, datagram: Datagram<'_>, now: Time) -> bool {
        let conns = self.shared.paths.conns_on(datagram.path, Standing::Heard);
        for id in conns.into_iter().flatten() {
            self.drive(id, now, |conn, shared| conn.on_media(datagram, now, shared));
        }
        conns[0].is_some()
    }

    fn on_address_added(&mut self, address: SocketAddr, now: Time) {
        let addresses = &mut self.shared.addresses;
        if host_candidate(address).is_none()
            || addresses.contains(&address)
            || addresses.len() >= LOCAL_ADDRESSES_MAX
        {
            tracing::debug!(%address, "a local address is of no use");
            return;
        }
        addresses.push(address);
        let Shared { gatherer, outputs, .. } = &mut self.shared;
        gatherer.on_address_added(address, now, outputs);
        self.drive_all(now, |conn, shared| conn.add_address(address, now, shared));
    }

    /// Gives the addresses of a name to whoever waits for them.
    fn on_local_resolved(&mut self, name: &str, addresses: &[IpAddr], now: Time) {
        for (id, candidate) in self.shared.asked_names.on_resolved(name) {
            self.drive(id, now, |conn, shared| {
                conn.on_resolved(&candidate, addresses, now, shared);
            });
        }
    }

    fn on_address_removed(&mut self, address: SocketAddr, now: Time) {
        self.shared.addresses.retain(|known| *known != address);
        let Shared { own_names, addresses, outputs, .. } = &mut self.shared;
        own_names.on_address_removed(address.ip(), addresses, outputs);
        self.shared.gatherer.on_address_removed(address, now);
        self.drive_all(now, |conn, shared| conn.remove_address(address, now, shared));
    }
}

impl Engine for Str0mEngine {
    fn handle_input(&mut self, input: EngineInput<'_>, now: Time) {
        match input {
            EngineInput::Datagram(datagram) => self.on_datagram(datagram, now),
            EngineInput::AddressAdded(address) => self.on_address_added(address, now),
            EngineInput::AddressRemoved(address) => self.on_address_removed(address, now),
            EngineInput::ShutDown => {
                let Shared { gatherer, outputs, .. } = &mut self.shared;
                gatherer.shut_down(now, outputs);
            }
            EngineInput::IceCredentials(url, credentials) => {
                let Shared { gatherer, addresses, outputs, .. } = &mut self.shared;
                gatherer.renew(url, credentials, addresses, now, outputs);
            }
            EngineInput::Network(NetworkEvent::LocalResolved { name, addresses }) => {
                self.on_local_resolved(name, addresses, now);
            }
            EngineInput::Network(event) => {
                let Shared { gatherer, addresses, outputs, .. } = &mut self.shared;
                gatherer.on_network(event, addresses, now, outputs);
            }
        }
        self.heed_servers(now);
    }

    fn handle_timeout(&mut self, now: Time) {
        // Each once: one that is due again at once gets its turn after the others.
        let due: Vec<ConnId> =
            self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect();
        for id in due {
            self.drive(id, now, |conn, shared| conn.wake(now, shared));
        }
        let Shared { gatherer, outputs, .. } = &mut self.shared;
        gatherer.handle_timeout(now, outputs);
        self.heed_servers(now);
    }

    fn poll_output(&mut self) -> Option<EngineOutput> {
        self.shared.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let first = self.due.first().and_then(|(_, id)| self.conns.get(id)?.due());
        Deadline::earlier(first, self.shared.gatherer.poll_timeout())
    }

    fn offer(&mut self, conn: ConnId, options: ConnOptions, now: Time) {
        let start = self.start(conn, options, now);
        let connection = Connection::offer(start, now, &mut self.shared);
        self.insert(conn, connection, now);
        self.heed_servers(now);
    }

    fn answer(
        &mut self,
        conn: ConnId,
        offer: &str,
        options: ConnOptions,
        now: Time,
    ) -> Result<(), DescriptionError> {
        let start = self.start(conn, options, now);
        match Connection::answer(start, offer, now, &mut self.shared) {
            Ok(connection) => self.insert(conn, connection, now),
            Err(error) => {
                self.shared.gatherer.release(conn, now);
                return Err(error);
            }
        }
        self.heed_servers(now);
        Ok(())
    }

    fn accept_answer(
        &mut self,
        conn: ConnId,
        answer: &str,
        now: Time,
    ) -> Result<(), DescriptionError> {
        let accepted =
            self.drive(conn, now, |conn, shared| conn.accept_answer(answer, now, shared));
        self.heed_servers(now);
        accepted.unwrap_or(Err(DescriptionError::Unexpected))
    }

    fn propose(&mut self, conn: ConnId, proposal: &Proposal, now: Time) {
        let credentials = Credentials::generate(conn, &mut self.rng);
        self.drive(conn, now, |conn, shared| conn.propose(proposal, credentials, now, shared));
        self.heed_servers(now);
    }

    fn roll_back(&mut self, conn: ConnId, now: Time) {
        self.drive(conn, now, |conn, _| conn.roll_back());
    }

    fn renegotiate(
        &mut self,
        conn: ConnId,
        offer: &str,
        now: Time,
    ) -> Result<String, DescriptionError> {
        let credentials = Credentials::generate(conn, &mut self.rng);
        let answered =
            self.drive(conn, now, |conn, shared| conn.renegotiate(offer, credentials, now, shared));
        self.heed_servers(now);
        answered.unwrap_or(Err(DescriptionError::Unexpected))
    }

    fn add_remote_candidate(&mut self, conn: ConnId, candidate: &CandidateInit, now: Time) {
        self.drive(conn, now, |conn, shared| conn.add_remote_candidate(candidate, now, shared));
        self.heed_servers(now);
    }

    fn send(&mut self, conn: ConnId, lane: Lane, message: &[u8], now: Time) -> SendOutcome {
        let sent = match lane {
            Lane::Control => self.drive(conn, now, |conn, _| conn.send(message, now)),
            // Lanes that this engine does not know.
            _ => None,
        };
        self.heed_servers(now);
        sent.unwrap_or(SendOutcome::Refused)
    }

    fn send_frame(
        &mut self,
        conn: ConnId,
        track: TrackId,
        frame: &MediaFrame,
        now: Time,
    ) -> MediaOutcome {
        let sent = self.drive(conn, now, |conn, shared| conn.send_frame(track, frame, now, shared));
        sent.unwrap_or(MediaOutcome::Unwanted)
    }

    fn send_packet(
        &mut self,
        conn: ConnId,
        track: TrackId,
        packet: &RtpPacket,
        now: Time,
    ) -> MediaOutcome {
        let sent =
            self.drive(conn, now, |conn, shared| conn.send_packet(track, packet, now, shared));
        sent.unwrap_or(MediaOutcome::Unwanted)
    }

    fn request_key_frame(&mut self, conn: ConnId, track: IncomingTrack, now: Time) {
        self.drive(conn, now, |conn, shared| conn.request_key_frame(track, now, shared));
        self.heed_servers(now);
    }

    fn media_info(&self, conn: ConnId) -> MediaInfo {
        self.conns.get(&conn).map(|conn| conn.media_info()).unwrap_or_default()
    }

    fn close(&mut self, conn: ConnId, now: Time) {
        self.drive(conn, now, |conn, shared| conn.close(now, shared));
        self.heed_servers(now);
    }

    fn connection_info(&self, conn: ConnId) -> Option<ConnectionInfo> {
        self.conns.get(&conn)?.info(&self.shared)
    }

    fn obstacle(&self, conn: ConnId) -> Option<Obstacle> {
        self.conns.get(&conn)?.obstacle(&self.shared)
    }
}
