//! Several nodes in one process, in virtual time: a relay that delivers, a network that loses
//! nothing unless it is told to, and everything that the nodes said.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

pub mod media;
pub mod tracker;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tristero_proto::engine::{Datagram, EngineInput, Path, Transmit};
use tristero_proto::signaling::{LinkFrame, LinkTarget, RelayUrl};
use tristero_proto::strategies::{Torrent, WsRelay};
use tristero_proto::testing::MemoryEngine;
use tristero_proto::wire::{ActionName, Chunk, Frame, Payload, Tag};
use tristero_proto::{
    ActionKind, ActionOptions, CallId, Clock, Deadline, Event, Input, LinkId, Message, Node,
    NodeConfig, Output, PeerId, RelayConfig, Request, RequestFailure, RequestId, RequestOptions,
    Response, Rng, RoomConfig, RoomKey, Seed, SendOptions, Time,
};

pub const RELAY: &str = "ws://relay.example/";
pub const TRACKER: &str = "ws://tracker.example/";
const LATENCY: Duration = Duration::from_millis(5);
/// What is due may make something else due at once, but not over and over.
const HASTE_MAX: usize = 4;

/// Whether the relay loses a signal.
pub type IsLost = Box<dyn FnMut(&Value) -> bool>;

/// A node's place in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who(pub usize);

struct Inhabitant {
    node: Node<MemoryEngine>,
    events: Vec<Event>,
    is_frozen: bool,
    /// What waits for a node that sleeps; a frozen one gets nothing.
    missed: Option<Vec<Arrival>>,
    /// How often in a row it wanted to be woken again at once.
    haste: usize,
}

enum Arrival {
    Opened(LinkId),
    Refused(LinkId),
    Frame(LinkId, String),
    Datagram(Transmit),
}

#[derive(Default)]
pub struct World {
    pub now: Time,
    nodes: Vec<Inhabitant>,
    arrivals: BTreeMap<(Time, u64), (Who, Arrival)>,
    sequence: u64,
    subscriptions: BTreeMap<String, BTreeSet<(Who, LinkId)>>,
    /// What was published: by whom, on which topic, and the signal.
    pub published: Vec<(Who, String, Value)>,
    pub relay_is_down: bool,
    pub tracker: tracker::Tracker,
    /// Relays that take no link any more, by their URLs.
    down: BTreeSet<String>,
    /// The URLs of all links.
    links: BTreeMap<(Who, LinkId), String>,
    pub network_is_cut: bool,
    /// Nodes that are alive and take no message off their connections.
    pub stalls: BTreeSet<Who>,
    /// How much longer than the shortest way something may take, each link and connection in order.
    pub jitter: Option<(Rng, Duration)>,
    last_arrivals: BTreeMap<(Who, Vec<u8>), Time>,
    /// What the relay says of every frame; all delivered by default.
    pub is_lost: Option<IsLost>,
    /// The messages of the data channel, by who sent them.
    pub sent: Vec<(Who, Bytes)>,
    /// All outputs, to compare runs.
    pub trace: Vec<String>,
    /// Whether the trace is not wanted.
    pub is_untraced: bool,
    /// Deadlines that were over right after a node was woken for them, or came again and again.
    pub overdue: Vec<(Who, Deadline)>,
    /// Whether nobody hears that a peer is one of ours, as if all were JavaScript.
    pub is_plain: bool,
    /// Whether frames, packets and what asks for key frames get lost.
    pub loses_media: bool,
    isolated: BTreeSet<Who>,
    /// What data channels carry from and to nodes that are isolated.
    cut_off: Vec<(Who, Arrival)>,
    /// What datagrams between two nodes begin with, to forge more of them.
    tags: BTreeMap<(Who, Who), (Path, [u8; 8])>,
}

pub fn room(app_id: &str, room_id: &str) -> RoomConfig {
    let url = RelayUrl::web_socket(RELAY).unwrap();
    let relay = RelayConfig { strategy: Arc::new(WsRelay), url };
    RoomConfig { relays: vec![relay], ..RoomConfig::new(app_id, room_id) }
}

/// The same room as [`room`], over a tracker.
pub fn tracked_room(app_id: &str, room_id: &str) -> RoomConfig {
    let url = RelayUrl::web_socket(TRACKER).unwrap();
    let relay = RelayConfig { strategy: Arc::new(Torrent), url };
    RoomConfig { relays: vec![relay], ..RoomConfig::new(app_id, room_id) }
}

pub fn with_password(password: &str) -> RoomConfig {
    RoomConfig { password: password.into(), ..room("app", "room") }
}

pub fn action(name: &str) -> ActionName {
    ActionName::new(name).unwrap()
}

impl World {
    pub fn new() -> Self {
        World { now: Time::from_millis(1_000), ..World::default() }
    }

    /// Adds a node with this id, reachable at an address of its own.
    pub fn add(&mut self, id: &str) -> Who {
        self.add_with(id, NodeConfig::default())
    }

    pub fn add_with(&mut self, id: &str, config: NodeConfig) -> Who {
        let who = Who(self.nodes.len());
        let seed = Seed::from_number(who.0 as u64 + 1);
        let engine = MemoryEngine::new(&seed.fork("engine"));
        let self_id = Some(PeerId::new(id).unwrap());
        let config = NodeConfig { self_id, ..config };
        let clock = Clock { now: self.now, unix: Duration::from_secs(1_700_000_000) };
        let node = Node::new(config, engine, seed, clock);
        let (events, is_frozen) = (Vec::new(), false);
        self.nodes.push(Inhabitant { node, events, is_frozen, missed: None, haste: 0 });
        self.input(who, Input::Engine(EngineInput::AddressAdded(address(who))));
        who
    }

    pub fn id(&self, who: Who) -> PeerId {
        self.nodes[who.0].node.self_id().clone()
    }

    /// Who has this id.
    pub fn who(&self, id: &PeerId) -> Who {
        let is_it = |at: &usize| self.id(Who(*at)) == *id;
        Who((0..self.nodes.len()).find(is_it).unwrap())
    }

    pub fn node(&self, who: Who) -> &Node<MemoryEngine> {
        &self.nodes[who.0].node
    }

    pub fn join(&mut self, who: Who, config: RoomConfig) -> RoomKey {
        let now = self.now;
        let key = self.with(who, |node| node.join(config, now)).unwrap();
        self.drain(who);
        key
    }

    /// Two nodes in one room, members of each other.
    pub fn met(config: &RoomConfig) -> (World, Who, Who, RoomKey) {
        let mut world = World::new();
        let (a, b) = (world.add("a"), world.add("b"));
        let key = world.join(a, config.clone());
        world.join(b, config.clone());
        world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
        (world, a, b, key)
    }

    pub fn leave(&mut self, who: Who, key: RoomKey) {
        let now = self.now;
        self.with(who, |node| node.leave(key, now));
    }

    pub fn register(&mut self, who: Who, key: RoomKey, name: &str) {
        let now = self.now;
        let options = ActionOptions::default();
        self.with(who, |node| node.register(key, &action(name), options, now)).unwrap();
    }

    pub fn send(&mut self, who: Who, key: RoomKey, name: &str, payload: impl Into<Payload>) {
        self.send_with(who, key, name, payload, &SendOptions::default());
    }

    pub fn send_with(
        &mut self,
        who: Who,
        key: RoomKey,
        name: &str,
        payload: impl Into<Payload>,
        options: &SendOptions,
    ) {
        let now = self.now;
        let payload = payload.into();
        self.with(who, |node| node.send(key, &action(name), payload, options, now)).unwrap();
    }

    pub fn register_as(&mut self, who: Who, key: RoomKey, name: &str, kind: ActionKind) {
        let now = self.now;
        let options = ActionOptions { kind, progress: false };
        self.with(who, |node| node.register(key, &action(name), options, now)).unwrap();
    }

    pub fn register_requests(&mut self, who: Who, key: RoomKey, name: &str) {
        self.register_as(who, key, name, ActionKind::Request { handled: true });
    }

    pub fn request(
        &mut self,
        who: Who,
        key: RoomKey,
        name: &str,
        payload: impl Into<Payload>,
        options: RequestOptions,
    ) -> RequestId {
        let (now, payload) = (self.now, payload.into());
        self.with(who, |node| node.request(key, &action(name), payload, options, now)).unwrap()
    }

    pub fn respond(
        &mut self,
        who: Who,
        key: RoomKey,
        call: CallId,
        result: Result<Payload, String>,
    ) {
        let now = self.now;
        self.with(who, |node| node.respond(key, call, result, now)).unwrap();
    }

    /// The requests that arrived.
    pub fn requests(&self, who: Who) -> Vec<Request> {
        let request = |event: &Event| match event {
            Event::Request { request, .. } => Some(request.clone()),
            _ => None,
        };
        self.events(who).iter().filter_map(request).collect()
    }

    /// What came of requests.
    pub fn responses(&self, who: Who) -> Vec<(RequestId, Result<Response, RequestFailure>)> {
        let response = |event: &Event| match event {
            Event::Response { request, result, .. } => Some((*request, result.clone())),
            _ => None,
        };
        self.events(who).iter().filter_map(response).collect()
    }

    /// The metadata that a node sent along on an action.
    pub fn sent_metadata(&self, who: Who, name: &str) -> Vec<Value> {
        let chunks = |message: &Bytes| match Frame::parse(message) {
            Ok(Frame::Room { chunk, .. }) => vec![chunk],
            Ok(Frame::Bundle { chunks, .. }) => chunks.collect(),
            _ => Vec::new(),
        };
        let metadata = |chunk: Bytes| {
            let chunk = Chunk::parse(&chunk).ok()?;
            let is_it = chunk.action.as_str() == name && chunk.tag.has(Tag::META);
            is_it.then(|| serde_json::from_slice(&chunk.payload).unwrap())
        };
        let sent = self.sent.iter().filter(|(from, _)| *from == who);
        sent.flat_map(|(_, message)| chunks(message)).filter_map(metadata).collect()
    }

    pub fn with<T>(&mut self, who: Who, act: impl FnOnce(&mut Node<MemoryEngine>) -> T) -> T {
        let result = act(&mut self.nodes[who.0].node);
        self.drain(who);
        result
    }

    /// A node that does nothing any more, as if its process had been killed.
    pub fn freeze(&mut self, who: Who) {
        self.nodes[who.0].is_frozen = true;
    }

    /// It goes on, with the time that passed.
    pub fn thaw(&mut self, who: Who) {
        self.nodes[who.0].is_frozen = false;
    }

    /// How many datagrams a node has sent.
    pub fn transmits(&self, who: Who) -> usize {
        let sender = format!("{who:?} Transmit");
        self.trace.iter().filter(|line| line.contains(&sender)).count()
    }

    /// A node that does nothing for now, as on a laptop that sleeps. Its relays, and the data
    /// channels of others, try again until it hears them.
    pub fn sleep(&mut self, who: Who) {
        let inhabitant = &mut self.nodes[who.0];
        inhabitant.is_frozen = true;
        inhabitant.missed.get_or_insert_default();
    }

    /// Ends the sleep of a node. It hears what it missed before it looks at the clock, or after.
    pub fn wake(&mut self, who: Who, hears_first: bool) {
        let inhabitant = &mut self.nodes[who.0];
        inhabitant.is_frozen = false;
        for arrival in inhabitant.missed.take().unwrap_or_default() {
            if hears_first {
                self.arrive(who, arrival);
            } else {
                // Before all that is still on its way; what is due is earlier than that.
                self.sequence += 1;
                self.arrivals.insert((self.now, self.sequence), (who, arrival));
            }
        }
    }

    /// Lets no datagram from or to a node pass. What data channels carry is sent again afterwards,
    /// as SCTP does.
    pub fn isolate(&mut self, who: Who) {
        self.isolated.insert(who);
    }

    /// Ends the isolation of a node.
    pub fn reconnect(&mut self, who: Who) {
        self.isolated.remove(&who);
        for (to, arrival) in std::mem::take(&mut self.cut_off) {
            if self.is_cut_off(to, &arrival) {
                self.cut_off.push((to, arrival));
            } else {
                self.schedule(to, arrival);
            }
        }
    }

    pub fn events(&self, who: Who) -> &[Event] {
        &self.nodes[who.0].events
    }

    pub fn take_events(&mut self, who: Who) -> Vec<Event> {
        std::mem::take(&mut self.nodes[who.0].events)
    }

    pub fn messages(&self, who: Who) -> Vec<Message> {
        let message = |event: &Event| match event {
            Event::Message { message, .. } => Some(message.clone()),
            _ => None,
        };
        self.events(who).iter().filter_map(message).collect()
    }

    pub fn has_joined(&self, who: Who, other: Who) -> bool {
        let id = self.id(other);
        let is_it = |event: &Event| matches!(event, Event::PeerJoined { peer, .. } if *peer == id);
        self.events(who).iter().any(is_it)
    }

    /// How often a node was told that another one joined.
    pub fn joins(&self, who: Who, other: Who) -> usize {
        let id = self.id(other);
        let is_it = |event: &&Event| matches!(event, Event::PeerJoined { peer, .. } if *peer == id);
        self.events(who).iter().filter(is_it).count()
    }

    pub fn has_left(&self, who: Who, other: Who) -> bool {
        let id = self.id(other);
        let is_it = |event: &Event| matches!(event, Event::PeerLeft { peer, .. } if *peer == id);
        self.events(who).iter().any(is_it)
    }

    /// The signals on the wire, as `(who, keys)`.
    pub fn signals(&self) -> Vec<(Who, Vec<String>)> {
        let keys = |signal: &Value| signal.as_object().unwrap().keys().cloned().collect();
        self.published.iter().map(|(who, _, signal)| (*who, keys(signal))).collect()
    }

    /// Publishes something as a stranger would.
    pub fn inject(&mut self, topic: &str, payload: &str) {
        self.deliver(topic, payload);
    }

    /// Sends a message of the data channel as if `from` had sent it.
    pub fn forge(&mut self, from: Who, to: Who, message: &[u8]) {
        let (path, tag) = self.tags[&(from, to)];
        let bytes = [&tag[..], b"M", message].concat().into();
        let transmit = Transmit { path, bytes, segment_size: None, ecn: None };
        self.schedule(to, Arrival::Datagram(transmit));
    }

    /// How often a node sent something that holds this text over the data channel.
    pub fn transmitted(&self, who: Who, text: &str) -> usize {
        let sender = format!("{who:?} Transmit");
        self.trace.iter().filter(|line| line.contains(&sender) && line.contains(text)).count()
    }

    /// Lets the relay send this to a node.
    pub fn forge_relay_frame(&mut self, to: Who, frame: &LinkFrame) {
        let links: BTreeSet<(Who, LinkId)> =
            self.subscriptions.values().flatten().copied().collect();
        for (who, link) in links.into_iter().filter(|(who, _)| *who == to) {
            self.input(who, Input::LinkFrame(link, frame.clone()));
        }
    }

    /// Every link ends, as when the relay's machine stops.
    pub fn stop_relay(&mut self) {
        self.relay_is_down = true;
        let links: BTreeSet<(Who, LinkId)> =
            std::mem::take(&mut self.subscriptions).into_values().flatten().collect();
        for (who, link) in links {
            self.schedule(who, Arrival::Refused(link));
        }
    }

    /// One relay stops; its links end.
    pub fn stop_relay_at(&mut self, url: &str) {
        self.down.insert(url.to_owned());
        let links = std::mem::take(&mut self.links);
        let (gone, kept) = links.into_iter().partition(|(_, of)| of == url);
        self.links = kept;
        let gone: BTreeMap<(Who, LinkId), String> = gone;
        for (who, link) in gone.into_keys() {
            self.forget_link(who, link);
            self.schedule(who, Arrival::Refused(link));
        }
    }

    /// A relay that was stopped may be dialled again.
    pub fn start_relay_at(&mut self, url: &str) {
        self.down.remove(url);
    }

    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Does what comes next, for tests that look at every step; false if that is after `end`.
    pub fn advance(&mut self, end: Time) -> bool {
        self.step(end)
    }

    pub fn run_until(&mut self, is_done: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(120);
        while !is_done(self) {
            assert!(self.step(end), "it did not come to pass; events: {:#?}", self.all_events());
        }
    }

    pub fn input(&mut self, who: Who, input: Input<'_>) {
        let now = self.now;
        self.nodes[who.0].node.handle_input(input, now);
        self.drain(who);
    }

    fn all_events(&self) -> Vec<&[Event]> {
        self.nodes.iter().map(|inhabitant| &inhabitant.events[..]).collect()
    }

    fn step(&mut self, end: Time) -> bool {
        let arrival = self.arrivals.first_key_value().map(|((at, _), _)| *at);
        let due = self.nodes.iter().filter(|inhabitant| !inhabitant.is_frozen);
        let due = due.filter_map(|inhabitant| inhabitant.node.poll_timeout());
        let due = due.map(|deadline| deadline.at).min();
        let Some(at) = arrival.into_iter().chain(due).min().filter(|at| *at <= end) else {
            return false;
        };
        self.now = self.now.max(at);
        if arrival == Some(at) {
            let (_, (who, arrival)) = self.arrivals.pop_first().unwrap();
            let inhabitant = &mut self.nodes[who.0];
            if !inhabitant.is_frozen {
                self.arrive(who, arrival);
            } else if let Some(missed) =
                inhabitant.missed.as_mut().filter(|_| is_repeated(&arrival))
            {
                missed.push(arrival);
            }
            return true;
        }
        for index in 0..self.nodes.len() {
            let inhabitant = &mut self.nodes[index];
            let deadline = inhabitant.node.poll_timeout();
            if !inhabitant.is_frozen && deadline.is_some_and(|deadline| deadline.at <= self.now) {
                inhabitant.node.handle_timeout(self.now);
                self.drain(Who(index));
                let inhabitant = &mut self.nodes[index];
                let next = inhabitant.node.poll_timeout().filter(|next| next.at <= self.now);
                inhabitant.haste = next.map_or(0, |_| inhabitant.haste + 1);
                let is_late = |next: &Deadline| next.at < self.now || inhabitant.haste > HASTE_MAX;
                let overdue = next.filter(is_late);
                self.overdue.extend(overdue.map(|deadline| (Who(index), deadline)));
            }
        }
        true
    }

    fn arrive(&mut self, who: Who, arrival: Arrival) {
        match arrival {
            Arrival::Opened(link) => self.input(who, Input::LinkOpened(link)),
            Arrival::Refused(link) => self.input(who, Input::LinkClosed(link, "refused")),
            Arrival::Frame(link, text) => {
                self.input(who, Input::LinkFrame(link, LinkFrame::Text(text)));
            }
            Arrival::Datagram(transmit) => {
                let path = Path { local: transmit.path.remote, remote: transmit.path.local };
                let datagram = Datagram { path, ecn: None, bytes: &transmit.bytes };
                self.input(who, Input::Engine(EngineInput::Datagram(datagram)));
            }
        }
    }

    fn drain(&mut self, who: Who) {
        while let Some(output) = self.nodes[who.0].node.poll_output() {
            if !self.is_untraced {
                self.trace.push(format!("{:?} {who:?} {output:?}", self.now));
            }
            match output {
                Output::OpenLink { link, target } => {
                    let LinkTarget::WebSocket { url, .. } = target else {
                        panic!("a link that this world does not know")
                    };
                    self.links.insert((who, link), url.as_str().to_owned());
                    let is_down = self.relay_is_down || self.down.contains(url.as_str());
                    let arrival = match is_down {
                        true => Arrival::Refused(link),
                        false => Arrival::Opened(link),
                    };
                    self.schedule(who, arrival);
                }
                Output::SendLink { link, frame } => self.on_relay_frame(who, link, frame),
                Output::CloseLink { link } => {
                    self.links.remove(&(who, link));
                    self.forget_link(who, link);
                }
                Output::Transmit(transmit) => {
                    let to = inhabitant_of(transmit.path.remote);
                    if let Some(tag) = transmit.bytes.first_chunk() {
                        self.tags.insert((who, to), (transmit.path, *tag));
                    }
                    let is_message = transmit.bytes.get(8) == Some(&b'M');
                    if is_message && !self.is_untraced {
                        self.sent.push((who, transmit.bytes.slice(9..)));
                    }
                    let transmit = if self.is_plain { without_hello(transmit) } else { transmit };
                    let is_media = matches!(transmit.bytes.get(8), Some(b'F' | b'P' | b'K'));
                    if is_media && self.loses_media {
                        continue;
                    }
                    let is_stalled = is_message && self.stalls.contains(&to);
                    let arrival = Arrival::Datagram(transmit);
                    if self.is_cut_off(to, &arrival) {
                        self.cut_off.extend(is_repeated(&arrival).then_some((to, arrival)));
                    } else if !self.network_is_cut && !is_stalled {
                        self.schedule(to, arrival);
                    }
                }
                Output::Event(event) => self.nodes[who.0].events.push(event),
                other => panic!("an output that this world does not know: {other:?}"),
            }
        }
    }

    fn on_relay_frame(&mut self, who: Who, link: LinkId, frame: LinkFrame) {
        let LinkFrame::Text(text) = frame else { panic!("this relay takes text") };
        let frame: Value = serde_json::from_str(&text).unwrap();
        if frame["action"] == "announce" {
            for (to, link, frame) in self.tracker.on_frame(who, link, &frame) {
                self.schedule(to, Arrival::Frame(link, frame.to_string()));
            }
            return;
        }
        let topic = frame["topic"].as_str().unwrap().to_owned();
        match frame["type"].as_str().unwrap() {
            "subscribe" => {
                self.subscriptions.entry(topic).or_default().insert((who, link));
            }
            "unsubscribe" => {
                self.subscriptions.entry(topic).or_default().remove(&(who, link));
            }
            "publish" => {
                let payload = frame["payload"].as_str().unwrap();
                let signal: Value = serde_json::from_str(payload).unwrap();
                let is_lost = self.is_lost.as_mut().is_some_and(|is_lost| is_lost(&signal));
                self.published.push((who, topic.clone(), signal));
                if !is_lost {
                    self.deliver(&topic, payload);
                }
            }
            other => panic!("no relay knows {other}"),
        }
    }

    fn forget_link(&mut self, who: Who, link: LinkId) {
        for subscribers in self.subscriptions.values_mut() {
            subscribers.remove(&(who, link));
        }
        self.tracker.forget(who, link);
    }

    fn deliver(&mut self, topic: &str, payload: &str) {
        let text = serde_json::json!({ "topic": topic, "payload": payload }).to_string();
        let subscribers = self.subscriptions.get(topic).cloned().unwrap_or_default();
        for (who, link) in subscribers {
            self.schedule(who, Arrival::Frame(link, text.clone()));
        }
    }

    fn is_cut_off(&self, to: Who, arrival: &Arrival) -> bool {
        let Arrival::Datagram(transmit) = arrival else { return false };
        let from = inhabitant_of(transmit.path.local);
        self.isolated.contains(&from) || self.isolated.contains(&to)
    }

    fn schedule(&mut self, who: Who, arrival: Arrival) {
        self.sequence += 1;
        let at = self.arrival_time(who, &arrival);
        self.arrivals.insert((at, self.sequence), (who, arrival));
    }

    fn arrival_time(&mut self, who: Who, arrival: &Arrival) -> Time {
        let Some((rng, jitter)) = &mut self.jitter else { return self.now + LATENCY };
        let at = self.now + LATENCY + rng.duration_below(*jitter);
        let way = match arrival {
            Arrival::Opened(link) | Arrival::Refused(link) | Arrival::Frame(link, _) => {
                link.number().to_be_bytes().to_vec()
            }
            Arrival::Datagram(transmit) => transmit.bytes[..8].to_vec(),
        };
        let last = self.last_arrivals.entry((who, way)).or_default();
        *last = at.max(*last);
        *last
    }
}

/// A message that says what a peer of ours can do, as one that says nothing.
fn without_hello(mut transmit: Transmit) -> Transmit {
    if transmit.bytes.get(8..10) == Some(b"M\x03") {
        let mut bytes = transmit.bytes.to_vec();
        bytes[9] = 0xee;
        transmit.bytes = bytes.into();
    }
    transmit
}

fn address(who: Who) -> SocketAddr {
    ([10, 0, 0, 1], 1_000 + u16::try_from(who.0).unwrap()).into()
}

fn inhabitant_of(address: SocketAddr) -> Who {
    Who(usize::from(address.port()) - 1_000)
}

/// Whether something is sent until it arrives: all that links carry, and of datagrams those that
/// stand for what SCTP makes reliable, messages and what acknowledges them.
fn is_repeated(arrival: &Arrival) -> bool {
    match arrival {
        Arrival::Opened(_) | Arrival::Refused(_) | Arrival::Frame(..) => true,
        Arrival::Datagram(transmit) => matches!(transmit.bytes.get(8), Some(b'M' | b'A')),
    }
}
