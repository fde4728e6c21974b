//! The world: peers, the network between them, and the relays that they meet at.
//!
//! It has one clock, which jumps from one thing that happens to the next. Network, relays and peers
//! know nothing of each other; the world carries what one says to the other. Where several things
//! happen in one moment they do so in a fixed order, so a run is a function of its seed and of what
//! is done to the world.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tristero::{NodeHandle, Parts};
use tristero_proto::crypto::Topic;
use tristero_proto::engine::{EngineInput, NetworkEvent, NetworkRequest};
use tristero_proto::{
    Clock, Event, Input, JoinError, LinkId, Node, Output, PeerId, RelayConfig, RoomConfig, RoomKey,
    Seed, Time,
};

use crate::app::{App, Process, SimRuntime, Surroundings, Woken, WorldClock};
use crate::hostile::SimEngine;
use crate::js::{self, JsPeer};
use crate::network::{Arrival, Family, HostId, LocalNames, Network, Realm, socket};
use crate::peer::{self, Body, Peer, PeerOptions, PeerState, SimNode};
use crate::relays::{Announce, Faults, LinkArrival, Relay, Relays, Service};
use crate::trace::Trace;

/// A peer's place in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who(u32);

impl Who {
    /// The number, from 0 in the order in which peers were added.
    pub const fn number(self) -> u32 {
        self.0
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// Something that a peer was told, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// When.
    pub at: Time,
    /// Who.
    pub who: Who,
    /// What.
    pub event: Event,
}

/// A world. See the [crate](crate) for an example.
#[derive(Debug)]
pub struct World {
    seed: Seed,
    now: Time,
    /// The same time, for applications.
    clock: WorldClock,
    zero: Instant,
    network: Network,
    relays: Relays,
    peers: Vec<Peer>,
    inhabitants: BTreeMap<HostId, Who>,
    /// What names lead to.
    names: BTreeMap<String, Vec<IpAddr>>,
    /// What names lead to that peers publish by multicast DNS.
    local_names: LocalNames,
    due: BTreeSet<(Time, Who)>,
    /// What applications have to do at once.
    woken: Woken,
    told: VecDeque<Told>,
    trace: Trace,
}

impl World {
    /// A world in which nothing is yet. All that is random in it comes from the seed.
    pub fn new(seed: u64) -> Self {
        World::with_trace(seed, Trace::new(false))
    }

    pub(crate) fn with_trace(seed: u64, trace: Trace) -> Self {
        let seed = Seed::from_number(seed);
        #[allow(clippy::disallowed_methods, reason = "only differences to it are looked at")]
        let zero = Instant::now() + HEAD_START;
        World {
            now: Time::ZERO,
            clock: WorldClock::default(),
            zero,
            network: Network::new(&seed, zero),
            relays: Relays::new(seed.fork("relays")),
            peers: Vec::new(),
            inhabitants: BTreeMap::new(),
            names: BTreeMap::new(),
            local_names: LocalNames::default(),
            due: BTreeSet::new(),
            woken: Woken::default(),
            told: VecDeque::new(),
            trace,
            seed,
        }
    }

    /// Adds a relay, and gives what rooms name it by.
    pub fn add_relay(&mut self, service: impl Service + 'static) -> (Relay, RelayConfig) {
        let relay = self.relays.add(service);
        (relay, self.relays.config(relay))
    }

    /// Adds a peer: a node that [`with`](Self::with) does something to. It has a public address
    /// unless its options say otherwise.
    pub fn add_peer(&mut self, options: PeerOptions) -> Who {
        self.admit(options, &peer::rtc_config(), |parts| {
            let Parts { config, engine, seed, clock, unread: _ } = parts;
            Body::Node(Box::new(Node::new(config, engine, seed, clock)))
        })
    }

    /// Adds a peer that behaves as Trystero in JavaScript does: one that [`with_js`](Self::with_js)
    /// does something to. Of the configuration of a node it takes the id alone.
    pub fn add_js_peer(&mut self, options: PeerOptions) -> Who {
        let mut rtc = peer::rtc_config();
        rtc.silence_max = js::FAILED_AFTER;
        self.admit(options, &rtc, |parts| {
            let Parts { config, engine, seed, clock, unread: _ } = parts;
            Body::Js(Box::new(JsPeer::new(config.self_id, engine, &seed, clock)))
        })
    }

    /// Adds a peer that is an application: this function is called with its node, and what it
    /// gives is run until it ends, or the peer does. See the [crate](crate) for an example, and for
    /// what an application has to refrain from.
    ///
    /// Once it has ended, and what it let go is gone, its node says goodbye; but the tasks that it
    /// spawned go on.
    pub fn add_app<T, R>(
        &mut self,
        options: PeerOptions,
        main: impl FnOnce(NodeHandle, SimRuntime) -> R,
    ) -> App<T>
    where
        T: 'static,
        R: Future<Output = T> + 'static,
    {
        let (who, mut app) = (self.next(), None);
        let surroundings = Surroundings {
            who,
            clock: self.clock.clone(),
            woken: self.woken.clone(),
            seed: self.peer_seed(who).fork("application"),
        };
        self.admit(options, &peer::rtc_config(), |parts| {
            let process = Process::new(parts, surroundings, |node, runtime| {
                let (begun, main) = App::new(who, main(node, runtime));
                app = Some(begun);
                main
            });
            Body::App(Box::new(process))
        });
        app.expect("the process begins it")
    }

    /// Gives a peer another address where it is.
    pub fn add_address(&mut self, who: Who, family: Family) {
        let peer = &mut self.peers[who.index()];
        let address = self.network.add_address(peer.host, peer.realm, family);
        peer.addresses.push(address);
        let input = EngineInput::AddressAdded(socket(address));
        self.input(who, Input::Engine(input));
    }

    /// Moves a peer to other addresses: the ones it had are gone.
    pub fn roam(&mut self, who: Who) {
        self.roam_to(who, self.realm(who));
    }

    /// Moves a peer into another network.
    pub fn roam_to(&mut self, who: Who, realm: Realm) {
        let peer = &mut self.peers[who.index()];
        peer.realm = realm;
        let host = peer.host;
        for address in std::mem::take(&mut peer.addresses) {
            self.network.remove_address(host, address);
            let input = EngineInput::AddressRemoved(socket(address));
            self.input(who, Input::Engine(input));
        }
        self.add_addresses(who);
    }

    /// Has a peer join a room.
    ///
    /// # Panics
    ///
    /// If it is an application.
    pub fn join(&mut self, who: Who, config: RoomConfig) -> Result<RoomKey, JoinError> {
        self.relays.add_root(&Topic::root(&config.app_id, &config.room_id));
        let key = if self.js(who).is_some() {
            self.with_js(who, |js, now| Ok(js.join(&config, now)))
        } else {
            self.with(who, |node, now| node.join(config, now))
        };
        key.unwrap_or(Err(JoinError::ShutDown))
    }

    /// Does something to the node of a peer, as its application would; `None` if it is asleep or has
    /// crashed.
    ///
    /// # Panics
    ///
    /// If it is an application, which has its node for itself, or has none.
    pub fn with<T>(&mut self, who: Who, act: impl FnOnce(&mut SimNode, Time) -> T) -> Option<T> {
        let now = self.now;
        let result = self.peers[who.index()].with(|node| act(node, now));
        self.settle(who);
        result
    }

    /// Does something to a peer that was added by [`add_js_peer`](Self::add_js_peer); `None` if it is
    /// asleep or has crashed. It joins rooms by [`join`](Self::join), so that the world knows them.
    ///
    /// # Panics
    ///
    /// If it was added otherwise.
    pub fn with_js<T>(&mut self, who: Who, act: impl FnOnce(&mut JsPeer, Time) -> T) -> Option<T> {
        let now = self.now;
        let result = self.peers[who.index()].with_js(|js| act(js, now));
        self.settle(who);
        result
    }

    /// Ends a peer's process without a goodbye, and drops the tasks of an application. Its relays
    /// notice, since its machine lives.
    pub fn crash(&mut self, who: Who) {
        self.peers[who.index()].crash();
        self.relays.close_all(who, self.now);
        self.settle(who);
    }

    /// Puts the machine of a peer to sleep: it does nothing. Datagrams that come are lost; what comes
    /// over links waits for it, and a link for which too much waits ends.
    pub fn sleep(&mut self, who: Who) {
        let peer = &mut self.peers[who.index()];
        peer.state = match std::mem::replace(&mut peer.state, PeerState::Crashed) {
            PeerState::Running(node) => {
                self.relays.sleep(who);
                PeerState::Asleep(node)
            }
            other => other,
        };
        self.settle(who);
    }

    /// Wakes the machine of a peer. Its clock shows how long it slept.
    pub fn wake(&mut self, who: Who) {
        let peer = &mut self.peers[who.index()];
        peer.state = match std::mem::replace(&mut peer.state, PeerState::Crashed) {
            PeerState::Asleep(node) => PeerState::Running(node),
            other => other,
        };
        self.relays.wake(who);
        self.deliver_frames();
        self.settle(who);
    }

    /// Runs for so long.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
    }

    /// Runs until something holds, for so long at most. False if it does not hold by then.
    #[must_use = "it may not have come true"]
    pub fn run_until(&mut self, patience: Duration, mut holds: impl FnMut(&World) -> bool) -> bool {
        let end = self.now + patience;
        loop {
            if holds(self) {
                return true;
            }
            if !self.step(end) {
                return holds(self);
            }
        }
    }

    /// Lets the next thing happen, if it is due by `end`; else it is `end` now, and false.
    pub fn step(&mut self, end: Time) -> bool {
        if self.run_woken() {
            return true;
        }
        let of_peers = self.due.first().map(|(at, _)| *at);
        let next = [self.network.poll_timeout(), self.relays.poll_timeout(), of_peers];
        let Some(at) = next.into_iter().flatten().min().filter(|at| *at <= end) else {
            self.set_now(end);
            return false;
        };
        self.set_now(self.now.max(at));
        if self.network.poll_timeout().is_some_and(|at| at <= self.now) {
            self.network.handle_timeout(self.now);
            while let Some(arrival) = self.network.poll_arrival() {
                self.on_datagram(&arrival);
            }
        } else if self.relays.poll_timeout().is_some_and(|at| at <= self.now) {
            self.relays.handle_timeout(self.now);
            self.deliver_frames();
        } else if let Some((_, who)) = self.due.first().copied() {
            self.on_due(who);
        }
        true
    }

    /// Takes what peers were told since this was last asked for, oldest first. What applications
    /// are told they keep to themselves.
    pub fn take_told(&mut self) -> VecDeque<Told> {
        std::mem::take(&mut self.told)
    }

    /// What a peer was told, as far as it was not taken.
    pub fn events(&self, who: Who) -> impl Iterator<Item = &Event> {
        self.told.iter().filter(move |told| told.who == who).map(|told| &told.event)
    }

    /// The members of a room, as a peer that is no application sees it.
    pub fn members(&self, who: Who, room: RoomKey) -> Vec<PeerId> {
        if let Some(js) = self.js(who) {
            return js.peers(room).cloned().collect();
        }
        self.node(who).map(|node| node.peers(room).cloned().collect()).unwrap_or_default()
    }

    /// The id of a peer.
    ///
    /// # Panics
    ///
    /// If it has crashed.
    pub fn id(&self, who: Who) -> PeerId {
        self.peers[who.index()].self_id().expect("a crashed peer has no id").clone()
    }

    /// The node of a peer, to look at; `None` once it has crashed, or if it is an application.
    pub fn node(&self, who: Who) -> Option<&SimNode> {
        self.peers[who.index()].node()
    }

    /// A peer that was added by [`add_js_peer`](Self::add_js_peer), to look at; `None` once it has
    /// crashed, or if it was added otherwise.
    pub fn js(&self, who: Who) -> Option<&JsPeer> {
        self.peers[who.index()].js()
    }

    /// Everyone who was added.
    pub fn everyone(&self) -> impl Iterator<Item = Who> + use<> {
        (0..self.peers.len()).map(|number| Who(u32::try_from(number).expect("they were counted")))
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The network.
    pub fn network(&mut self) -> &mut Network {
        self.network.advance(self.now);
        &mut self.network
    }

    /// The host of a peer, for the network's conditions.
    pub fn host(&self, who: Who) -> HostId {
        self.peers[who.index()].host
    }

    /// Where a peer is in the network.
    pub fn realm(&self, who: Who) -> Realm {
        self.peers[who.index()].realm
    }

    /// Has every peer find a host under this name, as the URLs of STUN servers have. Others have no
    /// address.
    pub fn add_name(&mut self, name: impl Into<String>, address: IpAddr) {
        self.names.entry(name.into()).or_default().push(address);
    }

    /// Whether two peers can connect without servers: see [`Network::can_reach`].
    pub fn can_reach(&self, a: Who, b: Who) -> bool {
        self.network.can_reach(self.host(a), self.host(b))
    }

    /// Whether two peers can connect with these servers: see [`Network::can_reach_with`].
    pub fn can_reach_with(&self, a: Who, b: Who, servers: &[SocketAddr]) -> bool {
        self.network.can_reach_with((self.host(a), servers), (self.host(b), servers))
    }

    /// Ends a relay, whose links end.
    pub fn stop_relay(&mut self, relay: Relay) {
        self.relays.stop(relay, self.now);
    }

    /// Lets a relay that was stopped take links again.
    pub fn start_relay(&mut self, relay: Relay) {
        self.relays.start(relay);
    }

    /// Sets what is wrong with a relay from now on, in place of what was.
    pub fn set_relay_faults(&mut self, relay: Relay, faults: Faults) {
        self.relays.set_faults(relay, faults, self.now);
    }

    /// The announces that relays have heard, the oldest first; those of long ago are forgotten.
    pub fn announces(&self) -> impl DoubleEndedIterator<Item = &Announce> {
        self.relays.announces()
    }

    /// The links of a peer that stand or are being made: each by its relay.
    pub fn links(&self, who: Who) -> impl Iterator<Item = Relay> {
        self.relays.links(who)
    }

    /// A hash over time, peer, kind and size of all that was done: equal in runs of equal seeds.
    pub fn digest(&self) -> u64 {
        self.trace.digest()
    }

    fn next(&self) -> Who {
        Who(u32::try_from(self.peers.len()).expect("nobody makes so many peers"))
    }

    fn peer_seed(&self, who: Who) -> Seed {
        self.seed.fork(&format!("peer {}", who.0))
    }

    fn admit(
        &mut self,
        options: PeerOptions,
        rtc: &tristero_str0m::Config,
        make: impl FnOnce(Parts<SimEngine>) -> Body,
    ) -> Who {
        let (who, host) = (self.next(), self.network.add_host());
        let seed = self.peer_seed(who);
        let clock = Clock { now: self.now, unix: unix_at(self.now) };
        self.inhabitants.insert(host, who);
        self.peers.push(Peer::new(options, host, &seed, self.zero, clock, rtc, make));
        self.add_addresses(who);
        who
    }

    fn set_now(&mut self, now: Time) {
        self.now = now;
        self.clock.set(now);
    }

    /// Lets applications do what they were woken for from outside: by the test, or by another.
    fn run_woken(&mut self) -> bool {
        let mut woken = self.woken.applications();
        woken.retain(|who| self.peers[who.index()].is_running());
        woken.iter().for_each(|who| self.settle(*who));
        !woken.is_empty()
    }

    fn add_addresses(&mut self, who: Who) {
        for family in self.peers[who.index()].families.clone() {
            self.add_address(who, family);
        }
    }

    fn on_datagram(&mut self, arrival: &Arrival) {
        let Some(who) = self.inhabitants.get(&arrival.host).copied() else { return };
        self.input(who, Input::Engine(EngineInput::Datagram(arrival.datagram())));
    }

    fn deliver_frames(&mut self) {
        while let Some(arrival) = self.relays.poll_arrival() {
            self.on_link(arrival);
        }
    }

    fn on_link(&mut self, arrival: LinkArrival) {
        match arrival {
            LinkArrival::Opened(who, link) => self.input(who, Input::LinkOpened(link)),
            LinkArrival::Frame(who, link, frame) => self.input(who, Input::LinkFrame(link, frame)),
            LinkArrival::Closed(who, link, why) => self.input(who, Input::LinkClosed(link, why)),
        }
    }

    fn on_due(&mut self, who: Who) {
        let now = self.now;
        let peer = &mut self.peers[who.index()];
        let why = peer.poll_timeout().map_or("nothing", |deadline| deadline.why);
        peer.handle_timeout(now);
        peer.haste += 1;
        assert!(peer.haste < HASTE_MAX, "{who:?} wants to be woken at once, over and over: {why}");
        self.settle(who);
    }

    fn input(&mut self, who: Who, input: Input<'_>) {
        let now = self.now;
        self.peers[who.index()].handle_input(input, now);
        self.settle(who);
    }

    /// Performs what a peer wants done, and notes when it is due.
    fn settle(&mut self, who: Who) {
        while let Some(output) = self.peers[who.index()].poll_output() {
            self.perform(who, output);
        }
        let peer = &mut self.peers[who.index()];
        let due = peer.poll_timeout().map(|deadline| deadline.at);
        if due.is_none_or(|at| at > self.now) {
            peer.haste = 0;
        }
        if peer.due != due {
            if let Some(was) = std::mem::replace(&mut peer.due, due) {
                self.due.remove(&(was, who));
            }
            if let Some(at) = due {
                self.due.insert((at, who));
            }
        }
    }

    fn perform(&mut self, who: Who, output: Output) {
        self.trace.note(self.now, who, &output);
        match output {
            Output::OpenLink { link, target } => self.relays.open((who, link), &target, self.now),
            Output::SendLink { link, frame } => self.relays.send((who, link), frame, self.now),
            Output::CloseLink { link } => self.close_link(who, link),
            Output::Transmit(transmit) => {
                self.network.send(self.host(who), &transmit, self.now);
            }
            Output::Network(request) => self.answer(who, request),
            Output::Event(event) => self.told.push_back(Told { at: self.now, who, event }),
            other => panic!("the world does not know how to do this: {other:?}"),
        }
    }

    /// Does what an engine wants of the network beside datagrams. Names are known or not, and known
    /// at once; streams lead nowhere.
    fn answer(&mut self, who: Who, request: NetworkRequest) {
        let (now, host) = (self.now, self.host(who));
        let event = match request {
            NetworkRequest::Resolve { name } => {
                let addresses = self.names.get(&name).cloned().unwrap_or_default();
                NetworkEvent::Resolved { name, addresses }
            }
            NetworkRequest::ResolveLocal { name } => {
                let found = self.local_names.resolve(&name, host, &self.network);
                NetworkEvent::LocalResolved { name, addresses: found.into_iter().collect() }
            }
            NetworkRequest::PublishLocal { name, address } => {
                self.local_names.publish(host, name, address);
                return;
            }
            NetworkRequest::WithdrawLocal { name } => {
                self.local_names.withdraw(host, &name);
                return;
            }
            NetworkRequest::OpenStream { stream, .. } => {
                let why = "there are no streams here".to_owned();
                NetworkEvent::StreamClosed { stream, why }
            }
            _ => return,
        };
        let peer = &mut self.peers[who.index()];
        peer.handle_input(Input::Engine(EngineInput::Network(&event)), now);
    }

    fn close_link(&mut self, who: Who, link: LinkId) {
        self.relays.close((who, link), self.now);
    }
}

/// What a wall clock shows that is right.
pub(crate) fn unix_at(now: Time) -> Duration {
    UNIX_AT_ZERO + now.since_epoch()
}

/// What the wall clocks of the world show when it begins.
const UNIX_AT_ZERO: Duration = Duration::from_secs(1_700_000_000);

/// The world is this far ahead of the clock of the machine, which no run catches up with.
///
/// The SCTP below str0m reads that clock where it sends its first packet, and sets the timer to
/// repeat that packet by it. In the world the timer must not go off earlier or later by how fast
/// the machine is, so it is always due: the packet is repeated at once.
const HEAD_START: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// What is due may make something else due at once, but not over and over.
const HASTE_MAX: u32 = 16;
