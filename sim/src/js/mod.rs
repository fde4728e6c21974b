//! A peer that behaves as Trystero in JavaScript does, as far as others can tell.
//!
//! It is no node with switches but a small model of its own, on the wire codecs, the sessions of strategies
//! and the engine that nodes have too: whoever breaks a rule of the protocol on both sides of a node
//! breaks it on one side here. It knows what `docs/protocol.md` says of JavaScript, quirks above all, and
//! leaves out what the simulator has no use for: passive peers, media and handshakes of applications.
//!
//! - `relay` dials and says when to announce, `meeting` negotiates
//! - `connection` is what rooms share: frames, backpressure, and when a peer is dropped
//! - `room` is what applications do, `admission` how a peer becomes a member, `arriving` what comes

mod admission;
mod arriving;
mod connection;
mod meeting;
mod relay;
mod room;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tracing::debug;
use tristero_proto::crypto::RoomToken;
use tristero_proto::engine::{CloseReason, Engine, EngineEvent, EngineOutput};
use tristero_proto::signaling::SessionTerms;
use tristero_proto::wire::Frame;
use tristero_proto::{
    Clock, ConnId, Deadline, Event, Input, JoinFailure, LeaveReason, LinkId, Output, PeerId,
    RelayConfig, Rng, RoomConfig, RoomKey, Seed, SendFailure, Time,
};

use crate::hostile::SimEngine;
pub(crate) use connection::FAILED_AFTER;
use connection::Shared;
use meeting::{Attempt, Bulk, Early};
use relay::{Relay, RelayOutput};
use room::Room;

/// A peer that plays Trystero in JavaScript. See [`World::add_js_peer`](crate::World::add_js_peer).
///
/// Its methods do what the functions of the same names do in a browser, and what it tells its
/// application are the events of a node.
#[derive(Debug)]
pub struct JsPeer {
    self_id: PeerId,
    engine: SimEngine,
    seed: Seed,
    rng: Rng,
    clock: Clock,
    relays: Vec<Relay>,
    rooms: BTreeMap<RoomKey, Room>,
    attempts: BTreeMap<ConnId, Attempt>,
    bulk: BTreeMap<ConnId, Bulk>,
    /// Announces that wait for offers, by room and relay.
    late_announces: BTreeSet<(RoomKey, usize)>,
    early: VecDeque<Early>,
    /// Connections in use. Those that were dropped without being closed are in no list.
    peers: BTreeMap<ConnId, Shared>,
    /// When it is said that a room was left.
    farewells: VecDeque<(Time, String, RoomToken)>,
    /// To whom it has not sent all that it said, because a channel was full for too long.
    cut_short: BTreeSet<PeerId>,
    outputs: VecDeque<Output>,
    ids: u64,
}

impl JsPeer {
    pub(crate) fn new(
        self_id: Option<PeerId>,
        engine: SimEngine,
        seed: &Seed,
        clock: Clock,
    ) -> Self {
        let mut rng = seed.rng("JavaScript");
        JsPeer {
            self_id: self_id.unwrap_or_else(|| PeerId::generate(&mut rng)),
            engine,
            rng,
            seed: seed.clone(),
            clock,
            relays: Vec::new(),
            rooms: BTreeMap::new(),
            attempts: BTreeMap::new(),
            bulk: BTreeMap::new(),
            late_announces: BTreeSet::new(),
            early: VecDeque::new(),
            peers: BTreeMap::new(),
            farewells: VecDeque::new(),
            cut_short: BTreeSet::new(),
            outputs: VecDeque::new(),
            ids: 0,
        }
    }

    /// Joins a room, actively whatever the configuration says. One that it is in is given again.
    pub fn join(&mut self, config: &RoomConfig, now: Time) -> RoomKey {
        let is_it = |room: &Room| room.app_id == config.app_id && room.room_id == config.room_id;
        if let Some((key, _)) = self.rooms.iter().find(|(_, room)| is_it(room)) {
            return *key;
        }
        let key = RoomKey::from_number(self.next_id());
        let relays: Vec<usize> =
            config.relays.iter().map(|relay| self.relay_at(relay, now)).collect();
        let room = Room::new(config, &self.self_id, relays.clone());
        for relay in relays {
            self.relays[relay].enter(&room.root, &room.own, now);
        }
        let (app_id, token) = (room.app_id.clone(), room.token.clone());
        self.rooms.insert(key, room);
        // A farewell of an earlier stay that is not said yet would end this one.
        self.farewells.retain(|(_, app, left)| (app, left) != (&app_id, &token));
        self.say_presence(&app_id, &token, true, now);
        let theirs = |shared: &Shared| shared.app_id == app_id && shared.theirs.contains(&token);
        let conns = self.peers.iter().filter(|(_, shared)| theirs(shared));
        for conn in conns.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.attach(key, conn, now);
        }
        self.carry(now);
        key
    }

    /// Leaves a room: it says so to all, and its presence ends a little later.
    pub fn leave(&mut self, key: RoomKey, now: Time) {
        self.part(key, now);
        let Some(room) = self.rooms.remove(&key) else { return };
        for relay in room.relays {
            self.relays[relay].exit(&room.root, &room.own, now);
        }
        let of_attempts = self.attempts.iter().filter(|(_, it)| it.room == key).map(|(id, _)| *id);
        let of_bulk = self.bulk.iter().filter(|(_, it)| it.room == key).map(|(id, _)| *id);
        for conn in of_attempts.chain(of_bulk).collect::<Vec<_>>() {
            self.attempts.remove(&conn);
            self.bulk.remove(&conn);
            self.engine.close(conn, now);
        }
        self.farewells.push_back((now + FAREWELL_AFTER, room.app_id, room.token));
        self.carry(now);
    }

    /// The members of a room.
    pub fn peers(&self, key: RoomKey) -> impl Iterator<Item = &PeerId> {
        self.rooms.get(&key).into_iter().flat_map(Room::members)
    }

    /// Its id.
    pub fn self_id(&self) -> &PeerId {
        &self.self_id
    }

    /// Whether it has closed all relays of a room for good.
    pub fn has_given_up_all_relays(&self, key: RoomKey) -> bool {
        let room = self.rooms.get(&key);
        room.is_some_and(|room| room.relays.iter().all(|it| self.relays[*it].is_given_up()))
    }

    /// The peers to which it ever dropped something, because their channel was full for too long. It
    /// drops questions, answers and goodbyes too, and tells nobody.
    pub fn has_cut_short(&self) -> &BTreeSet<PeerId> {
        &self.cut_short
    }

    pub(crate) fn handle_input(&mut self, input: Input<'_>, now: Time) {
        match input {
            Input::LinkOpened(link) => {
                self.relays.iter_mut().for_each(|relay| relay.on_opened(link, now));
            }
            Input::LinkFrame(link, frame) => {
                for relay in &mut self.relays {
                    relay.on_frame(link, frame.clone(), now);
                }
            }
            Input::LinkClosed(link, _) => {
                self.relays.iter_mut().for_each(|relay| relay.on_closed(link, now));
            }
            Input::WallClock(_) => {}
            Input::Engine(input) => self.engine.handle_input(input, now),
        }
        self.carry(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.engine.handle_timeout(now);
        self.carry_engine(now);
        for relay in &mut self.relays {
            let ids = &mut self.ids;
            let new_link = || {
                *ids += 1;
                LinkId::from_number(*ids)
            };
            relay.handle_timeout(new_link, now);
        }
        self.expire_attempts(now);
        self.look_after_connections(now);
        self.look_after_rooms(now);
        while self.farewells.front().is_some_and(|(at, ..)| *at <= now) {
            if let Some((_, app_id, token)) = self.farewells.pop_front() {
                self.say_presence(&app_id, &token, false, now);
            }
        }
        self.carry(now);
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let attempts = self.attempts.values().map(|attempt| attempt.until);
        let bulk = self.bulk.values().map(|bulk| bulk.until);
        let attempts = attempts.chain(bulk).map(|at| Deadline::new(at, "give an attempt up"));
        let farewell = self.farewells.front().map(|(at, ..)| Deadline::new(*at, "say farewell"));
        let relays = self.relays.iter().filter_map(Relay::poll_timeout);
        let connections = self.peers.values().filter_map(Shared::poll_timeout);
        let rooms = self.rooms.values().filter_map(Room::poll_timeout);
        let all = attempts.chain(relays).chain(connections).chain(rooms);
        all.chain(farewell).chain(self.engine.poll_timeout()).min_by_key(|deadline| deadline.at)
    }

    /// Carries what parts said to the parts that it concerns.
    fn carry(&mut self, now: Time) {
        loop {
            let mut is_done = !self.carry_engine(now);
            for relay in 0..self.relays.len() {
                while let Some(output) = self.relays[relay].poll_output() {
                    is_done = false;
                    match output {
                        RelayOutput::Do(output) => self.outputs.push_back(output),
                        RelayOutput::Announce(root) => self.announce(relay, &root, now),
                        RelayOutput::Heard { topic, body } => {
                            self.on_heard(relay, &topic, &body, now);
                        }
                    }
                }
            }
            if is_done {
                return;
            }
        }
    }

    /// Heeds what the engine says; true if it said anything.
    fn carry_engine(&mut self, now: Time) -> bool {
        let mut has_said = false;
        while let Some(output) = self.engine.poll_output() {
            has_said = true;
            match output {
                EngineOutput::Transmit(transmit) => {
                    self.outputs.push_back(Output::Transmit(transmit));
                }
                EngineOutput::Event(event) => self.on_engine_event(event, now),
                EngineOutput::Network(request) => {
                    self.outputs.push_back(Output::Network(request));
                }
            }
        }
        has_said
    }

    fn on_engine_event(&mut self, event: EngineEvent, now: Time) {
        match event {
            EngineEvent::Description { conn, kind, sdp } => {
                self.on_description(conn, kind, sdp, now);
            }
            EngineEvent::Candidate { conn, candidate } => {
                self.on_own_candidate(conn, &candidate, now);
            }
            EngineEvent::Open { conn } => self.on_open(conn, now),
            EngineEvent::Message { conn, bytes, .. } => {
                if let Ok(frame) = Frame::parse(&bytes) {
                    self.on_message(conn, frame, now);
                }
            }
            EngineEvent::Drained { conn, .. } => self.on_drained(conn, now),
            EngineEvent::Closed { conn, reason } => {
                self.bulk.remove(&conn);
                self.on_attempt_over(conn);
                self.lose(conn, reason, now);
            }
            // What this model has no use for.
            _ => {}
        }
    }

    /// A connection is open. If there is one to that peer it is the one that stays.
    fn on_open(&mut self, conn: ConnId, now: Time) {
        let Some(attempt) = self.attempts.remove(&conn) else { return };
        let Some(room) = self.rooms.get(&attempt.room) else { return };
        if self.connection_in(attempt.room, &attempt.peer).is_some() {
            return self.engine.close(conn, now);
        }
        let mut shared = Shared::new(attempt.peer, room.app_id.clone(), now);
        let app_id = &room.app_id;
        for room in self.rooms.values().filter(|room| room.app_id == *app_id) {
            shared.say_presence(&room.token, true);
        }
        self.peers.insert(conn, shared);
        self.flush(conn, now);
        self.attach(attempt.room, conn, now);
    }

    /// A peer is lost, or dropped: then its connection lives on, unheard.
    fn lose(&mut self, conn: ConnId, reason: CloseReason, now: Time) {
        let Some(shared) = self.peers.get_mut(&conn) else { return };
        let peer = shared.peer.clone();
        debug!(at = ?now, me = %self.self_id, %peer, %reason, "lost a peer");
        for outgoing in shared.abandon() {
            self.settle_send(&outgoing, &peer, Some(SendFailure::Left), now);
        }
        self.peers.remove(&conn);
        for key in self.rooms.keys().copied().collect::<Vec<_>>() {
            if self.rooms.get(&key).is_some_and(|room| room.is_attached(&peer, conn)) {
                self.detach(key, &peer, LeaveReason::Lost(reason), now);
            }
        }
    }

    /// The connection to a peer, if there is one that a room may use.
    fn connection_in(&self, key: RoomKey, peer: &PeerId) -> Option<ConnId> {
        let room = self.rooms.get(&key)?;
        let is_it = |shared: &Shared| shared.app_id == room.app_id && shared.peer == *peer;
        self.peers.iter().find(|(_, shared)| is_it(shared)).map(|(conn, _)| *conn)
    }

    fn say_presence(&mut self, app_id: &str, token: &RoomToken, is_present: bool, now: Time) {
        let conns = self.peers.iter().filter(|(_, shared)| shared.app_id == app_id);
        for conn in conns.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            if let Some(shared) = self.peers.get_mut(&conn) {
                shared.say_presence(token, is_present);
            }
            self.flush(conn, now);
        }
    }

    /// The number of a relay; rooms share those with one URL.
    fn relay_at(&mut self, config: &RelayConfig, now: Time) -> usize {
        if let Some(number) = self.relays.iter().position(|relay| relay.config == *config) {
            return number;
        }
        let seed = self.seed.fork(&format!("relay {}", self.relays.len()));
        let terms = SessionTerms {
            url: config.url.clone(),
            self_id: self.self_id.clone(),
            shared: self.seed.fork(config.strategy.name()),
            rng: seed.rng("session"),
            clock: self.clock,
        };
        self.relays.push(Relay::new(config.clone(), terms, seed.rng("reconnection"), now));
        self.relays.len() - 1
    }

    fn fail_join(&mut self, room: RoomKey, peer: PeerId, failure: JoinFailure) {
        if self.rooms.contains_key(&room) {
            self.tell(Event::JoinFailed { room, peer, failure });
        }
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn next_conn(&mut self) -> ConnId {
        ConnId::from_number(self.next_id())
    }
}

/// Presence ends so long after a room was left.
///
/// spec: docs/protocol.md, section 8
const FAREWELL_AFTER: Duration = Duration::from_millis(99);
