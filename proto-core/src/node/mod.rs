//! One local peer: all its rooms, relays and connections.
//!
//! A [`Node`] carries what its parts say to each other: relays to signaling, signaling to the
//! engine, the engine to peers, peers to rooms. Each part is a state machine that knows none of
//! the others. This file drives the node, `calls` has what an application does in a room, `carry`
//! what passes between the parts, `connections` which connections are kept.

mod calls;
mod carry;
mod carry_media;
mod command;
mod config;
mod connections;
mod input;
mod load;
mod media;
mod output;
mod renegotiate;
mod routes;
mod touched;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info};

pub use command::{Command, Reply};
pub use config::{JoinError, NodeConfig, RelayConfig, RoomConfig};
pub use input::Input;
pub use load::Load;
pub use media::MediaCommand;
pub use output::Output;

use crate::crypto::RoomToken;
use crate::engine::{ConnOptions, ConnectionInfo, Engine, EngineInput};
use crate::event::Event;
use crate::ice::{IceCredentials, IceUrl};
use crate::ids::{ConnId, Counter, LinkId, PeerId, RelayId, RoomKey};
use crate::limits::Limits;
use crate::peer::{Peer, What};
use crate::rng::Seed;
use crate::room::{Room, RoomTerms};
use crate::signaling::{Relay, RelayStatus, RoomNames, SessionTerms, Signaling, SignalingTerms};
use crate::time::{Clock, Deadline, DueSet, Time};
use carry_media::NodeMedia;
use routes::Routes;
use touched::Touched;

/// The presence of a left room is withdrawn this long after the goodbye, as Trystero does.
const FAREWELL_DELAY: Duration = Duration::from_millis(99);

/// Goodbyes that can't be handed over to a slow connection are waited for so long when the node is
/// shut down.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(2);

/// One local peer, with all its rooms, relays and connections.
///
/// After any call that takes `&mut self`, call [`poll_output`](Self::poll_output) until it
/// returns `None`, then ask [`poll_timeout`](Self::poll_timeout) anew.
#[derive(Debug)]
pub struct Node<E> {
    self_id: PeerId,
    seed: Seed,
    clock: Clock,
    limits: Limits,
    idle_ttl: Duration,
    manual_reconnection: bool,
    are_relays_paused: bool,
    engine: E,
    relays: BTreeMap<RelayId, Relay>,
    links: BTreeMap<LinkId, RelayId>,
    rooms: BTreeMap<RoomKey, Joined>,
    peers: BTreeMap<ConnId, Peer>,
    routes: Routes,
    media: NodeMedia,
    /// Rooms that were left, and when to withdraw their presence.
    farewells: VecDeque<(Time, ConnId, RoomToken)>,
    /// Peers that were cut, and until when they are not connected to.
    shunned: VecDeque<(Time, String, PeerId)>,
    phase: Phase,
    due: DueSet<Part>,
    /// Parts that were touched and have not been drained since.
    touched: Touched,
    outputs: VecDeque<Output>,
    next_room: Counter,
    next_relay: Counter,
    next_link: Counter,
    next_send: Counter,
    next_conn: Counter,
}

/// A room with its signaling.
#[derive(Debug)]
struct Joined {
    config: RoomConfig,
    signaling: Signaling,
    room: Room,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Goodbyes are on their way; connections close then, or later if they are still queued.
    ShuttingDown {
        close_at: Time,
        give_up_at: Time,
    },
    ShutDown,
}

/// What has a deadline or outputs of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Relay(RelayId),
    Signaling(RoomKey),
    Engine,
    Room(RoomKey),
    Peer(ConnId),
}

impl<E: Engine> Node<E> {
    /// A node that is in no room yet.
    pub fn new(config: NodeConfig, engine: E, seed: Seed, clock: Clock) -> Self {
        let self_id = config.self_id.unwrap_or_else(|| PeerId::generate(&mut seed.rng("self id")));
        debug!(%self_id, at = ?clock.now, "a node begins");
        Node {
            self_id,
            seed,
            clock,
            limits: config.limits,
            idle_ttl: config.idle_ttl,
            manual_reconnection: config.manual_reconnection,
            are_relays_paused: false,
            engine,
            relays: BTreeMap::new(),
            links: BTreeMap::new(),
            rooms: BTreeMap::new(),
            peers: BTreeMap::new(),
            routes: Routes::default(),
            media: NodeMedia::default(),
            farewells: VecDeque::new(),
            shunned: VecDeque::new(),
            phase: Phase::Running,
            due: DueSet::new(),
            touched: Touched::default(),
            outputs: VecDeque::new(),
            next_room: Counter::default(),
            next_relay: Counter::default(),
            next_link: Counter::default(),
            next_send: Counter::default(),
            next_conn: Counter::default(),
        }
    }

    /// Joins a room. This is local: relays are dialled and peers met from now on. A room that was
    /// joined already in the same way is given again.
    pub fn join(&mut self, config: RoomConfig, now: Time) -> Result<RoomKey, JoinError> {
        config.check()?;
        if self.phase != Phase::Running {
            return Err(JoinError::ShutDown);
        }
        if let Some((key, joined)) = self.find_room(&config.app_id, &config.room_id) {
            return joined
                .config
                .differs_in(&config)
                .map_or(Ok(key), |w| Err(JoinError::Differs(w)));
        }
        if self.rooms.len() >= self.limits.rooms {
            return Err(JoinError::TooManyRooms(self.limits.rooms));
        }
        let key = RoomKey(self.next_room.next());
        let (signaling, room) = self.found(key, &config);
        info!(room = ?key, relays = config.relays.len(), "joined a room");
        let relays = config.relays.clone();
        self.rooms.insert(key, Joined { config, signaling, room });
        for relay in relays {
            self.use_relay(key, &relay, now);
        }
        self.greet_from(key, now);
        self.settle(now);
        Ok(key)
    }

    /// The parts of a new room.
    fn found(&self, key: RoomKey, config: &RoomConfig) -> (Signaling, Room) {
        let names =
            RoomNames::new(&config.app_id, &config.room_id, &config.password, &self.self_id);
        let signaling = Signaling::new(SignalingTerms {
            self_id: self.self_id.clone(),
            names: names.clone(),
            options: ConnOptions {
                trickle: config.trickles(),
                ice: Arc::new(config.ice.clone()),
                media: Arc::new(config.media.clone()),
            },
            is_passive: config.passive,
            limits: self.limits.clone(),
            rng: self.seed.rng(&format!("signaling {}", key.0)),
        });
        let secret_name = format!("challenges of {}@{}", config.app_id, config.room_id);
        let room = Room::new(RoomTerms {
            key,
            self_id: self.self_id.clone(),
            names,
            handshake_timeout: config.handshake_timeout,
            handshake: config.handshake,
            limits: self.limits.clone(),
            secret: self.seed.fork(&secret_name),
            rng: self.seed.rng(&format!("requests {}", key.0)),
        });
        (signaling, room)
    }

    /// Leaves a room. No event of it follows. Connections stay for a while, for other rooms.
    pub fn leave(&mut self, room: RoomKey, now: Time) {
        self.leave_room(room, now);
        self.settle(now);
    }

    /// Leaves all rooms, and closes all connections once the goodbyes are on their way.
    /// [`Event::ShutDown`] follows.
    pub fn shut_down(&mut self, now: Time) {
        if self.phase == Phase::Running {
            let rooms: Vec<RoomKey> = self.rooms.keys().copied().collect();
            rooms.into_iter().for_each(|room| self.leave_room(room, now));
            let has_goodbyes = !self.farewells.is_empty();
            let close_at = if has_goodbyes { now + FAREWELL_DELAY } else { now };
            self.phase = Phase::ShuttingDown { close_at, give_up_at: now + GOODBYE_PATIENCE };
            self.settle(now);
        }
    }

    /// A TURN server of a room takes these credentials from now on; false if the room has no such
    /// server, or was left. What it has given stays. If it refused, it is asked again at once, and
    /// what it gives goes to the attempts that are under way.
    pub fn set_ice_credentials(
        &mut self,
        room: RoomKey,
        url: &IceUrl,
        credentials: &IceCredentials,
        now: Time,
    ) -> bool {
        let Some(joined) = self.rooms.get_mut(&room) else { return false };
        let mut servers = joined.config.ice.servers.iter_mut();
        let Some(server) = servers.find(|server| server.url == *url) else { return false };
        server.credentials = Some(credentials.clone());
        joined.signaling.set_ice(Arc::new(joined.config.ice.clone()));
        self.engine.handle_input(EngineInput::IceCredentials(url, credentials), now);
        self.touched.insert(Part::Engine);
        self.settle(now);
        true
    }

    /// Dials no relay any more that is not open; see [`resume_relays`](Self::resume_relays). Those
    /// that are open stay so.
    pub fn pause_relays(&mut self, now: Time) {
        self.are_relays_paused = true;
        self.with_all_relays(|relay| relay.pause());
        self.settle(now);
    }

    /// Dials relays again, those that wait at once.
    pub fn resume_relays(&mut self, now: Time) {
        self.are_relays_paused = false;
        self.with_all_relays(|relay| relay.resume(now));
        self.settle(now);
    }

    /// Takes what happened outside.
    pub fn handle_input(&mut self, input: Input<'_>, now: Time) {
        match input {
            Input::LinkOpened(link) => {
                self.with_relay_of(link, |relay| relay.on_link_opened(link, now));
            }
            Input::LinkFrame(link, frame) => {
                self.with_relay_of(link, |relay| relay.on_link_frame(link, frame, now));
            }
            Input::LinkClosed(link, why) => {
                self.with_relay_of(link, |relay| relay.on_link_closed(link, why, now));
                self.links.remove(&link);
            }
            Input::WallClock(unix) => {
                self.clock = Clock { now, unix };
                let clock = self.clock;
                self.with_all_relays(|relay| relay.on_wall_clock(clock, now));
            }
            Input::Engine(input) => {
                self.engine.handle_input(input, now);
                self.touched.insert(Part::Engine);
                let is_new_address = matches!(input, EngineInput::AddressAdded(_));
                if is_new_address && !self.manual_reconnection && !self.are_relays_paused {
                    self.with_all_relays(|relay| relay.resume(now));
                }
            }
        }
        self.settle(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.wake_due(now);
        self.withdraw_presence(now);
        self.settle(now);
        // What outboxes handed to the engine just now is to leave now.
        self.wake_due(now);
        self.settle(now);
        if let Phase::ShuttingDown { close_at, give_up_at } = self.phase
            && close_at <= now
        {
            let is_waiting = self.peers.values().any(|peer| peer.outbox.has_promised());
            if is_waiting && now < give_up_at {
                let close_at = now + FAREWELL_DELAY;
                self.phase = Phase::ShuttingDown { close_at, give_up_at };
            } else {
                self.close_all(now);
            }
        }
    }

    /// The next thing to do or to know, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let farewell =
            self.farewells.front().map(|(at, ..)| Deadline::new(*at, "withdraw presence"));
        let shutdown = match self.phase {
            Phase::ShuttingDown { close_at, .. } => Some(Deadline::new(close_at, "shut down")),
            Phase::Running | Phase::ShutDown => None,
        };
        Deadline::earlier(self.due.next(), Deadline::earlier(farewell, shutdown))
    }

    /// The node's own id.
    pub fn self_id(&self) -> &PeerId {
        &self.self_id
    }

    /// Whether the application decides in a room who becomes a member.
    pub fn has_handshake(&self, room: RoomKey) -> bool {
        self.rooms.get(&room).is_some_and(|joined| joined.config.handshake)
    }

    /// Whether a room was joined as a passive peer.
    pub fn is_passive(&self, room: RoomKey) -> bool {
        self.rooms.get(&room).is_some_and(|joined| joined.config.passive)
    }

    /// The members of a room, in the order of their ids; empty if it was left.
    pub fn peers(&self, room: RoomKey) -> impl Iterator<Item = &PeerId> {
        self.rooms.get(&room).into_iter().flat_map(|joined| joined.room.peers())
    }

    /// How the relays of a room are doing.
    pub fn relays(&self, room: RoomKey) -> Vec<RelayStatus> {
        let Some(joined) = self.rooms.get(&room) else { return Vec::new() };
        joined.signaling.relays().filter_map(|id| self.relays.get(&id)).map(Relay::status).collect()
    }

    /// What is known of the connection to a member.
    pub fn connection_info(&self, room: RoomKey, peer: &PeerId) -> Option<ConnectionInfo> {
        let joined = self.rooms.get(&room)?;
        let conn = self.routes.shared(&joined.config.app_id, peer)?;
        self.engine.connection_info(conn)
    }

    /// What was dropped in a room because it was malformed or too much: signals, chunks, messages.
    pub fn dropped(&self, room: RoomKey) -> u64 {
        self.rooms.get(&room).map_or(0, |joined| joined.signaling.dropped() + joined.room.dropped())
    }

    /// The engine, to read what it counts.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    fn wake_due(&mut self, now: Time) {
        while let Some(part) = self.due.pop_due(now) {
            self.wake(part, now);
        }
    }

    fn wake(&mut self, part: Part, now: Time) {
        match part {
            Part::Relay(id) => {
                let (next_link, links) = (&mut self.next_link, &mut self.links);
                if let Some(relay) = self.relays.get_mut(&id) {
                    let new_link = || {
                        let link = LinkId(next_link.next());
                        links.insert(link, id);
                        link
                    };
                    relay.handle_timeout(new_link, now);
                }
            }
            Part::Signaling(room) => {
                if let Some(joined) = self.rooms.get_mut(&room) {
                    joined.signaling.handle_timeout(&mut self.next_conn, now);
                }
            }
            Part::Engine => self.engine.handle_timeout(now),
            Part::Room(room) => {
                if let Some(joined) = self.rooms.get_mut(&room) {
                    joined.room.handle_timeout(now);
                }
            }
            Part::Peer(conn) => self.wake_peer(conn, now),
        }
        self.touched.insert(part);
    }

    fn use_relay(&mut self, room: RoomKey, config: &RelayConfig, now: Time) {
        let shared =
            self.relays.iter().find(|(_, relay)| relay.is_at(&*config.strategy, &config.url));
        let id = shared.map_or_else(|| RelayId(self.next_relay.next()), |(id, _)| *id);
        let strategy = config.strategy.clone();
        let terms = SessionTerms {
            url: config.url.clone(),
            self_id: self.self_id.clone(),
            shared: self.seed.fork(&format!("strategy {}", strategy.name())),
            rng: self.seed.rng(&format!("relay session {}", id.0)),
            clock: self.clock,
        };
        let rng = self.seed.rng(&format!("relay {}", id.0));
        let is_paused = self.are_relays_paused;
        let relay = self.relays.entry(id).or_insert_with(|| {
            let mut relay = Relay::new(strategy, terms, rng, now);
            if is_paused {
                relay.pause();
            }
            relay
        });
        let Some(joined) = self.rooms.get_mut(&room) else { return };
        joined.signaling.add_relay(id, &*config.strategy);
        let names = joined.signaling.names();
        if !joined.config.passive {
            relay.subscribe(&names.self_topic, &names.root_topic, room, now);
        }
        relay.subscribe(&names.root_topic, &names.root_topic, room, now);
        self.touched.extend([Part::Relay(id), Part::Signaling(room)]);
    }

    fn leave_room(&mut self, key: RoomKey, now: Time) {
        let Some(joined) = self.rooms.get_mut(&key) else { return };
        joined.room.leave();
        joined.signaling.close();
        self.carry_room(key, now);
        self.carry_signaling(key, now);
        let Some(joined) = self.rooms.remove(&key) else { return };
        self.due.set(Part::Room(key), None);
        self.due.set(Part::Signaling(key), None);
        self.media.local.leave(key);
        self.media.local.tidy();
        let names = joined.room.names();
        for (conn, peer) in &mut self.peers {
            if peer.app_id == names.app_id {
                let farewell = (now + FAREWELL_DELAY, *conn, names.token.clone());
                self.farewells.push_back(farewell);
                peer.outbox.drop_room(key);
                peer.negotiator.on_left(key, now);
                peer.received.forget(key);
                peer.sent.forget(key, peer.is_ours());
                if peer.sent.has_more() {
                    peer.negotiator.want(What::Media);
                }
                peer.detach(key, &names.token, now);
                self.touched.insert(Part::Peer(*conn));
            }
        }
        for id in joined.signaling.relays() {
            let Some(relay) = self.relays.get_mut(&id) else { continue };
            relay.unsubscribe(&names.self_topic, key, now);
            relay.unsubscribe(&names.root_topic, key, now);
            self.touched.insert(Part::Relay(id));
        }
        info!(room = ?key, "left a room");
    }

    /// Tells every peer of the app that we are in this room too, and meets those who are in it. A
    /// passive room is not there while it is dormant.
    pub(super) fn greet_from(&mut self, key: RoomKey, now: Time) {
        let Some(joined) = self.rooms.get(&key) else { return };
        if joined.signaling.is_dormant() {
            return;
        }
        let names = joined.room.names();
        let mut present = Vec::new();
        for (conn, peer) in &mut self.peers {
            if peer.app_id == names.app_id {
                peer.say_presence(&names.token, true);
                self.touched.insert(Part::Peer(*conn));
                present.extend(peer.is_present_in(&names.token).then_some(*conn));
            }
        }
        present.into_iter().for_each(|conn| self.attach(key, conn, now));
    }

    /// Tells every peer of the app that we are in this room no longer, for now.
    pub(super) fn withdraw_from(&mut self, key: RoomKey) {
        let Some(joined) = self.rooms.get(&key) else { return };
        let names = joined.room.names();
        for (conn, peer) in &mut self.peers {
            if peer.app_id == names.app_id {
                peer.say_presence(&names.token, false);
                self.touched.insert(Part::Peer(*conn));
            }
        }
    }

    fn withdraw_presence(&mut self, now: Time) {
        while self.farewells.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, conn, token)) = self.farewells.pop_front() else { return };
            let is_back = self
                .rooms
                .values()
                .any(|joined| joined.room.names().token == token && !joined.signaling.is_dormant());
            if let Some(peer) = self.peers.get_mut(&conn).filter(|_| !is_back) {
                peer.say_presence(&token, false);
                self.touched.insert(Part::Peer(conn));
            }
        }
    }

    fn wake_peer(&mut self, conn: ConnId, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        peer.outbox.handle_timeout(now);
        if let Some(why) = peer.is_over(now) {
            debug!(peer = %peer.id, why, "closed a connection");
            self.engine.close(conn, now);
            self.touched.insert(Part::Engine);
        }
        peer.received.wake(peer.is_ours(), now);
        self.tell_of_media(conn);
        self.wake_restarts(conn, now);
    }

    fn close_all(&mut self, now: Time) {
        let conns: Vec<ConnId> = self.peers.keys().copied().collect();
        for conn in conns {
            self.engine.close(conn, now);
        }
        self.engine.handle_input(EngineInput::ShutDown, now);
        self.touched.insert(Part::Engine);
        self.settle(now);
        debug_assert!(self.relays.is_empty(), "relays go with the rooms that use them");
        self.due = DueSet::new();
        self.phase = Phase::ShutDown;
        self.outputs.push_back(Output::Event(Event::ShutDown));
    }

    fn find_room(&self, app_id: &str, room_id: &str) -> Option<(RoomKey, &Joined)> {
        let is_same =
            |joined: &Joined| joined.config.app_id == app_id && joined.config.room_id == room_id;
        self.rooms.iter().find(|(_, joined)| is_same(joined)).map(|(key, joined)| (*key, joined))
    }

    fn with_all_relays(&mut self, mut act: impl FnMut(&mut Relay)) {
        for (id, relay) in &mut self.relays {
            act(relay);
            self.touched.insert(Part::Relay(*id));
        }
    }

    fn with_relay_of(&mut self, link: LinkId, act: impl FnOnce(&mut Relay)) {
        let Some(id) = self.links.get(&link) else { return };
        if let Some(relay) = self.relays.get_mut(id) {
            act(relay);
            self.touched.insert(Part::Relay(*id));
        }
    }
}
